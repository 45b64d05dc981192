"""The patterns of ignore files, as git understands them.

`pathspec <https://python-path-specification.readthedocs.io>`_ knows what a pattern
means. Loading it takes a third of the time that the command takes to start, so it
is asked only about a name that begins or ends as some pattern does; most projects
have no such name outside of the folders that are never entered.
"""

from __future__ import annotations

import functools
import os
import re
from typing import TYPE_CHECKING

from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_SPECIAL = r"[][*?\\]"
_BEGINNING = r"[^][*?]*"
_ENDING = r"(?P<plain>[^][*?]*)(?:\[(?P<one>\w+)\](?P<rest>[^][*?]*))?$"


class Patterns:
    """Patterns for absolute paths, compiled when something is first compared with them."""

    def __init__(self, outer: Patterns | None, folder: str, texts: list[str]) -> None:
        base = re.sub(_SPECIAL, r"\\\g<0>", os.path.abspath(folder).replace(os.sep, "/").strip("/"))
        self._outer = outer
        self._lines = [_placed(text, base + "/" if base else "") for text in texts]
        self.edges: _Edges = _edges(texts) if outer is None else outer.edges | _edges(texts)

    def match(self, path: str) -> bool:
        """Return whether the last pattern that is about the path ignores it."""
        name = path.rpartition(os.sep)[2]
        if not name.endswith(self.edges.endings) and not name.startswith(self.edges.beginnings):
            return False
        return self.spec.match_file(os.path.abspath(path))

    @functools.cached_property
    def spec(self) -> GitIgnoreSpec:
        """The patterns of this file and, before them, those of the files above."""
        own = _compiled(self._lines)
        return own if self._outer is None else self._outer.spec + own


def _placed(text: str, base: str) -> str:
    """Word a pattern of an ignore file in the folder ``base`` for absolute paths.

    So all files in force are one list, and a pattern that is about a path itself
    can outweigh a later one, perhaps of another file, about a folder above it.
    """
    sign, body = ("!", text[1:]) if text.startswith("!") else ("", text)
    depth = "" if "/" in body else "**/"
    return f"{sign}/{base}{depth}{body.removeprefix('/')}"


class _Edges(NamedTuple):
    """What a name must begin or end with if some pattern ignores it."""

    beginnings: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()

    def __or__(self, other: _Edges) -> _Edges:
        return _Edges(self.beginnings + other.beginnings, self.endings + other.endings)


def _edges(texts: list[str]) -> _Edges:
    found = _Edges()
    for text in texts:
        if not text.startswith("!"):
            found |= _edges_of(text)
    return found


def _edges_of(text: str) -> _Edges:
    """Return what is plain text at an end of a pattern; two empty ends are those of any name."""
    name = text.rpartition("/")[2]
    if "\\" in text or text.count("[") > 1:
        return _Edges(beginnings=("",))
    ending = re.search(_ENDING, name)
    if ending and ending["one"]:
        letters = ending["one"]
        return _Edges(endings=tuple(ending["plain"] + one + ending["rest"] for one in letters))
    if ending and ending["plain"]:
        return _Edges(endings=(ending["plain"],))
    beginning = re.match(_BEGINNING, name)
    return _Edges(beginnings=(beginning[0] if beginning else "",))


def _compiled(lines: list[str]) -> GitIgnoreSpec:
    import warnings

    from pathspec import GitIgnoreSpec

    try:
        with warnings.catch_warnings():
            # Python's own, about `[[:alpha:]]`, which pathspec takes for a plain class.
            warnings.simplefilter("ignore")
            return GitIgnoreSpec.from_lines(lines)
    except (ValueError, re.error):
        # Git gives up the pattern that means nothing, and no other.
        specs = (_compiled([line]) for line in lines if len(lines) > 1)
        return sum(specs, GitIgnoreSpec([]))
