"""The watched program computes what it would compute alone, in whatever mode it runs."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from freezelint.runtime import freeze_report, watch
from tests.runtime.nets import FUSED, INPUTS, WIDTH, Net, fine_tuned, loss_of, step
from tests.runtime.test_no_trace import Counting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

pytestmark = pytest.mark.torch


def mixed() -> Net:
    torch.manual_seed(7)
    layers = [nn.Linear(WIDTH, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, WIDTH)]
    return Net(nn.Sequential(*layers))


def bits(thing: Any) -> Any:
    """Everything in it, tensors by their bytes."""
    if isinstance(thing, Tensor):
        return thing.detach().reshape(-1).view(torch.uint8).tolist()
    if isinstance(thing, dict):
        return {key: bits(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [bits(value) for value in thing]
    return thing


def after_training(
    optimizer_of: Callable[[Iterable[nn.Parameter]], Optimizer], **options: Any
) -> list[Any]:
    model = mixed()
    model.backbone[0].requires_grad_(False)
    optimizer = optimizer_of(model.parameters())
    watched = watch(model, optimizer, on_violation="collect", **options) if options else None
    with watched or contextlib.nullcontext():
        for _ in range(5):
            step(model, optimizer)
        if watched is not None:
            watched.check()
            freeze_report(model, optimizer, since=watched)
    gradients = [parameter.grad for parameter in model.parameters()]
    return [
        bits(each)
        for each in (model.state_dict(), gradients, optimizer.state_dict(), torch.get_rng_state())
    ]


OPTIMIZERS = {
    "SGD with momentum": partial(SGD, lr=0.1, momentum=0.9),
    "AdamW": partial(AdamW, lr=0.01),
    "AdamW, foreach": partial(AdamW, lr=0.01, foreach=True),
    "AdamW, fused": partial(AdamW, lr=0.01, fused=True),
}


@pytest.mark.parametrize(
    "optimizer",
    [
        pytest.param(build, id=name, marks=FUSED if "fused" in name else ())
        for name, build in OPTIMIZERS.items()
    ],
)
@pytest.mark.parametrize(
    "options",
    [
        {"every": 1},
        {"every": 2, "exact": True},
        {"locate": "always"},
        {"frozen": ["backbone"], "locate": "auto"},
        {"frozen_rows": {"head.weight": slice(0, 1)}},
    ],
    ids=", ".join,
)
def test_bit_for_bit(
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer], options: dict[str, Any]
) -> None:
    assert after_training(optimizer, **options) == after_training(optimizer)


def test_gradients_of_gradients() -> None:
    def run(*, watched: bool) -> Any:
        model = mixed()
        optimizer = SGD(model.parameters(), lr=0.1)
        with watch(model, optimizer) if watched else contextlib.nullcontext():
            inputs = INPUTS.clone().requires_grad_()
            (slope,) = torch.autograd.grad(model(inputs).sum(), inputs, create_graph=True)
            (slope.square().mean() + loss_of(model)).backward()
            optimizer.step()
        return bits(model.state_dict())

    assert run(watched=True) == run(watched=False)


@pytest.fixture
def watched() -> Any:
    model, optimizer = fine_tuned()
    model.backbone.register_buffer("beside", torch.arange(3))
    return model, optimizer, watch(model, optimizer, on_violation="collect", locate="auto")


@pytest.mark.parametrize(
    "mode",
    [
        torch.no_grad,
        torch.inference_mode,
        torch.enable_grad,
        partial(torch.autocast, "cpu", dtype=torch.bfloat16),
        partial(torch.device, "meta"),
        partial(torch.autograd.set_detect_anomaly, mode=True, check_nan=False),
        Counting,
        torch.autograd.profiler.profile,
    ],
    ids=str,
)
def test_a_model_that_runs_in_a_mode(mode: Callable[[], Any], watched: Any) -> None:
    model, optimizer, watching = watched
    with watching as seen:
        step(model, optimizer)
        with mode():
            model(INPUTS)
        step(model, optimizer)
        with mode():
            model.backbone.weight.data[0] += 1
            seen.check()
    assert {str(each.tensor) for each in seen.violations} == {"backbone.weight"}


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize(
    "mode", [torch.no_grad, torch.inference_mode, partial(torch.device, "meta")]
)
def test_a_watch_that_begins_and_ends_in_a_mode(mode: Callable[[], Any], watched: Any) -> None:
    model, optimizer, watching = watched
    with mode(), watching as seen, torch.inference_mode(mode=False), torch.enable_grad():
        step(model, optimizer)
    assert seen.steps == 1
    assert not seen.violations


def test_the_mode_of_the_program_sees_its_own_operations_only() -> None:
    def count(*, watched: bool) -> int:
        model, optimizer = fine_tuned()
        with Counting() as mode, watch(model, optimizer) if watched else contextlib.nullcontext():
            step(model, optimizer)
        return mode.count

    assert count(watched=True) == count(watched=False)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_another_default_dtype(dtype: torch.dtype) -> None:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        model, optimizer = fine_tuned()
        with watch(model, optimizer, on_violation="collect") as seen:
            optimizer.zero_grad()
            model(INPUTS.to(dtype)).square().mean().backward()
            optimizer.step()
            assert not seen.violations
            model.backbone.weight.data[0] += 1
        assert torch.get_default_dtype() is dtype
    finally:
        torch.set_default_dtype(before)
    assert len(seen.violations) == 1


def test_deterministic_algorithms_and_filled_memory() -> None:
    model, optimizer = fine_tuned()
    torch.use_deterministic_algorithms(mode=True)
    try:
        with watch(model, optimizer):
            step(model, optimizer)
    finally:
        torch.use_deterministic_algorithms(mode=False)


class Conditional(Net):
    """Branches in an operation of higher order."""

    def forward(self, inputs: Tensor) -> Tensor:
        """The scores, or none."""
        scores = super().forward(inputs)
        with torch.no_grad():
            torch.cond(scores.sum() > 0, torch.sin, torch.cos, (scores.detach(),))
        return scores


@pytest.mark.skipif(not hasattr(torch, "cond"), reason="has no operations of higher order")
def test_operations_of_higher_order_while_the_writer_is_looked_for() -> None:
    model = Conditional()
    model.backbone.requires_grad_(False)
    optimizer = SGD(model.head.parameters(), lr=0.1)
    with watch(model, optimizer, locate="always") as seen:
        step(model, optimizer)
    assert seen.steps == 1


# Which torch warns of as soon as anybody listens to all modules.
def test_a_compiled_model() -> None:
    model, optimizer = fine_tuned()
    compiled = torch.compile(model, backend="eager")
    with watch(compiled, optimizer, on_violation="collect") as seen:
        for _ in range(3):
            step(compiled, optimizer)
        assert not seen.violations
        model.backbone.weight.data[0] += 1
    assert [each.tensor for each in seen.violations] == ["backbone.weight"]
