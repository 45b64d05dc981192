"""How often Python looks for garbage, in processes that end soon."""

from __future__ import annotations

import gc

_NEW_OBJECTS = 1_000_000


def collect_rarely() -> None:
    """Let garbage add up: each look goes through every syntax tree in use, and most find nothing."""
    gc.set_threshold(_NEW_OBJECTS)


def keep_for_good() -> None:
    """Never look again at what is there by now, such as the modules that were loaded."""
    gc.freeze()
