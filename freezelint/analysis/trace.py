"""The record of one abstract run, and the questions rules ask of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from freezelint.analysis.events import Event, FlagWritten, HandedOver, Path
from freezelint.analysis.knowledge.layers import LAYERS_WITH_WEIGHT
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import Predicate, decide, excludes, is_met_by, without_names
from freezelint.analysis.predicates import implies as implied
from freezelint.analysis.values import Part
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from freezelint.analysis.index import Index
    from freezelint.analysis.objects import Objects
    from freezelint.analysis.syntax import Place

E = TypeVar("E", bound=Event)

_WRITES_A_NAME = (
    r"requires_grad(?:_\(|[\"'], ?| ?= ?)(?:not )?(?!True\b|False\b|not\b)[A-Za-z_]\w*\)?(?: #.*)?$"
)

PASSED_FLAG = r"[(,=] ?(?:True|False|[01])[,)]"
"""A flag among the arguments of a call."""


class FlagState(NamedTuple):
    """What is known of the flags below a module at one moment."""

    value: bool | None
    """True or False when all parameters have that flag; None when mixed or unknown."""
    write: FlagWritten | None
    """The write that set them all, if there was one."""


class Subject(NamedTuple):
    """What a condition asks about: a name of a frame, or a field of it, as it is then."""

    frame: int
    version: int
    path: str

    def overlaps(self, other: Subject) -> bool:
        """Whether one is the other, or a field of it."""
        if (self.frame, self.version) != (other.frame, other.version):
            return False
        longer, shorter = sorted((self.path, other.path), key=len, reverse=True)
        return longer.startswith(shorter) and longer[len(shorter) : len(shorter) + 1] in (
            "",
            ".",
            "[",
        )


class Trace:
    """Events in the order in which the code would cause them."""

    def __init__(self, objects: Objects, file: Index, look_inside: Callable[[int], None]) -> None:
        """Start with nothing recorded of what the file would do.

        ``look_inside`` catches up on the constructor of a module, if nothing that it does
        was of any interest so far.
        """
        self.objects = objects
        self.file = file
        self.look_inside = look_inside
        self.events: list[Event] = []
        self._by_kind: dict[str, list[Event]] = {}
        self.subjects: dict[int, frozenset[Subject]] = {}
        """What the conditions ask about that decide which path is taken."""
        self.open_ends: dict[int, int] = {}
        """How many values lead back to a module, perhaps, and were not taken up by anything."""
        self.makes_leaves = False
        """Whether the flag of a tensor is set, which may have other names too."""
        self.computed_with: set[int] = set()
        """Modules with each of whose parameters something was computed, such as a penalty."""

    def record(self, event: Event) -> None:
        """Append an event."""
        event.index = len(self.events)
        self.events.append(event)
        self._by_kind.setdefault(event.kind, []).append(event)

    def rewind(self, moment: int) -> None:
        """Forget everything from a moment on."""
        del self.events[moment:]
        for events in self._by_kind.values():
            while events and events[-1].index >= moment:
                events.pop()

    @property
    def now(self) -> int:
        """Index of the next event."""
        return len(self.events)

    def all(self, kind: type[E]) -> list[E]:
        """Every event of one kind, in order."""
        return self._by_kind.get(kind.__name__, [])  # type: ignore[return-value]

    def of_kinds(self, kinds: Sequence[str]) -> list[Event]:
        """Every event of some kinds, by name, in order."""
        found = [each for kind in kinds for each in self._by_kind.get(kind, ())]
        return sorted(found, key=_index) if len(kinds) > 1 else found

    def before(self, event: Event, kind: type[E]) -> Iterator[E]:
        """Events of one kind that may have happened before this one, latest first."""
        for each in reversed(self.all(kind)):
            if each.index < event.index and compatible(each.path, event.path):
                yield each

    def after(self, event: Event, kind: type[E]) -> Iterator[E]:
        """Events of one kind that may happen after this one, earliest first."""
        for each in self.all(kind):
            if each.index > event.index and compatible(each.path, event.path):
                yield each

    def between(self, first: Event, last: Event, kind: type[E]) -> Iterator[E]:
        """Events of one kind that may happen between two others."""
        for each in self.all(kind):
            if first.index < each.index < last.index and (
                compatible(each.path, first.path) and compatible(each.path, last.path)
            ):
                yield each

    def may_exclude(self, first: Event, second: Event) -> bool:
        """Whether two events hang on different questions about one thing.

        What the code means by ``stage == "head"`` may be the opposite of ``not in ("head", "all")``,
        so that no run has both events.
        """
        mine, theirs = ({point for point, _ in each.path} for each in (first, second))
        return any(
            one.overlaps(another)
            for point in mine - theirs
            for other in theirs - mine
            for one in self.subjects.get(point, ())
            for another in self.subjects.get(other, ())
        )

    def overlaps(self, part: Part, key: int, at: int) -> bool:
        """Whether the part may hold parameters of the module ``key`` at a moment."""
        return self.parts_overlap(part, Part(key), at)

    def covers(self, part: Part, key: int, at: int) -> bool:
        """Whether the part certainly holds every parameter of the module ``key``."""
        return self.part_covers(part, Part(key), at)

    def part_covers(self, whole: Part, piece: Part, at: int) -> bool:
        """Whether the first part certainly holds all of the second."""
        for each in self.objects.sources(piece.key, at, whole=True):
            down = self.objects.route(whole.key, each, at)
            if down is not None and self._picks(whole.predicate, each, down) is True:
                return True
        return whole.key == piece.key and all(
            implied(piece.predicate, atom) for atom in whole.predicate
        )

    def parts_overlap(self, first: Part, second: Part, at: int) -> bool:
        """Whether two parts may share a parameter."""
        return any(
            self._share(one, other, at)
            for one in self._with_sources(first, at)
            for other in self._with_sources(second, at)
        )

    def _with_sources(self, part: Part, at: int) -> Iterator[Part]:
        for each in self.objects.sources(part.key, at):
            yield part if each == part.key else Part(each, without_names(part.predicate))

    def _share(self, first: Part, second: Part, at: int) -> bool:
        if first.key == second.key:
            return not excludes(first.predicate, second.predicate)
        down = self.objects.route(first.key, second.key, at)
        if down is not None:
            return self._picks(first.predicate, second.key, down) is not False
        up = self.objects.route(second.key, first.key, at)
        if up is not None:
            return self._picks(second.predicate, first.key, up) is not False
        return self.objects.share(first.key, second.key, at)

    def _picks(self, predicate: Predicate, key: int, prefix: str) -> bool | None:
        """Whether a predicate picks all parameters of a module, or none; or it is not known."""
        verdict = decide(predicate, prefix)
        if verdict is not None or not prefix:
            return verdict
        module = self.objects.module(key)
        package, _, layer = (module.library or "").rpartition(".")
        if module.origin is Origin.PARAMETER:
            return is_met_by(predicate, prefix)
        if package != "torch.nn" or layer not in LAYERS_WITH_WEIGHT:
            return None
        answers = {is_met_by(predicate, f"{prefix}.{name}") for name in ("weight", "bias")}
        return answers.pop() if len(answers) == 1 else None

    def is_frozen(self, part: Part, at: int, path: Path) -> bool:
        """Whether a part is frozen at a moment, unless code out of sight undid it."""
        return self.flag(part, at, path, trusting=True).value is False

    def flag(self, part: Part, at: int, path: Path, *, trusting: bool = False) -> FlagState:
        """The flags of a part just before the moment ``at`` on a path.

        With ``trusting``, as if code out of sight had left them as they were.
        """
        for event in reversed(self.events[:at]):
            if not compatible(event.path, path):
                continue
            if isinstance(event, HandedOver) and not trusting:
                if any(self.related(each, part.key, event.index) for each in event.keys):
                    return FlagState(None, None)
                continue
            if not isinstance(event, FlagWritten):
                continue
            if any(self.parts_overlap(mine, part, event.index) for mine in event.parts):
                covered = any(self.part_covers(mine, part, event.index) for mine in event.parts)
                if covered and event.certain and implies(path, event.path):
                    return FlagState(event.value, event)
                return FlagState(None, None)
        *_, source = self.objects.sources(part.key, at, whole=True)
        if source != part.key:
            return self.flag(Part(source), at, path, trusting=trusting)
        module = self.objects.module(part.key)
        while module.origin is Origin.CHILD and module.parent is not None:
            # No write reached the child, so it is as its parent was made.
            module = self.objects.module(module.parent)
        if module.origin is Origin.COPY and module.source is not None:
            predicate = part.predicate if module.key == part.key else ()
            copied = Part(module.source, predicate)
            return self.flag(copied, module.born, module.born_path, trusting=trusting)
        return FlagState(module.flag_at_birth, None)

    def related(self, first: int, second: int, at: int) -> bool:
        """Whether one of two modules holds the other (or is it) at a moment."""
        return any(
            self.objects.route(first, each, at) is not None
            or self.objects.route(each, first, at) is not None
            for each in self.objects.sources(second, at)
        )

    def was_handed_over(self, key: int, at: int) -> bool:
        """Whether code out of sight may have exchanged layers of a module before a moment."""
        since = self.objects.module(key).born
        return any(
            since <= event.index < at and self.related(each, key, event.index)
            for event in self.all(HandedOver)
            if not event.keeps_layers
            for each in event.keys
        )

    def meeting_place(self, event: Event, *others: Event) -> Place:
        """Where to point at for an event, as seen from the code that caused the others too.

        A write inside a helper is shown where the helper is called if the other
        events happened outside of that call, and if the helper has several callers, or
        is applied to every module: of the only caller's helper the line itself is what is
        wrong.
        """
        shared = len(event.stack)
        for other in others:
            shared = min(shared, _common_length(event.activations, other.activations) - 1)
        shared = max(shared, 0)
        offset = len(event.scopes) - len(event.stack)
        for level in range(shared, len(event.stack)):
            place = event.stack[level]
            if self.file.call_sites(event.scopes[level + offset]) > 1 or _applies(place):
                return place
        if isinstance(event, FlagWritten) and re.search(_WRITES_A_NAME, event.place.statement_code):
            # The helper sets flags either way; who passes the flag decides.
            for place in reversed(event.stack[shared:]):
                if re.search(PASSED_FLAG, place.code):
                    return place
        return event.place

    def common_place(self, event: Event, other: Event) -> Place:
        """Where an event is caused by the code that, directly or by calls, caused another too."""
        shared = _common_length(event.activations, other.activations) - 1
        return event.stack[shared] if 0 <= shared < len(event.stack) else event.place

    def passing_place(self, event: Event, other: Event, receiver: str) -> Place:
        """Where a function of the file is passed what it does something to, if it is.

        That is the place to look at if the other event happened outside of that call, whose
        function is right for itself. ``receiver`` is the name in the function.
        """
        common = self.common_place(event, other)
        function = self.file.functions.get(event.scope)
        if function is None or not event.stack or common is not event.stack[-1]:
            return event.place
        return common if receiver in function.names_of_parameters else event.place


def _index(event: Event) -> int:
    return event.index


def _applies(place: Place) -> bool:
    """Whether a function is not called, but given to `apply`, which calls it for each module."""
    return ".apply(" in place.code


def compatible(first: Path, second: Path) -> bool:
    """Whether two paths can be parts of one run."""
    if not first or not second:
        return True
    taken = dict(first)
    return all(taken.get(point, arm) == arm for point, arm in second)


def implies(path: Path, condition: Path) -> bool:
    """Whether whoever is on ``path`` certainly passed through ``condition``."""
    return set(condition) <= set(path)


def _common_length(first: tuple[int, ...], second: tuple[int, ...]) -> int:
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length
