"""After a watch nothing is left of it, however it ends."""

from __future__ import annotations

import copy
import io
import pickle
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.nn.modules import module as hooks_of_modules
from torch.optim import SGD
from torch.optim import optimizer as hooks_of_optimizers
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack

from freezelint.runtime import ContractError, FreezeViolated, assert_frozen, watch
from tests.runtime.nets import INPUTS, Net, fine_tuned, loss_of, step

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.torch


class LooksLikeOne:
    """An optimizer in all but its base class."""

    def __init__(self, model: nn.Module) -> None:
        self.param_groups = [{"params": list(model.parameters())}]

    def zero_grad(self) -> None:
        """Nothing to drop."""

    def step(self) -> None:
        """Nothing to move."""


def traces(model: nn.Module, optimizer: Any = None) -> list[object]:
    """All that a watch touches."""
    return [
        dict(hooks_of_optimizers._global_optimizer_pre_hooks),
        dict(hooks_of_optimizers._global_optimizer_post_hooks),
        dict(hooks_of_modules._global_forward_pre_hooks),
        dict(hooks_of_modules._global_forward_hooks),
        [dict(module._forward_pre_hooks) for module in model.modules()],
        [dict(module._forward_pre_hooks_with_kwargs) for module in model.modules()],
        [dict(module._forward_hooks) for module in model.modules()],
        [sorted(vars(module)) for module in model.modules()],
        [vars(parameter) for parameter in model.parameters()],
        [parameter._backward_hooks for parameter in model.parameters()],
        torch.autograd.backward,
        torch.Tensor.backward,
        nn.Module.__call__,
        nn.Module.__setattr__,
        _get_current_dispatch_mode_stack(),
        torch.overrides._get_current_function_mode_stack(),
        torch.is_grad_enabled(),
        torch.get_rng_state().tolist(),
        None if optimizer is None else dict(vars(optimizer)),
    ]


@pytest.fixture(params=["auto", "always", "never"])
def locate(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_after_a_training_that_ends_well(locate: Any) -> None:
    model, optimizer = fine_tuned()
    before = traces(model)
    with watch(model, optimizer, locate=locate):
        assert traces(model) != before
        for _ in range(18):
            step(model, optimizer)
    assert traces(model) == before


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_after_an_exception(error: type[BaseException], steps: int, locate: Any) -> None:
    model, optimizer = fine_tuned()
    before = traces(model)

    def train() -> None:
        with watch(model, optimizer, locate=locate):
            for _ in range(steps):
                step(model, optimizer)
            raise error

    with pytest.raises(error):
        train()
    assert traces(model) == before


def test_after_an_exception_within_a_step_and_within_backward() -> None:
    class Failing(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, inputs: torch.Tensor) -> torch.Tensor:
            return inputs.clone()

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            raise KeyboardInterrupt

    model, optimizer = fine_tuned()
    before = traces(model)
    with watch(model, optimizer, locate="always"):
        with pytest.raises(ZeroDivisionError):
            optimizer.step(lambda: 1 / 0)
        with pytest.raises(KeyboardInterrupt):
            Failing.apply(loss_of(model)).backward()
        step(model, optimizer)
    assert traces(model) == before


@pytest.mark.parametrize("on_violation", ["raise", "collect"])
def test_after_a_violation(on_violation: Any, locate: Any) -> None:
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1)
    before = traces(model)

    def train() -> None:
        with watch(model, optimizer, frozen=["backbone"], on_violation=on_violation, locate=locate):
            for _ in range(3):
                step(model, optimizer)

    if on_violation == "raise":
        with pytest.raises(FreezeViolated):
            train()
    else:
        train()
    assert traces(model) == before


def test_after_an_error_on_entry() -> None:
    model, optimizer = fine_tuned()
    before = traces(model)
    with pytest.raises(ContractError), watch(model, optimizer, frozen=["nothing"]):
        pass
    assert traces(model) == before
    model.backbone.requires_grad = False
    before = traces(model)
    with pytest.raises(FreezeViolated), watch(model, optimizer):
        pass
    assert traces(model) == before


