"""Literals that a file or a class gives a name once, and that nothing changes."""

from __future__ import annotations

import ast
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CHANGES = (
    r"\s*(?:\.(?:append|extend|insert|remove|pop|clear|update|setdefault|add|discard)\("
    r"|\[[^\]\n]*\]\s*[-+*/|]?=(?!=)|[-+*/|]=)"
)


def constants_of(statements: Iterable[ast.stmt], text: str) -> dict[str, object]:
    """The names that statements assign once, to what is a literal.

    Switches, which are True, False or None, are left out: they are there to be changed.

    Args:
        statements: Those at the top level of a file, or in the body of a class.
        text: The file, in which something may change what a name holds.
    """
    statements = list(statements)
    stored = Counter(
        node.id
        for statement in statements
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    return {
        name: value
        for name, value in _literals(statements)
        if stored[name] == 1 and not _is_changed(name, text)
    }


def _literals(statements: Iterable[ast.stmt]) -> Iterator[tuple[str, object]]:
    for statement in statements:
        target: ast.expr | None = None
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
        elif isinstance(statement, ast.AnnAssign):
            target = statement.target
        if not isinstance(target, ast.Name):
            continue
        assert isinstance(statement, (ast.Assign, ast.AnnAssign))
        try:
            value = ast.literal_eval(_default_of(statement.value))
        except (ValueError, TypeError, SyntaxError):
            continue
        if not isinstance(value, bool) and value is not None:
            yield target.id, value


def _default_of(value: ast.expr | None) -> ast.expr:
    """What a field of a dataclass holds that says ``field(default=...)``."""
    if isinstance(value, ast.Call):
        for keyword in value.keywords:
            if keyword.arg == "default":
                return keyword.value
            if keyword.arg == "default_factory" and isinstance(keyword.value, ast.Lambda):
                return keyword.value.body
    if value is None:
        raise ValueError
    return value


def _is_changed(name: str, text: str) -> bool:
    written = rf"\b{re.escape(name)}{_CHANGES}|\bglobal\b[^\n]*\b{re.escape(name)}\b"
    return re.search(written, text) is not None
