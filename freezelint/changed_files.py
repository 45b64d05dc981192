"""Which files changed since a revision: asked of git itself, the working folder included."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SET_IN_HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")
"""Where git says which repository a hook is about; the paths that are checked say so too."""
_PARTED = "..."
"""Ends a revision for which that is meant where it and ``HEAD`` parted, as in ``git diff``."""


class CannotTell(Exception):
    """What changed cannot be found out; the text says why, and what to do."""


def since(revision: str | None, paths: Iterable[str]) -> ChangedFiles | None:
    """Find out which files changed; None if no revision is named, so that all count.

    Raises:
        CannotTell: if that is not possible.
    """
    return None if revision is None else ChangedFiles(revision, paths)


class ChangedFiles:
    """The files that changed in the repositories of some paths."""

    def __init__(self, revision: str, paths: Iterable[str]) -> None:
        """Ask git.

        Args:
            revision: What git takes for a commit; with ``...`` behind it, the one where it
                and ``HEAD`` parted.
            paths: Files and folders, each of which must lie in a repository.

        Raises:
            CannotTell: if there is no git, no repository or no such revision.
        """
        self._files: set[str] = set()
        self._folders: set[str] = set()
        folders = {path if os.path.isdir(path) else os.path.dirname(path) for path in paths}
        existing = sorted(each or os.curdir for each in folders if os.path.isdir(each or os.curdir))
        for repository in sorted({_repository_of(each) for each in existing}):
            self._add(repository, revision)

    def __contains__(self, path: object) -> bool:
        """Return whether a file is not what it was, or new."""
        if not isinstance(path, str):
            return False
        folder, name = os.path.split(os.path.abspath(path))
        return self._holds(os.path.join(os.path.realpath(folder), name)) or (
            os.path.islink(path) and self._holds(os.path.realpath(path))
        )

    def _holds(self, file: str) -> bool:
        if file in self._files:
            return True
        folder = os.path.dirname(file)
        while self._folders and folder != os.path.dirname(folder):
            if folder in self._folders:
                return True
            folder = os.path.dirname(folder)
        return False

    def _add(self, repository: str, revision: str) -> None:
        commit = _commit(repository, revision)
        changed = _git(
            repository,
            *("diff", "--name-only", "-z", "--no-renames", "--diff-filter=d", "--no-relative"),
            *("--no-ext-diff", "--no-textconv", commit, "--"),
        )
        untracked = _git(repository, "ls-files", "-z", "--others", "--exclude-standard")
        for output in (changed, untracked):
            for name in filter(None, output.split("\0")):
                path = os.path.normpath(os.path.join(repository, name))
                is_folder = os.path.isdir(path) and not os.path.islink(path)
                # Of a repository inside this one git tells no more than that it changed.
                (self._folders if is_folder else self._files).add(path)


class _GitFailed(CannotTell):
    """What git says, in one line."""


def _repository_of(folder: str) -> str:
    try:
        top = _git(folder, "rev-parse", "--show-toplevel").removesuffix("\n")
    except _GitFailed as error:
        shown = os.path.abspath(folder)
        raise CannotTell(
            f"what changed in {shown} cannot be told: {error}; name paths in a git repository, "
            "or leave out --since"
        ) from None
    return os.path.realpath(top)


def _commit(repository: str, revision: str) -> str:
    """The commit that is meant, by its digest, which is no option."""
    name = revision.removesuffix(_PARTED)
    try:
        commit = _git(
            repository,
            *("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"),
        ).strip()
        if name != revision:
            commit = _git(repository, "merge-base", commit, "HEAD").strip()
    except _GitFailed:
        raise CannotTell(
            f"git knows no revision {revision} in {repository}: see `git log`, or fetch it "
            "(a shallow clone, as CI makes it, lacks most: `git fetch --unshallow`)"
        ) from None
    return commit


def _git(folder: str, *arguments: str) -> str:
    import subprocess

    environment = {name: text for name, text in os.environ.items() if name not in _SET_IN_HOOKS}
    # Others may be at work there, so nothing is written.
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    command: Sequence[str] = ("git", "-C", folder, *arguments)
    try:
        done = subprocess.run(  # noqa: S603 - git, and arguments that are no options
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise CannotTell("--since asks git, which is not installed (or not on PATH)") from None
    except OSError as error:
        raise CannotTell(f"--since asks git, which cannot be run: {error.strerror}") from None
    if done.returncode != 0:
        first, *_ = os.fsdecode(done.stderr).strip().splitlines() or ["it failed"]
        raise _GitFailed(f"git says: {first.removeprefix('fatal: ')}")
    return os.fsdecode(done.stdout)
