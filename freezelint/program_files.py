"""The files that a program is made of: its script, and what that imports from beside it."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 1000
"""Files that are followed; no script has so many of its own."""


def files_of(target: str, *, is_module: bool) -> list[str]:
    """Find the files of a program, the script first; nothing is imported.

    Args:
        target: The script, or with ``is_module`` the name of a module, as for ``python -m``.
        is_module: Whether it is a module, which is looked for in the working folder.

    Returns:
        Paths as a person would write them. A module of which another copy is imported in the
        end, from somewhere else, costs its check and nothing more.
    """
    root = Path.cwd() if is_module else Path(target).resolve().parent
    pending = list(_of_module(root, target.split("."), runs=True)) if is_module else [Path(target)]
    found: dict[Path, None] = {}
    while pending and len(found) < MOST:
        path = pending.pop(0)
        if path.resolve() not in found and path.is_file():
            found[path.resolve()] = None
            pending += _imported_by(path.resolve(), root)
    return [_shown(each) for each in found]


def _of_module(root: Path, names: list[str], *, runs: bool = False) -> Iterator[Path]:
    """The files that may be a module, and those of the packages that it is in."""
    folder = root.joinpath(*names)
    if runs:
        yield folder / "__main__.py"
    yield folder.with_suffix(".py")
    for length in range(1, len(names) + 1):
        yield root.joinpath(*names[:length], "__init__.py")


def _imported_by(path: Path, root: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _of_module(root, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = root if node.level == 0 else path.parents[min(node.level, len(path.parents)) - 1]
            names = node.module.split(".") if node.module else []
            if names:
                yield from _of_module(base, names)
            for alias in node.names:
                if alias.name != "*":
                    yield from _of_module(base, [*names, alias.name])


def _shown(path: Path) -> str:
    """Relative to the working folder, if it lies below."""
    try:
        return str(path.relative_to(Path.cwd().resolve()))
    except ValueError:
        return os.fspath(path)
