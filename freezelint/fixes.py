"""Fixes become text: which of them go together, and what comes out."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezelint.findings import Edit, Fix, Span

_LINE_END = re.compile(r"\r\n|\r|\n")


def apply_edits(text: str, edits: Iterable[Edit], newline: str = "\n") -> str:
    """Return a text with edits made; none of them may overlap another.

    Args:
        text: What the spans of the edits are places in.
        edits: In any order.
        newline: What ends the lines that are put in.
    """
    starts = _line_starts(text)
    pieces: list[str] = []
    done = 0
    for start, end, new in sorted((*_offsets(starts, each.span), each.text) for each in edits):
        assert start >= done, "overlapping edits"
        pieces += (text[done:start], new.replace("\n", newline))
        done = end
    return "".join((*pieces, text[done:]))


def without_overlaps(text: str, fixes: Iterable[Fix]) -> list[Fix]:
    """Return fixes that can be made together: of two that touch, the earlier one given."""
    starts = _line_starts(text)
    taken: list[tuple[int, int]] = []
    chosen: list[Fix] = []
    for fix in fixes:
        ranges = [_offsets(starts, each.span) for each in fix.edits]
        if all(end < other or last < start for start, end in ranges for other, last in taken):
            chosen.append(fix)
            taken += ranges
    return chosen


def stays_in_one_input(fix: Fix, inputs: Sequence[int]) -> bool:
    """Return whether a fix keeps to one of the parts that are run for themselves.

    Cells are run again and in another order, so nothing is moved from one to another.

    Args:
        fix: The fix.
        inputs: The last line of each part; without any, the whole is one.
    """
    lines = (line for each in fix.edits for line in (each.span.line, each.span.end_line))
    return not inputs or len({bisect_left(inputs, line) for line in lines}) == 1


def inputs_after(inputs: Sequence[int], edits: Iterable[Edit]) -> tuple[int, ...]:
    """Return where inputs end once edits are made, each of them within one input."""
    grown = [
        (each.span.line, each.text.count("\n") - (each.span.end_line - each.span.line))
        for each in edits
    ]
    return tuple(end + sum(lines for first, lines in grown if first <= end) for end in inputs)


def _line_starts(text: str) -> list[int]:
    return [0, *(each.end() for each in _LINE_END.finditer(text))]


def _offsets(starts: Sequence[int], span: Span) -> tuple[int, int]:
    return starts[span.line - 1] + span.column - 1, starts[span.end_line - 1] + span.end_column - 1
