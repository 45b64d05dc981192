"""Optimizers that move what has no gradient, or none that counts, and steps of odd shapes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import ASGD, LBFGS, SGD, Adam, AdamW, Optimizer, Rprop
from torch.optim.lr_scheduler import OneCycleLR

from freezelint.runtime import Watch, watch
from tests.runtime.nets import Net, frozen_net, loss_of, on, said, step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

pytestmark = pytest.mark.torch

BACKBONE = ("backbone.weight", "backbone.bias")
CHANGED = on(*BACKBONE, kind="frozen-changed")

watched = partial(watch, frozen=["backbone"], on_violation="collect")


def causes(seen: Watch) -> set[str | None]:
    return {each.cause for each in seen.violations}


@pytest.mark.parametrize("optimizer", [AdamW, partial(SGD, lr=0.1, weight_decay=0.1), ASGD])
def test_weight_decay_moves_what_has_a_zero_gradient(
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
) -> None:
    model = Net()
    stepping = optimizer(model.parameters())
    for parameter in model.backbone.parameters():
        parameter.register_hook(torch.zeros_like)
    with watched(model, stepping) as seen:
        step(model, stepping)
    assert said(seen) == CHANGED
    assert causes(seen) == {"FZ306"}


def test_a_zero_gradient_alone_moves_nothing() -> None:
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1)
    for parameter in model.backbone.parameters():
        parameter.register_hook(torch.zeros_like)
    with watched(model, optimizer) as seen:
        step(model, optimizer)
    assert not seen.violations


def test_momentum_goes_on_after_gradients_were_zeroed() -> None:
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    step(model, optimizer)
    for parameter in model.backbone.parameters():
        parameter.register_hook(torch.zeros_like)
    with watched(model, optimizer) as seen:
        step(model, optimizer)
    assert said(seen) == CHANGED
    assert all("momentum" in each.message for each in seen.violations)


def test_lbfgs_goes_on_along_its_history() -> None:
    model = Net()
    optimizer = LBFGS(model.parameters(), lr=0.1, max_iter=4)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)  # type: ignore[arg-type]
    model.backbone.requires_grad_(False)
    model.zero_grad()
    with watch(model, optimizer, on_violation="collect") as seen:
        optimizer.step(closure)  # type: ignore[arg-type]
    assert said(seen) == CHANGED
    assert all("LBFGS" in each.message for each in seen.violations)


def test_rprop_moves_a_group_whose_learning_rate_was_set_to_zero() -> None:
    model = Net()
    optimizer = Rprop(
        [{"params": model.backbone.parameters()}, {"params": model.head.parameters()}]
    )
    step(model, optimizer)
    optimizer.param_groups[0]["lr"] = 0.0
    with watched(model, optimizer) as seen:
        step(model, optimizer)
    assert said(seen) == CHANGED
    assert {(each.optimizer, each.group) for each in seen.violations} == {("Rprop", 0)}


@pytest.mark.parametrize("optimizer", [SGD, Adam, AdamW])
def test_a_group_with_learning_rate_zero_stays(optimizer: type[Optimizer]) -> None:
    model = Net()
    groups = [{"params": model.head.parameters()}, {"params": model.backbone.parameters(), "lr": 0}]
    stepping = optimizer(groups, lr=0.1, weight_decay=0.1)  # type: ignore[call-arg]
    with watched(model, stepping) as seen:
        for _ in range(3):
            step(model, stepping)
    assert not seen.violations


def test_a_schedule_revives_a_group_with_learning_rate_zero() -> None:
    model = Net()
    groups = [{"params": model.head.parameters()}, {"params": model.backbone.parameters(), "lr": 0}]
    optimizer = SGD(groups, lr=0.1)
    schedule = OneCycleLR(optimizer, max_lr=0.1, total_steps=40)
    with watched(model, optimizer) as seen:
        for _ in range(2):
            step(model, optimizer)
            schedule.step()
    assert said(seen) == CHANGED
    assert {(each.optimizer, each.group) for each in seen.violations} == {("SGD", 1)}


class Decaying(Optimizer):
    """Decays whatever it holds, with a gradient or without."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        super().__init__(parameters, {"lr": 0.1})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Decay, then descend."""
        for parameter in self.param_groups[0]["params"]:
            parameter.mul_(0.99)
            if parameter.grad is not None:
                parameter.add_(parameter.grad, alpha=-0.1)


def test_an_optimizer_that_decays_without_a_gradient_is_named() -> None:
    model = frozen_net()
    optimizer = Decaying(model.parameters())
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
    assert said(seen) == CHANGED
    assert {(each.optimizer, each.cause) for each in seen.violations} == {("Decaying", "FZ308")}
