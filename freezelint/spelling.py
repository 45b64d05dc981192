"""Other names for ``requires_grad``: what the check reads in code, the runtime on live objects."""

from __future__ import annotations

FLAG, METHOD = "requires_grad", "requires_grad_"

FOREIGN = frozenset({"trainable", "stop_gradient", "frozen", "freeze"})
"""What the flag is called in other frameworks, and what people guess that it is called."""

_LONGER = frozenset(
    f"{verb}_{noun}"
    for verb in ("require", "requires", "required", "requiring")
    for noun in ("grad", "grads", "grade", "gradient", "gradients", "gard", "grand")
) - {FLAG}

_FARTHEST = 3
"""Edits that may lie between a misspelling and the name it means."""


def meant_by(name: str) -> str | None:
    """The name that a near miss means; None for the names themselves and for other words."""
    if name in (FLAG, METHOD) or not name.startswith("re"):
        return None
    name = name.lower()
    if "_g" not in name and "sgrad" not in name:
        return None
    meant = METHOD if name.endswith("_") else FLAG
    if name in (FLAG, METHOD) or name.rstrip("_") in _LONGER:
        return meant
    return meant if _distance(name, meant) <= _FARTHEST else None


def _distance(first: str, second: str) -> int:
    """Edits (insert, delete, replace) that turn one word into another."""
    row = list(range(len(second) + 1))
    for number, letter in enumerate(first, 1):
        previous, row[0] = row[0], number
        for column, other in enumerate(second, 1):
            previous, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, previous + (letter != other)),
            )
    return row[-1]
