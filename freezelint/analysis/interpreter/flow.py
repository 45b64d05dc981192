"""How a block of statements was left."""

from __future__ import annotations

import enum


class Flow(enum.IntEnum):
    """How a block was left; where arms differ, the smallest counts."""

    NEXT = 0
    CONTINUE = 1
    BREAK = 2
    RETURN = 3
