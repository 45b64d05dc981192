"""The top-level scopes of a long file by the look of its lines, without parsing it.

Parsing a file of a hundred kilobytes only to learn where its classes begin
takes as long as running the two of them that matter. Lines that start at the
margin tell as much, as long as no string or bracket reaches across; where one
may, the outline is given up and the file is parsed as a whole.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_AT_MARGIN = re.compile(r"^[^\s#)\]}]", re.MULTILINE)
_DEFINITION = re.compile(r"(?:(class)|(?:async\s+)?def)\s+(\w+)")
_TRIPLE_QUOTES = ('"""', "'''")


class Segment(NamedTuple):
    """Whole lines at the top level: one definition, or loose statements."""

    kind: str
    """``class``, ``def`` or ``loose``."""
    name: str
    first: int
    last: int


def outline(text: str) -> list[Segment] | None:
    """Split a text at the margin; None when that cannot be trusted."""
    starts = [match.start() for match in _AT_MARGIN.finditer(text)]
    if not starts:
        return []
    segments: list[Segment] = []
    decorated_since: int | None = None
    line, position = 1, 0
    for number, start in enumerate(starts):
        end = starts[number + 1] if number + 1 < len(starts) else len(text)
        line += text.count("\n", position, start)
        position = start
        last = line + text.count("\n", start, end) - (1 if text[end - 1 : end] == "\n" else 0)
        if text[start] == "@":
            decorated_since = line if decorated_since is None else decorated_since
            continue
        definition = _DEFINITION.match(text, start)
        if definition is None:
            if decorated_since is not None:
                return None
            if segments and segments[-1].kind == "loose":
                segments[-1] = segments[-1]._replace(last=last)
            else:
                segments.append(Segment("loose", "", line, last))
            continue
        if not _is_closed(text, start, end):
            return None
        first = line if decorated_since is None else decorated_since
        decorated_since = None
        segments.append(Segment("class" if definition[1] else "def", definition[2], first, last))
    return segments


def _is_closed(text: str, start: int, end: int) -> bool:
    """Whether no triple-quoted string reaches beyond a definition."""
    return all(text.count(quotes, start, end) % 2 == 0 for quotes in _TRIPLE_QUOTES)
