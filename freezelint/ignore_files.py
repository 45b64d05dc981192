"""What git ignores: ``.gitignore`` files and ``.git/info/exclude``, read as git reads them.

A user's global excludes are not consulted: they differ between two people who
check the same project.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from freezelint.findings import Problem

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

_PYTHON_FILE_ENDINGS = ("y", "*", "?", "]", "\\")
_BELOW = "ps_d"
"""The group in which pathspec's expressions catch the slash after what a pattern names."""


class _Pattern(NamedTuple):
    """One line of an ignore file."""

    matches: re.Pattern[str]
    ignores: bool
    """False for a line that starts with an exclamation mark."""

    def names(self, path: str) -> bool:
        """Return whether the pattern names ``path``, not only a folder above it.

        A folder's path ends with a slash. Git decides folder by folder on the way
        down, so what is above has had its say already.
        """
        match = self.matches.match(path)
        if match is None or _BELOW not in self.matches.groupindex:
            return match is not None
        return match.start(_BELOW) in {-1, len(path) - 1}


class _IgnoreFile(NamedTuple):
    """The patterns of one file, which apply below one folder; the last one counts first."""

    folder: str
    """Absolute, with a separator at the end."""
    for_folders: tuple[_Pattern, ...]
    for_files: tuple[_Pattern, ...]
    """Only those that can name something that ends in ``.py``; most cannot."""


class IgnoreFiles(NamedTuple):
    """The ignore files in force in one folder, outermost first."""

    layers: tuple[_IgnoreFile, ...] = ()
    file_layers: tuple[_IgnoreFile, ...] = ()

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
        """Return these and the ``.gitignore`` of ``folder``, which has the last word."""
        return self.with_file(os.path.join(folder, ".gitignore"), folder, problems)

    def ignores_folder(self, path: str) -> bool:
        """Return whether git would not enter this folder."""
        return bool(self.layers) and _decides(self.layers, path, folder=True)

    def ignores_file(self, path: str) -> bool:
        """Return whether git leaves out this file, whose name ends in ``.py``."""
        return bool(self.file_layers) and _decides(self.file_layers, path, folder=False)

    def with_file(self, path: str, folder: str, problems: list[Problem]) -> IgnoreFiles:
        """Return these and the patterns of one more file, which apply below ``folder``."""
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                lines = [line for line in file.read().split("\n") if line.strip()]
        except (FileNotFoundError, NotADirectoryError):
            return self
        except OSError as error:
            problems.append(Problem(path, (error.strerror or str(error)).lower()))
            return self
        lines = [line for line in lines if not line.startswith("#")]
        if not lines:
            return self
        layer = _ignore_file(folder, lines)
        with_files = (*self.file_layers, layer) if layer.for_files else self.file_layers
        return IgnoreFiles((*self.layers, layer), with_files)


def _ignore_file(folder: str, lines: list[str]) -> _IgnoreFile:
    base = os.path.abspath(folder).rstrip(os.sep) + os.sep
    # Asking only the patterns that can end like a file's name saves most of the time.
    for_files = [line for line in lines if line.rstrip().endswith(_PYTHON_FILE_ENDINGS)]
    return _IgnoreFile(base, _patterns(lines), _patterns(for_files))


def _patterns(lines: list[str]) -> tuple[_Pattern, ...]:
    return tuple(pattern for line in reversed(lines) for pattern in _parsed(line))


def _parsed(line: str) -> Iterator[_Pattern]:
    # Slow to import, and many folders have no ignore file.
    from pathspec import GitIgnoreSpec

    try:
        patterns = GitIgnoreSpec.from_lines([line]).patterns
    except ValueError:
        # Git passes over a pattern that makes no sense.
        return
    for pattern in patterns:
        if pattern.include is not None and pattern.regex is not None:
            yield _Pattern(pattern.regex, pattern.include)


def _decides(layers: tuple[_IgnoreFile, ...], path: str, *, folder: bool) -> bool:
    """Return the verdict of the last matching pattern of the innermost file that has one."""
    absolute = os.path.abspath(path).replace(os.sep, "/") + ("/" if folder else "")
    for layer in reversed(layers):
        below = absolute[len(layer.folder) :]
        for pattern in layer.for_folders if folder else layer.for_files:
            if pattern.names(below):
                return pattern.ignores
    return False
