"""The lines that a report quotes, read again from the files they stand in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.sources.document import read_document
from freezelint.sources.python import UnreadableSource

if TYPE_CHECKING:
    from freezelint.engine import StandardInput
    from freezelint.sources.document import Document


class Excerpts:
    """Lines by path, cell and number. Only files with findings are ever read."""

    def __init__(self, standard_input: StandardInput | None = None) -> None:
        """Take what was read from standard input, under the name it was given."""
        self._documents: dict[str, Document | None] = {}
        self._lines: dict[tuple[str, int], list[str]] = {}
        if standard_input is not None:
            name, data = standard_input
            self._documents[name] = _document(name, data)

    def line(self, path: str, number: int, cell: int = 0) -> str | None:
        """Return a line, or None if the file has gone or become shorter."""
        lines = self._lines.get((path, cell))
        if lines is None:
            lines = self._lines[path, cell] = self._read_lines(path, cell)
        return lines[number - 1] if 0 < number <= len(lines) else None

    def _read_lines(self, path: str, cell: int) -> list[str]:
        if path not in self._documents:
            self._documents[path] = _read(path)
        document = self._documents[path]
        return [] if document is None else document.lines(cell)


def _read(path: str) -> Document | None:
    try:
        with open(path, "rb") as file:
            return _document(path, file.read())
    except OSError:
        # It was readable a moment ago; the finding is still true, only its quotes are lost.
        return None


def _document(path: str, data: bytes) -> Document | None:
    try:
        return read_document(path, data)
    except UnreadableSource:
        return None
