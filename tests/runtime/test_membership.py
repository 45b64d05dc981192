"""Who holds what: left out of the optimizer, held by it and gone, tied, shared, nothing at all."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.optim import SGD

from freezelint.runtime import FreezeViolated, watch
from tests.runtime.nets import HOOKS, WIDTH, Net, Words, fine_tuned, frozen_net, on, said, step

pytestmark = pytest.mark.torch

HEAD = ("head.weight", "head.bias")
BACKBONE = ("backbone.weight", "backbone.bias")


def test_what_trains_and_is_in_no_optimizer() -> None:
    model = Net()
    optimizer = SGD(model.head.parameters(), lr=0.1)
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        first = list(seen.violations)
    assert said(first) == on(*BACKBONE, kind="not-optimized")
    assert {each.cause for each in first} == {"FZ312"}
    assert {each.step for each in first} == {0}


def test_what_is_unfrozen_after_a_filtered_optimizer() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        model.backbone.requires_grad_(True)
        step(model, optimizer)
    assert on(*BACKBONE, kind="flag-flipped") == said(seen)


def test_what_a_pattern_unfreezes_and_a_filtered_optimizer_passed_over() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, trainable=["backbone", "head"], on_violation="collect") as seen:
        model.backbone.requires_grad_(True)
        step(model, optimizer)
    assert on(*BACKBONE, kind="not-optimized") <= said(seen)
    assert {each.cause for each in seen.violations} == {"FZ304"}


def test_a_generator_that_was_used_up_leaves_an_empty_group() -> None:
    model = Net()
    parameters = model.backbone.parameters()
    assert len(list(parameters)) == 2
    optimizer = SGD([{"params": parameters}, {"params": model.head.parameters()}], lr=0.1)
    with pytest.raises(FreezeViolated, match="in none of the optimizers"), watch(model, optimizer):
        step(model, optimizer)


def test_a_group_that_is_added_before_the_first_step_counts() -> None:
    model = Net()
    optimizer = SGD(model.head.parameters(), lr=0.1)
    with watch(model, optimizer) as seen:
        optimizer.add_param_group({"params": list(model.backbone.parameters())})
        step(model, optimizer)
    assert not seen.violations


@HOOKS
def test_without_optimizers_those_that_step_are_the_ones() -> None:
    model = Net()
    optimizer = SGD(model.head.parameters(), lr=0.1)
    with watch(model, on_violation="collect") as seen:
        step(model, optimizer)
    assert on(*BACKBONE, kind="not-optimized") <= said(seen)
    assert list(seen.optimizers.values()) == [optimizer]


@HOOKS
def test_an_optimizer_of_another_model_is_none_of_its_business() -> None:
    model, optimizer = fine_tuned()
    other = Net()
    foreign = SGD(other.parameters(), lr=0.1)
    with watch(model) as seen:
        step(other, foreign)
        step(model, optimizer)
    assert seen.steps == 1


def test_a_head_that_was_replaced_after_the_optimizer_leaves_orphans() -> None:
    model = frozen_net()
    optimizer = SGD(model.head.parameters(), lr=0.1)
    model.head = nn.Linear(WIDTH, 2)
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        first = list(seen.violations)
    assert said(first) == {("orphan", None)} | on(*HEAD, kind="not-optimized")
    (orphan,) = (each for each in first if each.kind == "orphan")
    assert (orphan.optimizer, orphan.group, orphan.cause) == ("SGD", 0, "FZ603")
    assert "(2, 4)" in orphan.message
    assert "1 more" in orphan.message


def test_a_head_that_is_replaced_in_the_loop_leaves_orphans() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        model.head = nn.Linear(WIDTH, 2)
        step(model, optimizer)
        assert {("orphan", None)} | on(*HEAD, kind="not-optimized") <= said(seen)


def test_a_copy_of_the_model_is_not_what_the_optimizer_holds() -> None:
    original, optimizer = fine_tuned()
    model = copy.deepcopy(original)
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
    assert ("orphan", None) in said(seen)


def test_orphans_are_said_once_of_each_optimizer() -> None:
    model, optimizer = fine_tuned()
    strays = SGD([torch.zeros(1)], lr=0.1), SGD([torch.zeros(1)], lr=0.1)
    with watch(model, optimizer, *strays, on_violation="collect") as seen:
        for _ in range(3):
            step(model, optimizer, *strays)
    assert [each.optimizer for each in seen.violations] == ["SGD2", "SGD3"]


def test_parameters_of_the_loss_may_be_handed_over_with_the_model() -> None:
    model, optimizer = fine_tuned()
    loss = nn.Linear(2, 1)
    optimizer.add_param_group({"params": list(loss.parameters())})
    with watch({"model": model, "loss": loss}, optimizer) as seen:
        optimizer.zero_grad()
        loss(model(torch.ones(3, WIDTH))).square().mean().backward()
        optimizer.step()
    assert not seen.violations


def test_one_object_under_two_names_cannot_stay_and_train() -> None:
    model = Words()
    model.head.weight = model.backbone.weight
    optimizer = torch.optim.SparseAdam(model.parameters())
    with watch(
        model, optimizer, frozen=["backbone"], trainable=["head"], on_violation="collect"
    ) as seen:
        tied = list(seen.violations)
        step(model, optimizer)
    assert said(tied) == on("backbone.weight", kind="alias")
    assert tied[0].cause == "FZ607"
    assert "head.weight" in tied[0].message
    assert on("backbone.weight", kind="frozen-changed") <= said(seen)


def test_one_object_under_two_names_may_stay_as_a_whole() -> None:
    model = Words()
    model.head.weight = model.backbone.weight
    model.rest = nn.Linear(1, 1)
    with watch(model, frozen=["backbone", "head"]) as seen:
        pass
    assert not seen.violations


@pytest.mark.parametrize(
    "shared",
    [
        pytest.param(lambda weight: weight.data, id="the same memory"),
        pytest.param(lambda weight: weight.data[1:3], id="some rows"),
        pytest.param(lambda weight: weight.data.t(), id="transposed"),
        pytest.param(lambda weight: weight.detach().view(-1), id="flat"),
    ],
)
def test_what_trains_and_shares_memory_with_what_stays(shared: type[torch.Tensor]) -> None:
    model, optimizer = fine_tuned()
    model.view = nn.Parameter(shared(model.backbone.weight))
    optimizer.add_param_group({"params": [model.view]})
    with watch(model, optimizer, on_violation="collect") as seen:
        assert said(seen) == on("backbone.weight", kind="alias")
        assert seen.violations[0].cause == "FZ604"
        model.view.grad = torch.ones_like(model.view)
        optimizer.step()
    assert on("backbone.weight", kind="frozen-changed") <= said(seen)


@pytest.mark.parametrize(
    ("stays", "trains"),
    [
        pytest.param(slice(0, 2), slice(2, 4), id="other rows"),
        pytest.param((slice(None), slice(0, 2)), (slice(None), slice(2, 4)), id="other columns"),
        pytest.param(slice(0, 4, 2), slice(1, 4, 2), id="rows in turn"),
    ],
)
def test_two_parts_of_one_storage_are_no_alias(stays: slice, trains: slice) -> None:
    model, optimizer = fine_tuned()
    whole = torch.randn(4, 4)
    model.stays = nn.Parameter(whole[stays], requires_grad=False)
    model.trains = nn.Parameter(whole[trains])
    optimizer.add_param_group({"params": [model.trains]})
    with watch(model, optimizer) as seen:
        pass
    assert not seen.violations


def test_a_tie_within_what_trains_is_silent() -> None:
    model = Words()
    model.head.weight = model.backbone.weight
    optimizer = torch.optim.SparseAdam(model.parameters())
    with watch(model, optimizer) as seen:
        step(model, optimizer)
    assert not seen.violations


def test_nothing_trains() -> None:
    model = Net().requires_grad_(False)
    optimizer = SGD(model.parameters(), lr=0.1)
    with watch(model, optimizer, on_violation="collect") as seen:
        optimizer.step()
    assert said(seen) == {("nothing-trainable", None)}
    assert seen.violations[0].cause == "FZ502"
    assert "none of 4 parameters" in seen.violations[0].message


def test_nothing_trains_and_nobody_steps() -> None:
    with (
        pytest.raises(FreezeViolated, match="nothing can train"),
        watch(Net().requires_grad_(False)),
    ):
        pass


def test_a_model_without_parameters_has_nothing_to_train() -> None:
    with watch(nn.Tanh()) as seen:
        pass
    assert not seen.violations


def test_gradual_unfreezing_is_no_breach_where_flags_are_followed() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, follows_flags=True) as seen:
        step(model, optimizer)
        model.backbone.requires_grad_(True)
        optimizer.add_param_group({"params": model.backbone.parameters()})
        for _ in range(3):
            step(model, optimizer)
    assert seen.steps == 4


def test_what_is_unfrozen_and_handed_to_no_optimizer_is_named_at_the_next_step() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, follows_flags=True, on_violation="collect") as seen:
        step(model, optimizer)
        model.backbone.requires_grad_(True)
        step(model, optimizer)
        assert said(seen) == on("backbone.weight", "backbone.bias", kind="not-optimized")


def test_a_flag_that_is_switched_on_trains_nothing_where_no_optimizer_holds_it() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer):
        step(model, optimizer)
        model.backbone.requires_grad_(True)
        with pytest.raises(FreezeViolated, match="gradients and no step"):
            step(model, optimizer)


def test_patterns_and_flags_cannot_both_decide() -> None:
    with pytest.raises(TypeError, match="follows_flags is for a contract without patterns"):
        watch(Net(), frozen=["backbone"], follows_flags=True)
