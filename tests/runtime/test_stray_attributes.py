"""Flags that are set on something that has none, or under a name that is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from freezelint.runtime import watch
from tests.runtime.nets import WIDTH, Net, fine_tuned, on, said, step

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(
    ("name", "value", "cause"),
    [
        ("requires_grad", False, "FZ101"),
        ("requires_grad_", False, "FZ103"),
        ("require_grad", False, "FZ102"),
        ("requires_grads", False, "FZ102"),
        ("requires_gradient", False, "FZ102"),
        ("required_grad", False, "FZ102"),
        ("requires_gard", False, "FZ102"),
        ("require_grad_", False, "FZ102"),
    ],
)
def test_on_a_module(name: str, value: object, cause: str) -> None:
    model, optimizer = fine_tuned()
    setattr(model.backbone, name, value)
    with watch(model, optimizer, on_violation="collect") as seen:
        pass
    (violation,) = seen.violations
    assert (violation.kind, violation.tensor) == ("stray-attribute", "backbone")
    assert violation.cause == cause
    assert f"backbone.{name} = False" in violation.message


@pytest.mark.parametrize(
    ("name", "value", "cause"),
    [
        ("requires_grad_", False, "FZ103"),
        ("require_grad", False, "FZ102"),
        ("requires_grads", True, "FZ102"),
        ("requires_gradient", False, "FZ102"),
        ("trainable", False, "FZ109"),
        ("stop_gradient", True, "FZ109"),
        ("frozen", True, "FZ109"),
    ],
)
def test_on_a_parameter(name: str, value: object, cause: str) -> None:
    model, optimizer = fine_tuned()
    setattr(model.head.bias, name, value)
    with watch(model, optimizer, on_violation="collect") as seen:
        pass
    (violation,) = seen.violations
    assert (violation.kind, violation.tensor) == ("stray-attribute", "head.bias")
    assert violation.cause == cause


def test_on_the_model_itself() -> None:
    model, optimizer = fine_tuned()
    model.requires_grad = False
    with watch(model, optimizer, on_violation="collect") as seen:
        pass
    assert said(seen) == {("stray-attribute", None)}
    assert "Net.requires_grad = False" in seen.violations[0].message


def test_during_the_watch() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        model.backbone.requires_grad = False
    assert said(seen) == on("backbone", kind="stray-attribute")


def set_on_the_model(model: Net) -> None:
    model.requires_grad = False


def set_on_its_module(model: Net) -> None:
    model.backbone.requires_grad = False


def set_as_the_method(model: Net) -> None:
    model.backbone.requires_grad_ = False


def set_on_its_parameters(model: Net) -> None:
    for parameter in model.backbone.parameters():
        parameter.require_grad = False


def set_by_another_word(model: Net) -> None:
    for parameter in model.backbone.parameters():
        parameter.stop_gradient = True


@pytest.mark.parametrize(
    ("set_it", "cause"),
    [
        (set_on_the_model, "FZ101"),
        (set_on_its_module, "FZ101"),
        (set_as_the_method, "FZ103"),
        (set_on_its_parameters, "FZ102"),
        (set_by_another_word, "FZ109"),
    ],
)
def test_as_the_reason_why_it_moves(set_it: Callable[[Net], None], cause: str) -> None:
    model = Net()
    set_it(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with watch(model, optimizer, frozen=["backbone"], on_violation="collect") as seen:
        step(model, optimizer)
    moved = [each for each in seen.violations if each.kind == "frozen-changed"]
    assert len(moved) == 2
    assert {each.cause for each in moved} == {cause}


def test_what_was_meant_to_switch_it_on_is_no_reason() -> None:
    model = Net()
    model.requires_grad = True
    model.backbone.weight.trainable = True
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with watch(model, optimizer, frozen=["backbone"], on_violation="collect") as seen:
        step(model, optimizer)
    moved = [each for each in seen.violations if each.kind == "frozen-changed"]
    assert {each.cause for each in moved} == {None}


class Declared(nn.Linear):
    """A layer whose own code reads such a flag."""

    requires_grad: bool = True

    def __init__(self) -> None:
        super().__init__(WIDTH, WIDTH)
        self.requires_grad = False


class Property(nn.Linear):
    """A layer that keeps such a flag behind a property."""

    @property
    def requires_grad(self) -> bool:
        """Of its weight."""
        return self.weight.requires_grad


@pytest.mark.parametrize("layer", [Declared, lambda: Property(WIDTH, WIDTH)])
def test_what_a_class_declares_is_read_by_it(layer: type[nn.Module]) -> None:
    model, optimizer = fine_tuned(layer())
    with watch(model, optimizer) as seen:
        pass
    assert not seen.violations


@pytest.mark.parametrize(
    ("name", "value"), [("gradient", 1), ("register_grad", 1), ("frozen_layers", 3), ("rate", 0.1)]
)
def test_other_words_are_silent(name: str, value: object) -> None:
    model, optimizer = fine_tuned()
    setattr(model.backbone, name, value)
    setattr(model.head.weight, name, value)
    with watch(model, optimizer) as seen:
        pass
    assert not seen.violations
