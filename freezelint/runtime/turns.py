"""When that is done which would cost too much in every step: in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.runtime.inventory import Entry

TURNS = 16
"""Steps within which every frozen tensor is digested once."""

LISTENED = 2
"""Steps at the beginning in which all that runs is listened to, and after these one in sixteen;
backward passes at the beginning, and of every sixteen, that are looked at."""

_FEW = 16
"""Tensors that are digested in every step, whatever their number is."""


def whose_turn_it_is(entries: Sequence[Entry], turn: int) -> Sequence[Entry]:
    """Those that are digested in this turn: a few in each, so that no step waits for all."""
    turns = max(min(len(entries) // _FEW, TURNS), 1)
    return entries[turn % turns :: turns]
