"""The project's own settings: ``freezelint.toml`` or ``[tool.freezelint]`` of ``pyproject.toml``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

SETTINGS_FILES = ("freezelint.toml", "pyproject.toml")
"""What a file of settings is called; the first counts if a folder has both."""


class BadSettings(Exception):
    """Settings that cannot be used; the text names file, key and what would be right."""


class Layer(NamedTuple):
    """The settings of one file; its patterns and paths are relative to its folder."""

    path: Path
    table: dict[str, Any]

    def where(self, key: str, table: str = "") -> str:
        """Return how a message calls a key of this file."""
        names = ["tool", "freezelint"] if self.path.name == "pyproject.toml" else []
        if table:
            names.append(table)
        heading = f"[{'.'.join(names)}] " if names else ""
        return f"{self.path}: {heading}{key}"


def layers_for(folder: Path) -> tuple[Layer, ...]:
    """Read the settings that hold in a folder: those of the nearest file that has any.

    Returns:
        What that file extends comes first; nothing if there is no such file.

    Raises:
        BadSettings: if a file cannot be read.
    """
    for each in (folder, *folder.parents):
        found = layers_in(each)
        if found is not None:
            return found
    return ()


def layers_in(folder: Path) -> tuple[Layer, ...] | None:
    """Read the settings that a folder itself holds, as :func:`layers_for` does; None if none."""
    for name in SETTINGS_FILES:
        path = folder / name
        if path.is_file():
            table = _table_in(path)
            if table is not None:
                return _with_extended(Layer(path, table), ())
    return None


def layers_of(path: Path) -> tuple[Layer, ...]:
    """Read the settings of a file that is named, as :func:`layers_for` does."""
    return _with_extended(_layer(path), ())


def _layer(path: Path) -> Layer:
    table = _table_in(path)
    if table is None:
        raise BadSettings(f"{path} has no table [tool.freezelint]")
    return Layer(path, table)


def _with_extended(layer: Layer, inner: tuple[Path, ...]) -> tuple[Layer, ...]:
    base = layer.table.get("extend")
    if base is None:
        return (layer,)
    if not isinstance(base, str):
        raise BadSettings(f"{layer.where('extend')} must be a path, not {base!r}")
    path = layer.path.parent / Path(base).expanduser()
    seen = (*inner, layer.path.resolve())
    if path.resolve() in seen:
        raise BadSettings(f"{layer.where('extend')} leads back to {path}, which extends this file")
    if not path.is_file():
        raise BadSettings(f"{layer.where('extend')}: there is no file {path}")
    return (*_with_extended(_layer(path), seen), layer)


def _table_in(path: Path) -> dict[str, Any] | None:
    """The settings in a file; None if it is about other things only."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadSettings(f"{path} cannot be read: {error.strerror}") from None
    is_own = path.name != "pyproject.toml"
    if not is_own and b"freezelint" not in data:
        # Most are; reading TOML takes longer than starting the command.
        return None
    whole = _parsed(path, data)
    table = whole if is_own else whole.get("tool", {}).get("freezelint")
    if table is not None and not isinstance(table, dict):
        raise BadSettings(f"{path}: [tool.freezelint] must be a table")
    return table


def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} is not valid TOML: {error}") from None
