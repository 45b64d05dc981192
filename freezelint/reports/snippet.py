"""Quoted source with underlines and labels, grouped by file, as rustc draws it."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import click

from freezelint.findings import Level, Span
from freezelint.records import NamedTuple
from freezelint.reports.display import displayed, safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freezelint.reports.excerpts import Excerpts

WIDEST_LINE = 160
"""Cells of a quoted line; of a longer one the part around the underline is shown."""
_BEFORE_MARK = 40
_COLORS = {Level.ERROR: "red", Level.WARNING: "yellow", Level.INFO: "cyan"}
_EVIDENCE_COLOR = "blue"


class Mark(NamedTuple):
    """A span to underline and what to say about it."""

    path: str
    span: Span
    label: str
    is_primary: bool = False


class Painter:
    """Adds colour to text, or does not."""

    def __init__(self, *, color: bool) -> None:
        """Decide once for a whole report."""
        self._color = color

    def __call__(self, text: str, level: Level | None) -> str:
        """Return ``text`` in the colour of a level; None is that of evidence."""
        color = _COLORS[level] if level else _EVIDENCE_COLOR
        return click.style(text, fg=color, bold=True) if self._color else text

    def bold(self, text: str) -> str:
        """Return ``text`` in bold."""
        return click.style(text, bold=True) if self._color else text

    def frame(self, text: str) -> str:
        """Return a part of the frame: gutter, arrow, line number."""
        return click.style(text, fg=_EVIDENCE_COLOR, bold=True) if self._color else text


def snippet(
    marks: Sequence[Mark], excerpts: Excerpts, margin: int, level: Level, paint: Painter
) -> Iterator[str]:
    """Yield the lines that show all marks; the first mark's file or cell comes first."""
    home = marks[0]
    by_path = sorted(
        marks,
        key=lambda mark: (_home(mark) != _home(home), _home(mark), mark.span, not mark.is_primary),
    )
    gutter = paint.frame(f"{' ' * margin} |")
    for (path, cell), group in groupby(by_path, key=_home):
        in_file = list(group)
        place, arrow = (home, "-->") if (path, cell) == _home(home) else (in_file[0], ":::")
        where = f"{safe(path)}:{place.span.place}"
        yield f"{' ' * margin}{paint.frame(arrow)} {where}"
        yield gutter
        previous = None
        for number, on_line in groupby(in_file, key=lambda mark: mark.span.line):
            if previous is not None and number > previous + 1:
                yield paint.frame("...")
            previous = number
            line = excerpts.line(path, number, cell)
            if line is not None:
                yield from _quoted(line, list(on_line), margin, level, paint)
        yield gutter


def _home(mark: Mark) -> tuple[str, int]:
    """The text that a mark's line is one of."""
    return (mark.path, mark.span.cell)


def _quoted(
    line: str, marks: Sequence[Mark], margin: int, level: Level, paint: Painter
) -> Iterator[str]:
    """Yield a line of source and one underline for each of its marks."""
    shown = displayed(line.rstrip())
    reach = [
        (mark, shown.cell(mark.span.column), shown.cell(_end_column(mark.span, line)))
        for mark in marks
    ]
    first, before, after = 0, "", ""
    if shown.width > WIDEST_LINE:
        wanted = min(start for _, start, _ in reach) - _BEFORE_MARK
        first = next(cell for cell in shown.cells if cell >= wanted)
        before = "..." if first else ""
        after = "..." if first + WIDEST_LINE < shown.width else ""
    last = first + WIDEST_LINE
    number = str(marks[0].span.line).rjust(margin)
    yield f"{paint.frame(f'{number} |')} {before}{shown.between(first, last)}{after}".rstrip()
    gutter = paint.frame(f"{' ' * margin} |")
    for mark, start, end in reach:
        indent = min(start, last) - first + len(before)
        width = max(min(end, last) - start, 1)
        under = ("^" if mark.is_primary else "-") * width
        text = paint(f"{under} {safe(mark.label)}".rstrip(), level if mark.is_primary else None)
        yield f"{gutter} {' ' * indent}{text}"


def _end_column(span: Span, line: str) -> int:
    """Return where the underline ends: of several lines only the first is quoted."""
    return span.end_column if span.end_line == span.line else len(line.rstrip()) + 1
