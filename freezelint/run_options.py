"""What ``freezelint run`` was asked for: by options, else by the project's settings."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, NamedTuple

from freezelint.project_file import BadSettings

if TYPE_CHECKING:
    from freezelint.project_file import Settings


class RunOptions(NamedTuple):
    """How a program is watched; what the patterns mean stands with the runtime's Contract."""

    frozen: tuple[str, ...] = ()
    trainable: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()
    every: int = 1
    within: int = 10

    def or_from(self, settings: Settings) -> RunOptions:
        """Fill in what nobody asked for from ``[tool.freezelint.runtime]``.

        Raises:
            BadSettings: if a key is unknown or its value has the wrong type.
        """
        table = settings.table.get("runtime", {})
        if not isinstance(table, dict):
            raise BadSettings(f"{settings.path}: [tool.freezelint.runtime] must be a table")
        given = {key: _checked(settings, key, value) for key, value in table.items()}
        asked = {
            key: value
            for key, value in self._asdict().items()
            if value != self._field_defaults[key]
        }
        return self._replace(**{**given, **asked})


def _checked(settings: Settings, key: str, value: Any) -> Any:
    where = f"{settings.path}: [tool.freezelint.runtime] {key}"
    defaults = RunOptions._field_defaults
    if key not in defaults:
        near = difflib.get_close_matches(key, defaults, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(defaults)}"
        raise BadSettings(f"{where} is unknown; {hint}")
    if isinstance(defaults[key], int):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise BadSettings(f"{where} must be a whole number of at least 1, not {value!r}")
        return value
    patterns = [value] if isinstance(value, str) else value
    if not isinstance(patterns, list) or not all(isinstance(each, str) for each in patterns):
        raise BadSettings(f"{where} must be a list of patterns, not {value!r}")
    return tuple(patterns)
