"""Two names for one module: by which of them something happens to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.events import (
    Aliased,
    BackwardRan,
    Borrowed,
    Event,
    FlagWritten,
    ForwardRan,
    MethodCalled,
    OptimizerBuilt,
    Stepped,
)
from freezelint.analysis.knowledge.modules import MODULE_ITERATORS
from freezelint.analysis.predicates import is_total
from freezelint.analysis.syntax import dotted
from freezelint.analysis.training import (
    is_written_again,
    shares_activation,
    steps_after,
)
from freezelint.analysis.values import ModuleValue, Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.syntax import Place
    from freezelint.analysis.trace import Trace

_KEPT_STILL = r"_*(?:ref|reference|target|teacher|old|frozen|prior|anchor)(?:_|\d*$)"
"""Names of networks that another is compared with while it is trained."""

_OTHER_WEIGHTS = ("disable_adapter", "set_adapter", "store", "swap", "restore", "copy_to")
"""What lets one module compute with other weights for a while."""


def frozen_apart(trace: Trace, alias: Aliased) -> tuple[FlagWritten, OptimizerBuilt] | None:
    """A freeze through one of two names of a module, and an optimizer that trains the other."""
    if _is_shortcut(alias) or (_is_stored(alias) and trace.file.mentions("__exit__")):
        return None
    for write in trace.all(FlagWritten):
        if write.value is not False or not write.certain or write.repeated:
            continue
        if not any(part.key == alias.key and is_total(part.predicate) for part in write.parts):
            continue
        name = _name_of_write(trace, write, alias)
        if name is None:
            continue
        for built in trace.all(OptimizerBuilt):
            if not _holds(trace, built, alias.key) or not shares_activation(built, write):
                continue
            later = max(write, built, key=lambda each: each.index)
            step = next(steps_after(trace, later, built.key), None)
            if step is None or is_written_again(trace, write, True, step.index):
                continue
            listed = _listed_as(trace, built, alias.key)
            if listed not in (None, name) and alias.name in (listed, name):
                return write, built
    return None


def compared_with_itself(trace: Trace, alias: Aliased) -> tuple[Event, Event] | None:
    """A forward pass without gradients through one name, for a step of training of the other."""
    if _is_shortcut(alias):
        return None
    trained = [built for built in trace.all(OptimizerBuilt) if _holds(trace, built, alias.key)]
    passes = [
        each
        for each in trace.all(ForwardRan)
        if each.key == alias.key and each.index > alias.index and _is_new(each, alias)
    ]
    for still in passes:
        if still.grad_enabled is not False:
            continue
        for moving in passes:
            if moving.grad_enabled is not True or not _are_told_apart(trace, still, moving, alias):
                continue
            if any(_trains_both(trace, still, moving, built) for built in trained):
                return still, moving
    return _lent_twice(trace, alias, trained)


def _is_new(run: ForwardRan, alias: Aliased) -> bool:
    """Whether a module runs for the first time under a name that it got before, or in a loop."""
    return not run.repeated or bool(set(run.loops).intersection(alias.loops))


def _lent_twice(
    trace: Trace, alias: Aliased, trained: list[OptimizerBuilt]
) -> tuple[Event, Event] | None:
    """The same, where a function gets first the one and then the other.

    What the function is for need not be known. Only of a name that says what it is for, and where
    both are computed alike.
    """
    if re.match(_KEPT_STILL, alias.name.rpartition(".")[2]) is None:
        return None
    if any(map(trace.file.mentions, _OTHER_WEIGHTS)):
        return None
    calls: list[Borrowed | ForwardRan] = [*trace.all(Borrowed), *trace.all(ForwardRan)]
    lent = [
        (each, _call_of(each, alias))
        for each in calls
        if alias.key in _keys(each) and each.index > alias.index
    ]
    for still, held in lent:
        if still.repeated or still.grad_enabled is not False or _name_in(held, alias) != alias.name:
            continue
        for moving, passed in lent:
            if (
                not moving.repeated
                and moving.grad_enabled is True
                and _name_in(passed, alias) == alias.other
                and _called(held) == _called(passed)
                # Each step has both, so that what is kept still is not computed for several.
                and sum(each.node is held.node for _, each in lent)
                == sum(each.node is passed.node for _, each in lent)
                and any(_trains_both(trace, still, moving, built) for built in trained)
            ):
                return still, moving
    return None


def _keys(event: Borrowed | ForwardRan) -> tuple[int, ...]:
    return event.keys if isinstance(event, Borrowed) else (event.key,)


def _call_of(event: Event, alias: Aliased) -> Place:
    """The call that caused an event, as the code sees it that gave the second name."""
    depth = len(alias.activations)
    is_inside = event.activations[:depth] == alias.activations
    return (*event.stack, event.place)[len(alias.stack)] if is_inside else event.place


def _name_in(call: Place, alias: Aliased) -> str | None:
    found = {alias.name, alias.other}.intersection(_names(call))
    return found.pop() if len(found) == 1 else None


def _called(call: Place) -> str | None:
    node = call.node
    return dotted(node.func) if isinstance(node, cst.Call) else None


def _is_shortcut(alias: Aliased) -> bool:
    """``net = self.net``: a shorter name for use nearby, or the same one, as of ``self.net = net``."""
    if "." not in alias.other:
        return alias.name == f"self.{alias.other}"
    return "." not in alias.name


def _is_stored(alias: Aliased) -> bool:
    """``self.net = net``, as a context that freezes it for a while does."""
    return "." in alias.name and "." not in alias.other


def _names(place: Place) -> Iterator[str]:
    """What a call is made on, and what it is passed, as far as these are names."""
    node = place.node
    if not isinstance(node, cst.Call):
        return
    function = node.func
    for each in (function, *(argument.value for argument in node.args)):
        name = dotted(each)
        if name is not None:
            yield name
    if isinstance(function, cst.Attribute):
        name = dotted(function.value)
        if name is not None:
            yield name


def _name_of(event: Event, alias: Aliased, *labels: str) -> str | None:
    """By which of its two names an event got hold of the module; None if that is not clear."""
    return _name_among(event, {alias.name, alias.other}, *labels)


def _name_among(event: Event, names: set[str], *labels: str) -> str | None:
    mentioned = {name for place in (*event.stack, event.place) for name in _names(place)}
    found = mentioned.union(labels) & names
    return found.pop() if len(found) == 1 else None


def _name_of_write(trace: Trace, write: FlagWritten, alias: Aliased) -> str | None:
    depth = len(alias.stack)
    if write.index < alias.index:
        # ``teacher = freeze(student)`` means the teacher.
        is_inside = len(write.stack) > depth and (
            write.stack[depth].statement is alias.place.statement
        )
        return alias.name if is_inside else None
    return _name_of(write, alias, *_labels_before(trace, write, alias.key))


def _labels_before(trace: Trace, event: Event, key: int) -> Iterator[str]:
    """How the module was called when it was last asked for its parameters, or told to freeze."""
    for call in trace.before(event, MethodCalled):
        if isinstance(call.receiver, ModuleValue) and call.receiver.key == key:
            yield call.label
            return


def _listed_as(trace: Trace, built: OptimizerBuilt, key: int) -> str | None:
    """How the module was called when an optimizer got its parameters."""
    for call in trace.before(built, MethodCalled):
        is_listing = call.name in MODULE_ITERATORS and isinstance(call.receiver, ModuleValue)
        if is_listing and call.receiver == ModuleValue(key):
            return call.label
    return None


def _holds(trace: Trace, built: OptimizerBuilt, key: int) -> bool:
    return any(trace.part_covers(part, Part(key), built.index) for part in built.parts)


def _are_told_apart(trace: Trace, still: ForwardRan, moving: ForwardRan, alias: Aliased) -> bool:
    """Whether two passes happen through one name each, in one piece of code."""
    for names in ({alias.name, alias.other}, *_beside(trace, alias), *_as_fields(still, alias)):
        first, second = _name_among(still, names), _name_among(moving, names)
        if first is not None and second is not None:
            return first != second
    # A function that got both.
    return any(
        one.node is other.node and {alias.name, alias.other} <= set(_names(one))
        for one, other in zip(still.stack, moving.stack, strict=False)
    )


def _beside(trace: Trace, alias: Aliased) -> Iterator[set[str]]:
    """The name with another: two attributes of one object that one module was given to."""
    owner, _, _ = alias.name.rpartition(".")
    for each in trace.before(alias, Aliased):
        has_owner = owner and each.name.rpartition(".")[0] == owner
        if has_owner and each.key == alias.key and each.name != alias.name:
            yield {alias.name, each.name}


def _as_fields(still: ForwardRan, alias: Aliased) -> Iterator[set[str]]:
    """The names that both have as fields of one object, such as a named tuple."""
    if "." in alias.name or "." in alias.other:
        return
    for place in (*still.stack, still.place):
        for name in _names(place):
            owner, _, field = name.rpartition(".")
            if owner and field == alias.name:
                yield {name, f"{owner}.{alias.other}"}


def _trains_both(trace: Trace, still: Event, moving: Event, built: OptimizerBuilt) -> bool:
    """Whether both passes serve one backward, which an optimizer follows."""
    first, last = sorted((still, moving), key=lambda each: each.index)
    for backward in trace.after(last, BackwardRan):
        between = (
            step for step in trace.between(first, backward, Stepped) if built.key in step.keys
        )
        if any(True for _ in between) or not _stands_above(still, backward):
            return False
        return any(True for _ in steps_after(trace, backward, built.key))
    return False


def _stands_above(event: Event, other: Event) -> bool:
    """Whether an event stands in the code before another, not in an earlier turn of its loop."""
    mine, theirs = (*event.stack, event.place), (*other.stack, other.place)
    for one, another in zip(mine, theirs, strict=False):
        if one.node is not another.node:
            return one.chunk is another.chunk and one.span.line <= another.span.line
    return True
