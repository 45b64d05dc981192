"""Which modules with running statistics a freeze by flags leaves without a trainable layer.

Flags do not reach statistics: what is frozen here still needs evaluation mode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.architectures import known_place
from freezelint.analysis.contents import holds
from freezelint.analysis.events import FlagWritten, SubmoduleReplaced
from freezelint.analysis.knowledge.layers import LayerKind
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import (
    OF_CHILDREN,
    AllButLast,
    First,
    NameTest,
    OfChildren,
    Some,
    decide,
    is_total,
)
from freezelint.analysis.trace import compatible
from freezelint.analysis.values import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.architectures import KnownPlace
    from freezelint.analysis.predicates import Predicate
    from freezelint.analysis.trace import Trace

_ENOUGH = 0.5
"""Of a known model, so many of the BatchNorms must be frozen for it to count as frozen.

Or so many of its stages, which is what people count when they freeze from the input on.
"""


def frozen_with_statistics(trace: Trace, freeze: FlagWritten) -> Iterator[int]:
    """The outermost modules that a write of False freezes for good and that hold BatchNorm."""
    found: list[int] = []
    for part in freeze.parts:
        inner = trace.objects.below(part.key, freeze.index)
        for key in (part.key, *(each.key for each in inner)):
            predicate = part.predicate if key == part.key else ()
            if key != part.key and not trace.part_covers(part, Part(key), freeze.index):
                continue
            if any(trace.objects.route(each, key, freeze.index) is not None for each in found):
                continue
            if not keeps_statistics(trace, key, freeze.index):
                continue
            if _stays_frozen(trace, Part(key, predicate), freeze):
                found.append(key)
                yield key


def frozen_slices(trace: Trace, freeze: FlagWritten, key: int, whole: int, at: int) -> list[int]:
    """What was made of the layers of a frozen network, and hangs below a module now."""
    return [
        each.key
        for each in trace.objects.below(whole, at)
        if each.origin is Origin.DERIVED
        and each.source == key
        and each.born > freeze.index
        and keeps_statistics(trace, each.key, at)
        and _stays_frozen(trace, Part(each.key), freeze)
    ]


def keeps_statistics(trace: Trace, key: int, at: int, *, trusting: bool = False) -> bool:
    """Whether a module certainly holds BatchNorm, also as most of a network that is known.

    With ``trusting``, as if code out of sight had left it as it was.
    """
    if holds(trace, key, at, LayerKind.BATCH_NORM, trusting=trusting):
        return True
    module = trace.objects.module(key)
    if module.origin is not Origin.DERIVED or module.source is None or module.has_own:
        return False
    place = known_place(trace, module.source)
    if place is None or (not trusting and trace.was_handed_over(key, at)):
        return False
    dropped = [each.dropped for each in module.predicate if isinstance(each, AllButLast)]
    known = all(isinstance(each, (OfChildren, Some, AllButLast)) for each in module.predicate)
    if len(dropped) != 1 or not known:
        return False
    # Layers without parameters are not counted, so at least these are there.
    first = dict.fromkeys(name.partition(".")[0] for name in place.parameter_names or ())
    return any(place.below(name).holds(LayerKind.BATCH_NORM) for name in list(first)[: -dropped[0]])


def _stays_frozen(trace: Trace, part: Part, freeze: FlagWritten) -> bool:
    later = [
        (mine, write.index)
        for write in trace.all(FlagWritten)
        if write.index > freeze.index and write.value is not False
        if compatible(write.path, freeze.path)
        for mine in write.parts
        if trace.parts_overlap(mine, part, write.index)
    ]
    place = known_place(trace, part.key)
    kept = _first_parameters(trace, part, place, freeze.index)
    if place is None:
        return is_total(part.predicate) and all(
            _is_without_statistics(trace, each, at) for each, at in later
        )
    if place.parameter_names is None:
        return _stages_stay_frozen(trace, part, place, later)
    layers = [
        name
        for name in place.parameter_names or ()
        if _owner_of(place, name).holds(LayerKind.BATCH_NORM)
    ]
    frozen = [
        name
        for name in layers
        if (_picks(part.predicate, name) is True or name in kept)
        and not any(_may_reach(trace, each, at, part.key, name) for each, at in later)
    ]
    if not layers or len(frozen) >= _ENOUGH * len(layers):
        return bool(layers)
    stages = {name.partition(".")[0] for name in layers}
    trained = {name.partition(".")[0] for name in set(layers).difference(frozen)}
    return not place.path and len(stages - trained) >= _ENOUGH * len(stages)


def _stages_stay_frozen(
    trace: Trace, part: Part, place: KnownPlace, later: list[tuple[Part, int]]
) -> bool:
    """The same of a model of which no more is known than what hangs directly below it."""
    stages = [
        name
        for name in place.submodule_names or ()
        if place.below(name).holds(LayerKind.BATCH_NORM)
    ]
    if not stages:
        # What lies deeper is as a whole what it is.
        return is_total(part.predicate) and not later
    frozen = [
        name
        for name in stages
        if decide(part.predicate, name) is True
        and not any(_may_reach_stage(trace, each, at, part.key, name) for each, at in later)
    ]
    return len(frozen) >= _ENOUGH * len(stages)


def _may_reach_stage(trace: Trace, part: Part, at: int, key: int, name: str) -> bool:
    """Whether a part may hold parameters of the submodule of this name."""
    down = trace.objects.route(key, part.key, at)
    if down:
        return down.partition(".")[0] == name
    up = trace.objects.route(part.key, key, at)
    return up is None or decide(part.predicate, f"{up}.{name}" if up else name) is not False


def _first_parameters(
    trace: Trace, part: Part, place: KnownPlace | None, at: int
) -> frozenset[str]:
    """The names of the parameters that ``list(model.parameters())[:-2]`` takes, if that is all.

    Counted from the end, they depend on what was exchanged before; so do the first of a model of
    which the order is known, but for what is exchanged behind them.
    """
    first = [atom for atom in part.predicate if isinstance(atom, First)]
    if len(first) == 1:
        return _below_first(trace, part, place, at, first[0].number)
    slices = [atom for atom in part.predicate if isinstance(atom, AllButLast)]
    others = [atom for atom in part.predicate if not isinstance(atom, (AllButLast, Some))]
    names = () if place is None else place.parameter_names or ()
    if len(slices) != 1 or others or _is_exchanged(trace, part.key, at):
        return frozenset()
    return frozenset(names[: -slices[0].dropped])


def _below_first(
    trace: Trace, part: Part, place: KnownPlace | None, at: int, number: int
) -> frozenset[str]:
    names = () if place is None else place.parameter_names or ()
    if not all(isinstance(atom, (First, Some, OfChildren)) for atom in part.predicate):
        return frozenset()
    if OF_CHILDREN not in part.predicate:
        return frozenset() if _is_exchanged(trace, part.key, at) else frozenset(names[:number])
    first = () if place is None else place.order_of_submodules[:number]
    exchanged = {
        change.attribute.strip("[]")
        for change in trace.all(SubmoduleReplaced)
        if change.index < at and change.parent == part.key
    }
    if not exchanged.isdisjoint(first) or _is_exchanged_inside(trace, part.key, at):
        return frozenset()
    return frozenset(name for name in names if name.partition(".")[0] in first)


def _is_exchanged_inside(trace: Trace, key: int, at: int) -> bool:
    """Whether something was exchanged that hangs deeper than directly below a module."""
    return any(
        change.index < at and bool(trace.objects.route(key, change.parent, change.index))
        for change in trace.all(SubmoduleReplaced)
    )


def _is_exchanged(trace: Trace, key: int, at: int) -> bool:
    return any(
        change.index < at and trace.objects.route(key, change.parent, change.index) is not None
        for change in trace.all(SubmoduleReplaced)
    )


def _owner_of(place: KnownPlace, parameter: str) -> KnownPlace:
    """The place of the submodule that owns a parameter below here."""
    for step in parameter.split(".")[:-1]:
        place = place.below(step)
    return place


def _is_without_statistics(trace: Trace, part: Part, at: int) -> bool:
    return holds(trace, part.key, at, LayerKind.BATCH_NORM) is False


def _may_reach(trace: Trace, part: Part, at: int, key: int, name: str) -> bool:
    """Whether a part may hold the parameter of this name below a module."""
    down = trace.objects.route(key, part.key, at)
    if down is not None:
        inside = f"{down}." if down else ""
        below = name.removeprefix(inside)
        return name.startswith(inside) and _picks(part.predicate, below) is not False
    up = trace.objects.route(part.key, key, at)
    return up is None or _picks(part.predicate, f"{up}.{name}") is not False


def _picks(predicate: Predicate, name: str) -> bool | None:
    """Whether a predicate picks the parameter of this name; None where it is not known."""
    answer: bool | None = True
    for atom in predicate:
        if isinstance(atom, OfChildren):
            continue
        if not isinstance(atom, NameTest):
            answer = None
        elif atom.is_met_by(name) is False:
            return False
    return answer
