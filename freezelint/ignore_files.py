"""What git ignores: ``.gitignore`` files and ``.git/info/exclude``, read as git reads them.

A user's global excludes are not consulted: they differ between two people who
check the same project.
"""

from __future__ import annotations

import os

from freezelint.findings import Problem
from freezelint.ignore_patterns import Patterns
from freezelint.records import NamedTuple


class IgnoreFiles(NamedTuple):
    """The ignore files in force in one folder; the innermost one has the last word.

    Folders and files are asked for separately, and a folder that is ignored is
    not entered, so nothing below it can be taken back.
    """

    for_folders: Patterns | None = None
    for_files: Patterns | None = None

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
        return self.with_patterns(texts, folder)

    def with_patterns(self, texts: list[str], folder: str) -> IgnoreFiles:
        """Return these and some patterns more, which apply below ``folder``."""
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


def _meaningful(line: str) -> str:
    """Return what git reads of a line; nothing of a comment."""
    if line.startswith("#"):
        return ""
    return line.rstrip("\r") if line.rstrip("\r").endswith("\\ ") else line.rstrip()


def _extended(outer: Patterns | None, folder: str, texts: list[str]) -> Patterns | None:
    texts = [text for text in texts if text.strip("!/")]
    return Patterns(outer, folder, texts) if texts else outer
