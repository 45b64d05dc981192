"""Text from checked files, made safe and measured for a terminal."""

from __future__ import annotations

import unicodedata

from freezelint.records import NamedTuple

TAB_WIDTH = 4
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")
_ZERO_WIDTH = frozenset({"Mn", "Me"})
_NO_CHARACTERS = frozenset("\ufffe\uffff")
"""What Unicode keeps free, and XML forbids."""


class DisplayedLine(NamedTuple):
    """A line as it is printed, and where each of its characters went."""

    pieces: tuple[str, ...]
    """What each character is printed as."""
    cells: tuple[int, ...]
    """The cell at which each character starts, and one more for the end."""

    @property
    def width(self) -> int:
        """The number of cells that the line takes."""
        return self.cells[-1]

    def cell(self, column: int) -> int:
        """Return the cell, from 0, of a column, from 1; past the end counts as the end."""
        return self.cells[min(max(column - 1, 0), len(self.pieces))]

    def between(self, first: int, last: int) -> str:
        """Return what is printed from cell ``first`` up to, not including, cell ``last``."""
        starts = zip(self.pieces, self.cells, strict=False)
        return "".join(piece for piece, cell in starts if first <= cell < last)


def displayed(line: str) -> DisplayedLine:
    """Expand tabs, escape what a terminal would obey, and measure wide characters."""
    if line.isascii() and line.isprintable():
        return DisplayedLine(tuple(line), tuple(range(len(line) + 1)))
    pieces: list[str] = []
    cells = [0]
    for character in line:
        piece, width = _shown(character)
        pieces.append(piece)
        cells.append(cells[-1] + width)
    return DisplayedLine(tuple(pieces), tuple(cells))


def safe(text: str) -> str:
    """Return a message or a file name without anything that a terminal would obey."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character)[0] for character in text)


def safe_lines(text: str) -> str:
    """Return a text of several lines, which stay, without what a terminal would obey."""
    return "\n".join(map(safe, text.split("\n")))


def _shown(character: str) -> tuple[str, int]:
    """Return how a character is printed and how many cells that takes."""
    if character == "\t":
        return " " * TAB_WIDTH, TAB_WIDTH
    if character.isascii() and character.isprintable():
        return character, 1
    category = unicodedata.category(character)
    if (category in _UNSAFE and character not in _JOINERS) or character in _NO_CHARACTERS:
        escaped = _escaped(character)
        return escaped, len(escaped)
    if category in _ZERO_WIDTH or character in _JOINERS:
        return character, 0
    return character, 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        # A byte of a file name that is not UTF-8.
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
