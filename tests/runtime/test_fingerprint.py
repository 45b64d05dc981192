"""A digest changes with every bit, and with nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from freezelint.runtime.digest_formula import FEW, PIECE, ROW
from freezelint.runtime.fingerprint import _SCRATCH_WORDS, Digester, read
from freezelint.runtime.quiet import quietly
from freezelint.runtime.stored_digest import digest_of_pieces

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.torch

MANY = settings(max_examples=150, deadline=None, derandomize=True)
SCRATCH = _SCRATCH_WORDS["cpu"]
SMALL = FEW
"""Words up to which a tensor has no rows."""
DIGESTER = Digester()

DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.complex64,
    torch.complex128,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
    *(
        getattr(torch, name)
        for name in ("float8_e4m3fn", "float8_e5m2", "uint16", "uint32", "uint64")
        if hasattr(torch, name)
    ),
]


def digest(tensor: Tensor) -> int:
    with quietly():
        found = DIGESTER.digest(tensor)
    assert found is not None
    return int(found)


def from_bytes(count: int, dtype: torch.dtype, seed: int) -> Tensor:
    """Random bits, whatever numbers they make."""
    generator = torch.Generator().manual_seed(seed)
    bits = torch.randint(0, 256, (count * dtype.itemsize,), generator=generator)
    if dtype is torch.bool:
        bits %= 2
    return bits.to(torch.uint8).view(dtype)


def other_bits(tensor: Tensor, place: int, bit: int) -> Tensor:
    """The same flat tensor with one bit of one element flipped."""
    changed = tensor.clone()
    size = tensor.dtype.itemsize
    bit = 0 if tensor.dtype is torch.bool else bit % (8 * size)
    changed.view(torch.uint8)[place * size + bit // 8] ^= 1 << bit % 8
    return changed


def as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def folded(tensor: Tensor) -> Tensor:
    return tensor.reshape(2, -1) if len(tensor) % 2 == 0 else tensor


def transposed(tensor: Tensor) -> Tensor:
    return folded(tensor).t()


def with_gaps(tensor: Tensor) -> Tensor:
    wide = torch.zeros(len(tensor), 3, dtype=torch.uint8).repeat_interleave(
        tensor.dtype.itemsize, 1
    )
    column = wide.view(tensor.dtype)[:, 1]
    column.copy_(tensor)
    return column


def inside_another(tensor: Tensor) -> Tensor:
    around = torch.zeros((len(tensor) + 8) * tensor.dtype.itemsize, dtype=torch.uint8)
    inside = around.view(tensor.dtype)[3 : 3 + len(tensor)]
    inside.copy_(tensor)
    return inside


LAYOUTS = [as_it_is, folded, transposed, with_gaps, inside_another]


@MANY
@given(
    dtype=st.sampled_from(DTYPES),
    layout=st.sampled_from(LAYOUTS),
    count=st.integers(1, 40),
    seed=st.integers(0, 1 << 20),
    data=st.data(),
)
def test_one_bit_of_one_element_changes_it(
    dtype: torch.dtype,
    layout: Callable[[Tensor], Tensor],
    count: int,
    seed: int,
    data: st.DataObject,
) -> None:
    before = from_bytes(count, dtype, seed)
    after = other_bits(before, data.draw(st.integers(0, count - 1)), data.draw(st.integers(0, 127)))
    assert digest(layout(before)) != digest(layout(after))
    assert digest(layout(before)) == digest(layout(before.clone()))


@MANY
@given(
    dtype=st.sampled_from([each for each in DTYPES if each is not torch.bool]),
    count=st.integers(2, 3000),
    seed=st.integers(0, 1 << 20),
    data=st.data(),
)
def test_two_elements_that_trade_places_change_it(
    dtype: torch.dtype, count: int, seed: int, data: st.DataObject
) -> None:
    before = from_bytes(count, dtype, seed)
    places = st.integers(0, count - 1)
    one, other = data.draw(places), data.draw(places)
    after = before.clone()
    size = dtype.itemsize
    bits, old = after.view(torch.uint8).view(-1, size), before.view(torch.uint8).view(-1, size)
    bits[one], bits[other] = old[other], old[one]
    is_same = torch.equal(bits, old)
    assert (digest(before) == digest(after)) is is_same


@MANY
@given(count=st.integers(0, 40), offset=st.integers(1, 9), dtype=st.sampled_from(DTYPES))
def test_it_is_the_same_wherever_the_tensor_lies(
    count: int, offset: int, dtype: torch.dtype
) -> None:
    tensor = from_bytes(count, dtype, seed=1)
    around = from_bytes(count + offset + 1, dtype, seed=2)
    around[offset : offset + count] = tensor
    assert digest(around[offset : offset + count]) == digest(tensor)


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize(
    "words",
    [
        1,
        ROW - 1,
        ROW,
        ROW + 1,
        2 * ROW,
        SMALL,
        SMALL + 1,
        SCRATCH - 1,
        SCRATCH,
        SCRATCH + 1,
        SCRATCH + ROW + 2,
        PIECE + 1,
    ],
)
def test_every_edge_between_rows_and_pieces_is_read(words: int, offset: int) -> None:
    tensor = from_bytes(2 * words + 1 + offset, torch.int32, seed=words)[offset:]
    before = digest(tensor)
    rows = SCRATCH // ROW * ROW
    edges = {0, 1, ROW - 1, ROW, rows - 1, rows, SCRATCH, PIECE - 1, PIECE, words - 1, words}
    for word in sorted(edges & set(range(words + 1))):
        for place in {2 * word, min(2 * word + 1, 2 * words)}:
            value = int(tensor[place])
            tensor[place] = value ^ 1
            assert digest(tensor) != before, place
            tensor[place] = value
    assert digest(tensor) == before


@pytest.mark.parametrize("words", [ROW, SCRATCH // ROW * ROW, PIECE])
def test_what_trades_places_across_an_edge_is_seen(words: int) -> None:
    tensor = from_bytes(words + ROW + 1, torch.int64, seed=words)
    before = digest(tensor)
    tensor[words - 1], tensor[words] = int(tensor[words]), int(tensor[words - 1])
    assert digest(tensor) != before
    first, last = tensor[:ROW].clone(), tensor[words : words + ROW].clone()
    before = digest(tensor)
    tensor[:ROW], tensor[words : words + ROW] = last, first
    assert digest(tensor) != before


def test_tensors_of_different_length_differ_even_if_all_is_zero() -> None:
    digests = [digest(torch.zeros(count)) for count in (0, 1, 2, 1000, 1001)]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize(
    ("one", "other"),
    [(0.0, -0.0), (1.0, -1.0), (float("inf"), float("-inf")), (0.0, 1e-45)],
)
@pytest.mark.parametrize("place", range(4))
def test_equal_numbers_of_other_bits_differ(one: float, other: float, place: int) -> None:
    tensor = torch.full((4,), one)
    before = digest(tensor)
    tensor[place] = other
    assert digest(tensor) != before


def test_not_a_number_is_its_bits() -> None:
    quiet = torch.full((8,), float("nan"))
    assert digest(quiet) == digest(quiet.clone())
    other = (quiet.view(torch.int32) + 1).view(torch.float32)
    assert other.isnan().all()
    assert digest(other) != digest(quiet)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex64, torch.complex128, torch.int64])
def test_the_sign_of_every_eight_byte_number_counts(dtype: torch.dtype) -> None:
    tensor = from_bytes(ROW, dtype, seed=3)
    assert digest(-tensor) != digest(tensor)
    flipped = tensor.clone()
    flipped[2:4] = -flipped[2:4]
    assert digest(flipped) != digest(tensor)


def test_nothing_grows_with_the_tensor() -> None:
    digester = Digester()
    digester.digest(torch.zeros(2))
    (small,) = digester._workspaces.values()
    sizes = [each.untyped_storage().nbytes() for each in small]
    for count in (10, 4 * SCRATCH + 3):
        digester.digest(torch.zeros(count))
        digester.digest(torch.zeros(count, 2)[:, 0])
    (large,) = digester._workspaces.values()
    assert [each.data_ptr() for each in large] == [each.data_ptr() for each in small]
    assert [each.untyped_storage().nbytes() for each in large] == sizes
    assert sum(sizes) < 5 << 20


def test_digesting_reads_only() -> None:
    tensor = from_bytes(1001, torch.float32, seed=5)[1:]
    before, version = tensor.clone(), tensor._version
    digest(tensor)
    assert torch.equal(tensor.view(torch.int32), before.view(torch.int32))
    assert tensor._version == version


def test_many_tensors_have_the_digests_of_each_alone() -> None:
    flat = torch.randn(4000)
    tensors = [
        *(torch.randn(count) for count in (0, 1, 2, 3, 8, 1000, 1022, 1023, 8192, 8194, 40_000)),
        *(flat[start : start + 100] for start in range(4)),
        torch.randn(64, 64).t(),
        torch.randn(64, dtype=torch.float64),
        torch.randn(64).to(torch.bfloat16),
        torch.nn.Parameter(torch.randn(8, 8)),
        torch.empty(4, device="meta"),
        torch.arange(10),
    ]
    with torch.no_grad():
        together = DIGESTER.digests(tensors)
        alone = read([DIGESTER.digest(tensor) for tensor in tensors])
    assert together == alone


def test_more_small_tensors_than_the_workspace_holds_are_digested_in_turns() -> None:
    tensors = [torch.full((8192,), float(number)) for number in range(150)]
    together = DIGESTER.digests(tensors)
    assert together == read([DIGESTER.digest(tensor) for tensor in tensors])
    assert len(set(together)) == len(tensors)


@pytest.mark.parametrize(
    "count", [0, 1, 9, 4096, 8 * SMALL, 8 * SMALL + 8, 8 * PIECE, 8 * PIECE + 8, 12 * PIECE + 5]
)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float64])
def test_stored_bytes_have_the_digest_of_the_tensor(count: int, dtype: torch.dtype) -> None:
    whole = from_bytes(count // dtype.itemsize, dtype, seed=count)
    data = whole.view(torch.uint8).numpy().tobytes()
    pieces = [memoryview(data)[at : at + 8 * PIECE] for at in range(0, len(data), 8 * PIECE)]
    assert digest_of_pieces(pieces, dtype.itemsize) == digest(whole)


def test_digests_are_what_they_were_in_earlier_releases() -> None:
    assert digest(torch.arange(10, dtype=torch.int32)) == -8894238163872607820
    assert digest(torch.arange(100_003, dtype=torch.float32)) == 3412695157146005814
    assert digest(torch.arange(100_003, dtype=torch.float64)) == 9089945024815730294
