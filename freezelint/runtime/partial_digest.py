"""Digests of tensors whose values lie in several processes, from what each can tell of its own.

Up to the sums of rows a digest is a sum over words, each weighted by its place, so that
parts add up wherever a tensor is cut. What is done to whole rows afterwards is left for the
one who has all parts: only of rows that were cut (two at most, in every piece) the sums are
handed on; the others are done where they lie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from freezelint.runtime.digest_formula import (
    FEW,
    NEXT_PIECE,
    PIECE_BYTES,
    ROW,
    SHIFT,
    signed,
    weights,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

    from torch import Tensor

    Part: TypeAlias = dict[str, Any]
    """Of one piece of the formula: its number, a sum, the sums of cut rows, and of the tail."""

_ROW_BYTES = 8 * ROW


def parts_of(values: Tensor, first: int, total: int) -> list[Part]:
    """What this process can tell of a tensor's digest.

    Args:
        values: Consecutive values of it, one-dimensional and contiguous.
        first: How many values come before them.
        total: How many values the tensor has.

    Returns:
        Plain data, for :func:`digest_of_parts`.
    """
    size = values.element_size()
    start, stop = first * size, (first + values.numel()) * size
    content = values.detach().contiguous().view(torch.uint8)
    factors = torch.tensor(weights(), dtype=torch.int64, device=values.device)
    parts = []
    for number in range(start // PIECE_BYTES, -(-stop // PIECE_BYTES)):
        begin = number * PIECE_BYTES
        length = min(total * size - begin, PIECE_BYTES)
        lower, upper = max(start - begin, 0), min(stop - begin, length)
        own = content[begin + lower - start : begin + upper - start]
        parts.append(_part(number, own, lower, length, factors, fold=size >= 8))
    return parts


def digest_of_parts(parts: Iterable[Part], count: int) -> int:
    """The digest of a contiguous tensor of so many bytes, from the parts of all that have some."""
    by_piece: dict[int, list[Part]] = {}
    for each in parts:
        by_piece.setdefault(each["piece"], []).append(each)
    total = 0
    for number in sorted(by_piece):
        piece = _joined(by_piece[number], count - number * PIECE_BYTES)
        total = piece if number == 0 else total * NEXT_PIECE + piece
    return signed(total + count)


def _joined(parts: list[Part], left: int) -> int:
    total: int = sum(each["sum"] for each in parts)
    rows: dict[str, int] = {}
    for each in parts:
        for row, value in each["rows"].items():
            rows[row] = rows.get(row, 0) + value
    factors = weights()
    for row, value in rows.items():
        total += _folded(signed(value)) * factors[int(row)]
    if min(left, PIECE_BYTES) % 8:
        total = total * NEXT_PIECE + sum(each["tail"] for each in parts)
    return total


def _folded(number: int) -> int:
    return number ^ (number >> SHIFT)


def _part(
    number: int, own: Tensor, lower: int, length: int, factors: Tensor, *, fold: bool
) -> Part:
    """What some bytes of a piece, which begin at ``lower``, add to its digest."""
    upper = lower + own.numel()
    whole = length // 8
    in_rows = 0 if whole <= FEW else whole // ROW * _ROW_BYTES

    def between(begin: int, end: int) -> Tensor:
        return own[max(begin - lower, 0) : max(end - lower, 0)]

    total = 0
    rows: Mapping[str, int] = {}
    if lower < in_rows and upper > lower:
        total, rows = _of_rows(between(0, in_rows), lower, factors, fold=fold)
    rest = between(in_rows, 8 * whole)
    if rest.numel():
        place = max(lower - in_rows, 0)
        words = _words(rest, place % 8, 8, fold=fold)
        total += int((words * factors[place // 8 :][: len(words)]).sum())
    tail = between(8 * whole, length).to(torch.int64)
    place = max(lower - 8 * whole, 0)
    last = int((tail * factors[place : place + len(tail)]).sum())
    return {"piece": number, "sum": signed(total), "rows": rows, "tail": last}


def _of_rows(
    own: Tensor, lower: int, factors: Tensor, *, fold: bool
) -> tuple[int, Mapping[str, int]]:
    """The sum over rows that are whole, and the sums of those that were cut, by their number."""
    first = lower // _ROW_BYTES
    words = _words(own, lower % _ROW_BYTES, _ROW_BYTES, fold=fold).view(-1, ROW)
    sums = (words * factors[:ROW]).sum(1)
    upper = lower + own.numel()
    begin = -(-lower // _ROW_BYTES) - first
    end = max(upper // _ROW_BYTES - first, begin)
    done = sums[begin:end]
    done = (done ^ (done >> SHIFT)) * factors[first + begin : first + end]
    cut = [row for row in range(len(sums)) if not begin <= row < end]
    return int(done.sum()), {str(first + row): int(sums[row]) for row in cut}


def _words(own: Tensor, before: int, unit: int, *, fold: bool) -> Tensor:
    """Bytes as words, with zeros in front and behind that add nothing, to fill whole units."""
    length = -(-(before + own.numel()) // unit) * unit
    filled = torch.zeros(length, dtype=torch.uint8, device=own.device)
    filled[before : before + own.numel()] = own
    words = filled.view(torch.int64)
    return words ^ (words >> SHIFT) if fold else words
