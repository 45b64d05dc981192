"""Digests of bytes in files: what :class:`Digester` computes, by NumPy and piece by piece.

So a checkpoint can be compared without loading PyTorch, and without holding a tensor in
memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from freezelint.runtime.digest_formula import FEW, NEXT_PIECE, ROW, SHIFT, signed, weights

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from numpy.typing import NDArray

    Words: TypeAlias = NDArray[np.int64]

_ROWS_AT_ONCE = 512
"""Rows of eight-byte numbers that are folded at once, in a copy."""


def digest_of_pieces(pieces: Iterable[memoryview], size: int) -> int:
    """Return the digest that a contiguous tensor of these bytes has.

    Args:
        pieces: The bytes in order; each of ``PIECE_BYTES``, but the last.
        size: Bytes per element.
    """
    total, count = 0, 0
    for number, piece in enumerate(pieces):
        part = _of_piece(piece, fold=size >= 8)
        total = part if number == 0 else total * NEXT_PIECE + part
        count += len(piece)
    return signed(total + count)


def _of_piece(piece: memoryview, *, fold: bool) -> int:
    data = np.frombuffer(piece, dtype=np.uint8)
    whole = len(data) // 8
    words: Words = data[: 8 * whole].view(np.int64)
    tail = data[8 * whole :].astype(np.int64)
    factors = np.array(weights(), dtype=np.int64)
    total = _weighted(words, factors, fold) if whole <= FEW else _in_rows(words, factors, fold)
    if len(tail):
        total = total * NEXT_PIECE + int((tail * factors[: len(tail)]).sum())
    return total


def _in_rows(words: Words, factors: Words, fold: bool) -> int:
    rows = words[: len(words) // ROW * ROW].reshape(-1, ROW)
    if fold:
        groups = range(0, len(rows), _ROWS_AT_ONCE)
        parts = [_row_sums(_folded(rows[at : at + _ROWS_AT_ONCE]), factors) for at in groups]
        sums = np.concatenate(parts)
    else:
        sums = _row_sums(rows, factors)
    total = int((_folded(sums) * factors[: len(sums)]).sum())
    return total + _weighted(words[rows.size :], factors, fold)


def _row_sums(rows: Words, factors: Words) -> Words:
    sums: Any = np.einsum("ij,j->i", rows, factors[:ROW])
    return np.asarray(sums, dtype=np.int64)


def _weighted(words: Words, factors: Words, fold: bool) -> int:
    return int(((_folded(words) if fold else words) * factors[: len(words)]).sum())


def _folded(words: Words) -> Words:
    return words ^ (words >> SHIFT)
