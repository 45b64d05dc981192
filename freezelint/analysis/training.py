"""What a trace tells about training: who steps, what is cleared, what is rebuilt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    BackwardRan,
    Event,
    FlagWritten,
    ForwardRan,
    GradientsCleared,
    GroupAdded,
    HandedOver,
    OptimizerBuilt,
    Stepped,
)
from freezelint.analysis.library_events import FlagsSetByLibrary
from freezelint.analysis.predicates import SOME, FlagTest, flag_tests, is_total, lies_below
from freezelint.analysis.trace import implies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part


def without_flag_tests(part: Part) -> Part:
    """The part as it would be if no test of ``requires_grad`` had been made."""
    kept = tuple(atom for atom in part.predicate if not isinstance(atom, FlagTest))
    return part._replace(predicate=kept)


def region_inside(trace: Trace, whole: Part, piece: Part, at: int) -> bool:
    """Whether the parameters of ``piece`` certainly are (among) those of ``whole``.

    Also when ``piece`` takes in all of ``whole``: then what ``whole`` holds is meant.
    """
    tests = flag_tests(whole.predicate)
    if tests and all(
        trace.flag(piece, at if test.at is None else test.at, ()).value is test.value
        for test in tests
    ):
        whole = without_flag_tests(whole)
    if trace.part_covers(whole, piece, at) or trace.part_covers(piece, whole, at):
        return True
    if not is_total(whole.predicate):
        return False
    if trace.objects.route(whole.key, piece.key, at) is not None:
        return True
    up = trace.objects.route(piece.key, whole.key, at)
    return up is not None and lies_below(piece.predicate, up)


def steps_after(trace: Trace, event: Event, optimizer: int) -> Iterator[Stepped]:
    """Steps of an optimizer after an event."""
    return (each for each in trace.after(event, Stepped) if optimizer in each.keys)


def trained_before(trace: Trace, event: Event, since: Event) -> Event | None:
    """The latest backward or step between two events, if there is one."""
    latest: Event | None = None
    for kind in (BackwardRan, Stepped):
        for each in trace.between(since, event, kind):
            if latest is None or each.index > latest.index:
                latest = each
    return latest


def is_handed_on(trace: Trace, event: Event, optimizer: int) -> bool:
    """Whether an optimizer goes to code out of sight after an event."""
    return any(optimizer in each.optimizers for each in trace.after(event, HandedOver))


def is_cleared(trace: Trace, first: Event, last: Event, optimizer: int, part: Part) -> bool:
    """Whether gradients of a part were set to None (or perhaps were) between two events."""
    for each in trace.between(first, last, GradientsCleared):
        if each.to_none is False:
            continue
        if optimizer in each.optimizers:
            return True
        if any(trace.parts_overlap(mine, part, each.index) for mine in each.parts):
            return True
    return False


def is_rebuilt(trace: Trace, event: Event, part: Part, optimizer: int) -> bool:
    """Whether another optimizer takes over the part, or this one may get it, after an event."""
    for built in trace.after(event, OptimizerBuilt):
        if built.key != optimizer and _may_hold(trace, built.parts, part, built.index):
            return True
        if built.key != optimizer and not built.parts:
            return True
    return any(
        (optimizer in added.keys and not added.complete)
        or _may_hold(trace, added.parts, part, added.index)
        for added in trace.after(event, GroupAdded)
    )


def is_dropped(trace: Trace, built: OptimizerBuilt) -> bool:
    """Whether another optimizer for the same model takes over before this one ever steps."""
    if any(True for _ in steps_after(trace, built, built.key)):
        return False
    roots = frozenset().union(*(trace.objects.roots(part.key, built.index) for part in built.parts))
    return any(
        trace.objects.roots(part.key, later.index) & roots
        for later in trace.after(built, OptimizerBuilt)
        for part in later.parts
    )


def _may_hold(trace: Trace, parts: tuple[Part, ...], part: Part, at: int) -> bool:
    return any(trace.parts_overlap(mine, part, at) for mine in parts)


def flag_changes_after(trace: Trace, event: Event) -> list[FlagWritten]:
    """Writes of flags after an event, in order: those of the code, and those of libraries."""
    changes = [*trace.after(event, FlagWritten), *trace.after(event, FlagsSetByLibrary)]
    return sorted(changes, key=lambda change: change.index)


def is_written_again(trace: Trace, event: FlagWritten, value: bool, until: int) -> bool:
    """Whether the flags of an event's parts may get another value before a moment."""
    for later in flag_changes_after(trace, event):
        if later.index >= until:
            return False
        if later.value is (not value):
            continue
        for part in event.parts:
            if any(trace.part_covers(mine, part, later.index) for mine in later.parts):
                return True
            if any(mine == part and SOME in part.predicate for mine in later.parts):
                return True
    return False


def trains_later(trace: Trace, event: FlagWritten, part: Part, optimizer: int) -> bool:
    """Whether some of a part is switched on after steps that follow an event: a schedule."""
    first = next(steps_after(trace, event, optimizer), None)
    return first is not None and any(
        later.value is True
        and any(trace.parts_overlap(mine, part, later.index) for mine in later.parts)
        for later in flag_changes_after(trace, first)
    )


def is_said_before(trace: Trace, freeze: FlagWritten, until: int) -> bool:
    """Whether the same line froze the same before a moment: a ``train`` of its own says it again."""
    return any(
        write.place.node is freeze.place.node
        and write.value is False
        and any(
            trace.parts_overlap(mine, part, write.index)
            for mine in write.parts
            for part in freeze.parts
        )
        for write in trace.before(freeze, FlagWritten)
        if write.index < until
    )


def may_be_unknown(trace: Trace, part: Part, first: Event, last: Event) -> bool:
    """Whether code out of sight had the part in hands between two events."""
    return _were_handed(trace, part, trace.between(first, last, HandedOver))


def was_out_of_sight(trace: Trace, part: Part, until: Event) -> bool:
    """Whether code out of sight had the part in hands at any time before an event."""
    return _were_handed(trace, part, trace.before(until, HandedOver))


def _were_handed(trace: Trace, part: Part, events: Iterable[HandedOver]) -> bool:
    return any(trace.related(key, part.key, each.index) for each in events for key in each.keys)


def filters_by_flag(part: Part) -> bool:
    """Whether only parameters with ``requires_grad=True`` were taken."""
    return any(test.value for test in flag_tests(part.predicate))


def happens_whenever(event: Event, other: Event) -> bool:
    """Whether every run that reaches ``other`` reaches ``event`` too."""
    return implies(other.path, event.path)


def forwards_between(trace: Trace, key: int, first: Event, last: Event) -> list[ForwardRan]:
    """Calls of a module, or of one that holds it, between two events."""
    own = [each for each in trace.between(first, last, ForwardRan) if each.key == key]
    if own:
        return own
    return [
        each
        for each in trace.between(first, last, ForwardRan)
        if any(
            trace.objects.route(each.key, source, each.index) is not None
            for source in trace.objects.sources(key, each.index)
        )
    ]


def shares_activation(first: Event, other: Event) -> bool:
    """Whether one function activation (or the top level) caused both, directly or by calls."""
    return bool(first.activations and other.activations) and (
        first.activations[0] == other.activations[0]
    )
