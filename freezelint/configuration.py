"""What is in force where: the command line, and the settings nearest to each path."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from freezelint.analysis.project_names import ProjectNames
from freezelint.config import Config, available_cores
from freezelint.project_file import SETTINGS_FILES, layers_for, layers_in, layers_of
from freezelint.settings import Sourced, in_force

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezelint.project_file import Layer

COMMAND_LINE = "command line"
ADD_NOQA = "add-noqa"
"""What is done once and by order only, so it is no setting."""


class Configuration:
    """Settings by folder, each file of them read once; options outweigh them all."""

    def __init__(
        self,
        options: Mapping[str, Any] | None = None,
        *,
        file: str | None = None,
        isolated: bool = False,
    ) -> None:
        """Keep what was asked for.

        Args:
            options: Values of settings by their keys, as the command line gives them.
            file: The settings to use everywhere, instead of the nearest.
            isolated: Whether no file of settings counts.

        Raises:
            BadSettings: if ``file`` cannot be used.
        """
        self._options = dict(options or {})
        self._everywhere: tuple[Layer, ...] | None = ()
        if not isolated:
            self._everywhere = layers_of(file) if file is not None else None
        self._known: dict[str, Config] = {}
        self._by_layers: dict[tuple[str, ...], Config] = {}

    def around(self, folder: str) -> Config:
        """Return what is in force in a folder, from the nearest settings at or above it.

        Raises:
            BadSettings: if they cannot be used.
        """
        key = os.path.abspath(folder)
        if key not in self._known:
            self._known[key] = self._config(self.layers_around(key))
        return self._known[key]

    def below(self, folder: str, names: Sequence[str], above: Config) -> Config:
        """Return what is in force in a folder, given what is above it and what it holds."""
        if self._everywhere is not None or not any(each in names for each in SETTINGS_FILES):
            return above
        layers = layers_in(folder)
        return above if layers is None else self._config(layers)

    def layers_around(self, folder: str) -> tuple[Layer, ...]:
        """Return the files of settings that count in a folder, the nearest one last."""
        return layers_for(folder) if self._everywhere is None else self._everywhere

    def setting(self, key: str) -> Any:
        """Return the value of a setting that is in force in the working folder.

        Raises:
            BadSettings: if the settings there cannot be used.
        """
        return self.sourced(self.layers_around(os.getcwd()))[key].value

    def sourced(self, layers: tuple[Layer, ...]) -> dict[str, Sourced]:
        """Return the value of each setting, and who says so."""
        found = in_force(layers, known_codes)
        if "select" in self._options:
            # Who names rules wants to see them, whatever the project leaves out.
            found["ignore"] = Sourced((), COMMAND_LINE)
        for key, value in self._options.items():
            found[key] = Sourced(value, COMMAND_LINE)
        return found

    def _config(self, layers: tuple[Layer, ...]) -> Config:
        key = tuple(each.path for each in layers)
        if key not in self._by_layers:
            values = {name: each.value for name, each in self.sourced(layers).items()}
            self._by_layers[key] = _config_of(values)
        return self._by_layers[key]


def _config_of(values: Mapping[str, Any]) -> Config:
    fixes = "none"
    if values.get(ADD_NOQA):
        fixes = "noqa"
    elif values["fix"]:
        fixes = "unsafe" if values["unsafe-fixes"] else "safe"
    return Config(
        select=values["select"],
        extend_select=values["extend-select"],
        ignore=values["ignore"],
        strict=values["strict"],
        jobs=values["jobs"] or available_cores(),
        fixes=fixes,  # type: ignore[arg-type]
        per_file_ignores=values["per-file-ignores"],
        exclude=values["exclude"],
        extend_exclude=values["extend-exclude"],
        docs=values["docs"],
        names=ProjectNames(
            values["freezers"], values["unfreezers"], values["optimizers"], values["modules"]
        ),
        baseline=values["baseline"] or None,
    )


def known_codes() -> list[str]:
    """Return the codes that findings can carry."""
    return list(names_by_code())


def names_by_code() -> dict[str, str]:
    """Return the codes that findings can carry, each with the code in words."""
    from freezelint.rules import indexed_rules
    from freezelint.suppressions import UnusedSuppression

    names = {UnusedSuppression.code: UnusedSuppression.name}
    return names | {each.code: each.name for each in indexed_rules()}
