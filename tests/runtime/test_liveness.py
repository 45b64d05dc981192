"""What should train moves, or the watch says why it does not."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.checkpoint import checkpoint

from freezelint.runtime import FreezeViolated, watch
from tests.runtime.nets import INPUTS, WIDTH, Net, fine_tuned, frozen_net, loss_of, on, said, step

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.torch

HEAD = ("head.weight", "head.bias")
LATE = ("late.weight", "late.bias")


class Extended(Net):
    """A network with one more layer, of which something may be wrong."""

    def __init__(self, use: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.use = use
        self.late = nn.Linear(WIDTH, WIDTH)
        self.backbone.requires_grad_(False)

    def forward(self, inputs: Tensor) -> Tensor:
        """The scores, with what the layer adds."""
        features = torch.tanh(self.backbone(inputs))
        return self.head(features + self.use(self.late, features))


def detached(layer: nn.Module, features: Tensor) -> Tensor:
    return layer(features).detach()


def under_no_grad(layer: nn.Module, features: Tensor) -> Tensor:
    with torch.no_grad():
        return layer(features)


def never_called(_layer: nn.Module, features: Tensor) -> Tensor:
    return features


def times_zero(layer: nn.Module, features: Tensor) -> Tensor:
    return layer(features) * 0


def dead(layer: nn.Module, features: Tensor) -> Tensor:
    return (layer(features) - 1000).relu()


@pytest.mark.parametrize(
    ("use", "reason", "cause"),
    [
        (detached, "detach", "FZ501"),
        (under_no_grad, "no_grad", "FZ501"),
        (never_called, "never ran", None),
        (times_zero, "gradient is zero", None),
        (dead, "gradient is zero", None),
    ],
)
def test_the_reason_lies_in_the_graph(
    use: Callable[[nn.Module, Tensor], Tensor], reason: str, cause: str | None
) -> None:
    model = Extended(use)
    optimizer = SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    promises = {"frozen": ["backbone"], "trainable": ["late", "head"]}
    with watch(model, optimizer, on_violation="collect", **promises) as seen:
        for _ in range(4):
            step(model, optimizer)
    assert said(seen) == on(*LATE, kind="not-trained")
    assert all(reason in each.message for each in seen.violations)
    assert {each.cause for each in seen.violations} == {cause}


def test_the_reason_is_a_loss_that_was_made_a_leaf() -> None:
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1)
    with watch(model, optimizer, on_violation="collect") as seen:
        for _ in range(3):
            loss = model(INPUTS).argmax(dim=1).float().mean()
            loss.requires_grad = True
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert {each.kind for each in seen.violations} == {"not-trained"}
    assert {each.cause for each in seen.violations} == {"FZ503"}


def test_the_reason_is_a_learning_rate_of_zero() -> None:
    model = Net()
    groups = [{"params": model.backbone.parameters()}, {"params": model.head.parameters(), "lr": 0}]
    optimizer = SGD(groups, lr=0.1)
    with watch(model, optimizer, on_violation="collect") as seen:
        for _ in range(4):
            step(model, optimizer)
    assert said(seen) == on(*HEAD, kind="not-trained")
    assert all("learning rate of its group 1 is 0" in each.message for each in seen.violations)


def test_the_reason_is_that_gradients_are_dropped_before_the_step() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, on_violation="collect") as seen:
        for _ in range(4):
            loss_of(model).backward()
            optimizer.zero_grad()
            optimizer.step()
    assert said(seen) == on(*HEAD, kind="not-trained")
    assert all("no gradient" in each.message for each in seen.violations)


def test_the_reason_is_that_no_optimizer_holds_it() -> None:
    model = Net()
    optimizer = SGD(model.head.parameters(), lr=0.1)
    with watch(model, optimizer, on_violation="collect") as seen:
        for _ in range(4):
            step(model, optimizer)
    silent = [each for each in seen.violations if each.kind == "not-trained"]
    assert {each.tensor for each in silent} == {"backbone.weight", "backbone.bias"}
    assert all("in no optimizer" in each.message for each in silent)


def test_the_reason_is_that_its_flag_is_off() -> None:
    model = frozen_net()
    optimizer = SGD(model.parameters(), lr=0.1)
    with watch(model, optimizer, trainable=["backbone"], on_violation="collect") as seen:
        for _ in range(4):
            step(model, optimizer)
    assert said(seen) == on("backbone.weight", "backbone.bias", kind="not-trained")
    assert {each.cause for each in seen.violations} == {"FZ602"}


def test_the_reason_is_that_updates_round_away() -> None:
    model = Net().to(torch.bfloat16)
    nn.init.ones_(model.head.bias)
    optimizer = SGD(model.parameters(), lr=1e-9)
    inputs = INPUTS.to(torch.bfloat16)
    with watch(model, optimizer, trainable=["head.bias"], on_violation="collect") as seen:
        for _ in range(4):
            optimizer.zero_grad()
            model(inputs).sum().backward()
            optimizer.step()
    assert "too small to change a bit" in seen.violations[0].message


def test_the_reason_is_that_nobody_ever_steps() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, on_violation="collect") as seen:
        for _ in range(4):
            loss_of(model).backward()
    assert said(seen) == on(*HEAD, kind="not-trained")
    assert all("ever took a step" in each.message for each in seen.violations)


def test_the_training_is_stopped_after_as_many_steps_as_were_allowed() -> None:
    model = Extended(detached)
    optimizer = SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    with watch(model, optimizer, within=3) as seen:
        for _ in range(2):
            step(model, optimizer)
        with pytest.raises(FreezeViolated, match="in 3 steps"):
            step(model, optimizer)
    assert seen.steps == 3


def test_what_moves_and_is_put_back_has_moved() -> None:
    model, optimizer = fine_tuned()
    start = {name: value.clone() for name, value in model.state_dict().items()}
    with watch(model, optimizer, within=2) as seen:
        for _ in range(3):
            step(model, optimizer)
        model.load_state_dict(start)
    assert not seen.violations


class LowRank(nn.Module):
    """A frozen layer with a low-rank update, which begins at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(WIDTH, WIDTH).requires_grad_(False)
        self.lora_A = nn.Linear(WIDTH, 2, bias=False)
        self.lora_B = nn.Linear(2, WIDTH, bias=False)
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        """The sum of both."""
        return self.base(inputs) + self.lora_B(self.lora_A(inputs))


