"""Moving statements within their block, where nothing else depends on their order.

CPython's parser tells which statements stand in one block and which names they
use; what is moved is the text, with the comments that belong to it.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from freezelint.analysis.definitions import dotted_name, lines_of
from freezelint.findings import Edit, Span
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_JUMPS = (ast.Return, ast.Continue, ast.Break, ast.Raise)


class Move(NamedTuple):
    """Statements that go below another one of their block."""

    moved: tuple[ast.stmt, ...]
    passed: tuple[ast.stmt, ...]
    """What they go past, in order; the last is the one that they go below."""


def move_below(text: str, moved: Sequence[int], target: int) -> Move | None:
    """Plan to put statements below another.

    Args:
        text: The file.
        moved: A line of each statement, from the top; all of them stand in one block.
        target: A line of what they go below, which may stand deeper in the same block.

    Returns:
        The move, or None if there is no such block.
    """
    for block in _blocks(ast.parse(text).body, {*moved, target}):
        chosen = [_at(block, line) for line in moved]
        below = _at(block, target)
        if below is None or None in chosen or isinstance(below, _SCOPES):
            continue
        statements = tuple(dict.fromkeys(each for each in chosen if each is not None))
        if any(isinstance(each, _COMPOUND_BUT_LOOPS) for each in statements):
            return None
        first, last = block.index(statements[0]), block.index(below)
        if below in statements or last < first:
            return None
        passed = tuple(each for each in block[first : last + 1] if each not in statements)
        return Move(statements, passed)
    return None


_COMPOUND_BUT_LOOPS = (*_SCOPES, ast.If, ast.Try, ast.With, ast.AsyncWith, ast.While, ast.Match)


def names_clash(move: Move, passed: Sequence[ast.stmt]) -> bool:
    """Whether statements use what the moved ones make, or make what those use."""
    made = {name for each in move.moved for name in _stored(each)}
    used = {name for each in move.moved for name in _loaded(each)} - made
    for each in passed:
        if made & (_loaded(each) | _stored(each)) or used & _stored(each):
            return True
    through_self = any(name.startswith("self.") for name in made)
    return through_self and any(_hands_out_self(each) for each in move.passed[:-1])


def mention(text: str, statements: Sequence[ast.stmt], path: str) -> bool:
    """Whether a path such as ``model.head[0]`` is written in some statements."""
    lines = text.split("\n")
    return any(
        path in "\n".join(lines[slice(lines_of(each)[0] - 1, lines_of(each)[1])])
        for each in statements
    )


def uses(statement: ast.stmt, root: str) -> bool:
    """Whether a statement calls something with or on what a name holds."""
    return any(
        isinstance(each, ast.Name) and each.id == root
        for call in ast.walk(statement)
        if isinstance(call, ast.Call)
        for each in ast.walk(call)
    )


def jumps(statement: ast.stmt) -> bool:
    """Whether a statement may leave the block."""
    return any(isinstance(each, _JUMPS) for each in ast.walk(statement))


def edits_for(text: str, move: Move, changes: Sequence[Edit] = ()) -> tuple[Edit, ...] | None:
    """Return the edits that carry a move out.

    Args:
        text: The file.
        move: What goes where.
        changes: Edits inside of the moved statements, made on the way.

    Returns:
        The edits, or None where statements share a line.
    """
    lines = text.split("\n")
    spans = [_lines_with_comments(lines, each) for each in move.moved]
    _, end = lines_of(move.passed[-1])
    neighbours = {line for each in move.passed for line in range(*_range_of(each))}
    if any(line in neighbours for first, last in spans for line in range(first, last + 1)):
        return None
    if any(";" in lines[last - 1] for _, last in spans):
        return None
    taken = [_changed(lines, first, last, changes) for first, last in spans]
    removed = [Edit(Span(first, 1, last + 1, 1), "") for first, last in spans]
    at = len(lines[end - 1]) + 1
    return (*removed, Edit(Span(end, at, end, at), "".join(f"\n{each}" for each in taken)))


def _blocks(block: list[ast.stmt], lines: Collection[int]) -> Iterator[list[ast.stmt]]:
    """Yield the blocks that all of some lines stand in, inner ones before those around them."""
    for statement in block:
        if all(line in range(*_range_of(statement)) for line in lines):
            for inner in _blocks_of(statement):
                yield from _blocks(inner, lines)
    yield block


def _blocks_of(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list) and block:
            yield block
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield part.body


def _at(block: Sequence[ast.stmt], line: int) -> ast.stmt | None:
    return next((each for each in block if line in range(*_range_of(each))), None)


def _range_of(statement: ast.stmt) -> tuple[int, int]:
    first, last = lines_of(statement)
    return first, last + 1


def _lines_with_comments(lines: Sequence[str], statement: ast.stmt) -> tuple[int, int]:
    """The lines of a statement and of the comments directly above it."""
    first, last = lines_of(statement)
    indent = " " * statement.col_offset
    while first > 1 and lines[first - 2].startswith(f"{indent}#"):
        first -= 1
    return first, last


def _changed(lines: Sequence[str], first: int, last: int, changes: Sequence[Edit]) -> str:
    from freezelint.fixes import apply_edits

    inside = [
        Edit(
            each.span._replace(
                line=each.span.line - first + 1, end_line=each.span.end_line - first + 1
            ),
            each.text,
        )
        for each in changes
        if first <= each.span.line <= last
    ]
    return apply_edits("\n".join(lines[first - 1 : last]), inside)


def _stored(statement: ast.stmt) -> set[str]:
    """Names and attributes that a statement binds."""
    found: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            found.add(dotted_name(node) or "")
        elif isinstance(node, _SCOPES):
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(each.asname or each.name).partition(".")[0] for each in node.names}
    return found - {""}


def _loaded(statement: ast.stmt) -> set[str]:
    """Names and attributes that a statement reads."""
    return {
        dotted_name(node) or ""
        for node in ast.walk(statement)
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load)
    } - {""}


def _hands_out_self(statement: ast.stmt) -> bool:
    """Whether other code may read attributes of ``self`` in a statement."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call):
            if (dotted_name(node.func) or "").startswith("self."):
                return True
            if any(isinstance(each, ast.Name) and each.id == "self" for each in node.args):
                return True
    return False
