"""Literals and tables that a file or a class gives a name once, and that nothing changes."""

from __future__ import annotations

import ast
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CHANGES = (
    r"\s*(?:\.(?:append|extend|insert|remove|pop|clear|update|setdefault|add|discard|merge\w*)\("
    r"|(?:\.\w+)+\s*[-+*/|]?=(?!=)|\[[^\]\n]*\]\s*[-+*/|]?=(?!=)|[-+*/|]=)"
)


class Constants:
    """The literals and tables among some statements, each worked out when somebody asks for it.

    Switches, which are True, False or None, are left out: they are there to be changed.
    """

    def __init__(self, statements: Sequence[ast.stmt], text: str) -> None:
        """Take the statements of a file or of a class, and the text that may change names."""
        self._statements = statements
        self._text = text
        self._assigned: dict[str, ast.expr] | None = None
        self._stored: Counter[str] | None = None
        self._known: dict[str, ast.expr | None] = {}

    def get(self, name: str) -> ast.expr | None:
        """What a name is given; None where that is no literal or table, or may be another."""
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name]

    def _read(self, name: str) -> ast.expr | None:
        if self._assigned is None:
            self._assigned = dict(filter(None, map(_assignment, self._statements)))
        node = self._assigned.get(name)
        if node is None or not (_is_table(node) or _is_reference(node) or _is_literal(node)):
            return None
        return None if self._is_stored_again(name) or self._is_changed(name) else node

    def _is_stored_again(self, name: str) -> bool:
        if self._stored is None:
            self._stored = Counter(_names_stored(self._statements))
        return self._stored[name] > 1

    def _is_changed(self, name: str) -> bool:
        # The name first: a literal is looked for much faster than the edge of a word.
        plain = re.escape(name)
        if re.search(rf"{plain}(?<!\w{plain}){_CHANGES}", self._text) is not None:
            return True
        return "global" in self._text and (
            re.search(rf"\bglobal\b[^\n]*\b{plain}\b", self._text) is not None
        )


_OTHER_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
"""Where a name that is assigned is another one."""


def _names_stored(statements: Sequence[ast.stmt]) -> Iterator[str]:
    waiting: list[ast.AST] = [each for each in statements if not isinstance(each, _OTHER_SCOPES)]
    for node in waiting:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        waiting.extend(
            each for each in ast.iter_child_nodes(node) if not isinstance(each, _OTHER_SCOPES)
        )


def _assignment(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    target: ast.expr | None = None
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign):
        target = statement.target
    if not isinstance(target, ast.Name):
        return None
    assert isinstance(statement, (ast.Assign, ast.AnnAssign))
    return None if statement.value is None else (target.id, _default_of(statement.value))


def _default_of(value: ast.expr) -> ast.expr:
    """What a field of a dataclass holds that says ``field(default=...)``."""
    for keyword in value.keywords if isinstance(value, ast.Call) else ():
        if keyword.arg == "default":
            return keyword.value
        if keyword.arg == "default_factory" and isinstance(keyword.value, ast.Lambda):
            return keyword.value.body
    return value


def _is_literal(node: ast.expr) -> bool:
    """Whether an expression says what it is, and is no switch."""
    try:
        return not isinstance(ast.literal_eval(node), bool)
    except (ValueError, TypeError, SyntaxError):
        return False


def _is_reference(node: ast.expr) -> bool:
    """Whether a dotted name stands for something of a library: ``torch.optim.AdamW``."""
    while isinstance(node, ast.Attribute):
        node = node.value
        if isinstance(node, ast.Name):
            return True
    return False


_MADE_OF_ONE = frozenset(
    {"compile", "create", "DictConfig", "EasyDict", "ConfigDict", "Dict", "Box", "Munch"}
)
"""What makes a pattern of a text, and options of a text or a dict."""

_SEQUENCES = frozenset({"list", "tuple", "set", "frozenset", "range"})


def _is_table(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func).rpartition(".")[2]
        is_readable = all(each.arg for each in node.keywords)
        is_pattern = name in _MADE_OF_ONE and len(node.args) == 1 and not node.keywords
        is_table = name == "partial" or (name == "dict" and not node.args)
        return is_readable and (is_table or is_pattern or _is_sequence(node))
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, (ast.Add, ast.Mult)) and any(
            map(_is_part, (node.left, node.right))
        )
    return isinstance(
        node, (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.JoinedStr)
    )


def _is_part(node: ast.expr) -> bool:
    """Whether what is added up says at one end that it is a list or a text."""
    return _is_table(node) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_sequence(node: ast.Call) -> bool:
    if isinstance(node.func, ast.Attribute):
        # `"layer1 layer2".split()`
        return isinstance(node.func.value, ast.Constant) and node.func.attr == "split"
    return isinstance(node.func, ast.Name) and node.func.id in _SEQUENCES
