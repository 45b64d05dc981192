"""Modules, parameters and optimizers by identity: what each is and where it hangs."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from freezelint.analysis.predicates import SOME, Predicate, conjunction
from freezelint.analysis.values import Part
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from freezelint.analysis.events import Path
    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.syntax import Place
    from freezelint.analysis.values import ClassValue


class Origin(enum.Enum):
    """Where a module comes from; it decides what is known of its flags at first."""

    BUILT = "built"
    """A constructor or factory that is known to hand out trainable parameters."""
    OWN_CLASS = "own class"
    """An instance of a class of the checked file, or ``self`` in one."""
    CHILD = "child"
    ELEMENT = "element"
    """A loop variable over submodules."""
    DERIVED = "derived"
    """A new container around submodules of another module, or a slice of one."""
    COPY = "copy"
    JOINED = "joined"
    """One of several, depending on a branch."""
    GIVEN = "given"
    """An argument, or the result of code that cannot be followed."""
    PARAMETER = "parameter"


class ModuleObject:
    """One module, or one lone parameter."""

    __slots__ = (
        "alternatives",
        "arguments",
        "attachments",
        "attribute",
        "born",
        "born_in_inference",
        "born_path",
        "born_with_grad",
        "bounds",
        "complete_until",
        "flag_at_birth",
        "has_own",
        "hidden",
        "is_complete",
        "is_subject",
        "key",
        "label",
        "library",
        "loaded",
        "loads_all",
        "origin",
        "owner_class",
        "parent",
        "place",
        "predicate",
        "proof",
        "source",
        "unfinished",
    )

    def __init__(self, key: int, origin: Origin, label: str | None) -> None:
        """Start with nothing known but where it comes from."""
        self.key = key
        self.origin = origin
        self.label = label
        self.parent: int | None = None
        self.attribute: str | None = None
        self.predicate: Predicate = ()
        self.owner_class: ClassValue | None = None
        self.library: str | None = None
        self.arguments: Arguments | None = None
        """What the library's constructor or factory was called with."""
        self.proof = origin not in (Origin.CHILD, Origin.GIVEN)
        """Whether it is certain that this is a module (or parameter), not something else."""
        self.born = -1
        self.born_path: Path = ()
        self.born_with_grad: bool | None = True
        """Whether gradients were on where it was made; it makes no difference to its flags."""
        self.born_in_inference = False
        """Made under ``inference_mode``: no gradient ever gets past its parameters."""
        self.place: Place | None = None
        self.source: int | None = None
        """What it is a copy of, or what its submodules are taken from."""
        self.bounds: tuple[int, int | None] | None = None
        """Of a slice: where it begins and ends, as it is written; None where that is not known."""
        self.has_own = False
        """A derived module holds more than what it took from its source."""
        self.flag_at_birth: bool | None = True
        self.attachments: list[Attachment] = []
        self.alternatives: tuple[int, ...] = ()
        """What a joined module may be."""
        self.unfinished: Callable[[], object] | None = None
        """A constructor in which nothing happens that rules look at; run when somebody looks in."""
        self.is_complete = False
        """All its submodules are those that the code in sight attaches."""
        self.complete_until: int | None = None
        """When code out of sight got it, which may have attached others since."""
        self.hidden: dict[str, Hidden] = {}  # by attribute
        self.loaded: int | None = None
        """When values for all of its parameters were loaded into it, certainly or perhaps."""
        self.loads_all = False
        self.is_subject = False
        """It is the ``self`` of a class that is analysed for itself; subclasses may add to it."""

    def was_complete(self, at: int) -> bool:
        """Whether all its submodules were in sight at a moment."""
        until = self.complete_until
        return self.is_complete or (until is not None and at <= until)

    @property
    def is_module(self) -> bool:
        """Whether this is known to be a module."""
        return self.proof and self.origin is not Origin.PARAMETER


class Hidden(NamedTuple):
    """Modules in a list, tuple or dict: an attribute of a module, and no submodules of it."""

    keys: tuple[int, ...]
    kind: str
    place: Place
    are_many: bool
    """The one that is known stands for each that a loop makes."""


