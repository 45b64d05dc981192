"""Models that a library built without weights, and what trains on top of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.architectures import (
    KnownPlace,
    is_built_without_weights,
    known_place,
    root_of,
)
from freezelint.analysis.events import Event, FlagWritten, ForwardRan, SubmoduleReplaced
from freezelint.analysis.feeding import fed_by
from freezelint.analysis.knowledge import transformers
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import NameTest
from freezelint.analysis.tensors import sources_of, tensors_in
from freezelint.analysis.trainability import has_no_parameters, has_parameters
from freezelint.analysis.values import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.trace import Trace

_MOST_OF_A_MODEL = 4
"""Pieces with parameters that are no mere stem, as the stages of a ResNet."""


def model_without_weights(trace: Trace, key: int) -> ModuleObject | None:
    """The model that a module is, or was taken from, if it was built without weights."""
    module = trace.objects.module(key)
    if (
        module.origin is Origin.DERIVED
        and module.source is not None
        and all(has_no_parameters(trace, each) for each in trace.objects.held_by(key, module.born))
    ):
        module = trace.objects.module(module.source)
    if module.library == "torch.nn.Sequential":
        module = _what_pieces_are_of(trace, module)
    root, _ = root_of(trace, module)
    made = made_as(trace, root)
    return root if made and all(map(is_built_without_weights, made)) else None


def made_as(trace: Trace, root: ModuleObject) -> list[ModuleObject]:
    """What a model was made as: itself, or each that it may be, depending on an option."""
    keys = root.alternatives if root.origin is Origin.JOINED else (root.key,)
    made = [trace.objects.module(each) for each in keys]
    return made if all(each.place is not None for each in made) else []


def _what_pieces_are_of(trace: Trace, container: ModuleObject) -> ModuleObject:
    """The first of several pieces that were taken out of one model, and are all of a container."""
    held = [
        trace.objects.module(each) for each in trace.objects.held_by(container.key, container.born)
    ]
    pieces = [each for each in held if not has_no_parameters(trace, each.key)]
    roots = {root_of(trace, each)[0].key for each in pieces}
    is_of_one = len(roots) == 1 and len(pieces) >= _MOST_OF_A_MODEL
    return pieces[0] if is_of_one else container


def heads_on(trace: Trace, freeze: FlagWritten, part: Part, root: int) -> Iterator[Part]:
    """What computes with a frozen backbone and was not frozen with it.

    Args:
        trace: The run.
        freeze: The write that froze the backbone.
        part: What it froze: all of a model, or what was taken out of one.
        root: The model.
    """
    if part.key == root:
        yield from _inside(trace, freeze, root)
    yield from _beside_features(trace, part.key, root)
    yield from _left_out(part)
    yield from _beside_base(trace.objects.module(part.key), trace.objects.module(root))
    yield from _outside(trace, part.key, root, freeze)


def _inside(trace: Trace, freeze: FlagWritten, root: int) -> Iterator[Part]:
    """New modules that are put into a model after it was frozen, and parts that are unfrozen."""
    for change in trace.after(freeze, SubmoduleReplaced):
        is_inside = trace.objects.route(root, change.parent, change.index) is not None
        if is_inside and change.new is not None and has_parameters(trace, change.new, change.index):
            yield Part(change.new)
    for write in trace.after(freeze, FlagWritten):
        for part in write.parts:
            is_inside = trace.objects.route(root, part.key, write.index) not in (None, "")
            is_named = part.key == root and any(
                isinstance(each, NameTest) for each in part.predicate
            )
            if write.value is True and write.certain and (is_inside or is_named):
                yield part


def _left_out(part: Part) -> Iterator[Part]:
    """What a freeze by name spared."""
    for atom in part.predicate:
        if isinstance(atom, NameTest) and atom.negated:
            yield Part(part.key, (atom._replace(negated=False),))


def _beside_base(base: ModuleObject, model: ModuleObject) -> Iterator[Part]:
    """The heads of a model of transformers, beside its base."""
    known = transformers.facts(model.library or "")
    if known is not None and base.parent == model.key and base.attribute == known.get("base"):
        yield Part(model.key, (NameTest("child", tuple(known.get("heads", ()))),))


def _beside_features(trace: Trace, key: int, root: int) -> Iterator[Part]:
    """The head of a known model, where all the rest of it was frozen as one piece."""
    place = known_place(trace, key)
    if place is None or not place.path:
        return
    names = KnownPlace(place.builder).parameter_names or ()
    heads = tuple(dict.fromkeys(each.partition(".")[0] for each in place.heads))
    rest = [each for each in names if not each.startswith(f"{place.path}.")]
    if rest and all(each.partition(".")[0] in heads for each in rest):
        yield Part(root, (NameTest("child", heads),))


def _outside(trace: Trace, key: int, root: int, event: Event) -> Iterator[Part]:
    """Modules beside a backbone that are called on what it gave."""
    known = {key, root}
    for forward in trace.all(ForwardRan):
        sources = {
            source for tensor in tensors_in(forward.arguments) for source in sources_of(tensor)
        }
        is_beside = trace.objects.route(root, forward.key, forward.index) is None
        if sources & known and is_beside and has_parameters(trace, forward.key, forward.index):
            yield Part(forward.key)
    for each in trace.objects.module(key).attachments:
        if each.parent == root or each.until is not None:
            continue
        parent = trace.objects.module(each.parent)
        fed = _fed_in(parent, each.attribute)
        for other, attachment in trace.objects.attachments_to(parent.key):
            if attachment.attribute in fed and attachment.until is None:
                yield Part(other)
        if parent.library == "torch.nn.Sequential":
            for other, attachment in trace.objects.attachments_to(parent.key):
                if _number(attachment.attribute) > _number(each.attribute) >= 0:
                    yield Part(other)


def _fed_in(parent: ModuleObject, attribute: str) -> frozenset[str]:
    owner = parent.owner_class
    return frozenset() if owner is None else fed_by(owner.definition, attribute)


def _number(attribute: str) -> int:
    """The position in a container; -1 for other names."""
    position = attribute.strip("[]")
    return int(position) if position.isdecimal() else -1
