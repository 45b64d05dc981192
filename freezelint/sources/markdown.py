"""Code blocks in Markdown, found by the parser that CommonMark's own tests agree with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.sources.prose import LANGUAGES, Block

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE_END = re.compile(r"\r\n|\r|\n")
_DIRECTIVE = re.compile(r"\{(?:code-cell|code-block|code|testcode|doctest)\}\s+(\S+)")
_NAME = re.compile(r"[{.\s]*([\w-]+)")


def blocks_in(text: str) -> Iterator[Block]:
    """Yield the fenced blocks of Python, also those within lists and quotes."""
    from markdown_it import MarkdownIt

    lines = _LINE_END.split(text)
    for token in MarkdownIt("commonmark").parse(text):
        if token.type != "fence" or token.map is None or _language(token.info) not in LANGUAGES:
            continue
        first = token.map[0] + 1
        code = token.content.split("\n")[:-1]
        indents = [_indent(line, shown) for line, shown in zip(lines[first:], code, strict=False)]
        known = tuple(each for each in indents if each is not None)
        if known and len(known) == len(indents):
            yield Block(first, known)


def _language(info: str) -> str:
    """What a fence says that it holds, as GitHub, MyST, Pandoc and others write it."""
    found = _DIRECTIVE.match(info) or _NAME.match(info)
    return found[1].lower() if found else ""


def _indent(line: str, code: str) -> str | None:
    """What stands before the code in a line; None where a tab is part of both."""
    return line[: len(line) - len(code)] if line.endswith(code) else None
