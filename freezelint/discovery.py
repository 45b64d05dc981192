"""Which files to check: walking folders the way git sees them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from freezelint.findings import Problem
from freezelint.ignore_files import IgnoreFiles
from freezelint.records import NamedTuple
from freezelint.sources.document import DOCS, NOTEBOOK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezelint.config import Config
    from freezelint.configuration import Configuration

EXCLUDED_FOLDERS = frozenset(
    {
        ".bzr",
        ".direnv",
        ".eggs",
        ".git",
        ".hg",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".nox",
        ".pytest_cache",
        ".ruff_cache",
        ".svn",
        ".tox",
        ".venv",
        "__pycache__",
        "__pypackages__",
        "build",
        "dist",
        "node_modules",
        "site-packages",
        "venv",
    }
)
"""Folders that are not entered unless they are named on the command line."""


class Discovered(NamedTuple):
    """The files to check, sorted, and what could not be looked at."""

    files: dict[str, Config]
    """By path: what is in force for the file."""
    named: frozenset[str]
    """Those of the files that were asked for by name, not found in a folder."""
    problems: tuple[Problem, ...]


def discover(
    paths: Iterable[str], configuration: Configuration, *, force_exclude: bool = False
) -> Discovered:
    """Return the code in the folders among ``paths``, and the files among them.

    Python files and notebooks are code, and documents if the settings ask for them. A file that is named is taken whatever its suffix, and whether git ignores it
    or not, and with ``force_exclude`` only if the settings do not exclude it. Links
    to folders are not followed unless named: in training code they lead to data
    sets, and back into the tree.

    Raises:
        BadSettings: if settings around a path cannot be used.
    """
    files: dict[str, Config] = {}
    named: set[str] = set()
    problems: list[Problem] = []
    for path in paths:
        shown = shown_path(path)
        if os.path.isdir(path):
            _walk(shown, configuration, files, problems)
            continue
        reason = _why_missing(path)
        if reason:
            problems.append(Problem(shown, reason))
            continue
        config = configuration.around(os.path.dirname(shown))
        if not force_exclude or not is_excluded(shown, config):
            files[shown] = config
            named.add(shown)
    return Discovered(dict(sorted(files.items())), frozenset(named), tuple(sorted(set(problems))))


def is_excluded(path: str, config: Config) -> bool:
    """Whether the settings exclude a file, or a folder that it lies in."""
    if config.exclusions.ignores_file(path):
        return True
    folder = os.path.dirname(path)
    while folder and folder != os.path.dirname(folder):
        if config.exclusions.ignores_folder(folder):
            return True
        if config.exclude is None and os.path.basename(folder) in EXCLUDED_FOLDERS:
            return True
        folder = os.path.dirname(folder)
    return False


def shown_path(path: str) -> str:
    """Return ``path`` as people see it: relative if it lies below the working folder."""
    if os.path.isabs(path):
        here = os.getcwd().rstrip(os.sep) + os.sep
        if path.startswith(here):
            path = path[len(here) :] or os.curdir
    # Only what is surely the same file: `a/../b` differs from `b` where `a` is a link.
    parts = path.split(os.sep)
    kept = [part for index, part in enumerate(parts) if part not in {"", "."} or not index]
    if len(kept) > 1 and kept[0] == ".":
        kept = kept[1:]
    return os.sep.join(kept) or os.sep


def _walk(
    top: str, configuration: Configuration, files: dict[str, Config], problems: list[Problem]
) -> None:
    """Add what lies below ``top``; an explicit stack, since trees can be deep."""
    first = "" if top == os.curdir else top
    stack = [(first, IgnoreFiles.above(top, problems), configuration.around(first))]
    while stack:
        folder, ignores, config = stack.pop()
        prefix = folder if not folder or folder.endswith(os.sep) else folder + os.sep
        try:
            with os.scandir(folder or os.curdir) as entries:
                found = list(entries)
        except OSError as error:
            problems.append(Problem(folder or os.curdir, reason_of(error)))
            continue
        names = [entry.name for entry in found]
        if ".gitignore" in names:
            ignores = ignores.with_file_in(folder or os.curdir, problems)
        config = configuration.below(folder or os.curdir, names, config)
        excluded = EXCLUDED_FOLDERS if config.exclude is None else ()
        exclusions = config.exclusions
        suffixes = (".py", NOTEBOOK, *(DOCS if config.docs else ()))
        for entry in found:
            name = entry.name
            path = prefix + name
            if entry.is_dir(follow_symlinks=False):
                if name not in excluded and not (
                    ignores.ignores_folder(path) or exclusions.ignores_folder(path)
                ):
                    stack.append((path, ignores, config))
            elif (
                name.endswith(suffixes)
                and not (ignores.ignores_file(path) or exclusions.ignores_file(path))
                and _is_file(entry, path, problems)
            ):
                files[path] = config


def _is_file(entry: os.DirEntry[str], path: str, problems: list[Problem]) -> bool:
    try:
        if entry.is_file():
            return True
        # Emacs marks a file that is being edited with a link `.#name` to nowhere.
        if entry.is_symlink() and not os.path.exists(path) and not entry.name.startswith(".#"):
            problems.append(Problem(path, _why_missing(path) or "cannot be read"))
    except OSError as error:
        problems.append(Problem(path, reason_of(error)))
    return False


def _why_missing(path: str) -> str | None:
    """Return why ``path`` leads to no file, or None if it does."""
    try:
        os.stat(path)
    except FileNotFoundError:
        if os.path.islink(path):
            return f"broken link to {os.readlink(path)}"
        return "no such file or folder"
    except (OSError, ValueError) as error:
        return reason_of(error)
    return None


def reason_of(error: OSError | ValueError) -> str:
    """Return the operating system's words for an error, without its number and path."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    return str(error)
