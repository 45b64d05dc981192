"""The numbers that digests are made with: the same on every machine, with torch and without."""

from __future__ import annotations

import functools

PIECE = 1 << 22
"""Words after which the weights of rows begin anew."""

PIECE_BYTES = 8 * PIECE
"""The same in bytes: what is digested at once."""

FEW = 1 << 13
"""Words up to which one sum over all is cheaper than rows."""

ROW = 511
SHIFT = 31
NEXT_PIECE = 0x9E3779B97F4A7C15 - (1 << 64)

_COUNT = PIECE // ROW + 1
_MASK = (1 << 64) - 1


@functools.cache
def weights() -> tuple[int, ...]:
    """Odd 64-bit numbers without a pattern, as signed ones; by SplitMix64."""
    return tuple(signed(_mixed(number * NEXT_PIECE & _MASK) | 1) for number in range(1, _COUNT + 1))


def _mixed(bits: int) -> int:
    """The finalizer of SplitMix64 (Steele, Lea and Flood, 2014)."""
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & _MASK
    return bits ^ bits >> 31


def signed(bits: int) -> int:
    """A whole number as 64 bits hold it."""
    bits &= _MASK
    return bits - (1 << 64) if bits >> 63 else bits
