"""Frozen parameters that give way to others, and flags that are flipped."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from freezelint.runtime import FreezeViolated, watch
from tests.runtime.nets import WIDTH, Net, fine_tuned, frozen_net, loss_of, on, said, step

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezelint.runtime import Violation

pytestmark = pytest.mark.torch

BACKBONE = ("backbone.weight", "backbone.bias")
REPLACED = on(*BACKBONE, kind="frozen-replaced")


def after_one_step(do: Callable[[Net], object]) -> list[Violation]:
    """What is seen when something is done to a model between two steps."""
    model, optimizer = fine_tuned()
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        do(model)
        step(model, optimizer)
        return list(seen.violations)


def test_a_new_parameter_in_a_frozen_ones_place() -> None:
    def wrap(model: Net) -> None:
        model.backbone.bias = nn.Parameter(model.backbone.bias.detach().clone())

    found = after_one_step(wrap)
    assert ("frozen-replaced", "backbone.bias") in said(found)
    assert found[0].cause == "FZ202"
    assert "another object" in found[0].message


def test_a_new_parameter_that_is_frozen_too() -> None:
    def wrap(model: Net) -> None:
        bias = nn.Parameter(model.backbone.bias.detach().clone(), requires_grad=False)
        model.backbone.bias = bias

    assert said(after_one_step(wrap)) == on("backbone.bias", kind="frozen-replaced")


def test_a_new_module_in_a_frozen_ones_place() -> None:
    def replace(model: Net) -> None:
        model.backbone = copy.deepcopy(model.backbone)

    assert said(after_one_step(replace)) == REPLACED


def test_a_new_module_that_trains_in_a_frozen_ones_place() -> None:
    def replace(model: Net) -> None:
        model.backbone = nn.Linear(WIDTH, WIDTH)

    assert said(after_one_step(replace)) >= REPLACED


def test_a_frozen_module_that_is_taken_away() -> None:
    def take_away(model: Net) -> None:
        model.backbone = nn.Identity()

    found = after_one_step(take_away)
    assert said(found) == REPLACED
    assert "gone" in found[0].message


def test_a_frozen_module_that_is_put_inside_another_is_still_there() -> None:
    def wrap(model: Net) -> None:
        model.backbone = nn.Sequential(model.backbone, nn.Identity())

    assert not after_one_step(wrap)


def test_a_frozen_module_inside_another_is_still_watched() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, on_violation="collect") as seen:
        model.backbone = nn.Sequential(model.backbone, nn.Identity())
        step(model, optimizer)
        model.backbone[0].weight.data += 1
        step(model, optimizer)
    assert [each.kind for each in seen.violations] == ["frozen-changed"]


def test_the_replacement_is_watched_from_then_on() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, frozen=["backbone"], on_violation="collect") as seen:
        step(model, optimizer)
        model.backbone = nn.Linear(WIDTH, WIDTH).requires_grad_(False)
        step(model, optimizer)
        model.backbone.weight.data += 1
        step(model, optimizer)
    assert said(seen) == REPLACED | on("backbone.weight", kind="frozen-changed")


def test_what_is_new_has_a_role_although_another_pattern_names_nothing_any_more() -> None:
    model, optimizer = fine_tuned()
    model.spare = nn.Linear(1, 1)
    with watch(model, optimizer, frozen=["backbone", "spare"], on_violation="collect") as seen:
        step(model, optimizer)
        del model.spare
        model.backbone = nn.Linear(WIDTH, WIDTH).requires_grad_(False)
        step(model, optimizer)
        model.backbone.weight.data += 1
        step(model, optimizer)
    assert ("frozen-changed", "backbone.weight") in said(seen)


def test_a_head_that_is_replaced_and_held_is_no_violation() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer) as seen:
        step(model, optimizer)
        optimizer.param_groups.clear()
        model.head = nn.Linear(WIDTH, 2)
        optimizer.add_param_group({"params": list(model.head.parameters())})
        step(model, optimizer)
    assert not seen.violations


def test_a_flag_that_is_switched_on() -> None:
    def unfreeze(model: Net) -> None:
        model.backbone.bias.requires_grad = True

    found = after_one_step(unfreeze)
    assert ("flag-flipped", "backbone.bias") in said(found)
    assert found[0].cause == "FZ201"


def test_a_flag_that_is_switched_on_stops_the_forward_pass() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer):
        step(model, optimizer)
        model.backbone.weight.requires_grad_()
        with pytest.raises(FreezeViolated, match="switched on"):
            loss_of(model)


def test_a_flag_that_is_switched_on_and_off_again_between_two_steps() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        model.backbone.requires_grad_(True)
        loss_of(model).backward()
        model.backbone.requires_grad_(False)
        optimizer.step()
    assert said(seen) == on(*BACKBONE, kind="flag-flipped")


def test_a_flag_that_is_flipped_within_a_pattern() -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    # Its flags are on from the beginning: what counts is that nobody moves it.
    with watch(model, optimizer, frozen=["backbone"]) as seen:
        step(model, optimizer)
        model.backbone.requires_grad_(False)
        step(model, optimizer)
    assert not seen.violations


def test_what_should_train_is_switched_off_before_its_step() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, on_violation="collect") as seen:
        for _ in range(2):
            step(model, optimizer)
        model.head.bias.requires_grad_(False)
        step(model, optimizer)
    assert said(seen) == on("head.bias", kind="flag-flipped")
    assert "switched off" in seen.violations[0].message


def test_a_freeze_that_was_switched_on_is_named_as_the_reason() -> None:
    model = frozen_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with watch(model, optimizer, on_violation="collect") as seen:
        model.backbone.requires_grad_(True)
        step(model, optimizer)
    moved = [each for each in seen.violations if each.kind == "frozen-changed"]
    assert {each.cause for each in moved} == {"FZ201"}


def test_modes_are_watched_after_a_module_was_replaced() -> None:
    model, optimizer = fine_tuned(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Dropout()))
    model.eval()
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        optimizer.param_groups.clear()
        model.head = nn.Linear(WIDTH, 2)
        optimizer.add_param_group({"params": list(model.head.parameters())})
        model.backbone.train()
        step(model, optimizer)
    assert said(seen) == on("backbone.1", kind="train-mode")
