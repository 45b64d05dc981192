"""A freeze whose parameters are replaced: was it meant to hold, and does anything take the new ones?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    Event,
    FlagWritten,
    HandedOver,
    OptimizerBuilt,
    ParametersReplaced,
    SubmoduleReplaced,
)
from freezelint.analysis.objects import Origin
from freezelint.analysis.training import without_flag_tests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part


def latest_freeze(trace: Trace, event: Event, part: Part) -> FlagWritten | None:
    """The write that froze a part before an event, where no other came in between.

    It may have been made under a condition: whenever it was made, the part is frozen.
    None as well where code out of sight had the part in hands since.
    """
    for write in trace.before(event, FlagWritten):
        if any(trace.parts_overlap(mine, part, write.index) for mine in write.parts):
            covered = any(trace.part_covers(mine, part, write.index) for mine in write.parts)
            is_freeze = write.value is False and write.certain and covered
            return write if is_freeze and not _is_handed_over(trace, write, event, part) else None
    return None


def is_decided_again(trace: Trace, event: Event, part: Part) -> bool:
    """Whether the flags of a part are written after an event, or may be before an optimizer."""
    until = next(trace.after(event, OptimizerBuilt), trace.events[-1])
    return _is_handed_over(trace, event, until, part) or any(
        trace.parts_overlap(mine, part, later.index)
        for later in trace.after(event, FlagWritten)
        for mine in later.parts
    )


def _is_handed_over(trace: Trace, first: Event, last: Event, part: Part) -> bool:
    """Whether code out of sight had the part in hands, other than what replaces parameters."""
    replacing = {id(first.place.node)}
    replacing |= {
        id(each.place.node) for each in trace.all(ParametersReplaced) if each.how == "weight_norm"
    }
    return any(
        trace.related(key, part.key, each.index)
        for each in trace.between(first, last, HandedOver)
        if id(each.place.node) not in replacing
        for key in each.keys
    )


def takers(trace: Trace, event: Event, part: Part) -> list[OptimizerBuilt]:
    """Optimizers that are built after an event over all that surrounds a part."""
    return [
        built
        for built in trace.after(event, OptimizerBuilt)
        if any(
            trace.part_covers(without_flag_tests(mine), part, built.index) for mine in built.parts
        )
    ]


def is_part_of_more(
    trace: Trace, freeze: FlagWritten, built: Sequence[OptimizerBuilt], but: Event
) -> bool:
    """Whether something else trains with it: what is trained alone is meant to be."""
    whole = [without_flag_tests(part) for each in built for part in each.parts]
    if not all(
        any(trace.part_covers(mine, part, freeze.index) for mine in freeze.parts) for part in whole
    ):
        return True
    return _is_joined(trace, freeze, whole, but) or any(
        later.value is True
        and any(trace.parts_overlap(one, other, later.index) for one in later.parts)
        for later in trace.after(freeze, FlagWritten)
        for other in whole
    )


def _is_joined(trace: Trace, freeze: FlagWritten, whole: Sequence[Part], but: Event) -> bool:
    """Whether something trainable was attached after the freeze."""
    return any(
        each is not but
        and each.new is not None
        and trace.objects.module(each.new).flag_at_birth is True
        and any(_takes_in(trace, part, each, each.new) for part in whole)
        for each in trace.after(freeze, SubmoduleReplaced)
    )


def _takes_in(trace: Trace, part: Part, change: SubmoduleReplaced, new: int) -> bool:
    """Whether a part holds what was attached, be it to each module that a loop goes over."""
    if trace.objects.module(change.parent).origin is Origin.ELEMENT:
        holder = trace.objects.parts_of(change.parent)[0].key
        return trace.covers(part, holder, trace.now)
    return trace.covers(part, new, trace.now)


def are_of_one_kind(trace: Trace, old: int, new: int) -> bool:
    """Whether a model was built from scratch, of the same class or by the same function."""
    first, second = trace.objects.module(old), trace.objects.module(new)
    if second.origin is Origin.OWN_CLASS:
        return second.owner_class is not None and second.owner_class == first.owner_class
    return (
        second.origin is Origin.BUILT
        and second.library is not None
        and second.library == first.library
    )


def is_loaded_anew(trace: Trace, old: int, new: int) -> bool:
    """Whether a checkpoint goes into a model of the same kind as the one whose place it takes."""
    module = trace.objects.module(new)
    is_loaded = module.loaded is not None or (module.library or "").endswith(".from_pretrained")
    return is_loaded and are_of_one_kind(trace, old, new)
