"""Where the source of each cell stands in the JSON of a notebook, and how to replace it there."""

from __future__ import annotations

import difflib
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\n\r]*")
_VALUE = json.JSONDecoder()
_BEYOND_ASCII = re.compile(r"\\u(?!00[0-7])")
_STORED_LINE = re.compile(r"(?:\\[^n]|[^\\])*(?:\\n|\Z)")


def with_sources(text: str, sources: dict[int, str]) -> str:
    """Return a notebook with the sources of some cells replaced, and nothing else touched.

    Lines that stay are kept as they are written; new ones are written as those around them:
    in a list or in one string, with escapes or without.

    Args:
        text: Valid JSON that is a notebook.
        sources: By number, from 1: the new source of a cell.
    """
    is_ascii = text.isascii() and _BEYOND_ASCII.search(text) is not None
    pieces: list[str] = []
    done = 0
    for number, (start, end) in enumerate(_source_spans(text), 1):
        if number in sources:
            new = _stored(text[start:end], sources[number], is_ascii=is_ascii)
            pieces += (text[done:start], new)
            done = end
    return "".join((*pieces, text[done:]))


def _source_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the source of each cell begins and ends; an empty stretch if it has none."""
    notebook = _starts(text, _after_space(text, 0))
    if "cells" in notebook:
        arrays = [notebook["cells"]]
    else:
        sheets = [start for start, _ in _elements(text, notebook["worksheets"])]
        arrays = [start for sheet in sheets if (start := _starts(text, sheet).get("cells"))]
    for array in arrays:
        for cell, _ in _elements(text, array):
            stored = {key: (start, end) for key, start, end in _members(text, cell)}
            yield stored.get("source") or stored.get("input") or (0, 0)


def _starts(text: str, at: int) -> dict[str, int]:
    return {key: start for key, start, _ in _members(text, at)}


def _stored(old: str, source: str, *, is_ascii: bool) -> str:
    """Return the JSON of a source, made from the JSON of what it was."""
    if old.startswith("["):
        spans = list(_elements(old, 0))
        before = [old[start:end] for start, end in spans]
        new = _lines_stored(before, source.splitlines(keepends=True), is_ascii=is_ascii)
        if not spans:
            return f"[{', '.join(new)}]"
        opening, closing = old[: spans[0][0]], old[spans[-1][1] :]
        between = old[spans[0][1] : spans[1][0]] if len(spans) > 1 else f",{opening[1:] or ' '}"
        return f"{opening}{between.join(new)}{closing}"
    before = [f'"{each}"' for each in _STORED_LINE.findall(old[1:-1]) if each]
    lines = [f"{each}\n" for each in source.split("\n")]
    lines[-1] = lines[-1][:-1]
    new = _lines_stored(before, lines, is_ascii=is_ascii)
    return f'"{"".join(each[1:-1] for each in new)}"'


def _lines_stored(before: list[str], lines: list[str], *, is_ascii: bool) -> list[str]:
    """Return lines as JSON strings; those that were there before as they were."""
    raw = "".join(before)
    # What the cell itself shows outweighs what the rest of the notebook does.
    ensure_ascii = raw.isascii() and (is_ascii or _BEYOND_ASCII.search(raw) is not None)
    was = [json.loads(each) for each in before]
    new = []
    matcher = difflib.SequenceMatcher(None, was, lines, autojunk=False)
    for operation, start, end, first, last in matcher.get_opcodes():
        if operation == "equal":
            new += before[start:end]
        else:
            new += [json.dumps(each, ensure_ascii=ensure_ascii) for each in lines[first:last]]
    return new


def _members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """Yield the key of each member of an object, and where its value begins and ends."""
    at = _after_space(text, at + 1)
    while text[at] != "}":
        if text[at] == ",":
            at = _after_space(text, at + 1)
        key, at = _VALUE.raw_decode(text, at)
        start = _after_space(text, _after_space(text, at) + 1)
        _, end = _VALUE.raw_decode(text, start)
        yield key, start, end
        at = _after_space(text, end)


def _elements(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Yield where each element of an array begins and ends."""
    at = _after_space(text, at + 1)
    while text[at] != "]":
        if text[at] == ",":
            at = _after_space(text, at + 1)
        _, end = _VALUE.raw_decode(text, at)
        yield at, end
        at = _after_space(text, end)


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()
