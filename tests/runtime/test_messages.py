"""What is said, how often, and by what means."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.optim import SGD

from freezelint.runtime import FreezeViolated, Kind, Violation, watch
from freezelint.runtime.violations import FreezeWarning, Writer
from tests.runtime.nets import WIDTH, Net, fine_tuned, loss_of, step

pytestmark = pytest.mark.torch


def stale() -> tuple[Net, torch.optim.Optimizer]:
    """A backbone that was frozen between backward and step, in the second group."""
    model = Net()
    groups = [{"params": model.head.parameters()}, {"params": model.backbone.parameters()}]
    optimizer = SGD(groups, lr=0.1)
    loss_of(model).backward()
    model.backbone.requires_grad_(False)
    return model, optimizer


def test_a_stale_gradient() -> None:
    model, optimizer = stale()
    with pytest.raises(FreezeViolated) as caught, watch(model, optimizer):
        optimizer.step()
    assert str(caught.value) == (
        "stale-gradient: SGD holds backbone.weight in group 1: it is frozen and has a gradient "
        "from before, which will be applied\n"
        "  see: freezelint explain FZ305\n"
        "stale-gradient: SGD holds backbone.bias in group 1: it is frozen and has a gradient "
        "from before, which will be applied\n"
        "  see: freezelint explain FZ305"
    )


def test_a_step_that_moves_what_must_stay() -> None:
    model = Net()
    optimizer = SGD([{"params": model.head.parameters()}, {"params": [model.backbone.bias]}], lr=1)
    model.backbone.bias.register_hook(lambda _: torch.tensor([0.0, 0.25, -0.5, 0.0]))
    with pytest.raises(FreezeViolated) as caught, watch(model, optimizer, frozen=["backbone"]):
        step(model, optimizer)
    assert str(caught.value) == (
        "frozen-changed: backbone.bias changed in step 1 of SGD, group 1 (2 of 4 values changed, "
        "by up to 5.0e-01): its flag is on and it takes gradients"
    )


def test_a_write_outside_of_an_optimizer() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer) as seen:
        for _ in range(3):
            step(model, optimizer)
        with torch.no_grad():
            model.backbone.bias[2] += 0.125
        with pytest.raises(FreezeViolated) as caught:
            step(model, optimizer)
    assert str(caught.value) == (
        "frozen-changed: backbone.bias changed outside of a step, by step 3 (1 of 4 values "
        "changed, by up to 1.2e-01): something wrote to it outside of an optimizer"
    )
    assert seen.steps == 3


BATCHES_COUNTED = (
    "buffer-changed: backbone.1.num_batches_tracked changed before the first step (1 of 1 values "
    "changed): it runs in train mode, where it updates its statistics"
)


def test_statistics_of_a_batchnorm() -> None:
    model, _ = fine_tuned(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH)))
    watched = watch(model, frozen=["backbone.1.num_batches_tracked"], locate="never")
    with pytest.raises(FreezeViolated) as caught, watched:
        loss_of(model)
    assert str(caught.value).splitlines()[:2] == [
        BATCHES_COUNTED,
        "  see: freezelint explain FZ401",
    ]


def test_eval_mode_that_was_taken_for_a_freeze() -> None:
    model = Net()
    model.backbone.eval()
    optimizer = SGD(model.parameters(), lr=0.1)
    with (
        pytest.raises(FreezeViolated, match=r"eval\(\) does not freeze it") as caught,
        watch(model, optimizer, frozen=["backbone"]),
    ):
        step(model, optimizer)
    assert {each.cause for each in caught.value.violations} == {"FZ111"}


def test_values_of_a_large_tensor_are_sampled_unless_all_are_wanted() -> None:
    def message(*, exact: bool) -> str:
        model, optimizer = fine_tuned()
        model.large = nn.Parameter(torch.zeros(1 << 18), requires_grad=False)
        with watch(model, optimizer, exact=exact, on_violation="collect") as seen:
            model.large.data += 1
        return seen.violations[0].message

    assert "262,144 of 262,144 values changed" in message(exact=True)
    sampled = message(exact=False)
    assert "sampled (of 262,144)" in sampled
    assert "by up to 1.0e+00" in sampled


def test_warnings_go_on_and_come_once() -> None:
    model, optimizer = stale()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with watch(model, optimizer, on_violation="warn") as seen:
            for _ in range(3):
                optimizer.step()
    assert {each.category for each in caught} == {FreezeWarning}
    said_at_once = [str(each.message).splitlines()[0] for each in caught]
    assert said_at_once == [str(each).splitlines()[0] for each in seen.violations]
    assert seen.steps == 3


def test_each_kind_is_said_once_of_each_tensor() -> None:
    model, optimizer = stale()
    with watch(model, optimizer, on_violation="collect") as seen:
        for _ in range(5):
            optimizer.step()
        seen.check()
    kinds = [(each.kind, each.tensor) for each in seen.violations]
    assert len(kinds) == len(set(kinds)) == 4


def test_several_violations_of_one_moment_are_raised_together() -> None:
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1)
    with pytest.raises(FreezeViolated) as caught, watch(model, optimizer, frozen=["backbone"]):
        step(model, optimizer)
    assert len(caught.value.violations) == 2
    assert isinstance(caught.value, AssertionError)


def test_a_violation_that_is_caught_is_not_raised_again() -> None:
    model, optimizer = stale()
    with watch(model, optimizer) as seen:
        with pytest.raises(FreezeViolated):
            optimizer.step()
        model.zero_grad()
        step(model, optimizer)
    assert len(seen.violations) == 2


def test_every_third_step_is_looked_at() -> None:
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1)
    watched = watch(model, optimizer, frozen=["backbone"], every=3, on_violation="collect")
    with watched as seen:
        for expected in (0, 0, 2):
            step(model, optimizer)
            assert len(seen.violations) == expected
    # Which of the steps that were passed over it was, nobody knows; who stepped, one does.
    assert {each.optimizer for each in seen.violations} == {"SGD"}


def test_steps_at_the_end_are_looked_at_although_it_is_not_their_turn() -> None:
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1)
    watched = watch(model, optimizer, frozen=["backbone"], every=3, on_violation="collect")
    with watched as seen:
        for _ in range(2):
            step(model, optimizer)
        assert not seen.violations
    assert {each.optimizer for each in seen.violations} == {"SGD"}


def test_a_check_may_be_asked_for_at_any_time() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        assert seen.check() == []
        model.backbone.bias.data[0] += 1
        (violation,) = seen.check()
        assert violation.tensor == "backbone.bias"
        assert seen.check() == [violation]


def test_a_violation_is_plain_data() -> None:
    writer = Writer("train.py", 7, "train", "x += 1", "aten.add_.Tensor")
    violation = Violation(Kind.FROZEN_CHANGED, "a.b", 3, "a.b changed", "FZ305", "SGD", 1, writer)
    assert str(violation).splitlines() == [
        "frozen-changed: a.b changed",
        "  written by train.py:7 in train: x += 1 (aten.add_.Tensor)",
        "  see: freezelint explain FZ305",
    ]
    assert violation.kind == "frozen-changed"
    assert f"{violation.kind}" == "frozen-changed"
    assert Violation(Kind.ORPHAN, None, 0, "lost").cause is None


def test_all_kinds_have_the_names_that_people_write() -> None:
    assert {str(kind) for kind in Kind} == {
        "frozen-changed",
        "buffer-changed",
        "rows-changed",
        "frozen-replaced",
        "flag-flipped",
        "train-mode",
        "stale-gradient",
        "not-optimized",
        "orphan",
        "not-trained",
        "unowned-gradient",
        "alias",
        "nothing-trainable",
        "stray-attribute",
        "ranks-differ",
    }


def test_a_model_that_was_never_frozen_is_not_listed_to_its_end() -> None:
    model = nn.Sequential(*(nn.Linear(WIDTH, WIDTH) for _ in range(8)))
    optimizer = SGD(model.parameters(), lr=0.1)
    with pytest.raises(FreezeViolated) as caught, watch(model, optimizer, frozen=["*"]):
        step(model, optimizer)
    assert len(caught.value.violations) == 16
    assert str(caught.value).endswith("and 8 more, in `violations` of this exception")
