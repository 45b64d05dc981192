"""Writes to frozen parameters that no optimizer makes, and writes that change nothing."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.utils.dlpack import from_dlpack

from freezelint.runtime import watch
from tests.runtime.nets import INPUTS, Net, fine_tuned, frozen_net, loss_of, on, said, step

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.torch

BACKBONE = ("backbone.weight", "backbone.bias")


def weight(model: nn.Module) -> nn.Parameter:
    return model.backbone.weight


def through_data(model: nn.Module) -> None:
    weight(model).data.clamp_(-0.1, 0.1)


def foreach_on_data(model: nn.Module) -> None:
    torch._foreach_mul_([weight(model).data], 0.5)


def copied_under_no_grad(model: nn.Module) -> None:
    with torch.no_grad():
        weight(model).copy_(torch.ones_like(weight(model)))


def one_element(model: nn.Module) -> None:
    with torch.no_grad():
        weight(model)[1, 2] += 0.01


def in_inference_mode(model: nn.Module) -> None:
    with torch.inference_mode():
        weight(model).mul_(0.5)


def set_to_another(model: nn.Module) -> None:
    with torch.no_grad():
        weight(model).set_(torch.ones_like(weight(model)))


def data_replaced(model: nn.Module) -> None:
    weight(model).data = weight(model).data.half().float()


def written_through_a_view(model: nn.Module) -> None:
    weight(model).detach().view(-1)[3:5].zero_()


def written_through_numpy(model: nn.Module) -> None:
    weight(model).detach().numpy()[0] = 7


def written_through_dlpack(model: nn.Module) -> None:
    from_dlpack(weight(model).detach()).zero_()


def written_through_the_storage(model: nn.Module) -> None:
    weight(model).untyped_storage().fill_(0)


def initialised_again(model: nn.Module) -> None:
    nn.init.ones_(weight(model))


def loaded(model: nn.Module) -> None:
    others = {**model.state_dict(), "backbone.weight": torch.ones_like(weight(model))}
    model.load_state_dict(others)


def signs_of_zeros(model: nn.Module) -> None:
    weight(model).data[0, 0].neg_()


def swapped(model: nn.Module) -> None:
    other = nn.Parameter(torch.ones_like(weight(model)), requires_grad=False)
    torch.utils.swap_tensors(weight(model), other)


def a_vector_written_back(model: nn.Module) -> None:
    vector_to_parameters(parameters_to_vector([weight(model)]).detach() + 1, [weight(model)])


WRITES = [
    through_data,
    foreach_on_data,
    copied_under_no_grad,
    one_element,
    in_inference_mode,
    set_to_another,
    data_replaced,
    written_through_a_view,
    written_through_numpy,
    written_through_dlpack,
    written_through_the_storage,
    initialised_again,
    loaded,
    signs_of_zeros,
    a_vector_written_back,
    *([swapped] if hasattr(torch.utils, "swap_tensors") else []),
]


def named(write: Callable[[nn.Module], object]) -> str:
    return write.__name__


@pytest.mark.parametrize("write", WRITES, ids=named)
def test_a_write_that_no_optimizer_makes_is_seen_at_the_next_step(
    write: Callable[[nn.Module], object],
) -> None:
    model, optimizer = fine_tuned()
    weight(model).data[0, 0] = 0
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        write(model)
        step(model, optimizer)
        found = list(seen.violations)
    assert said(found) == {("frozen-changed", "backbone.weight")}
    assert said(seen) == said(found)
    assert found[0].optimizer is None
    assert "outside of a step" in found[0].message


@pytest.mark.parametrize("write", WRITES, ids=named)
def test_a_write_after_the_last_step_is_seen_on_leaving(
    write: Callable[[nn.Module], object],
) -> None:
    model, optimizer = fine_tuned()
    weight(model).data[0, 0] = 0
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        write(model)
    assert said(seen) == {("frozen-changed", "backbone.weight")}


@pytest.mark.parametrize("number", [0, 100, 255, 299])
def test_of_many_tensors_each_write_is_seen_within_sixteen_steps(number: int) -> None:
    tensors = nn.ParameterList(torch.randn(3) for _ in range(300))
    model = Net(nn.Sequential(nn.Linear(4, 4)))
    model.backbone.many = tensors
    model.backbone.forward = model.backbone[0].forward  # type: ignore[method-assign]
    model.backbone.requires_grad_(False)
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        tensors[number].data[1] += 1e-3
        for _ in range(16):
            step(model, optimizer)
        assert said(seen) == {("frozen-changed", f"backbone.many.{number}")}


def test_a_moving_average_written_onto_the_frozen_teacher_is_seen() -> None:
    student, teacher = Net(), Net()
    average = copy.deepcopy(student).requires_grad_(False)
    teacher.requires_grad_(False)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    models = {"student": student, "teacher": teacher, "average": average}
    with watch(
        models, optimizer, frozen=["teacher"], target=["average"], on_violation="collect"
    ) as seen:
        optimizer.zero_grad()
        (loss_of(student) + (student(INPUTS) - teacher(INPUTS)).square().mean()).backward()
        optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
                slow.lerp_(fast, 0.1)
    names = [f"teacher.{name}" for name, _ in teacher.named_parameters()]
    assert said(seen) == on(*names, kind="frozen-changed")


def test_a_checkpoint_that_is_assigned_replaces_frozen_parameters() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        model.backbone.load_state_dict(nn.Linear(4, 4).state_dict(), assign=True)
        step(model, optimizer)
        found = said(seen)
    assert on(*BACKBONE, kind="frozen-replaced") <= found


def the_same_values(model: nn.Module) -> None:
    with torch.no_grad():
        weight(model).copy_(weight(model).clone())


def nothing_added(model: nn.Module) -> None:
    with torch.no_grad():
        weight(model).add_(0)


def loaded_from_itself(model: nn.Module) -> None:
    model.load_state_dict(copy.deepcopy(model.state_dict()))


def data_cloned(model: nn.Module) -> None:
    weight(model).data = weight(model).data.clone()


def widened_and_narrowed(model: nn.Module) -> None:
    model.backbone.double().float()


def flattened(model: nn.Module) -> None:
    # An odd number of floats lies before the weight: its eight-byte words are others now.
    parameters = [nn.Parameter(torch.zeros(3)), *model.backbone.parameters()]
    vector_to_parameters(parameters_to_vector(parameters).detach(), parameters)


def shared_with_processes(model: nn.Module) -> None:
    model.share_memory()


def memory_in_another_order(model: nn.Module) -> None:
    weight(model).data = weight(model).data.t().contiguous().t()


@pytest.mark.parametrize(
    "write",
    [
        the_same_values,
        nothing_added,
        loaded_from_itself,
        data_cloned,
        widened_and_narrowed,
        flattened,
        shared_with_processes,
        memory_in_another_order,
    ],
    ids=named,
)
def test_the_same_bits_are_no_change(write: Callable[[nn.Module], object]) -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer):
        step(model, optimizer)
        write(model)
        step(model, optimizer)


def test_channels_last_is_no_change_and_hides_none() -> None:
    layers = nn.Sequential(nn.Unflatten(1, (2, 2, 1)), nn.Conv2d(2, 4, (2, 1)), nn.Flatten())
    model, optimizer = fine_tuned(layers)
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        model.to(memory_format=torch.channels_last)
        step(model, optimizer)
        assert not seen.violations
        layers[1].weight.data[0, 0, 0, 0] += 1
    assert said(seen) == {("frozen-changed", "backbone.1.weight")}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.0])
def test_values_that_equal_nothing_or_zero_stay_what_they_are(value: float) -> None:
    model = frozen_net()
    model.aside = nn.Parameter(torch.full((3,), value), requires_grad=False)
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    with watch(model, optimizer):
        for _ in range(2):
            step(model, optimizer)
