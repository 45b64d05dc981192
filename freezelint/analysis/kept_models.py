"""The best model so far, if it is kept by a second name instead of a copy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import OptimizerBuilt, Stepped
from freezelint.analysis.rounds import block_below
from freezelint.analysis.values import Part

if TYPE_CHECKING:
    from freezelint.analysis.events import Aliased
    from freezelint.analysis.trace import Trace

_BEST = re.compile(r"(?:.*\.)?_*best(?:_?[a-z]+(?:_[a-z]+)*|\w*\[[\"']\w+[\"']\])")
"""A name that says what is to become of it: the model as it was at its best."""

_ENDS = ("break", "return", "raise")


def trains_on(trace: Trace, alias: Aliased) -> Stepped | None:
    """A step that goes on to change a model which a loop called the best, to use it afterwards.

    Args:
        trace: The run.
        alias: Where the model that is trained gets the second name.
    """
    around = set(alias.loops)
    if not around or _BEST.fullmatch(alias.name) is None or _is_the_last(trace, alias):
        return None
    if _gets_weights(trace, alias) or not _is_read_elsewhere(trace, alias):
        return None
    for built in trace.all(OptimizerBuilt):
        if around.intersection(built.loops) or not any(
            trace.part_covers(part, Part(alias.key), built.index) for part in built.parts
        ):
            continue
        for step in trace.all(Stepped):
            if built.key in step.keys and around.intersection(step.loops):
                return step
    return None


def _is_the_last(trace: Trace, alias: Aliased) -> bool:
    """Whether the loop ends where the name is given, or something says there that it is to end.

    That it may end further down, when there was no better one for long, changes nothing.
    """
    lines = trace.file.text.split("\n")
    for place in (*alias.stack, alias.place):
        here = lines[place.span.line - 1]
        depth = here[: len(here) - len(here.lstrip())]
        block = block_below(lines, place.span.line, place.span.end_line)
        if any(line.startswith(tuple(depth + word for word in _ENDS)) for line in block):
            return True
    span = alias.place.span
    return any("= True" in line for line in block_below(lines, span.line, span.end_line))


def _gets_weights(trace: Trace, alias: Aliased) -> bool:
    """Whether a name, or the other, gets a copy after all, or the weights that were saved."""
    names = "|".join(map(_as_read, (alias.name, alias.other)))
    given = rf"(?:{names})(?:\.load_|[ ]?=[^=\n]*(?:copy|load|clone))"
    return re.search(given, trace.file.text) is not None


def _is_read_elsewhere(trace: Trace, alias: Aliased) -> bool:
    """Whether more is done with the name than what the block does in which it is given."""
    name = rf"{_as_read(alias.name)}(?!\w)"
    read = rf"{name}(?![ ]?=[^=])(?![\w, ]*[ ]?=[^=])"
    span = alias.place.span
    lines = trace.file.text.split("\n")
    here = "\n".join((lines[span.line - 1], *block_below(lines, span.line, span.end_line)))
    return len(re.findall(read, trace.file.text)) > len(re.findall(read, here))


def _as_read(name: str) -> str:
    """A pattern for a name, or for an attribute of whatever holds the object."""
    owner, _, last = name.rpartition(".")
    return rf"\.{last}" if owner else rf"(?<![\w.]){re.escape(name)}"
