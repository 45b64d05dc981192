"""What counts as a step: within another one, raising, skipped, without torch's base class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Optimizer

from freezelint.runtime import FreezeViolated, watch
from tests.runtime.nets import FUSED, Net, fine_tuned, frozen_net, loss_of, on, said, step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

pytestmark = pytest.mark.torch

SCALER = pytest.mark.skipif(
    not hasattr(torch.amp, "GradScaler"), reason="its GradScaler is for CUDA"
)


class Plain:
    """What a loop asks of an optimizer, and no base class."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": list(parameters)}]

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for parameter in self.param_groups[0]["params"]:
            parameter.grad = None

    @torch.no_grad()
    def step(self, closure: Callable[[], object] | None = None) -> None:
        """Move everything a little."""
        if closure is not None:
            closure()
        for parameter in self.param_groups[0]["params"]:
            parameter.sub_(0.1)


def test_an_optimizer_without_a_base_class_is_watched_and_left_as_it_was() -> None:
    model = frozen_net()
    optimizer = Plain(model.parameters())
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
    assert seen.steps == 1
    assert said(seen) == on("backbone.weight", "backbone.bias", kind="frozen-changed")
    assert {each.optimizer for each in seen.violations} == {"Plain"}
    assert "step" not in vars(optimizer)


class Twice(SGD):
    """Steps by the step of its base class, twice."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Two half steps."""
        super().step(closure)
        super().step()


def test_a_step_within_a_step_of_the_same_optimizer_is_one_step() -> None:
    model = frozen_net()
    optimizer = Twice(model.head.parameters(), lr=0.05)
    with watch(model, optimizer) as seen:
        for _ in range(3):
            step(model, optimizer)
    assert seen.steps == 3


class Both(Optimizer):
    """Steps the optimizers in it, and holds nothing itself."""

    def __init__(self, *inner: Optimizer) -> None:
        self.inner = inner
        super().__init__([torch.zeros(1)], {})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop their gradients."""
        for each in self.inner:
            each.zero_grad(set_to_none)

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Step each of them."""
        for each in self.inner:
            each.step()


def test_steps_within_a_step_of_an_optimizer_that_is_not_watched_count() -> None:
    model = frozen_net()
    inner = SGD(model.head.parameters(), lr=0.1), SGD(model.backbone.parameters(), lr=0.1)
    outer = Both(*inner)
    with watch(model, *inner) as seen:
        step(model, outer)
    assert seen.steps == 2


@pytest.mark.parametrize("optimizer", [SGD, Twice])
def test_a_step_that_raises_does_not_hide_the_next_ones(optimizer: type[SGD]) -> None:
    model = frozen_net()
    stepping = optimizer(model.parameters(), lr=0.1)
    with watch(model, stepping, on_violation="collect") as seen:
        step(model, stepping)
        with pytest.raises(ZeroDivisionError):
            stepping.step(lambda: 1 / 0)
        step(model, stepping)
        model.backbone.weight.grad = torch.ones_like(model.backbone.weight)
        stepping.step()
    assert seen.steps == 3
    assert said(seen) == {
        ("stale-gradient", "backbone.weight"),
        ("frozen-changed", "backbone.weight"),
    }


