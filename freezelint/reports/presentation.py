"""How a report is to be shown."""

from __future__ import annotations

from freezelint.records import NamedTuple


class Presentation(NamedTuple):
    """What was asked for beside the format. It is about people: programs get everything."""

    color: bool = False
    statistics: bool = False
    """Whether to say how often each rule fired instead of where."""
    quiet: bool = False
    """Whether to leave out the summary."""
    problems: bool = False
    """Whether to list what could not be checked; on a terminal that stands there already."""
