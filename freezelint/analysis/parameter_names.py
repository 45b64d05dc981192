"""Which parameters a module has, by name, where all of it is known, or some."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.architectures import known_place, root_of
from freezelint.analysis.events import HandedOver, Wrapped
from freezelint.analysis.knowledge.layers import (
    CONTAINERS,
    COPYING_CONTAINERS,
    LAYERS_WITH_PARAMETERS,
    LAYERS_WITH_WEIGHT,
    LAYERS_WITHOUT_PARAMETERS,
)
from freezelint.analysis.knowledge.shapes import NUMBER, REST, names_of
from freezelint.analysis.objects import Origin
from freezelint.analysis.values import Constant, ElementsValue, ModuleValue

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    if trace.was_handed_over(key, at) or trace.objects.module(key).is_subject:
        return None
    names = _names(trace, key, at, _DEEPEST)
    return names if names is not None and are_whole(names) else None


def possible_names(trace: Trace, key: int, at: int) -> Names | None:
    """The names that a module's parameters may have, some of which it may not have.

    Of submodules that are not known, only where they hang is; of long lists, not how many
    there are: see :data:`REST` and :data:`NUMBER`. None where nothing is known.
    """
    return None if trace.was_handed_over(key, at) else _names(trace, key, at, _DEEPEST)


def are_whole(names: Names) -> bool:
    """Whether names are known to their ends, with all numbers."""
    return not any(name.endswith(REST) or NUMBER in name for name in names)


def _names(trace: Trace, key: int, at: int, depth: int) -> Names | None:
    module = trace.objects.module(key)
    if module.origin is Origin.PARAMETER:
        return ("",)
    if depth == 0 or _is_renamed(trace, key, at):
        return None
    place = known_place(trace, key)
    if place is not None and place.parameter_names is not None:
        changes = _changes(trace, key, at)
        replaced = tuple(f"{place.name_of(attribute)}." for attribute in changes)
        kept = tuple(name for name in place.parameter_names if not f"{name}.".startswith(replaced))
        return kept + _all_below(
            trace, {place.name_of(each): k for each, k in changes.items()}, at, depth
        )
    if module.origin is Origin.BUILT:
        names = _of_layer(trace, module, at, depth)
        return _of_published(trace, key, at, depth) if names is None else names
    if module.origin is Origin.CHILD:
        return _of_published(trace, key, at, depth)
    if module.origin is not Origin.OWN_CLASS:
        return None
    trace.look_inside(key)
    changes = _changes(trace, key, at, made=True)
    return _all_below(trace, changes, at, depth) if module.was_complete(at) else None


def _is_renamed(trace: Trace, key: int, at: int) -> bool:
    """Whether a module may have other parameters, as a parametrization gives them other names."""
    is_parametrized = any(
        each.key == key and each.index < at and each.wrapper.startswith("torch.nn.utils.")
        for each in trace.all(Wrapped)
    )
    return is_parametrized or any(
        key in each.keys and each.index < at and not each.keeps_layers
        for each in trace.all(HandedOver)
    )


def _of_layer(trace: Trace, module: ModuleObject, at: int, depth: int) -> Names | None:
    package, _, layer = (module.library or "").rpartition(".")
    if package != "torch.nn":
        return None
    if layer in CONTAINERS:
        below = _changes(trace, module.key, at, made=True)
        if layer == "ModuleDict" and any(each.startswith("[+") for each in below):
            return None
        names = _all_below(trace, below, at, depth) if module.was_complete(at) else None
        return names if names is None else _with_numbers(names, _length(module, len(below)))
    if layer in LAYERS_WITH_WEIGHT:
        return ("weight", "bias")
    if layer in COPYING_CONTAINERS:
        return _of_copies(trace, module, at, depth)
    return LAYERS_WITH_PARAMETERS.get(layer, () if layer in LAYERS_WITHOUT_PARAMETERS else None)


def _length(module: ModuleObject, held: int) -> int | None:
    """How many layers a container holds of which one stands for each."""
    values = () if module.arguments is None else module.arguments.positional
    value = values[0] if len(values) == 1 and held == 1 else None
    return value.number if isinstance(value, ElementsValue) else None


def _with_numbers(names: Names, count: int | None) -> Names:
    """Names of so many layers, where one has stood for each."""
    if count is None or not all(name.startswith(NUMBER) for name in names):
        return names
    return tuple(
        f"{number}{name.removeprefix(NUMBER)}" for number in range(count) for name in names
    )


def _of_copies(trace: Trace, module: ModuleObject, at: int, depth: int) -> Names | None:
    """``TransformerEncoder(layer, 6)``: so many copies of a layer."""
    given = module.arguments
    if given is None or not given.complete:
        return None
    copied = given.get(0, "encoder_layer") or given.get(0, "decoder_layer")
    number, norm = given.get(1, "num_layers"), given.get(2, "norm")
    below = _names(trace, copied.key, at, depth - 1) if isinstance(copied, ModuleValue) else None
    names = tuple(f"{NUMBER}.{each}" for each in (below if below is not None else (REST,)))
    count = number.value if isinstance(number, Constant) else None
    layers = _with_numbers(names, count if type(count) is int else None)
    return (
        *(f"layers.{each}" for each in layers),
        *((f"norm.{REST}",) if norm not in (None, Constant(None)) else ()),
    )


def _of_published(trace: Trace, key: int, at: int, depth: int) -> Names | None:
    """The names in a published model, or in a part of it, and in what the code put there."""
    root, steps = root_of(trace, trace.objects.module(key))
    given = root.arguments
    if root.origin is not Origin.BUILT or root.library is None or given is None:
        return None
    asked = next(iter((*given.positional, *given.keywords.values())), None)
    name = asked.value if isinstance(asked, Constant) else None
    names = None if "trust_remote_code" in given.keywords else names_of(root.library, name)
    if names is None:
        return None
    within = "".join(f"{_step(each)}." for each in steps)
    own = [each.removeprefix(within) for each in names if each.startswith(within)]
    if not own:
        # No part of the model, but what a method of it gives, as `get_encoder()`.
        return None
    changes = {
        _step(attribute): held
        for attribute, held in _changes(trace, key, at).items()
        if held is not None
    }
    return (*own, *_all_below(trace, changes, at, depth))


def _step(attribute: str) -> str:
    """A step in a name, of whose number it is not known whether there is one."""
    name = attribute.strip("[]'\"")
    return NUMBER if re.fullmatch(r"[+-]?\d*", name) else name


def _all_below(trace: Trace, held: Mapping[str, int | None], at: int, depth: int) -> Names:
    names: list[str] = []
    for attribute, key in held.items():
        below = () if key is None else _names(trace, key, at, depth - 1)
        name = NUMBER if attribute.startswith("[+") else attribute.strip("[]'\"")
        if below is None:
            names.append(f"{name}.{REST}")
        else:
            names += (f"{name}.{each}" if each else name for each in below)
    return tuple(names)


def _changes(trace: Trace, key: int, at: int, *, made: bool = False) -> dict[str, int | None]:
    """What hangs below a module under the attributes that the code mentions; None for nothing.

    With ``made``, without what the code only reads: nobody has put that there.
    """
    changes: dict[str, int | None] = {}
    for held, each in trace.objects.attachments_to(key):
        if each.since > at or (made and each.since < 0):
            continue
        is_there = each.until is None or each.until > at
        if is_there:
            changes[each.attribute] = held
        else:
            changes.setdefault(each.attribute, None)
    return changes