class Careful(SGD):
    """Steps again without what raises."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """With the closure, or without."""
        try:
            super().step(closure)
        except ZeroDivisionError:
            super().step()


def test_a_step_within_a_step_may_raise() -> None:
    model = frozen_net()
    optimizer = Careful(model.head.parameters(), lr=0.1)
    with watch(model, optimizer) as seen:
        step(model, optimizer)
        optimizer.step(lambda: 1 / 0)
    assert seen.steps == 2


def test_a_step_of_one_optimizer_that_raises_does_not_hide_those_of_another() -> None:
    model = Net()
    optimizer = SGD(model.backbone.parameters(), lr=0.1)
    other = SGD(model.head.parameters(), lr=0.1)
    with watch(model, optimizer, other) as seen:
        with pytest.raises(ZeroDivisionError):
            optimizer.step(lambda: 1 / 0)
        step(model, other, optimizer)
    assert seen.steps == 2


def test_a_step_of_no_base_class_that_raises_does_not_hide_the_next_one() -> None:
    model = frozen_net()
    optimizer = Plain(model.head.parameters())
    with watch(model, optimizer) as seen:
        with pytest.raises(ZeroDivisionError):
            optimizer.step(lambda: 1 / 0)
        step(model, optimizer)
    assert seen.steps == 1


@SCALER
def test_a_step_that_the_gradient_scaler_skips_is_no_step() -> None:
    model, optimizer = fine_tuned()
    scaler = torch.amp.GradScaler("cpu")
    with watch(model, optimizer) as seen:
        for factor in (float("inf"), 1.0, 1.0):
            optimizer.zero_grad()
            scaler.scale(loss_of(model) * factor).backward()
            scaler.step(optimizer)
            scaler.update()
    assert seen.steps == 2


@SCALER
def test_a_step_by_the_gradient_scaler_is_watched() -> None:
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu")
    with watch(model, optimizer, frozen=["backbone"]):
        scaler.scale(loss_of(model)).backward()
        with pytest.raises(FreezeViolated, match="in step 1 of SGD"):
            scaler.step(optimizer)


def scaled_steps(
    model: nn.Module, optimizer: Optimizer, factors: Iterable[float], after: Callable[[], object]
) -> None:
    """Steps of a gradient scaler, some of whose losses are too large."""
    scaler = torch.amp.GradScaler("cpu", growth_interval=1000)
    for factor in factors:
        optimizer.zero_grad()
        scaler.scale(loss_of(model) * factor).backward()
        scaler.step(optimizer)
        scaler.update()
        after()


@SCALER
@FUSED
@pytest.mark.parametrize("skipped", [3, 4, 9])
def test_steps_that_are_left_out_inside_of_a_fused_optimizer_do_not_count(skipped: int) -> None:
    model = frozen_net()
    optimizer = torch.optim.Adam(model.head.parameters(), lr=0.1, fused=True)
    start = model.head.weight.detach().clone()
    seen_before_it_moved = []

    def note() -> None:
        if torch.equal(model.head.weight, start):
            seen_before_it_moved.extend(seen.violations)

    with watch(model, optimizer, trainable=["head"], within=3, on_violation="collect") as seen:
        scaled_steps(model, optimizer, [float("inf")] * skipped + [1.0] * 4, note)
    assert not seen_before_it_moved
    assert not seen.violations


@SCALER
@FUSED
def test_what_never_trains_is_named_after_as_many_steps_that_were_not_left_out() -> None:
    model = frozen_net()
    optimizer = torch.optim.Adam(model.head.parameters(), lr=0.0, fused=True)
    said_after = []
    with watch(model, optimizer, within=3, on_violation="collect") as seen:
        factors = [float("inf"), float("inf"), 1.0, 1.0, 1.0, 1.0]
        scaled_steps(model, optimizer, factors, lambda: said_after.append(len(seen.violations)))
    assert said_after == [0, 0, 0, 0, 2, 2]


@SCALER
@pytest.mark.parametrize("fused", [pytest.param(True, marks=FUSED), False])
def test_when_every_step_is_left_out_the_reason_is_the_gradient(fused: bool) -> None:
    model = frozen_net()
    optimizer = torch.optim.Adam(model.head.parameters(), lr=0.1, fused=fused)
    with watch(model, optimizer, trainable=["head"], within=3, on_violation="collect") as seen:
        scaled_steps(model, optimizer, [float("nan")] * 8, int)
    assert said(seen) == on("head.weight", "head.bias", kind="not-trained")
    assert all("its gradient is not finite" in each.message for each in seen.violations)


def test_a_gradient_that_the_closure_drops_is_not_stale() -> None:
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1)
    step(model, optimizer)
    model.backbone.requires_grad_(False)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        return loss

    with watch(model, optimizer) as seen:
        for _ in range(20):
            optimizer.step(closure)
    assert seen.steps == 20


def test_a_gradient_that_the_closure_leaves_stops_the_training_before_it_is_applied() -> None:
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1)
    step(model, optimizer)
    model.backbone.requires_grad_(False)
    before = model.backbone.weight.detach().clone()

    def closure() -> torch.Tensor:
        model.head.zero_grad()
        loss = loss_of(model)
        loss.backward()
        return loss

    with watch(model, optimizer), pytest.raises(FreezeViolated, match="stale-gradient"):
        optimizer.step(closure)
    assert torch.equal(model.backbone.weight, before)


def test_a_call_of_torch_compile_hides_no_step() -> None:
    model, optimizer = fine_tuned()
    torch.compile(nn.Linear(1, 1))
    with watch(model, optimizer) as seen:
        step(model, optimizer)
    assert seen.steps == 1
