"""What layers are in a module: running statistics, dropout, recurrent ones.

Three sources answer: the tables of known architectures, for what a library built; the layers
that the code in sight builds and attaches; and for a copy, what it is a copy of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.architectures import keeps_statistics_by_name, known_place, root_of
from freezelint.analysis.knowledge import transformers
from freezelint.analysis.knowledge.layers import (
    BATCH_NORMS,
    CONTAINERS,
    COPYING_CONTAINERS,
    DROPOUT_ARGUMENTS,
    INSTANCE_NORMS,
    RECURRENT_LAYERS,
    TRACKING_ARGUMENT,
    LayerKind,
)
from freezelint.analysis.knowledge.timm import DROPPING_ARGUMENTS
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import is_total
from freezelint.analysis.values import Constant, ModuleValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezelint.analysis.architectures import KnownPlace
    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.trace import Trace

_DEEPEST = 12
"""Modules within modules that are looked through; nothing is known of what lies deeper."""


def holds(
    trace: Trace, key: int, at: int, kind: LayerKind, *, trusting: bool = False
) -> bool | None:
    """Whether a module, or anything below it, is a layer of some kind at a moment.

    Args:
        trace: The trace that the module is in.
        key: The module's identity.
        at: The moment, as the index of an event.
        kind: What to look for: layers with running statistics, dropout that drops
            (a probability of 0 does not), or recurrent layers.
        trusting: Answer as if code out of sight had left the module as it was. Otherwise
            nothing is known of a module that was handed over before: its layers may have
            been exchanged.

    Returns:
        None where it is not known: models of other libraries, arguments, classes whose
        constructor is out of sight, layers with a computed probability.
    """
    if not trusting and trace.was_handed_over(key, at):
        return None
    return _Question(trace, kind, trusting=trusting).holds(key, at, _DEEPEST)


class _Question:
    """One question about one trace."""

    def __init__(self, trace: Trace, kind: LayerKind, *, trusting: bool) -> None:
        self._trace = trace
        self._trusting = trusting
        self._objects = trace.objects
        self._kind = kind

    def holds(self, key: int, at: int, depth: int) -> bool | None:
        """Whether a module holds such a layer; None where it is not known."""
        module = self._objects.module(key)
        if module.origin is Origin.PARAMETER:
            return False
        if depth == 0 or module.origin in (Origin.ELEMENT, Origin.GIVEN):
            return None
        place = known_place(self._trace, key)
        root, steps = root_of(self._trace, module)
        if place is not None:
            if self._kind is LayerKind.DROPOUT and _says_how_much_it_drops(root):
                return _drops(root) if root is module else None
            return self._in_known(key, place, at, depth)
        if root.origin is Origin.BUILT and _is_said_to_hold(self._kind, root, steps):
            return True
        if root.origin in (Origin.COPY, Origin.JOINED):
            return self._in_twins(module, root, steps, at, depth)
        if module.origin is Origin.DERIVED:
            return self._in_derived(module, at, depth)
        return self._in_sight(module, at, depth)

    def _in_known(self, key: int, place: KnownPlace, at: int, depth: int) -> bool | None:
        """A submodule of a known architecture, with what the code has exchanged in it."""
        attached, touched = self._changes(key, at)
        replaced = {place.name_of(attribute) for attribute in touched}
        names = place.submodule_names
        if names is None:
            # What lies so deep is known as a whole only; or it is no submodule.
            return _any_of([place.holds(self._kind), *((None,) if replaced else ())])
        rest = [place.below(name) for name in names - replaced] if replaced else [place]
        return _any_of(
            [
                *(self.holds(each, at, depth - 1) for each in attached),
                *(each.holds(self._kind) for each in rest),
            ]
        )

    def _in_twins(
        self, module: ModuleObject, root: ModuleObject, steps: list[str], at: int, depth: int
    ) -> bool | None:
        """What the same place holds in what a module is a copy of, or in each that it may be.

        Where something was exchanged in the module itself, what each may have besides that.
        """
        if self._is_changed(module.key):
            return None if steps else self._in_changed(module, at, depth)
        moments = [(each, at) for each in root.alternatives]
        if root.origin is Origin.COPY and root.source is not None:
            moments = [(root.source, root.born)]
        answers = {self._holds_below(each, steps, moment, depth - 1) for each, moment in moments}
        return answers.pop() if len(answers) == 1 else None

    def _in_changed(self, module: ModuleObject, at: int, depth: int) -> bool | None:
        """One of several known architectures, with what the code has exchanged in it."""
        attached, touched = self._changes(module.key, at)
        own = [self.holds(each, at, depth - 1) for each in attached]
        answers = set()
        for each in module.alternatives:
            place = known_place(self._trace, each)
            names = None if place is None else place.submodule_names
            if place is None or names is None or self._is_changed(each):
                return None
            rest = names - {place.name_of(attribute) for attribute in touched}
            answers.add(_any_of([*own, *(place.below(name).holds(self._kind) for name in rest)]))
        return answers.pop() if len(answers) == 1 else None

    def _holds_below(self, key: int, steps: list[str], at: int, depth: int) -> bool | None:
        """The same of what lies at the end of some attributes."""
        for number, step in enumerate(steps):
            attached, touched = self._changes(key, at, step)
            if attached:
                (key, *_) = attached
                continue
            place = known_place(self._trace, key)
            if touched or place is None:
                return None
            for rest in steps[number:]:
                place = place.named(rest)
            return place.holds(self._kind)
        return self.holds(key, at, depth)

    def _is_changed(self, key: int) -> bool:
        below = [key]
        for each in below:
            for held, attachment in self._objects.attachments_to(each):
                if attachment.since >= 0 or attachment.until is not None:
                    return True
                below.append(held)
        return False

    def _in_derived(self, module: ModuleObject, at: int, depth: int) -> bool | None:
        """A container around submodules of another module: all of them, or some."""
        assert module.source is not None
        taken = self.holds(module.source, module.born, depth - 1)
        if taken and not is_total(module.predicate):
            taken = None
        attached, _ = self._changes(module.key, at)
        return _any_of([taken, *(self.holds(each, at, depth - 1) for each in attached)])

    def _in_sight(self, module: ModuleObject, at: int, depth: int) -> bool | None:
        """What the code in sight has attached; all of it where nothing else may have been."""
        package, _, layer = (module.library or "").rpartition(".")
        if package == "torch.nn" and layer != "Module" and layer not in CONTAINERS:
            return self._in_layer(module, layer, at, depth)
        self._trace.look_inside(module.key)
        is_complete = module.is_complete and not module.is_subject
        attached, _ = self._changes(module.key, at)
        answers = [
            self._holds_taken(each, at, depth - 1)
            for each in attached
            # An attribute that nothing was assigned to is no module, if all of them are in sight.
            if not (is_complete and self._is_only_read(each, module))
        ]
        return _any_of([*answers, *(() if is_complete else (None,))])

    def _holds_taken(self, key: int, at: int, depth: int) -> bool | None:
        """The same of a layer, which may have been taken out of a network that others changed."""
        is_taken = self._objects.module(key).origin is Origin.CHILD
        if is_taken and not self._trusting and self._trace.was_handed_over(key, at):
            return None
        return self.holds(key, at, depth)

    def _is_only_read(self, key: int, holder: ModuleObject) -> bool:
        """Whether a module is known by an attribute of its holder alone, and by nothing else."""
        module = self._objects.module(key)
        return module.origin is Origin.CHILD and module.parent == holder.key

    def _in_layer(self, module: ModuleObject, layer: str, at: int, depth: int) -> bool | None:
        """A layer of ``torch.nn``, judged by its name and arguments."""
        given = module.arguments
        if layer in COPYING_CONTAINERS:
            name = layer.removeprefix("Transformer").lower() + "_layer"
            copied = None if given is None else given.get(0, name)
            if not isinstance(copied, ModuleValue):
                return None
            return self.holds(copied.key, at, depth - 1)
        if self._kind is LayerKind.RECURRENT:
            return layer in RECURRENT_LAYERS
        if self._kind is LayerKind.DROPOUT:
            if layer not in DROPOUT_ARGUMENTS:
                return False
            position, name, probability = DROPOUT_ARGUMENTS[layer]
            return _is_set(given, position, name, default=probability > 0)
        if layer in BATCH_NORMS or layer in INSTANCE_NORMS:
            return _is_set(given, *TRACKING_ARGUMENT, default=layer in BATCH_NORMS)
        return False

    def _changes(
        self, key: int, at: int, attribute: str | None = None
    ) -> tuple[list[int], set[str]]:
        """What hangs below a module in sight, and the attributes that the code mentions.

        Of one attribute only, where one is given.
        """
        attached: list[int] = []
        touched: set[str] = set()
        for held, each in self._objects.attachments_to(key):
            if each.since > at or attribute not in (None, each.attribute):
                continue
            touched.add(each.attribute)
            if each.until is None or each.until > at:
                attached.append(held)
        return attached, touched


def _says_how_much_it_drops(root: ModuleObject) -> bool:
    given = root.arguments
    return given is not None and not DROPPING_ARGUMENTS.isdisjoint(given.keywords)


def _drops(root: ModuleObject) -> bool | None:
    """Whether a model was told to drop something; None where it may have been told not to."""
    assert root.arguments is not None
    rates = [root.arguments.keywords.get(each) for each in DROPPING_ARGUMENTS]
    return True if any(isinstance(each, Constant) and each.value for each in rates) else None


def _is_said_to_hold(kind: LayerKind, root: ModuleObject, steps: Sequence[str]) -> bool:
    """Whether all models of this name have such layers, of which this is a model or most of it."""
    library, given = root.library or "", root.arguments
    if given is None or not given.complete:
        return False
    if library.startswith("transformers."):
        return _is_held_by_transformer(kind, library, given, steps)
    return kind is LayerKind.BATCH_NORM and keeps_statistics_by_name(library, given, steps)


def _is_held_by_transformer(
    kind: LayerKind, library: str, given: Arguments, steps: Sequence[str]
) -> bool:
    """The same of a model of transformers whose configuration is kept."""
    if any("drop" in name or "config" in name for name in given.keywords):
        return False
    loaded = given.get(0, "pretrained_model_name_or_path")
    checkpoint = loaded.value if isinstance(loaded, Constant) else None
    has_them = {
        LayerKind.DROPOUT: transformers.drops,
        LayerKind.BATCH_NORM: transformers.keeps_statistics,
    }.get(kind)
    return (
        has_them is not None
        and has_them(library, checkpoint)
        and transformers.is_most_of(library, steps)
    )


def _is_set(given: Arguments | None, position: int, name: str, *, default: bool) -> bool | None:
    """Whether an argument is true, or a number other than 0; None where it is not known."""
    if given is None or not given.complete:
        return None
    choice = given.get(position, name)
    if choice is None:
        return default
    return bool(choice.value) if isinstance(choice, Constant) else None


def _any_of(answers: Iterable[bool | None]) -> bool | None:
    """True if one is, None if one may be."""
    given = set(answers)
    if True in given:
        return True
    return None if None in given else False
