"""The lines that a report quotes, read again from the files they stand in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.sources.python import UnreadableSource, decode, split_lines

if TYPE_CHECKING:
    from freezelint.sources.python import Source


class Excerpts:
    """Lines by path and number. Only files with findings are ever read."""

    def __init__(self, standard_input: Source | None = None) -> None:
        """Take what was read from standard input, under the name it was given."""
        self._lines: dict[str, list[str]] = {}
        if standard_input is not None:
            self._lines[standard_input.path] = standard_input.lines

    def line(self, path: str, number: int) -> str | None:
        """Return a line, or None if the file has gone or become shorter."""
        lines = self._lines.get(path)
        if lines is None:
            lines = self._lines[path] = _read_lines(path)
        return lines[number - 1] if 0 < number <= len(lines) else None


def _read_lines(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            return split_lines(decode(path, file.read()).text)
    except (OSError, UnreadableSource):
        # It was readable a moment ago; the finding is still true, only its quotes are lost.
        return []
