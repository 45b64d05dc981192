"""What a trace tells about modules: which have parameters, and which of those train."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.architectures import known_place, own_parameters
from freezelint.analysis.events import Event, FlagWritten, SubmoduleReplaced
from freezelint.analysis.knowledge import transformers
from freezelint.analysis.knowledge.layers import (
    CONTAINERS,
    LAYERS_THAT_NORMALIZE,
    LAYERS_WITH_WEIGHT,
    LAYERS_WITHOUT_PARAMETERS,
)
from freezelint.analysis.library_events import FlagsSetByLibrary
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import OF_CHILDREN, AllButLast, is_total
from freezelint.analysis.values import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.definitions import ClassDefinition
    from freezelint.analysis.events import Path
    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.trace import Trace


_RECURRENT_AND_ATTENTION = frozenset(
    {
        "LSTM",
        "GRU",
        "RNN",
        "LSTMCell",
        "GRUCell",
        "RNNCell",
        "MultiheadAttention",
        "Transformer",
        "TransformerEncoder",
        "TransformerEncoderLayer",
        "TransformerDecoder",
        "TransformerDecoderLayer",
    }
)


_USES = ("(", ".parameters(", ".named_parameters(", ".forward(")
"""How a module is used."""


_DRAWS_PARAMETERS = (
    r"(?:self\.\w+\s*=\s*|__init__\(\s*|[(\[,:]\s*)(?:torch\.)?nn\.(?:"
    r"Parameter\(\s*torch\.(?:randn|rand|empty|normal|Tensor|FloatTensor)\("
    rf"|(?:{'|'.join(sorted(LAYERS_WITH_WEIGHT - LAYERS_THAT_NORMALIZE))})\()"
)


def draws_parameters(definition: ClassDefinition) -> bool:
    """Whether the constructor of a class makes trainable parameters that start at random.

    Judged by its text. One that starts at a chosen value, such as a temperature, makes sense
    untrained too.
    """
    constructor = definition.methods.get("__init__")
    return (
        constructor is not None
        and not any(each in constructor.text for each in ("requires_grad", "load_state_dict"))
        and re.search(_DRAWS_PARAMETERS, constructor.text) is not None
    )


def has_parameters(trace: Trace, key: int, at: int) -> bool:
    """Whether a module certainly owns parameters."""
    module = trace.objects.module(key)
    if module.origin in (Origin.OWN_CLASS, Origin.COPY):
        return True
    library = module.library
    if module.origin is Origin.DERIVED and module.source is not None:
        taken = trace.objects.module(module.source).library or ""
        # All layers of a published model but the last ones.
        is_most = any(isinstance(each, AllButLast) for each in module.predicate)
        if is_most and taken.startswith("torchvision.models."):
            return True
    if module.origin not in (Origin.BUILT, Origin.DERIVED) or library is None:
        return False
    last = library.rpartition(".")[2]
    if not library.startswith("torch.nn."):
        return True
    if last in LAYERS_WITH_WEIGHT or last in _RECURRENT_AND_ATTENTION:
        return True
    if last in CONTAINERS:
        return any(has_parameters(trace, held, at) for held in trace.objects.held_by(key, at))
    return False


def is_known_to_have_parameters(trace: Trace, key: int, at: int) -> bool:
    """The same, of a piece of a library's model too whose architecture is known."""
    if has_parameters(trace, key, at):
        return True
    place = known_place(trace, key) if trace.objects.module(key).origin is Origin.CHILD else None
    return place is not None and bool(place.parameter_names)


def is_born_trainable(trace: Trace, key: int, at: int) -> bool:
    """Whether a module certainly owns parameters, and nothing says that it was made frozen."""
    born_frozen = trace.objects.module(key).flag_at_birth is False
    return not born_frozen and has_parameters(trace, key, at)


def freeze_of_all(trace: Trace, key: int, at: int, path: Path) -> FlagWritten | None:
    """A write that froze a module, where nothing below it is trainable; None where it may be."""
    state = trace.flag(Part(key), at, path)
    if state.value is False:
        if state.write is not None and _leaves_own_out(trace, state.write, key, at):
            return None
        return state.write
    module = trace.objects.module(key)
    if (
        (not module.is_complete or module.is_subject)
        and not _trains_alone(trace, module)
        and not _is_all_in_sight(trace, key, at)
    ):
        return None
    writes = [
        freeze_of_all(trace, held, at, path)
        for held in trace.objects.held_by(key, at)
        if not has_no_parameters(trace, held)
        # An option that the constructor keeps, and nobody uses like a module, is none.
        and not (module.is_subject and _is_an_option(module, trace.objects.module(held)))
    ]
    if not writes or any(write is None for write in writes):
        return None
    return writes[-1]


