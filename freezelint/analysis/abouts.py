"""How rules say which tensors a finding is about, so that a run of the program can find them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from freezelint.analysis.predicates import is_total
from freezelint.analysis.values import Constant
from freezelint.findings import About

if TYPE_CHECKING:
    from freezelint.analysis.events import FlagWritten
    from freezelint.analysis.values import Part


def about_frozen(freeze: FlagWritten) -> About:
    """What a freeze reached, where it still holds when training begins."""
    return About((freeze.label,), among="frozen")


def about_whole(part: Part, *labels: str) -> About | None:
    """All of a module; None where a test picks some of it, which a name does not tell."""
    return About(labels) if is_total(part.predicate) else None


def about_once_frozen(freeze: FlagWritten) -> About | None:
    """What a freeze reached that holds no more; None where a test picked it."""
    return None if not all(map(_is_whole, freeze.parts)) else About((freeze.label,))


def about_lost_flag(path: str, value: object) -> About | None:
    """Where a flag was to be written, and was not.

    Args:
        path: The code of what it was to be written to.
        value: The abstract value that was to be written; None is said of an unknown one, since
            what moves then may have been meant to.
    """
    if value not in (Constant(True), Constant(False)):
        return None
    shown: Literal["dead", "moves"] = "dead" if value == Constant(True) else "moves"
    return About((path,), shows=(shown,))


def _is_whole(part: Part) -> bool:
    return is_total(part.predicate)
