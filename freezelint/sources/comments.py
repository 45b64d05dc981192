"""Where in a text comments are, and where one can be put."""

from __future__ import annotations

import io
import tokenize
from typing import TYPE_CHECKING

from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPENS = {getattr(tokenize, name, None) for name in ("FSTRING_START", "TSTRING_START")}
_CLOSES = {getattr(tokenize, name, None) for name in ("FSTRING_END", "TSTRING_END")}
"""From Python 3.12 on, the expressions in a formatted string are tokens of their own."""


class Stretch(NamedTuple):
    """Lines that a string or a backslash joins, so that a comment has room behind the last only.

    Of two lines that nothing but a bracket holds together, each is a stretch. flake8 sees a
    comment behind the last line on all of them.
    """

    first: int
    last: int
    end: int
    """How many characters of the last line are code."""
    comments: tuple[tokenize.TokenInfo, ...]

    @property
    def comment(self) -> tokenize.TokenInfo | None:
        """The comment that ends it."""
        last = self.comments[-1] if self.comments else None
        return last if last is not None and last.start[0] == self.last else None


def stretches(text: str) -> Iterator[Stretch]:
    """Yield those of a text from the top; of one that does not parse, up to where that shows."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    first = 1
    end = (1, 0)
    depth = 0
    comments: list[tokenize.TokenInfo] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                comments.append(token)
            elif token.type in {tokenize.NEWLINE, tokenize.NL} and not depth:
                line = token.start[0]
                yield Stretch(first, line, end[1] if end[0] == line else 0, tuple(comments))
                first = line + 1
                comments.clear()
            else:
                depth += (token.type in _OPENS) - (token.type in _CLOSES)
                end = token.end
    except (tokenize.TokenError, SyntaxError):
        return