def test_after_nested_watches(locate: Any) -> None:
    model, optimizer = fine_tuned()
    before = traces(model)
    with watch(model, optimizer, locate=locate):
        within = traces(model)
        with watch(model, optimizer, locate=locate) as inner, assert_frozen(model):
            step(model, optimizer)
        assert inner.steps == 1
        if locate != "always":
            assert traces(model) == within
        step(model, optimizer)
    assert traces(model) == before


def training(model: nn.Module, optimizer: Any, locate: Any) -> Iterator[int]:
    with watch(model, optimizer, locate=locate) as seen:
        while True:
            step(model, optimizer)
            yield seen.steps


def test_after_a_generator_that_is_closed_early(locate: Any) -> None:
    model, optimizer = fine_tuned()
    before = traces(model)
    steps = training(model, optimizer, locate)
    assert [next(steps), next(steps)] == [1, 2]
    steps.close()
    assert traces(model) == before


@pytest.mark.parametrize("first", [0, 1])
def test_after_watches_that_end_in_another_order_than_they_began(first: int, locate: Any) -> None:
    model = Net()
    optimizers = [SGD(model.parameters(), lr=0.1), LooksLikeOne(model)]
    before = traces(model), [dict(vars(each)) for each in optimizers]
    both = [watch(model, *optimizers, locate=locate) for _ in range(2)]
    for each in both:
        each.__enter__()
    step(model, *optimizers)
    both[first].__exit__(None, None, None)
    step(model, *optimizers)
    both[1 - first].__exit__(None, None, None)
    assert (traces(model), [dict(vars(each)) for each in optimizers]) == before
    assert [each.steps for each in both] == ([2, 4] if first == 0 else [4, 2])


def test_the_step_of_what_looks_like_an_optimizer_is_its_own_again() -> None:
    model = Net()
    optimizer = LooksLikeOne(model)
    before = traces(model, optimizer)
    with watch(model, optimizer, within=9):
        step(model, optimizer)
    assert traces(model, optimizer) == before
    optimizer.step = own = lambda: None  # type: ignore[method-assign]
    with watch(model, optimizer, within=9):
        step(model, optimizer)
    assert optimizer.step is own


def test_what_somebody_else_patched_during_the_watch_stays() -> None:
    model, optimizer = fine_tuned()
    original = torch.autograd.backward
    calls = []

    def theirs(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        return patched(*args, **kwargs)

    try:
        with watch(model, optimizer):
            patched = torch.autograd.backward
            torch.autograd.backward = theirs
            step(model, optimizer)
        assert torch.autograd.backward is theirs
        step(model, optimizer)
        with watch(model, optimizer) as seen:
            step(model, optimizer)
        assert torch.autograd.backward is theirs
    finally:
        torch.autograd.backward = original
    assert len(calls) == 3
    assert seen.steps == 1


class Counting(TorchDispatchMode):
    """A mode of the program's own."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count, and pass on."""
        self.count += 1
        return func(*args, **(kwargs or {}))


def test_after_modes_that_the_program_enters_in_the_watch(locate: Any) -> None:
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1)
    before = traces(model)
    with watch(model, optimizer, frozen=["backbone"], on_violation="collect", locate=locate):
        with Counting() as mode:
            step(model, optimizer)
        step(model, optimizer)
        with mode:
            for _ in range(3):
                step(model, optimizer)
    assert traces(model) == before


def test_a_copy_of_a_watched_model_is_not_watched() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer) as seen:
        step(model, optimizer)
        best = copy.deepcopy(model)
        again = pickle.loads(pickle.dumps(model))
        file = io.BytesIO()
        torch.save(model, file)
        for other in (best, again):
            own = SGD(other.parameters(), lr=0.1)
            other.requires_grad_(True)
            step(other, own)
    assert seen.steps == 1
    assert b"freezelint" not in file.getvalue()
    assert torch.equal(best(INPUTS), again(INPUTS))
