"""The project's own settings: ``freezelint.toml`` or ``[tool.freezelint]`` of ``pyproject.toml``."""

from __future__ import annotations

import os
import sys
from typing import Any

from freezelint.records import NamedTuple

SETTINGS_FILES = ("freezelint.toml", "pyproject.toml")
"""What a file of settings is called; the first counts if a folder has both."""


class BadSettings(Exception):
    """Settings that cannot be used; the text names file, key and what would be right."""


class Layer(NamedTuple):
    """The settings of one file; its patterns and paths are relative to its folder."""

    path: str
    table: dict[str, Any]

    def where(self, key: str, table: str = "") -> str:
        """Return how a message calls a key of this file."""
        names = ["tool", "freezelint"] if _is_shared(self.path) else []
        if table:
            names.append(table)
        heading = f"[{'.'.join(names)}] " if names else ""
        return f"{self.path}: {heading}{key}"


def layers_for(folder: str) -> tuple[Layer, ...]:
    """Read the settings that hold in a folder: those of the nearest file that has any.

    Returns:
        What that file extends comes first; nothing if there is no such file.

    Raises:
        BadSettings: if a file cannot be read.
    """
    folder = os.path.abspath(folder)
    while True:
        found = layers_in(folder)
        if found is not None:
            return found
        above = os.path.dirname(folder)
        if above == folder:
            return ()
        folder = above


def layers_in(folder: str) -> tuple[Layer, ...] | None:
    """Read the settings that a folder itself holds, as :func:`layers_for` does; None if none."""
    for name in SETTINGS_FILES:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            table = _table_in(path)
            if table is not None:
                return _with_extended(Layer(path, table), ())
    return None


def layers_of(path: str) -> tuple[Layer, ...]:
    """Read the settings of a file that is named, as :func:`layers_for` does."""
    return _with_extended(_layer(path), ())


def _layer(path: str) -> Layer:
    table = _table_in(path)
    if table is None:
        raise BadSettings(f"{path} has no table [tool.freezelint]")
    return Layer(path, table)


def _with_extended(layer: Layer, inner: tuple[str, ...]) -> tuple[Layer, ...]:
    base = layer.table.get("extend")
    if base is None:
        return (layer,)
    if not isinstance(base, str):
        raise BadSettings(f"{layer.where('extend')} must be a path, not {base!r}")
    path = os.path.join(os.path.dirname(layer.path), os.path.expanduser(base))
    seen = (*inner, os.path.realpath(layer.path))
    if os.path.realpath(path) in seen:
        raise BadSettings(f"{layer.where('extend')} leads back to {path}, which extends this file")
    if not os.path.isfile(path):
        raise BadSettings(f"{layer.where('extend')}: there is no file {path}")
    return (*_with_extended(_layer(path), seen), layer)


def _table_in(path: str) -> dict[str, Any] | None:
    """The settings in a file; None if it is about other things only."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise BadSettings(f"{path} cannot be read: {error.strerror}") from None
    if _is_shared(path) and b"freezelint" not in data:
        # Most are; reading TOML takes longer than starting the command.
        return None
    whole = _parsed(path, data)
    table = whole.get("tool", {}).get("freezelint") if _is_shared(path) else whole
    if table is not None and not isinstance(table, dict):
        raise BadSettings(f"{path}: [tool.freezelint] must be a table")
    return table


def _is_shared(path: str) -> bool:
    """Whether a file holds settings of other tools as well."""
    return os.path.basename(path) == "pyproject.toml"


def _parsed(path: str, data: bytes) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} is not valid TOML: {error}") from None
