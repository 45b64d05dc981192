"""What git ignores: ``.gitignore`` files and ``.git/info/exclude``, read as git reads them.

A user's global excludes are not consulted: they differ between two people who
check the same project.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from freezelint.findings import Problem
from freezelint.ignore_patterns import Pattern, parse


class _IgnoreFile(NamedTuple):
    """The patterns of one file, which apply below one folder; the last one counts first."""

    folder: str
    """Absolute, with a slash at the end."""
    for_folders: tuple[Pattern, ...]
    for_files: tuple[Pattern, ...]
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
        return bool(self.layers) and _decides(self.layers, path, is_folder=True)

    def ignores_file(self, path: str) -> bool:
        """Return whether git leaves out this file, whose name ends in ``.py``."""
        return bool(self.file_layers) and _decides(self.file_layers, path, is_folder=False)

    def with_file(self, path: str, folder: str, problems: list[Problem]) -> IgnoreFiles:
        """Return these and the patterns of one more file, which apply below ``folder``."""
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                lines = file.read().split("\n")
        except (FileNotFoundError, NotADirectoryError):
            return self
        except OSError as error:
            problems.append(Problem(path, (error.strerror or str(error)).lower()))
            return self
        layer = _ignore_file(folder, lines)
        if not layer.for_folders:
            return self
        with_files = (*self.file_layers, layer) if layer.for_files else self.file_layers
        return IgnoreFiles((*self.layers, layer), with_files)


def _ignore_file(folder: str, lines: list[str]) -> _IgnoreFile:
    base = os.path.abspath(folder).replace(os.sep, "/").rstrip("/") + "/"
    patterns = [pattern for line in reversed(lines) if (pattern := parse(line))]
    for_files = tuple(pattern for pattern in patterns if pattern.can_name_python_file)
    return _IgnoreFile(base, tuple(patterns), for_files)


def _decides(layers: tuple[_IgnoreFile, ...], path: str, *, is_folder: bool) -> bool:
    """Return the verdict of the last matching pattern of the innermost file that has one."""
    absolute = os.path.abspath(path).replace(os.sep, "/")
    name = absolute.rpartition("/")[2]
    for layer in reversed(layers):
        below = absolute[len(layer.folder) :]
        for pattern in layer.for_folders if is_folder else layer.for_files:
            if pattern.matches(below, name, is_folder=is_folder):
                return pattern.ignores
    return False
