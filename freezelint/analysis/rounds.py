"""Whether the rounds of a loop come by the same line again, or only one of them does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import ConditionTested
from freezelint.analysis.trace import implies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.events import Event
    from freezelint.analysis.trace import Trace

_RECURS = r"%|\bin\b|[<>]"
"""What a condition holds that several rounds of a loop meet."""

_ONCE = r"==|\bis\b(?! not)|^(?:not )?[\w.]+$"
"""What one holds that waits for a single round, or asks whether the thing is done."""

_ALL_BUT_ONE = r"!=|\bis not\b|^(?:not )?[\w.]+$"
"""The same where a round is left early if the condition is met."""


def comes_back(trace: Trace, first: Event, second: Event) -> bool:
    """Whether the line that did one thing, and in a later round another, is met every so often.

    Args:
        trace: The run that both events are from.
        first: What the line did in one round of a loop.
        second: What it did in a later one.
    """
    if implies(first.path, second.path):
        return True
    lines = [second.place.span.line, *(each.span.line for each in second.stack)]
    recurs = False
    for each in trace.between(first, second, ConditionTested):
        if len(each.path) >= len(second.path) or not implies(second.path, each.path):
            continue
        code = each.place.code
        if re.search(_RECURS, code):
            recurs = True
            continue
        around = each.place.chunk.span(each.place.statement, each.place.statement)
        is_around = any(around.line < line <= around.end_line for line in lines)
        if re.search(_ONCE if is_around else _ALL_BUT_ONE, code):
            return False
    return recurs


def leaves_its_loop(trace: Trace, event: Event) -> bool:
    """Whether one of the blocks that an event stands in ends its loop, or function, below it.

    Args:
        trace: The run that the event is from.
        event: What happens in a loop, perhaps in a function that is called there.
    """
    lines = trace.file.text.split("\n")
    for place in (*event.stack, event.place):
        for line in block_below(lines, place.span.line, place.span.end_line):
            if line.lstrip().startswith(("break", "return", "raise")):
                return True
    return False


def block_below(lines: list[str], first: int, last: int) -> Iterator[str]:
    """The lines of a block that stand below a statement of it.

    Args:
        lines: Those of the file.
        first: The number of the line on which the statement begins, from 1.
        last: The number of its last line.
    """
    depth = depth_of(lines[first - 1])
    for line in lines[last:]:
        if line.strip() and depth_of(line) < depth:
            return
        yield line


def depth_of(line: str) -> int:
    """How far a line is indented, in characters."""
    return len(line) - len(line.lstrip())
