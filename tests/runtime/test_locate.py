"""Who wrote: the line of the user's code, found in the step after it was missed."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.optim import SGD

from freezelint.runtime import watch
from tests.runtime.nets import FUSED, WIDTH, Net, fine_tuned, loss_of, step

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezelint.runtime import Violation

pytestmark = pytest.mark.torch


def add_in_place(model: nn.Module) -> None:
    with torch.no_grad():
        model.backbone.weight.add_(1)  # written here


def add_through_data(model: nn.Module) -> None:
    model.backbone.weight.data.add_(1)  # written here


def add_to_a_view(model: nn.Module) -> None:
    model.backbone.weight.detach()[0].add_(1)  # written here


def copy_over(model: nn.Module) -> None:
    model.backbone.weight.data.copy_(torch.rand(WIDTH, WIDTH))  # written here


def foreach(model: nn.Module) -> None:
    torch._foreach_mul_([model.backbone.weight.data], 0.9)  # written here


def into_out(model: nn.Module) -> None:
    weight = model.backbone.weight.data
    torch.add(weight, 1, out=weight)  # written here


def initialise(model: nn.Module) -> None:
    nn.init.normal_(model.backbone.weight)  # written here


def load(model: nn.Module) -> None:
    state = nn.Linear(WIDTH, WIDTH).state_dict()
    model.backbone.load_state_dict({**state, "bias": model.backbone.bias})  # written here


WRITES = [
    add_in_place,
    add_through_data,
    add_to_a_view,
    copy_over,
    foreach,
    into_out,
    initialise,
    load,
]


def named(write: Callable[..., object]) -> str:
    return write.__name__


def line_of(function: Callable[..., object]) -> int:
    """The number of the line that is marked in a function."""
    lines, first = inspect.getsourcelines(function)
    (found,) = (number for number, line in enumerate(lines, first) if "# written here" in line)
    return found


def written(locate: Any, write: Callable[[nn.Module], object], times: int = 3) -> Violation:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, on_violation="collect", locate=locate) as seen:
        for _ in range(times):
            step(model, optimizer)
            write(model)
    (violation,) = seen.violations
    return violation


@pytest.mark.parametrize("locate", ["auto", "always"])
@pytest.mark.parametrize("write", WRITES, ids=named)
def test_the_line_that_wrote_is_named(write: Callable[[nn.Module], object], locate: Any) -> None:
    writer = written(locate, write).writer
    assert writer is not None
    assert Path(writer.path) == Path(__file__)
    assert writer.line == line_of(write)
    assert writer.function == write.__name__
    assert "# written here" in writer.code


@pytest.mark.parametrize("locate", ["auto", "always"])
def test_a_line_in_the_forward_pass(locate: Any) -> None:
    class Normalising(nn.Linear):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                self.weight.mul_(0.9)  # written here
            return super().forward(inputs)

    model, optimizer = fine_tuned(Normalising(WIDTH, WIDTH))
    with watch(model, optimizer, on_violation="collect", locate=locate) as seen:
        for _ in range(3):
            step(model, optimizer)
    (violation,) = seen.violations
    assert violation.writer is not None
    assert violation.writer.line == line_of(Normalising.forward)
    assert violation.writer.operation == "aten.mul_.Tensor"


@pytest.mark.parametrize("locate", ["auto", "always"])
def test_statistics_of_a_batchnorm_are_written_by_its_forward_pass(locate: Any) -> None:
    model, optimizer = fine_tuned(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH)))
    frozen = ["backbone.1.running_mean"]
    with watch(model, optimizer, frozen=frozen, on_violation="collect", locate=locate) as seen:
        for _ in range(3):
            step(model, optimizer)
    writers = [each.writer for each in seen.violations if each.kind == "buffer-changed"]
    assert [each and "batch_norm" in each.operation for each in writers] == [True]


@pytest.mark.parametrize(
    "options",
    [{"foreach": False}, {"foreach": True}, pytest.param({"fused": True}, marks=FUSED)],
    ids=str,
)
def test_a_step_of_an_optimizer_is_the_line_that_called_it(options: dict[str, bool]) -> None:
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1, **options)
    with watch(model, optimizer, frozen=["backbone"], on_violation="collect") as seen:
        for _ in range(2):
            loss_of(model).backward()
            optimizer.step()  # written here
    line = line_of(test_a_step_of_an_optimizer_is_the_line_that_called_it)
    assert {each.writer and each.writer.line for each in seen.violations} == {line}


def test_never_means_never() -> None:
    assert written("never", add_in_place).writer is None


def test_what_is_written_once_and_missed_is_not_found_later() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        add_in_place(model)
        for _ in range(3):
            step(model, optimizer)
    assert [each.writer for each in seen.violations] == [None]


def test_what_is_written_once_is_found_by_looking_always() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, on_violation="collect", locate="always") as seen:
        step(model, optimizer)
        add_in_place(model)
        for _ in range(3):
            step(model, optimizer)
    (violation,) = seen.violations
    assert violation.writer is not None
    assert violation.writer.line == line_of(add_in_place)


def test_the_message_prints_the_line() -> None:
    violation = written("always", add_in_place)
    place = f"{__file__}:{line_of(add_in_place)} in add_in_place"
    assert f"  written by {place}: model.backbone.weight.add_(1)" in str(violation)


def test_a_write_that_is_no_operation_has_no_line() -> None:
    def through_numpy(model: nn.Module) -> None:
        model.backbone.weight.detach().numpy()[0] += 1

    assert written("always", through_numpy).writer is None
