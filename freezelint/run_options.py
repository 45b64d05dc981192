"""What ``freezelint run`` was asked for: by options, else by the project's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezelint.records import NamedTuple
from freezelint.settings import RUNTIME, Kind, Setting, checked_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezelint.project_file import Layer

SETTINGS = (
    Setting("frozen", Kind.TENSORS, (), "what must stay; by default what has no gradient"),
    Setting("trainable", Kind.TENSORS, (), "what must move"),
    Setting("target", Kind.TENSORS, (), "what moves by its owner's hand, never by a step"),
    Setting("statistics", Kind.TENSORS, (), "buffers that may move in frozen parts"),
    Setting("every", Kind.COUNT, 1, "look after every so-many-th step"),
    Setting("within", Kind.COUNT, 10, "steps within which what trains has to move"),
)
"""The keys of the table for the runtime."""


class RunOptions(NamedTuple):
    """How a program is watched; what the patterns mean stands with the runtime's Contract."""

    frozen: tuple[str, ...] = ()
    trainable: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()
    every: int = 1
    within: int = 10

    def or_from(self, layers: Iterable[Layer]) -> RunOptions:
        """Fill in what nobody asked for from the tables for the runtime, of which the last counts.

        Raises:
            BadSettings: if a key is unknown or its value has the wrong type.
        """
        given: dict[str, Any] = {}
        for layer in layers:
            given |= checked_table(layer, SETTINGS, table=RUNTIME)
        asked = {
            key: value
            for key, value in self._asdict().items()
            if value != self._field_defaults[key]
        }
        return self._replace(**{**given, **asked})
