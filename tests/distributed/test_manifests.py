"""A manifest is the same however many processes the model is shared out among."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from freezelint.runtime import Contract, Kind, watch
from freezelint.runtime.manifest import Manifest
from tests.distributed.trainings import frozen_net

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Case = Callable[[str], list[dict[str, Any]]]

pytestmark = [pytest.mark.torch, pytest.mark.slow]

WRAPS = ["ddp", "fsdp_original", "fsdp_as_one", "fsdp_flat", "fsdp2"]


@pytest.mark.parametrize("wrap", WRAPS)
def test_saved_by_two_it_says_what_one_would(folder_of_cases: Path, wrap: str) -> None:
    one = Manifest.load(folder_of_cases / "of_one.manifest")
    two = Manifest.load(folder_of_cases / f"of_{wrap}.manifest")
    assert {each.name: each for each in two.tensors} == {each.name: each for each in one.tensors}


@pytest.mark.parametrize("wrap", WRAPS)
def test_saved_by_two_it_holds_for_the_model_in_one_process(
    folder_of_cases: Path, wrap: str
) -> None:
    contract = Contract.load(folder_of_cases / f"of_{wrap}.manifest")
    model = frozen_net(norm=True)
    with watch(model, contract=contract, on_violation="collect"):
        pass
    model.backbone[0].weight.data[-1, -1] += 1
    with watch(model, contract=contract, on_violation="collect") as seen:
        pass
    changed = [each.tensor for each in seen.violations if each.kind is Kind.FROZEN_CHANGED]
    assert changed == ["backbone.0.weight"]


@pytest.mark.parametrize("wrap", WRAPS)
def test_two_processes_keep_it_until_one_writes_to_its_part(case: Case, wrap: str) -> None:
    for told in case(f"manifest-{wrap}"):
        assert told["same"] == []
        assert ["frozen-changed", "backbone.0.weight"] in told["written"]
        # That of one process finds the same.
        assert told["of_one"] == told["written"]


def test_saving_on_one_rank_alone_is_refused(case: Case) -> None:
    first, _ = case("manifest_alone-fsdp2")
    assert first["said"].startswith("rank 1 did not answer within 0.2 s")
    assert "on every rank" in first["said"]
