"""Fixes that add and move whole statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import moves
from freezelint.analysis.edits import called_on
from freezelint.findings import Edit, Fix, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.analysis.syntax import Place


def filtered_by_flag(place: Place, argument: cst.CSTNode | None) -> Edit | None:
    """Leave the frozen ones out of ``model.parameters()``."""
    if called_on(argument, {"parameters"}) is None:
        return None
    assert argument is not None
    code = place.chunk.module.code_for_node(argument)
    picked = f"[p for p in {code} if p.requires_grad]"
    return Edit(place.chunk.span(argument, place.statement), picked)


def statement_below(title: str, place: Place, code: str) -> Fix | None:
    """Add a statement below that of a place, or below the loop that it is all of."""
    statement = place.statement
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return None
    receiver = getattr(place.node, "value", None) or getattr(
        getattr(place.node, "func", None), "value", None
    )
    if isinstance(receiver, cst.Name):
        loop = place.chunk.loop_over(receiver)
        if loop is not None:
            if list(loop.body.body) != [statement]:
                return None
            statement = loop
    span = place.chunk.span(statement, statement)
    line, end = place.chunk.line(span.line), place.chunk.line(span.end_line)
    indent = line[: span.column - 1]
    if indent.strip():
        # Its block stands on the line of the header.
        return None
    after = Span(span.end_line, len(end) + 1, span.end_line, len(end) + 1)
    return Fix(title, (Edit(after, f"\n{indent}{code}"),), is_safe=False)


def moved_below(
    title: str,
    text: str,
    moved: Sequence[Place],
    targets: Sequence[Place],
    *,
    changes: Sequence[Edit] = (),
    replaced: str | None = None,
) -> Fix | None:
    """Move statements below the last of some places, if nothing depends on their order.

    Args:
        title: What the fix does.
        text: The file.
        moved: Where the statements stand.
        targets: What they go below.
        changes: Edits inside of them.
        replaced: What the target puts something else in the place of, where the statements
            are to see that. They must name it, and nothing in between may work with its owner.
    """
    lines = sorted({place.span.line for place in moved})
    move = moves.move_below(text, lines, max(place.span.line for place in targets))
    if move is None or any(map(moves.jumps, move.passed)):
        return None
    between = move.passed if replaced is None else move.passed[:-1]
    if moves.names_clash(move, between):
        return None
    if replaced is not None:
        owner = replaced.partition(".")[0]
        if not moves.mention(text, move.moved, replaced):
            return None
        if any(moves.uses(each, owner) for each in between):
            return None
    made = moves.edits_for(text, move, changes)
    return None if made is None else Fix(title, made, is_safe=False)
