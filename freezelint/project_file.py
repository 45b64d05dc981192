"""The project's own settings: ``[tool.freezelint]`` of the nearest ``pyproject.toml``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class BadSettings(Exception):
    """Settings that cannot be read; the text names file, key and what would be right."""


class Settings(NamedTuple):
    """A table of settings, and the file that it stands in."""

    path: Path | None
    table: dict[str, Any]


def settings_for(folder: Path) -> Settings:
    """Read the settings that hold in a folder: those of the nearest file that has any.

    Raises:
        BadSettings: if that file is no TOML.
    """
    for each in (folder, *folder.parents):
        path = each / "pyproject.toml"
        if path.is_file():
            table = _read(path).get("tool", {}).get("freezelint")
            if table is not None:
                return Settings(path, table)
    return Settings(None, {})


def _read(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with path.open("rb") as file:
            table: dict[str, Any] = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} is not valid TOML: {error}") from None
    except OSError as error:
        raise BadSettings(f"{path} cannot be read: {error.strerror}") from None
    return table
