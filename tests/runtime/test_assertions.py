"""`assert_frozen` and `assert_trains`, as tests use them."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import SGD

from freezelint.runtime import ContractError, FreezeViolated, assert_frozen, assert_trains
from tests.runtime.nets import INPUTS, WIDTH, Net, fine_tuned, frozen_net, on, said, step

pytestmark = pytest.mark.torch


def test_what_is_frozen_stays() -> None:
    model, optimizer = fine_tuned()
    with assert_frozen(model, optimizer) as seen:
        step(model, optimizer)
    assert seen.steps == 1


def test_what_is_frozen_moves() -> None:
    model, _ = fine_tuned()
    with pytest.raises(FreezeViolated, match=r"backbone\.bias changed"), assert_frozen(model):
        model.backbone.bias.data[1] += 0.5


def test_how_much_it_moved_is_exact() -> None:
    model, optimizer = fine_tuned(nn.Linear(WIDTH, WIDTH))
    model.large = nn.Parameter(torch.zeros(1 << 18), requires_grad=False)
    with (
        pytest.raises(FreezeViolated, match=r"1 of 262,144 values changed, by up to 2\.5e-01"),
        assert_frozen(model, optimizer, frozen=["large"]),
    ):
        model.large.data[77_777] = 0.25


def test_an_optimizer_that_moves_it_is_named() -> None:
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1)
    with (
        pytest.raises(FreezeViolated, match="in step 1 of SGD, group 0") as caught,
        assert_frozen(model, optimizer, frozen=["backbone"]),
    ):
        step(model, optimizer)
    assert said(caught.value.violations) == on(
        "backbone.weight", "backbone.bias", kind="frozen-changed"
    )


def test_buffers_stay_too_unless_they_are_statistics() -> None:
    backbone = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH))
    model, optimizer = fine_tuned(backbone)
    with assert_frozen(model, statistics=["backbone.1"]):
        step(model, optimizer)
    with pytest.raises(FreezeViolated, match="num_batches_tracked"), assert_frozen(model):
        step(model, optimizer)


def test_a_model_that_is_frozen_as_a_whole_need_not_train() -> None:
    model = Net().requires_grad_(False)
    with assert_frozen(model):
        model(INPUTS)


def test_a_lone_pattern_needs_no_list() -> None:
    model, optimizer = fine_tuned()
    with assert_frozen(model, frozen="backbone"), assert_trains(model, trainable="head"):
        step(model, optimizer)


def test_what_trains_moves() -> None:
    model, optimizer = fine_tuned()
    with assert_trains(model, optimizer) as seen:
        step(model, optimizer)
    assert not seen.violations


def test_what_trains_stands_still() -> None:
    model = Net()
    optimizer = SGD(model.head.parameters(), lr=0.1)
    with pytest.raises(FreezeViolated) as caught, assert_trains(model, optimizer):
        step(model, optimizer)
    assert said(caught.value.violations) == on(
        "backbone.weight", "backbone.bias", kind="not-trained"
    )
    assert "in no optimizer" in str(caught.value)


def test_one_step_is_enough_to_tell() -> None:
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.0)
    with pytest.raises(FreezeViolated, match="learning rate"), assert_trains(model, optimizer):
        step(model, optimizer)


def test_a_block_that_does_not_train_at_all() -> None:
    model, optimizer = fine_tuned()
    with pytest.raises(FreezeViolated, match="ever took a step"), assert_trains(model, optimizer):
        pass


def test_what_breaks_the_freeze_is_not_its_business() -> None:
    model, optimizer = fine_tuned()
    with assert_trains(model, optimizer, trainable=["head"]):
        model.backbone.weight.data += 1
        step(model, optimizer)


@pytest.mark.parametrize(
    ("assertion", "flag"), [(assert_frozen, True), (assert_trains, False)], ids=["frozen", "trains"]
)
def test_nothing_to_assert_is_an_error(assertion: type, flag: bool) -> None:
    model = Net().requires_grad_(flag)
    with pytest.raises(ContractError, match="no parameter is"), assertion(model):
        pass


def test_an_error_in_the_block_is_the_error() -> None:
    model = frozen_net()

    def train() -> None:
        with assert_frozen(model), assert_trains(model):
            model.backbone.weight.data += 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train()


def test_names_with_the_letters_of_globs_are_names() -> None:
    model = nn.ModuleDict({"a[0]": nn.Linear(2, 2), "b*": nn.Linear(2, 2), "a0": nn.Linear(2, 2)})
    model.requires_grad_(False)
    with pytest.raises(FreezeViolated, match=r"a\[0\].weight"), assert_frozen(model):
        model["a[0]"].weight.data += 1
