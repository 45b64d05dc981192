"""Fresh modules in what is frozen: heads that were put there, by an event or a constructor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    BackwardRan,
    FlagWritten,
    HandedOver,
    MethodCalled,
    Stepped,
    SubmoduleReplaced,
)
from freezelint.analysis.knowledge.layers import MODULE_CONTAINERS
from freezelint.analysis.objects import Origin
from freezelint.analysis.trainability import is_born_trainable
from freezelint.analysis.training import trained_before
from freezelint.analysis.values import ModuleValue, Part
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from freezelint.analysis.syntax import Place
    from freezelint.analysis.trace import Trace

_NEW = (Origin.BUILT, Origin.OWN_CLASS)


class Head(NamedTuple):
    """A fresh module in what is frozen."""

    key: int
    label: str
    place: Place | None
    attached: SubmoduleReplaced | None = None
    """What put it there, unless that was a constructor in which nothing else happens."""
    joined: int | None = None
    """What stands for the model that it is in and for others, whichever of them is made."""

    @property
    def held_as(self) -> int:
        """What to ask for where the model goes on."""
        return self.key if self.joined is None else self.joined


def head_in(trace: Trace, freeze: FlagWritten, part: Part) -> Head | None:
    """A fresh module below a part; of one of several models, if each of them has one."""
    module = trace.objects.module(part.key)
    if module.origin is not Origin.JOINED:
        return new_head(trace, freeze, part) or head_of_class(trace, freeze, part)
    if _may_be_loaded(trace, part.key, module.born, freeze):
        return None
    heads = [
        new_head(trace, freeze, Part(key))
        for key in module.alternatives
        if trace.objects.module(key).origin is not Origin.JOINED
    ]
    found = [each for each in heads if each is not None]
    return found[0]._replace(joined=part.key) if found and len(found) == len(heads) else None


def new_head(trace: Trace, freeze: FlagWritten, part: Part) -> Head | None:
    """The latest fresh module below the part that was put there on purpose."""
    for change in trace.before(freeze, SubmoduleReplaced):
        if change.new is None or trace.objects.module(change.new).origin not in _NEW:
            continue
        if not trace.covers(part, change.new, freeze.index) or change.new == part.key:
            continue
        if not is_born_trainable(trace, change.new, freeze.index):
            continue
        if _is_surgery(trace, change) or _is_beside_loaded(trace, change, freeze):
            if trained_before(trace, freeze, change) is not None or _may_be_loaded(
                trace, change.new, change.index, freeze
            ):
                return None
            return Head(change.new, change.label, change.place, change)
    return None


def head_of_class(trace: Trace, freeze: FlagWritten, part: Part) -> Head | None:
    """A head that a constructor put into a loaded model, or a plain layer next to one."""
    whole = trace.objects.module(part.key)
    if whole.is_subject or whole.born < 0 or _is_trained(trace, freeze):
        return None
    trace.look_inside(part.key)
    for module in trace.objects.below(part.key, freeze.index):
        is_layer = module.origin is Origin.OWN_CLASS or _is_plain_layer(trace, module.key)
        if not is_layer or not is_born_trainable(trace, module.key, freeze.index):
            continue
        if _may_be_loaded(trace, module.key, module.born, freeze):
            return None
        for each in module.attachments:
            if (
                each.until is None
                and each.since <= freeze.index
                and _is_head_of(trace, module.key, each.parent, freeze.index)
            ):
                return Head(module.key, trace.objects.label(module.key), module.place)
    return None


def _is_trained(trace: Trace, freeze: FlagWritten) -> bool:
    return any(
        each.index < freeze.index for kind in (BackwardRan, Stepped) for each in trace.all(kind)
    )


def _may_be_loaded(trace: Trace, key: int, since: int, freeze: FlagWritten) -> bool:
    """Whether a module may have got weights before it was frozen, from a file or out of sight."""
    times = (trace.objects.module(each).loaded for each in trace.objects.holders(key, freeze.index))
    if any(at is not None and since <= at < freeze.index for at in times):
        return True
    return any(
        since <= each.index and any(trace.related(holder, key, each.index) for holder in each.keys)
        for each in trace.before(freeze, HandedOver)
    ) or any(
        call.index >= since
        and call.name.startswith("load_")
        and isinstance(call.receiver, ModuleValue)
        and trace.related(call.receiver.key, key, call.index)
        for call in trace.before(freeze, MethodCalled)
    )


def _is_head_of(trace: Trace, key: int, parent: int, at: int) -> bool:
    owner = trace.objects.module(parent)
    if _is_loaded(trace, parent):
        return True
    return (
        owner.owner_class is not None
        and (_is_plain_layer(trace, key) or _consists_of_layers(trace, key, at))
        and any(_is_loaded(trace, other) for other in trace.objects.held_by(parent, at))
    )


def _is_surgery(trace: Trace, change: SubmoduleReplaced) -> bool:
    """Whether a module was made before, and something is put into it now."""
    if change.old is not None:
        return True
    owner = trace.objects.module(change.parent)
    is_list_in_sight = owner.origin is Origin.BUILT and owner.library in MODULE_CONTAINERS
    is_built_so = owner.origin is Origin.OWN_CLASS or is_list_in_sight
    return not is_built_so or "__init__" not in change.scopes


def _is_beside_loaded(trace: Trace, change: SubmoduleReplaced, freeze: FlagWritten) -> bool:
    """Whether a class puts the fresh module next to one that is loaded from a library."""
    if change.new is None or not _is_plain_layer(trace, change.new):
        return False
    return any(
        other.parent == change.parent and other.new is not None and _is_loaded(trace, other.new)
        for other in trace.before(freeze, SubmoduleReplaced)
    )


def _is_plain_layer(trace: Trace, key: int) -> bool:
    library = trace.objects.module(key).library
    return library is not None and library.startswith("torch.nn.")


def _consists_of_layers(trace: Trace, key: int, at: int) -> bool:
    """Whether this is a small class of the file around plain layers, and nothing else."""
    trace.look_inside(key)
    module, held = trace.objects.module(key), trace.objects.held_by(key, at)
    is_own = module.origin is Origin.OWN_CLASS and module.is_complete
    return is_own and bool(held) and all(_is_plain_layer(trace, each) for each in held)


def _is_loaded(trace: Trace, key: int) -> bool:
    module = trace.objects.module(key)
    library = module.library
    return (
        module.origin is Origin.BUILT
        and library is not None
        and not library.startswith("torch.nn.")
    )
