"""Where scopes begin and end by the look of the lines, without parsing them.

Parsing a file of a hundred kilobytes only to learn where its classes begin
takes as long as running the two of them that matter. Lines that start at the
margin tell as much, as long as no string or bracket reaches across; where one
may, the outline is given up and the text is parsed as a whole.
"""

from __future__ import annotations

import functools
import re

from freezelint.records import NamedTuple

LONG = 40_000
"""Characters from which on a file is outlined; below, it is parsed as a whole."""

_DEFINITION = r"\s*(?:(class)|(?:async\s+)?def)\s+(\w+)"
_CLASS_HEADER = r"(?m)^class\s+\w+\s*(?:\((?:[^()#]|\([^()#]*\))*\))?\s*:[ \t]*(?:#.*)?\n"
_BODY_MARGIN = r"(?:[ \t]*(?:#.*)?\n)*([ \t]+)(?=\S)"
_TRIPLE_QUOTES = ('"""', "'''")


class Segment(NamedTuple):
    """Whole lines at one level: one definition, or loose statements."""

    kind: str
    """``class``, ``def`` or ``loose``."""
    name: str
    first: int
    start: int
    """The line of the ``class`` or ``def`` itself, below its decorators."""
    last: int


def outline(text: str, margin: str = "", first_line: int = 1) -> list[Segment] | None:
    """Split a text at its margin; None when that cannot be trusted."""
    starts = [match.start() for match in _at_margin(margin).finditer(text)]
    segments: list[Segment] = []
    decorated_since: int | None = None
    line, position = first_line, 0
    for number, start in enumerate(starts):
        end = starts[number + 1] if number + 1 < len(starts) else len(text)
        line += text.count("\n", position, start)
        position = start
        last = line + text.count("\n", start, end) - (1 if text[end - 1 : end] == "\n" else 0)
        if text[start + len(margin)] == "@":
            decorated_since = line if decorated_since is None else decorated_since
            continue
        definition = re.compile(_DEFINITION).match(text, start)
        if definition is None:
            if decorated_since is not None:
                return None
            if segments and segments[-1].kind == "loose":
                segments[-1] = segments[-1]._replace(last=last)
            else:
                segments.append(Segment("loose", "", line, line, last))
            continue
        if not _is_closed(text, start, end):
            return None
        first = line if decorated_since is None else decorated_since
        decorated_since = None
        kind = "class" if definition[1] else "def"
        segments.append(Segment(kind, definition[2], first, line, last))
    return segments


def class_outline(text: str) -> list[Segment] | None:
    """Split the body of a class at its margin; None when that cannot be trusted."""
    header = re.search(_CLASS_HEADER, text)
    margin = header and re.compile(_BODY_MARGIN).match(text, header.end())
    if header is None or margin is None:
        return None
    return outline(text[header.end() :], margin[1], 1 + text.count("\n", 0, header.end()))


@functools.cache
def _at_margin(margin: str) -> re.Pattern[str]:
    return re.compile(rf"^{margin}[^\s#)\]}}]", re.MULTILINE)


def _is_closed(text: str, start: int, end: int) -> bool:
    """Whether no triple-quoted string reaches beyond a definition."""
    return all(text.count(quotes, start, end) % 2 == 0 for quotes in _TRIPLE_QUOTES)