class Recomputed(nn.Module):
    """A module under reentrant checkpointing."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: Tensor) -> Tensor:
        """Computed once more in the backward pass."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return checkpoint(self.inner, inputs.clone().requires_grad_(), use_reentrant=True)


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("around", [nn.Sequential, Recomputed], ids=["plain", "checkpointed"])
def test_low_rank_adapters_may_begin_at_zero(
    around: Callable[[nn.Module], nn.Module], steps: int
) -> None:
    model = Net(around(LowRank()))
    optimizer = Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    with watch(model, optimizer) as seen:
        for _ in range(steps):
            step(model, optimizer)
    assert not seen.violations


@pytest.mark.parametrize("steps", [1, 2, 6])
def test_a_warm_up_may_begin_at_zero(steps: int) -> None:
    model, optimizer = fine_tuned()
    schedule = LambdaLR(optimizer, lambda number: number / 4)
    with watch(model, optimizer) as seen:
        for _ in range(steps):
            step(model, optimizer)
            schedule.step()
    assert not seen.violations


def test_a_warm_up_that_never_ends_is_named() -> None:
    model, optimizer = fine_tuned()
    schedule = LambdaLR(optimizer, lambda number: number // 1000)
    with watch(model, optimizer, on_violation="collect") as seen:
        for _ in range(5):
            step(model, optimizer)
            schedule.step()
    assert said(seen) == on(*HEAD, kind="not-trained")


def test_a_part_that_is_not_used_is_silent_unless_it_was_promised() -> None:
    model = Extended(never_called)
    optimizer = SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    with watch(model, optimizer) as silent:
        for _ in range(4):
            step(model, optimizer)
    assert not silent.violations
    with watch(model, optimizer, trainable=["late"], on_violation="collect") as seen:
        for _ in range(4):
            step(model, optimizer)
    assert said(seen) == on(*LATE, kind="not-trained")


def test_a_look_without_a_training_says_nothing() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer) as seen:
        model(INPUTS)
        loss_of(model).backward()
    assert not seen.violations
