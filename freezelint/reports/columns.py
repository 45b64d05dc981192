"""Columns in other units than the characters that spans count."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freezelint.findings import Span
    from freezelint.reports.excerpts import Excerpts


class Columns:
    """Counts columns in the units of an encoding."""

    def __init__(self, excerpts: Excerpts, encoding: str, size: int) -> None:
        """Take the lines, an encoding without a byte order mark, and the bytes of its unit."""
        self._excerpts = excerpts
        self._encoding = encoding
        self._size = size

    def of(self, path: str, span: Span) -> Span:
        """Return a span with its columns in these units."""
        return span._replace(
            column=self._column(path, span, span.line, span.column),
            end_column=self._column(path, span, span.end_line, span.end_column),
        )

    def _column(self, path: str, span: Span, line: int, column: int) -> int:
        # Lines of a cell are not those of the file.
        text = None if span.cell else self._excerpts.line(path, line)
        if text is None or text.isascii():
            return column
        before = text[: column - 1].encode(self._encoding, "surrogatepass")
        return len(before) // self._size + 1 + max(column - 1 - len(text), 0)
