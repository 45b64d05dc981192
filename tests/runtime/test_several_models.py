"""Several models and several optimizers in one loop, each moved by who should move it."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam

from freezelint.runtime import watch
from tests.runtime.nets import INPUTS, WIDTH, Net, frozen_net, loss_of, on, said, step

pytestmark = pytest.mark.torch

PARTS = ("backbone.weight", "backbone.bias", "head.weight", "head.bias")


def of(model: str) -> tuple[str, ...]:
    return tuple(f"{model}.{name}" for name in PARTS)


def judged(scores: Tensor, truth: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(scores, torch.full_like(scores, truth))


def adversaries() -> tuple[dict[str, nn.Module], dict[str, torch.optim.Optimizer]]:
    models: dict[str, nn.Module] = {
        "generator": nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh()),
        "critic": nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 1)),
    }
    return models, {name: Adam(model.parameters(), lr=0.01) for name, model in models.items()}


def train_critic(models: dict[str, nn.Module], optimizer: torch.optim.Optimizer) -> None:
    generator, critic = models["generator"], models["critic"]
    critic.requires_grad_(True)
    optimizer.zero_grad()
    fake = generator(INPUTS).detach()
    (judged(critic(INPUTS), 1.0) + judged(critic(fake), 0.0)).backward()
    optimizer.step()


def train_generator(models: dict[str, nn.Module], optimizer: torch.optim.Optimizer) -> None:
    models["critic"].requires_grad_(False)
    optimizer.zero_grad()
    judged(models["critic"](models["generator"](INPUTS)), 1.0).backward()
    optimizer.step()


@pytest.mark.parametrize("promises", [{}, {"trainable": ["generator", "critic"]}])
def test_adversaries_toggle_flags(promises: dict[str, list[str]]) -> None:
    models, optimizers = adversaries()
    with watch(models, optimizers, **promises) as seen:
        for _ in range(6):
            train_critic(models, optimizers["critic"])
            train_generator(models, optimizers["generator"])
    assert seen.steps == 12


@pytest.mark.parametrize("critics", [5, 12, 25])
def test_the_generator_may_wait_for_its_turn(critics: int) -> None:
    models, optimizers = adversaries()
    with watch(models, optimizers) as seen:
        for _ in range(2):
            for _ in range(critics):
                train_critic(models, optimizers["critic"])
            train_generator(models, optimizers["generator"])
    assert not seen.violations


def test_an_adversary_whose_flags_stay_off_is_named() -> None:
    models, optimizers = adversaries()
    with watch(models, optimizers, on_violation="collect") as seen:
        train_critic(models, optimizers["critic"])
        train_generator(models, optimizers["generator"])
        optimizers["critic"].step()
    assert {kind for kind, _ in said(seen)} >= {"flag-flipped"}
    assert all(str(each.tensor).startswith("critic.") for each in seen.violations)


def follow(follower: nn.Module, leader: nn.Module) -> None:
    with torch.no_grad():
        for slow, fast in zip(follower.parameters(), leader.parameters(), strict=True):
            slow.lerp_(fast, 0.1)


def test_a_target_may_follow_and_be_overwritten() -> None:
    online = Net()
    target = copy.deepcopy(online).requires_grad_(False)
    optimizer = SGD(online.parameters(), lr=0.1)
    models = {"online": online, "target": target}
    with watch(models, optimizer, trainable=["online"], target=["target"]) as seen:
        for _ in range(3):
            step(online, optimizer)
            follow(target, online)
        target.load_state_dict(online.state_dict())
    assert not seen.violations


def test_a_target_that_an_optimizer_moves_is_named() -> None:
    online = Net()
    target = copy.deepcopy(online)
    optimizer = SGD([*online.parameters(), *target.parameters()], lr=0.1)
    models = {"online": online, "target": target}
    watched = partial(watch, trainable=["online"], target=["target"], on_violation="collect")
    with watched(models, optimizer) as seen:
        optimizer.zero_grad()
        (online(INPUTS) - target(INPUTS) - 1).square().mean().backward()
        optimizer.step()
    assert said(seen) == on(*of("target"), kind="frozen-changed")
    assert {(each.cause, each.optimizer) for each in seen.violations} == {("FZ311", "SGD")}


def test_a_target_that_is_the_online_model_itself_is_named() -> None:
    online = Net()
    target = online.eval()  # which returns the model
    optimizer = SGD(online.parameters(), lr=0.1)
    models = {"online": online, "target": target}
    watched = partial(watch, frozen=["target"], trainable=["online"], on_violation="collect")
    with watched(models, optimizer) as seen:
        step(online, optimizer)
    assert {(each.kind, each.cause) for each in seen.violations if each.kind == "alias"} == {
        ("alias", "FZ604")
    }
    assert on(*of("online"), kind="alias") <= said(seen)
    assert on(*of("online"), kind="frozen-changed") <= said(seen)


def test_a_model_with_two_names_is_watched_once() -> None:
    online = Net()
    optimizer = SGD(online.parameters(), lr=0.1)
    with watch({"online": online, "best": online}, optimizer) as seen:
        step(online, optimizer)
    assert not seen.violations
    assert seen.steps == 1


def test_a_frozen_teacher_beside_a_student_with_two_optimizers() -> None:
    student, teacher = Net(), Net().requires_grad_(False)
    backbone = Adam(student.backbone.parameters(), lr=0.01)
    head = SGD(student.head.parameters(), lr=0.1)
    with watch({"student": student, "teacher": teacher}, backbone, head) as seen:
        for _ in range(3):
            student.zero_grad()
            (student(INPUTS) - teacher(INPUTS)).square().mean().backward()
            backbone.step()
            head.step()
    assert seen.steps == 6


def test_the_second_optimizer_is_never_stepped() -> None:
    student, teacher = Net(), Net().requires_grad_(False)
    backbone = Adam(student.backbone.parameters(), lr=0.01)
    head = SGD(student.head.parameters(), lr=0.1)
    with watch([student, teacher], backbone, head, on_violation="collect") as seen:
        for _ in range(4):
            student.zero_grad()
            (student(INPUTS) - teacher(INPUTS)).square().mean().backward()
            backbone.step()
    assert said(seen) == on("Net.head.weight", "Net.head.bias", kind="not-trained")
    assert all("never took a step" in each.message for each in seen.violations)


def test_an_optimizer_that_is_forgotten_is_missed_in_the_end_at_the_latest() -> None:
    models, optimizers = adversaries()
    with watch(models, optimizers, within=1, on_violation="collect") as seen:
        for _ in range(31):
            train_critic(models, optimizers["critic"])
        assert not seen.violations
        train_critic(models, optimizers["critic"])
        assert {kind for kind, _ in said(seen)} == {"not-trained"}


def test_the_optimizer_that_did_it_is_named_by_its_key() -> None:
    model = frozen_net()
    optimizers = {
        "body": SGD(model.backbone.parameters(), lr=0.1),
        "top": SGD(model.head.parameters(), lr=0.1),
    }
    with watch(model, optimizers, on_violation="collect") as seen:
        loss_of(model).backward()
        model.backbone.bias.grad = torch.ones_like(model.backbone.bias)
        optimizers["top"].step()
        optimizers["body"].step()
    moved = [each for each in seen.violations if each.kind == "frozen-changed"]
    assert [(each.tensor, each.optimizer, each.step) for each in moved] == [
        ("backbone.bias", "body", 2)
    ]


def test_models_and_optimizers_of_one_class_are_numbered() -> None:
    models = [Net(), Net()]
    optimizers = [SGD(model.parameters(), lr=0.1) for model in models]
    with watch(models, optimizers, frozen=["Net2.*"], on_violation="collect") as seen:
        for model, optimizer in zip(models, optimizers, strict=True):
            step(model, optimizer)
    assert said(seen) == on(*of("Net2"), kind="frozen-changed")
    assert {each.optimizer for each in seen.violations} == {"SGD2"}


@pytest.mark.parametrize("subject", [3, "model", torch.zeros(1), object()])
def test_what_is_neither_a_model_nor_an_optimizer_is_refused(subject: object) -> None:
    with pytest.raises(TypeError, match="neither a model nor an optimizer"):
        watch(Net(), subject)


def test_without_a_model_there_is_nothing_to_watch() -> None:
    with pytest.raises(TypeError, match="nothing to watch"):
        watch(SGD(Net().parameters(), lr=0.1))


def test_nothing_and_the_same_thing_twice_are_passed_over() -> None:
    model, optimizer = Net(), None
    with watch([model, None], {"again": model}, optimizer) as seen:
        pass
    assert len(seen.stock.inventory.models) == 1
