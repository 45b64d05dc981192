"""The best model so far, if it is kept by a second name instead of a copy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import OptimizerBuilt, Stepped
from freezelint.analysis.rounds import block_below, leaves_its_loop
from freezelint.analysis.values import Part

if TYPE_CHECKING:
    from freezelint.analysis.events import Aliased
    from freezelint.analysis.trace import Trace

_BEST = re.compile(r"(?:.*\.)?_*best_?[a-z]+(?:_[a-z]+)*")
"""A name that says what is to become of it: the model as it was at its best."""


def trains_on(trace: Trace, alias: Aliased) -> Stepped | None:
    """A step that goes on to change a model which a loop called the best, to use it afterwards.

    Args:
        trace: The run.
        alias: Where the model that is trained gets the second name.
    """
    around = set(alias.loops)
    if not around or _BEST.fullmatch(alias.name) is None or leaves_its_loop(trace, alias):
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


def _gets_weights(trace: Trace, alias: Aliased) -> bool:
    """Whether a name, or the other, gets a copy after all, or the weights that were saved."""
    names = "|".join(re.escape(each) for each in (alias.name, alias.other))
    given = rf"(?<![\w.])(?:{names})(?:\.load_|[ ]?=[^=\n]*(?:copy|load|clone))"
    return re.search(given, trace.file.text) is not None


def _is_read_elsewhere(trace: Trace, alias: Aliased) -> bool:
    """Whether more is done with the name than what the block does in which it is given."""
    name = rf"(?<![\w.]){re.escape(alias.name)}\b"
    read = rf"{name}(?![ ]?=[^=])(?![\w, ]*[ ]?=[^=])"
    span = alias.place.span
    lines = trace.file.text.split("\n")
    here = "\n".join((lines[span.line - 1], *block_below(lines, span.line, span.end_line)))
    return len(re.findall(read, trace.file.text)) > len(re.findall(read, here))
