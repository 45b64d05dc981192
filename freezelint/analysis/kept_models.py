"""The best model so far, if it is kept by a second name instead of a copy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import OptimizerBuilt, Stepped
from freezelint.analysis.rounds import block_below, depth_of
from freezelint.analysis.values import Part

if TYPE_CHECKING:
    from freezelint.analysis.events import Aliased
    from freezelint.analysis.trace import Trace

_TERM = r"[A-Za-z_][\w.]*(?:\[[^\]]*\])?"
"""A name, an attribute or an entry of a table, as it may be compared and assigned."""

_ENDS = ("break", "return", "raise")


def trains_on(trace: Trace, alias: Aliased) -> Stepped | None:
    """A step that goes on to change a model which a loop kept as the best, to use it afterwards.

    Args:
        trace: The run.
        alias: Where the model that is trained gets the second name.
    """
    around = set(alias.loops)
    if not around or not _is_a_record(trace, alias) or _is_the_last(trace, alias):
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


def _is_a_record(trace: Trace, alias: Aliased) -> bool:
    """Whether the name is given where a comparison was won, which sets what was compared.

    That is how the best so far is told from any other model, whatever it is called.
    """
    lines = trace.file.text.split("\n")
    inside = alias.place.span.line
    depth = depth_of(lines[inside - 1])
    tests, block = "", list[str]()
    for number in range(inside - 1, 0, -1):
        line = lines[number - 1]
        if not line.strip() or depth_of(line) >= depth:
            continue
        first, *rest = line.split(maxsplit=1)
        if first not in ("if", "elif", "else:"):
            return False
        tests += "".join(rest)
        block = block or [lines[number], *block_below(lines, number + 1, number + 1)]
        compared = set(re.findall(_TERM, tests)) if re.search("[<>]", tests) else set()
        compared |= {each.partition("[")[0] for each in compared}
        if any(compared & _assigned(each) for each in block):
            return True
        # Else the tests of the other branches, which were lost, say what this one is for.
        if first == "if":
            return False
        depth = depth_of(line) + 1
    return False


def _assigned(line: str) -> set[str]:
    targets, sign, _ = line.partition(" = ")
    return set(re.findall(_TERM, targets)) if sign else set()


def _is_the_last(trace: Trace, alias: Aliased) -> bool:
    """Whether the loop ends where the name is given, or something says there that it is to end.

    That it may end further down, when there was no better one for long, changes nothing.
    """
    lines = trace.file.text.split("\n")
    for place in (*alias.stack, alias.place):
        here = lines[place.span.line - 1]
        depth = here[: depth_of(here)]
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
    last = re.escape(last).replace("'", '"').replace('"', "[\"']")
    return rf"\.{last}" if owner else rf"(?<![\w.]){last}"
