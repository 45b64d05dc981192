"""Code blocks in reStructuredText, by the lines of their directives.

docutils would say what a document becomes, not at which columns it was written, and it
knows no directive of Sphinx, so that what stands within one would not be seen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.sources.prose import LANGUAGES, Block
from freezelint.sources.python import split_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DIRECTIVE = re.compile(
    r"(?P<margin>[ \t]*)\.\. (?:"
    r"(?:code-block|code|sourcecode|prompt)::[ \t]+(?P<language>[\w-]+)"
    r"|(?:testcode|testsetup|doctest|ipython|jupyter-execute)::(?P<python>)"
    r")(?:[ \t].*)?$"
)
_OPTION = re.compile(r"[ \t]*:[\w-]+:(?:[ \t]|$)")
_PROMPT = re.compile(r"[ \t]*>>> ")


def blocks_in(text: str) -> Iterator[Block]:
    """Yield what directives for code hold, and the doctests between them."""
    lines = split_lines(text)
    number = 0
    while number < len(lines):
        directive = _DIRECTIVE.match(lines[number])
        if directive is not None:
            first, last = _content(lines, number + 1, directive["margin"])
            language = (directive["language"] or "").lower()
            if first < last and (directive["python"] is not None or language in LANGUAGES):
                # The margin is left to those who read it as Python.
                yield Block(first, ("",) * (last - first))
            number = max(last, number + 1)
        elif _PROMPT.match(lines[number]):
            last = _end_of_doctest(lines, number)
            yield Block(number, ("",) * (last - number))
            number = last
        else:
            number += 1


def _content(lines: Sequence[str], number: int, margin: str) -> tuple[int, int]:
    """Return the first line of what a directive holds, and the first one behind it."""
    while number < len(lines) and _OPTION.match(lines[number]):
        number += 1
    while number < len(lines) and not lines[number].strip():
        number += 1
    first = last = number
    while number < len(lines):
        line = lines[number]
        if line.strip():
            if not line.startswith(margin) or not line[len(margin) : len(margin) + 1].isspace():
                break
            last = number + 1
        number += 1
    return first, last


def _end_of_doctest(lines: Sequence[str], number: int) -> int:
    """A doctest ends at an empty line."""
    while number < len(lines) and lines[number].strip():
        number += 1
    return number
