"""Every optimizer of torch, in each of its forms, with a parameter that must stay."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.optim import LBFGS, Optimizer, SparseAdam

from freezelint.runtime import FreezeViolated, watch
from tests.runtime.nets import Net, Words, loss_of, said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import nn

    Build = Callable[[Iterable[nn.Parameter]], Optimizer]

pytestmark = pytest.mark.torch

FORMS: dict[str, dict[str, bool]] = {
    "for-loop": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}
OPTIMIZERS = [
    each
    for each in vars(torch.optim).values()
    if inspect.isclass(each) and issubclass(each, Optimizer) and each is not Optimizer
]


def has_form(optimizer: type[Optimizer], options: dict[str, bool]) -> bool:
    if not options.keys() <= inspect.signature(optimizer).parameters.keys():
        return False
    weight = torch.nn.Parameter(torch.ones(2, 2))
    weight.grad = torch.ones(2, 2)
    try:
        optimizer([weight], lr=0.01, **options).step()  # type: ignore[call-arg]
    except RuntimeError:
        # Fused, before the release that has it on the CPU.
        return False
    return True


BUILDS = [
    pytest.param(partial(optimizer, lr=0.01, **options), id=f"{optimizer.__name__} {form}")
    for optimizer in OPTIMIZERS
    for form, options in FORMS.items()
    if has_form(optimizer, options)
] + [
    pytest.param(partial(optimizer, lr=0.01), id=optimizer.__name__)
    for optimizer in OPTIMIZERS
    if not has_form(optimizer, FORMS["for-loop"])
]


def class_of(build: Any) -> type[Optimizer]:
    return build.func if isinstance(build, partial) else build


def net_for(build: Build) -> nn.Module:
    model = Words() if class_of(build) is SparseAdam else Net()
    for module in model.modules():
        if getattr(module, "bias", None) is not None:
            # Muon takes matrices only.
            module.bias = None
    return model


def step(model: nn.Module, optimizer: Optimizer, *, dropped: nn.Module | None = None) -> None:
    """A step before which only the gradients of a part of the model are dropped."""
    (model if dropped is None else dropped).zero_grad()

    def closure() -> torch.Tensor:
        (model if dropped is None else dropped).zero_grad()
        loss = loss_of(model)
        loss.backward()
        return loss

    if isinstance(optimizer, LBFGS):
        optimizer.step(closure)  # type: ignore[arg-type]
    else:
        closure()
        optimizer.step()


def frozen_with_a_gradient(build: Build) -> tuple[nn.Module, Optimizer]:
    model = net_for(build)
    optimizer = build(model.parameters())
    for _ in range(2):
        step(model, optimizer)
    model.backbone.requires_grad_(False)
    return model, optimizer


@pytest.mark.parametrize("build", BUILDS)
def test_a_stale_gradient_stops_the_training_before_it_is_applied(build: Build) -> None:
    model, optimizer = frozen_with_a_gradient(build)
    before = model.backbone.weight.detach().clone()
    with pytest.raises(FreezeViolated) as caught, watch(model, optimizer):
        step(model, optimizer, dropped=model.head)
    (violation,) = caught.value.violations
    assert (violation.kind, violation.tensor) == ("stale-gradient", "backbone.weight")
    assert (violation.optimizer, violation.group) == (type(optimizer).__name__, 0)
    assert violation.cause == "FZ305"
    assert torch.equal(model.backbone.weight, before)


@pytest.mark.parametrize("build", BUILDS)
def test_bytes_that_a_stale_gradient_moved_are_seen(build: Build) -> None:
    model, optimizer = frozen_with_a_gradient(build)
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer, dropped=model.head)
    stale, moved = seen.violations
    assert stale.kind == "stale-gradient"
    assert (moved.kind, moved.tensor, moved.step) == ("frozen-changed", "backbone.weight", 1)
    assert (moved.optimizer, moved.group) == (type(optimizer).__name__, 0)
    assert moved.cause == "FZ305"


@pytest.mark.parametrize("build", BUILDS)
def test_what_was_frozen_from_the_start_is_silent(build: Build) -> None:
    model = net_for(build)
    model.backbone.requires_grad_(False)
    optimizer = build(model.parameters())
    with watch(model, optimizer):
        for _ in range(3):
            step(model, optimizer)


@pytest.mark.parametrize("build", BUILDS)
def test_freezing_and_dropping_the_gradient_is_a_freeze_for_all_but_lbfgs(build: Build) -> None:
    model, optimizer = frozen_with_a_gradient(build)
    model.zero_grad()
    with watch(model, optimizer, on_violation="collect") as seen:
        for _ in range(3):
            step(model, optimizer)
    moves = isinstance(optimizer, LBFGS)
    assert said(seen) == ({("frozen-changed", "backbone.weight")} if moves else set())