def _is_all_in_sight(trace: Trace, key: int, at: int) -> bool:
    """Whether the code mentions every piece with parameters of a model that a library built."""
    place = known_place(trace, key)
    known = transformers.facts(trace.objects.module(key).library or "")
    held = set(trace.objects.held_by(key, at))
    mentioned = {
        each.attribute for other, each in trace.objects.attachments_to(key) if other in held
    }
    if place is not None:
        names = {name.partition(".")[0] for name in place.parameter_names or ()}
    elif known is not None and mentioned & {known.get("base"), "base_model"}:
        names = set(known.get("heads", ()))
    else:
        return False
    return bool(names) and names <= mentioned


def _is_an_option(owner: ModuleObject, kept: ModuleObject) -> bool:
    """Whether what a constructor keeps is not used like a module by any method."""
    if kept.proof:
        return False
    text = "" if owner.owner_class is None else owner.owner_class.definition.text
    names = [each.attribute for each in kept.attachments]
    return not any(f"self.{name}{use}" in text for name in names for use in _USES)


def _trains_alone(trace: Trace, module: ModuleObject) -> bool:
    """Whether this is the ``self`` of a class that says all that Lightning trains, and how."""
    if not module.is_subject or module.owner_class is None:
        return False
    definition = module.owner_class.definition
    says_all = definition.methods.keys() >= {"__init__", "training_step", "configure_optimizers"}
    return says_all and not any(
        definition.name in each.bases for each in trace.file.classes.values()
    )


def _set_by_libraries(trace: Trace, event: Event) -> Iterator[Part]:
    return (part for each in trace.before(event, FlagsSetByLibrary) for part in each.parts)


def lasting_freeze(trace: Trace, key: int, at: int, event: Event) -> FlagWritten | None:
    """A write that left nothing trainable in a module, to which nothing joined until an event.

    None also where a new head was frozen with the rest, which is another mistake, and where
    a library set flags in it as a part of something else: that has rules of its own.
    """
    write = freeze_of_all(trace, key, at, event.path)
    module = trace.objects.module(key)
    if write is None or (module.is_subject and not _trains_alone(trace, module)):
        return None
    if any(trace.overlaps(part, key, at) for part in _set_by_libraries(trace, event)):
        return None
    for change in trace.before(event, SubmoduleReplaced):
        if change.new is None or has_no_parameters(trace, change.new):
            continue
        inside = trace.objects.container_of(change.parent)
        if not (
            any(
                trace.objects.route(each, inside, change.index) is not None
                for each in (key, *module.alternatives)
            )
            or trace.objects.route(change.new, key, event.index) is not None
        ):
            continue
        if change.index > write.index or change.old is not None:
            return None
    return write


def _leaves_own_out(trace: Trace, write: FlagWritten, key: int, at: int) -> bool:
    """Whether a write over the children of a module may leave parameters of its own as they were."""
    by_children = any(part.key == key and OF_CHILDREN in part.predicate for part in write.parts)
    if not by_children:
        return False
    own = own_parameters(trace, key, at)
    return bool(own) or (own is None and trace.objects.module(key).library is None)


def has_no_parameters(trace: Trace, key: int, depth: int = 8) -> bool:
    """Whether a module certainly owns no parameters."""
    module = trace.objects.module(key)
    package, _, last = (module.library or "").rpartition(".")
    if module.origin is Origin.OWN_CLASS or (package == "torch.nn" and last in CONTAINERS):
        # As its class and the code in sight made it, a loss or a normalisation often has none.
        trace.look_inside(key)
        is_in_sight = module.is_complete and not module.is_subject and depth > 0
        held = [each for each, _ in trace.objects.attachments_to(key)]
        return is_in_sight and all(has_no_parameters(trace, each, depth - 1) for each in held)
    return package == "torch.nn" and last in LAYERS_WITHOUT_PARAMETERS


def is_frozen_but_for_pieces(trace: Trace, event: Event, part: Part) -> bool:
    """Whether the part is frozen before an event: as a whole, but for a piece perhaps."""
    if trace.flag(part, event.index, event.path).value is False:
        return True
    for write in trace.before(event, FlagWritten):
        if any(trace.part_covers(mine, part, write.index) for mine in write.parts):
            return write.value is False and write.certain
        overlaps = any(trace.parts_overlap(mine, part, write.index) for mine in write.parts)
        # A piece that was switched on again leaves the rest as it was.
        if overlaps and (not is_total(part.predicate) or write.value is not True):
            return False
    return False