class Attachment(NamedTuple):
    """A stretch of time during which an object was a given attribute of a parent."""

    parent: int
    attribute: str
    since: int
    until: int | None


class OptimizerObject:
    """One optimizer."""

    __slots__ = ("key", "label", "name")

    def __init__(self, key: int, name: str, label: str | None) -> None:
        """Name is that of the class, label what the code calls the object."""
        self.key = key
        self.name = name
        self.label = label


class Objects:
    """Everything with an identity in the analysis of one file."""

    def __init__(self) -> None:
        """Start empty."""
        self._modules: dict[int, ModuleObject] = {}
        self._children: dict[tuple[int, str], int] = {}
        self._optimizers: dict[int, OptimizerObject] = {}
        self._hung_twice: dict[int, None] = {}
        """What was attached in more than one place, perhaps one after the other."""
        self._next_key = 1

    def new_key(self) -> int:
        """A fresh identity."""
        self._next_key += 1
        return self._next_key

    def new_module(self, origin: Origin, label: str | None) -> ModuleObject:
        """Register a module that was not there before."""
        made = ModuleObject(self.new_key(), origin, label)
        self._modules[made.key] = made
        return made

    def new_optimizer(self, name: str) -> OptimizerObject:
        """Register an optimizer."""
        made = OptimizerObject(self.new_key(), name, None)
        self._optimizers[made.key] = made
        return made

    def __contains__(self, key: int) -> bool:
        """Whether this is the identity of a module or parameter."""
        return key in self._modules

    def module(self, key: int) -> ModuleObject:
        """The module with this identity."""
        return self._modules[key]

    def modules(self) -> Iterator[ModuleObject]:
        """Every module and lone parameter, in the order in which they came to be."""
        yield from tuple(self._modules.values())

    def optimizer(self, key: int) -> OptimizerObject:
        """The optimizer with this identity."""
        return self._optimizers[key]

    def child(self, parent: int, attribute: str) -> ModuleObject:
        """The submodule that ``parent`` was made with under this attribute."""
        key = self._children.get((parent, attribute))
        if key is not None:
            return self._modules[key]
        above = self._modules[parent]
        separator = "" if attribute.startswith("[") else "."
        label = None if above.label is None else f"{above.label}{separator}{attribute}"
        made = self.new_module(Origin.CHILD, label)
        made.parent = parent
        made.attribute = attribute
        made.flag_at_birth = None
        made.attachments.append(Attachment(parent, attribute, -1, None))
        self._children[parent, attribute] = made.key
        return made

    def known_child(self, parent: int, attribute: str) -> ModuleObject | None:
        """The original submodule if the code has mentioned it."""
        key = self._children.get((parent, attribute))
        return None if key is None else self._modules[key]

    def attach(self, key: int, parent: int, attribute: str, since: int) -> None:
        """Record that an object became an attribute of ``parent``."""
        attachments = self._modules[key].attachments
        attachments.append(Attachment(parent, attribute, since, None))
        if len(attachments) > 1:
            self._hung_twice[key] = None

    def detach(self, key: int, parent: int, attribute: str, until: int) -> None:
        """Record that an object is that attribute no more."""
        attachments = self._modules[key].attachments
        for position, each in enumerate(attachments):
            if each.parent == parent and each.attribute == attribute and each.until is None:
                attachments[position] = each._replace(until=until)

    def route(self, ancestor: int, key: int, at: int) -> str | None:
        """The dotted way from ``ancestor`` down to ``key`` at a moment; None when there is none.

        The empty string means that both are the same object.
        """
        return self._route(ancestor, key, at, 12)

    def share(self, first: int, second: int, at: int) -> bool:
        """Whether a module hangs below both of two that do not hold each other."""
        return any(
            self.route(first, key, at) is not None and self.route(second, key, at) is not None
            for key in self._hung_twice
        )

    def _route(self, ancestor: int, key: int, at: int, depth: int) -> str | None:
        if ancestor == key:
            return ""
        if depth == 0:
            return None
        for each in self._modules[key].attachments:
            if each.since > at or (each.until is not None and each.until <= at):
                continue
            above = self._route(ancestor, each.parent, at, depth - 1)
            if above is not None:
                # Of what a loop appends, or a comprehension makes, the number is not known.
                step = "*" if each.attribute.startswith("[+") else each.attribute.strip("[]")
                return f"{above}.{step}" if above else step
        return None

    def parts_of(self, key: int, predicate: Predicate = ()) -> tuple[Part, ...]:
        """Name parameters by the modules that own them: elements stand for their container."""
        module = self._modules[key]
        if module.origin is Origin.ELEMENT and module.parent is not None:
            return self.parts_of(module.parent, conjunction(module.predicate, predicate))
        if module.origin is Origin.DERIVED and module.source is not None:
            shared = conjunction(module.predicate or (SOME,), predicate)
            return (Part(key, predicate), *self.parts_of(module.source, shared))
        return (Part(key, predicate),)

    def container_of(self, key: int) -> int:
        """A module, or what holds those that it stands for each of."""
        module = self._modules[key]
        while module.origin is Origin.ELEMENT and module.parent is not None:
            module = self._modules[module.parent]
        return module.key

    def stands_alone(self, key: int) -> bool:
        """Whether a module was made in sight of layers or classes of the file, for itself."""
        module = self._modules[key]
        is_layer = (module.library or "").startswith("torch.nn.")
        is_made = module.origin is Origin.OWN_CLASS or (module.origin is Origin.BUILT and is_layer)
        return is_made and not module.attachments and not module.is_subject

    def sources(self, key: int, at: int, *, whole: bool = False) -> Iterator[int]:
        """A module, and those that it shares parameters with because it is derived from them.

        With ``whole``, only those that hold all of its parameters.
        """
        source: int | None = key
        while source is not None:
            yield source
            module = self._modules[source]
            if module.origin is not Origin.DERIVED:
                return
            if whole and (module.has_own or self.held_by(source, at)):
                return
            source = module.source

    def label(self, key: int) -> str:
        """What the code calls a module."""
        module = self._modules[key]
        if module.origin is Origin.ELEMENT and module.parent is not None and not module.label:
            return self.label(module.parent)
        if module.label is not None and module.label.startswith("self."):
            # Named inside its class; outside of it, the owner's name says more.
            for each in module.attachments:
                owner = self._modules[each.parent].label
                if each.until is None and owner not in (None, "self"):
                    return f"{owner}.{each.attribute}"
        if module.label is None:
            # Never named itself, as the elements of a Sequential are.
            for each in module.attachments:
                owner = self._modules[each.parent].label
                is_known = each.until is None and not each.attribute.startswith("[+")
                if is_known and owner is not None:
                    separator = "" if each.attribute.startswith("[") else "."
                    return f"{owner}{separator}{each.attribute}"
        return module.label or "the module"

    def held_by(self, parent: int, at: int) -> list[int]:
        """What hangs directly below a module at a moment, as far as the code mentions it."""
        return [
            key
            for key, module in self._modules.items()
            for each in module.attachments
            if each.parent == parent
            and each.since <= at
            and (each.until is None or each.until > at)
        ]

    def attachments_to(self, parent: int) -> list[tuple[int, Attachment]]:
        """All that ever hung directly below a module, with when it did."""
        return [
            (key, each)
            for key, module in self._modules.items()
            for each in module.attachments
            if each.parent == parent
        ]

    def below(self, key: int, at: int) -> list[ModuleObject]:
        """The submodules at a moment, at any depth, as far as the code mentions them."""
        attached = (each for each in self._modules.values() if each.attachments)
        return [each for each in attached if self.route(key, each.key, at)]

    def holders(self, key: int, at: int) -> list[int]:
        """A module and all that hold it at a moment, directly or through others."""
        holders = [key]
        for each in holders:
            holders += [parent for parent in self._above(each, at) if parent not in holders]
        return holders

    def roots(self, key: int, at: int) -> frozenset[int]:
        """The outermost modules that hold this one at a moment; a module may hang in several."""
        holders = self.holders(key, at)
        return frozenset(each for each in holders if not self._above(each, at))

    def _above(self, key: int, at: int) -> list[int]:
        return [
            each.parent
            for each in self._modules[key].attachments
            if each.since <= at and (each.until is None or each.until > at)
        ]
