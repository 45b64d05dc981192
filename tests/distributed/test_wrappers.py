"""The watch under DDP, FSDP and a sharded optimizer: what one process sees, all of them raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Case = Callable[[str], list[dict[str, Any]]]

pytestmark = [pytest.mark.torch, pytest.mark.slow]

WRAPS = ["ddp", "fsdp_original", "fsdp_as_one", "fsdp_flat", "fsdp2"]
WHOLE = 8 * 16


def seen(told: dict[str, Any]) -> set[tuple[str, str]]:
    return {(each["kind"], each["tensor"]) for each in told["violations"]}


def on(*names: str, kind: str) -> set[tuple[str, str]]:
    return {(kind, name) for name in names}


@pytest.mark.parametrize("wrap", [*WRAPS, "zero"])
def test_a_clean_training_is_clean_on_every_rank(case: Case, wrap: str) -> None:
    for told in case(f"clean-{wrap}"):
        assert (told["violations"], told["steps"]) == ([], 5)
        assert told["warnings"] == []


@pytest.mark.parametrize("wrap", WRAPS)
def test_a_clean_training_with_decay_raises_nothing(case: Case, wrap: str) -> None:
    assert [told["error"] for told in case(f"raises_nothing-{wrap}")] == [None, None]


@pytest.mark.parametrize("wrap", WRAPS)
def test_a_write_is_named_as_the_user_does(case: Case, wrap: str) -> None:
    for told in case(f"written-{wrap}"):
        assert seen(told) == {("frozen-changed", "backbone.0.weight")}


@pytest.mark.parametrize("wrap", [*WRAPS, "zero"])
def test_all_ranks_raise_what_one_saw(case: Case, wrap: str) -> None:
    rank = int(wrap != "fsdp_as_one")
    for told in case(f"written_on_one_rank-{wrap}"):
        assert told["error"] == "FreezeViolated"
        assert [each["ranks"] for each in told["violations"]] == [[rank]]
        assert f"seen by rank {rank}" in told["said"]
        # At the first step after the backward pass that followed the write.
        assert told["steps"] <= 3


@pytest.mark.parametrize(
    ("wrap", "shard"),
    [
        ("fsdp_original", "values 72 to 127 of 128"),
        ("fsdp_as_one", "values 0 to 127 of 128"),
        ("fsdp2", "values 64 to 127 of 128"),
        ("fsdp_flat", "(one flat parameter, in the shard of rank 1)"),
    ],
)
def test_messages_say_which_shard(case: Case, wrap: str, shard: str) -> None:
    for told in case(f"written_on_one_rank-{wrap}"):
        assert shard in told["said"]


def test_a_flat_parameter_is_named_by_what_it_holds(case: Case) -> None:
    for told in case("written_on_one_rank-fsdp_flat"):
        assert "backbone.0.weight and backbone.0.bias (one flat parameter" in told["said"]
        assert "_flat_param" not in told["said"]


@pytest.mark.parametrize("wrap", WRAPS)
def test_a_contract_by_pattern_holds_for_shards(case: Case, wrap: str) -> None:
    names = ["extra.weight"] if wrap == "fsdp_flat" else ["extra.weight", "extra.bias"]
    for told in case(f"decays-{wrap}"):
        assert seen(told) == on(*names, kind="frozen-changed")


@pytest.mark.parametrize("wrap", WRAPS)
def test_what_should_train_and_is_dead_is_reported(case: Case, wrap: str) -> None:
    names = ["unused.weight"] if wrap == "fsdp_flat" else ["unused.weight", "unused.bias"]
    for told in case(f"dead-{wrap}"):
        assert seen(told) == on(*names, kind="not-trained")


def test_rows_that_only_one_rank_trains_are_no_dead_parameter(case: Case) -> None:
    assert [told["violations"] for told in case("rare_words-fsdp2")] == [[], []]


def test_frozen_rows_are_found_in_the_shard_that_has_them(case: Case) -> None:
    for told in case("frozen_rows-fsdp2"):
        assert told["violations"] == [["rows-changed", "0.weight"]]
    for told in case("other_rows-fsdp2"):
        assert told["violations"] == []


def test_statistics_in_eval_mode_stay(case: Case) -> None:
    assert [told["violations"] for told in case("norm_in_eval_mode-ddp")] == [[], []]


def test_statistics_that_drift_on_both_ranks_are_one_report(case: Case) -> None:
    for told in case("norm_drifts-ddp"):
        assert ("buffer-changed", "backbone.1.running_mean") in seen(told)
        assert ("train-mode", "backbone.1") in seen(told)
        assert all(each["ranks"] == [0, 1] for each in told["violations"])
        assert "seen by ranks 0 and 1" in told["violations"][0]["message"]


def test_a_freeze_that_differs_between_ranks(case: Case) -> None:
    for told in case("one_rank_unfroze-ddp"):
        assert told["error"] == "FreezeViolated"
        assert seen(told) == on("backbone.0.weight", "backbone.0.bias", kind="ranks-differ")
        assert "it takes gradients on rank 1 and is frozen on rank 0" in told["said"]


def test_copies_that_differ_from_the_beginning(case: Case) -> None:
    for told in case("copies_differ-ddp"):
        assert seen(told) == on("backbone.0.weight", kind="ranks-differ")
        assert "never had the values that it has on rank 0" in told["violations"][0]["message"]


def test_what_ddp_leaves_to_each_process_may_differ(case: Case) -> None:
    assert [told["violations"] for told in case("copies_left_to_each-ddp")] == [[], []]


def test_a_freeze_after_wrapping_that_unused_parameters_allow_is_clean(case: Case) -> None:
    assert [told["violations"] for told in case("frozen_after_wrapping-ddp")] == [[], []]


# -- ranks that go different ways ------------------------------------------------


def test_ranks_may_take_different_numbers_of_steps(case: Case) -> None:
    first, second = case("uneven_steps-alone")
    assert (first["steps"], second["steps"]) == (2, 5)
    assert first["violations"] == second["violations"] == []


@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_of_one_rank_is_told_to_the_other(case: Case, rank: int) -> None:
    told = case(f"rank_{rank}_fails-alone")
    assert told[rank]["error"] == "ZeroDivisionError"
    expected = [f"rank {rank} left its watch with ZeroDivisionError: by accident"]
    assert told[1 - rank]["warnings"] == expected


def test_only_one_rank_may_watch(case: Case) -> None:
    _, second = case("only_rank_1_watches-ddp")
    assert (second["violations"], second["warnings"], second["steps"]) == ([], [], 5)


def test_the_first_rank_may_have_watched_more_often(case: Case) -> None:
    for told in case("rank_0_watched_more-ddp"):
        assert told["error"] == "FreezeViolated"


def test_a_rank_that_is_late_is_named_and_not_waited_for(case: Case) -> None:
    first, second = case("leaves_late-alone")
    assert first["warnings"][0].startswith("rank 1 did not answer within 0.3 s")
    assert second["violations"] == []
