"""However a tensor is cut, its parts give the digest of the whole."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from freezelint.runtime.digest_formula import FEW, PIECE_BYTES, ROW
from freezelint.runtime.fingerprint import Digester
from freezelint.runtime.partial_digest import digest_of_parts, parts_of

pytestmark = pytest.mark.torch

DTYPES = [torch.float32, torch.bfloat16, torch.float64, torch.int64, torch.uint8]
SIZES = [1, 3, 63, 64, 8 * ROW, 4 * FEW, 8 * FEW + 1, 70_001]


def values(dtype: torch.dtype, count: int) -> torch.Tensor:
    torch.manual_seed(count)
    return (torch.randn(count) * 50).to(dtype)


def of_parts(whole: torch.Tensor, cuts: list[int]) -> int:
    bounds = [0, *sorted(cuts), len(whole)]
    parts = [
        part
        for start, stop in itertools.pairwise(bounds)
        for part in parts_of(whole[start:stop], start, len(whole))
    ]
    # In whatever order they come.
    return digest_of_parts(reversed(parts), whole.nbytes)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(DTYPES), st.sampled_from(SIZES))
def test_parts_give_the_digest_of_the_whole(
    data: st.DataObject, dtype: torch.dtype, count: int
) -> None:
    whole = values(dtype, count)
    cuts = data.draw(st.lists(st.integers(0, count), max_size=4))
    assert of_parts(whole, cuts) == Digester().digest(whole).item()


def test_a_tensor_of_several_pieces_may_be_cut_in_the_midst_of_one() -> None:
    whole = values(torch.float64, PIECE_BYTES // 8 + 1000)
    for cut in (PIECE_BYTES // 8, PIECE_BYTES // 8 - 3, ROW * 100 + 7):
        assert of_parts(whole, [cut]) == Digester().digest(whole).item()


def test_a_change_in_one_part_shows() -> None:
    whole = values(torch.float32, 70_001)
    before = of_parts(whole, [20_000])
    whole[30_000] += 1
    assert of_parts(whole, [20_000]) != before


def test_values_that_changed_places_between_parts_show() -> None:
    whole = values(torch.float32, 70_001)
    before = of_parts(whole, [35_000])
    whole[[10, 40_000]] = whole[[40_000, 10]]
    assert of_parts(whole, [35_000]) != before
