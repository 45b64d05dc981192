"""Addresses on the web."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint import __version__
from freezelint.suppressions import UnusedSuppression

if TYPE_CHECKING:
    from freezelint.reports.catalogue import Documented

PROJECT = "https://github.com/freezelint/freezelint"


def about(rule: Documented) -> str:
    """Return where the proof of a rule stands, or what silences findings."""
    page = f"{PROJECT}/blob/v{__version__}"
    if rule.code == UnusedSuppression.code:
        return f"{page}/README.md#silence-a-finding"
    # GitHub makes the address of a heading of what is no punctuation in it.
    return f"{page}/docs/proofs.md#{rule.code.lower()}-{rule.name}-{rule.level.value}"
