"""Loops without a framework: scaled, accumulated and clipped gradients, lower precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

from freezelint.runtime import FreezeViolated, watch
from tests.runtime.nets import FUSED, WIDTH, Net, frozen_net, loss_of, on, said

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(not hasattr(torch.amp, "GradScaler"), reason="its GradScaler is for CUDA"),
]

BACKBONE = ("backbone.weight", "backbone.bias")


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    steps: int = 4,
    every: int = 2,
    losses: Callable[[int], float] = lambda step: 1.0,
    between: Callable[[int], object] = int,
) -> None:
    """The loop of torch's documentation: everything at once.

    Args:
        model: What trains.
        optimizer: What steps.
        steps: How often the scaler is asked to step.
        every: Backward passes for each of them.
        losses: By the number of the step, a factor of its losses.
        between: Called after each backward pass, with its number.
    """
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for step in range(steps):
        for number in range(every):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = loss_of(model) / every * losses(step)
            scaler.scale(loss).backward()
            between(step * every + number)
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()


def fine_tuned(**options: Any) -> tuple[Net, torch.optim.Optimizer]:
    model = frozen_net()
    return model, torch.optim.AdamW(model.head.parameters(), lr=0.01, **options)


def test_a_healthy_loop_is_silent() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, trainable=["head"], within=3) as seen:
        train(model, optimizer)
    assert seen.steps == 4


@pytest.mark.parametrize("fused", [False, pytest.param(True, marks=FUSED)])
def test_steps_that_are_skipped_do_not_count_against_what_trains(fused: bool) -> None:
    model, optimizer = fine_tuned(fused=fused)
    with watch(model, optimizer, trainable=["head"], within=2) as seen:
        train(model, optimizer, steps=7, losses=lambda step: 1.0 if step > 3 else float("inf"))
    assert not seen.violations


def test_a_freeze_between_two_backward_passes_leaves_a_gradient_that_is_applied() -> None:
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with watch(model, optimizer, frozen=["backbone"], on_violation="collect") as seen:
        train(model, optimizer, between=lambda _: model.backbone.requires_grad_(False))
    assert said(seen) >= on(*BACKBONE, kind="stale-gradient")
    moved = [each for each in seen.violations if each.kind == "frozen-changed"]
    assert {each.cause for each in moved} == {"FZ305"}
    assert {each.step for each in moved} == {1}


def test_a_step_by_the_scaler_of_what_must_stay_stops_the_training() -> None:
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with (
        pytest.raises(FreezeViolated, match="in step 1 of AdamW"),
        watch(model, optimizer, frozen=["backbone"]),
    ):
        train(model, optimizer)


def test_weights_of_low_precision_that_never_move_are_named() -> None:
    model, _ = fine_tuned()
    model.head.to(torch.bfloat16)
    nn.init.ones_(model.head.bias)
    optimizer = torch.optim.SGD(model.head.parameters(), lr=1e-7)
    with watch(model, optimizer, trainable=["head.bias"], on_violation="collect") as seen:
        train(model, optimizer)
    assert said(seen) == on("head.bias", kind="not-trained")
    assert "too small to change a bit" in seen.violations[0].message


@FUSED
def test_numbers_are_the_same_with_and_without() -> None:
    def weights_after(**options: Any) -> dict[str, Tensor]:
        torch.manual_seed(3)
        model = frozen_net(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Dropout(0.5)))
        optimizer = torch.optim.AdamW(model.head.parameters(), lr=0.01, fused=True)
        factors = [1.0, float("inf"), 1.0, 1.0]
        if options:
            with watch(model, optimizer, **options):
                train(model, optimizer, losses=factors.__getitem__)
        else:
            train(model, optimizer, losses=factors.__getitem__)
        return {**model.state_dict(), "random": torch.rand(3)}

    plain = weights_after()
    for locate in ("never", "always"):
        watched = weights_after(on_violation="collect", locate=locate)
        assert all(torch.equal(plain[name], watched[name]) for name in plain)
