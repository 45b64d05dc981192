"""What git ignores: ``.gitignore`` files and ``.git/info/exclude``, read as git reads them.

`pathspec <https://python-path-specification.readthedocs.io>`_ knows what a pattern
means. Loading it costs a third of the start of the whole command, so it is only
asked about a name that ends as some pattern does.

A user's global excludes are not consulted: they differ between two people who
check the same project.
"""

from __future__ import annotations

import functools
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from freezelint.findings import Problem

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_SPECIAL = re.compile(r"[][*?\\]")
_ENDING = re.compile(r"(?P<plain>[^][*?/]*)(?:\[(?P<one>\w+)\](?P<rest>[^][*?/]*))?$")


class IgnoreFiles(NamedTuple):
    """The ignore files in force in one folder; the innermost one has the last word.

    Folders and files are asked for separately, and a folder that is ignored is
    not entered, so nothing below it can be taken back.
    """

    for_folders: _Patterns | None = None
    for_files: _Patterns | None = None

    @classmethod
    def above(cls, folder: str, problems: list[Problem]) -> IgnoreFiles:
        """Return those of the repository that ``folder`` lies in, without its own.

        If they ignore ``folder`` itself it was named on purpose, and they do not count.
        """
        start = os.path.abspath(folder)
        parents = [start]
        while not os.path.exists(os.path.join(parents[-1], ".git")):
            parent = os.path.dirname(parents[-1])
            if parent == parents[-1]:
                return cls()
            parents.append(parent)
        root = parents[-1]
        found = cls().with_file(os.path.join(root, ".git", "info", "exclude"), root, problems)
        ignored = False
        for outer, inner in zip(parents[:0:-1], parents[-2::-1], strict=True):
            found = found.with_file_in(outer, problems)
            ignored = ignored or found.ignores_folder(inner)
        return cls() if ignored else found

    def with_file_in(self, folder: str, problems: list[Problem]) -> IgnoreFiles:
        """Return these and the ``.gitignore`` of ``folder``."""
        return self.with_file(os.path.join(folder, ".gitignore"), folder, problems)

    def with_file(self, path: str, folder: str, problems: list[Problem]) -> IgnoreFiles:
        """Return these and the patterns of one more file, which apply below ``folder``."""
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                texts = [_meaningful(line) for line in file.read().split("\n")]
        except (FileNotFoundError, NotADirectoryError):
            return self
        except OSError as error:
            problems.append(Problem(path, (error.strerror or str(error)).lower()))
            return self
        for_files = [text for text in texts if not text.endswith("/") or text.startswith("!")]
        return IgnoreFiles(
            _extended(self.for_folders, folder, [text.removesuffix("/") for text in texts]),
            _extended(self.for_files, folder, for_files),
        )

    def ignores_folder(self, path: str) -> bool:
        """Return whether git would not enter this folder."""
        return self.for_folders is not None and self.for_folders.match(path)

    def ignores_file(self, path: str) -> bool:
        """Return whether git leaves out this file, whose name ends in ``.py``."""
        return self.for_files is not None and self.for_files.match(path)


class _Patterns:
    """Patterns for absolute paths, compiled when something is first compared with them."""

    def __init__(self, outer: _Patterns | None, folder: str, texts: list[str]) -> None:
        base = os.path.abspath(folder).replace(os.sep, "/").strip("/")
        self._outer = outer
        self._lines = [_placed(text, _SPECIAL.sub(r"\\\g<0>", base)) for text in texts]
        own = tuple(ending for text in texts for ending in _endings(text))
        self._endings: tuple[str, ...] = own if outer is None else outer._endings + own

    def match(self, path: str) -> bool:
        """Return whether the last pattern that is about the path ignores it."""
        return path.endswith(self._endings) and self._spec.match_file(os.path.abspath(path))

    @functools.cached_property
    def _spec(self) -> GitIgnoreSpec:
        from pathspec import GitIgnoreSpec

        try:
            spec = GitIgnoreSpec.from_lines(self._lines)
        except (ValueError, re.error):
            spec = GitIgnoreSpec.from_lines(line for line in self._lines if _is_valid(line))
        return spec if self._outer is None else self._outer._spec + spec


def _meaningful(line: str) -> str:
    """Return what git reads of a line; nothing of a comment."""
    if line.startswith("#"):
        return ""
    return line.rstrip("\r") if line.rstrip("\r").endswith("\\ ") else line.rstrip()


def _extended(outer: _Patterns | None, folder: str, texts: list[str]) -> _Patterns | None:
    texts = [text for text in texts if text.strip("!/")]
    return _Patterns(outer, folder, texts) if texts else outer


def _placed(text: str, base: str) -> str:
    """Word a pattern of an ignore file in the folder ``base`` for absolute paths.

    So all files in force are one list, and a pattern that is about a path itself
    can outweigh a later one, perhaps of another file, about a folder above it.
    """
    sign, body = ("!", text[1:]) if text.startswith("!") else ("", text)
    place = "/" if "/" in body else "/**/"
    return f"{sign}/{base}{place}{body.removeprefix('/')}"


def _endings(text: str) -> list[str]:
    """Return how names end that a pattern may match; the empty ending is any name's."""
    found = _ENDING.search(text)
    if found is None or "\\" in text or text.count("[") > 1:
        return [""]
    if found["one"] is None:
        return [found["plain"]]
    return [found["plain"] + letter + found["rest"] for letter in found["one"]]


def _is_valid(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True
