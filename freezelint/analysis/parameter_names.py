"""Which parameters a module has, by name, where all of it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.architectures import known_place
from freezelint.analysis.knowledge.layers import CONTAINERS
from freezelint.analysis.knowledge.torch import LAYERS_WITH_WEIGHT, LAYERS_WITHOUT_PARAMETERS
from freezelint.analysis.objects import Origin

if TYPE_CHECKING:
    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.trace import Trace

_DEEPEST = 12

Names = tuple[str, ...]


def parameter_names(trace: Trace, key: int, at: int) -> Names | None:
    """The names of a module's parameters at a moment, as ``named_parameters()`` gives them.

    None unless every submodule is known: a known architecture, with what the code has put in
    its place, or a class and layers in sight. Some may be missing in truth: the bias of a layer
    without one, the auxiliary head of a model that was loaded without it.
    """
    if trace.was_handed_over(key, at):
        return None
    return _names(trace, key, at, _DEEPEST)


def _names(trace: Trace, key: int, at: int, depth: int) -> Names | None:
    module = trace.objects.module(key)
    if module.origin is Origin.PARAMETER:
        return ("",)
    if depth == 0:
        return None
    place = known_place(trace, key)
    if place is not None:
        own = place.parameter_names
        changes = _changes(trace, key, at)
        if own is None:
            return None
        replaced = tuple(f"{place.name_of(attribute)}." for attribute in changes)
        kept = tuple(name for name in own if not f"{name}.".startswith(replaced))
        held = _all_below(trace, {place.name_of(each): k for each, k in changes.items()}, at, depth)
        return None if held is None else kept + held
    if module.origin is Origin.BUILT:
        return _of_layer(trace, module, at, depth)
    if module.origin is not Origin.OWN_CLASS or module.is_subject:
        return None
    trace.look_inside(key)
    # An attribute that nothing was assigned to is no module, if all of them are in sight.
    changes = {
        attribute: held
        for attribute, held in _changes(trace, key, at).items()
        if held is None or trace.objects.module(held).origin is not Origin.CHILD
    }
    return _all_below(trace, changes, at, depth) if module.is_complete else None


def _of_layer(trace: Trace, module: ModuleObject, at: int, depth: int) -> Names | None:
    package, _, layer = (module.library or "").rpartition(".")
    if package != "torch.nn":
        return None
    if layer in CONTAINERS:
        below = _changes(trace, module.key, at)
        return _all_below(trace, below, at, depth) if module.is_complete else None
    if layer in LAYERS_WITH_WEIGHT:
        return ("weight", "bias")
    return () if layer in LAYERS_WITHOUT_PARAMETERS else None


def _all_below(trace: Trace, held: dict[str, int | None], at: int, depth: int) -> Names | None:
    names: list[str] = []
    for attribute, key in held.items():
        below = () if key is None else _names(trace, key, at, depth - 1)
        if below is None or attribute.startswith("[+"):
            return None
        name = attribute.strip("[]'\"")
        names += (f"{name}.{each}" if each else name for each in below)
    return tuple(names)


def _changes(trace: Trace, key: int, at: int) -> dict[str, int | None]:
    """What hangs below a module under the attributes that the code mentions; None for nothing."""
    changes: dict[str, int | None] = {}
    for held, each in trace.objects.attachments_to(key):
        if each.since > at:
            continue
        is_there = each.until is None or each.until > at
        if is_there:
            changes[each.attribute] = held
        else:
            changes.setdefault(each.attribute, None)
    return changes
