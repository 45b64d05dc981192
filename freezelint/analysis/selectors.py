"""Which parameters a test of their names picks out, where the names are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import MethodCalled, NamesTested, Wrapped
from freezelint.analysis.parameter_names import parameter_names
from freezelint.analysis.predicates import PATTERNS, NameTest, NotAll, fits_pattern
from freezelint.analysis.trace import implies
from freezelint.analysis.values import ModuleValue
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.events import Event, FlagWritten
    from freezelint.analysis.predicates import Predicate
    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part

PREFIXES = {
    "DataParallel": "module.",
    "DistributedDataParallel": "module.",
    "compile": "_orig_mod.",
}
"""What a wrapper puts before every name, by the last part of the wrapper's own."""

PEFT_PREFIXES = ("base_model.", "prompt_encoder.", "word_embeddings.")
"""With what the names of a model of PEFT begin."""


class Selector(NamedTuple):
    """A test of names that decided about flags, and the names that it was put to."""

    test: NameTest
    names: tuple[str, ...] | None
    """The names of the parameters; None where they are not known."""
    prefixes: tuple[str, ...] = ("",)
    """What may stand before each name."""
    place: NamesTested | None = None

    def matches(self, text: str) -> list[str]:
        """Which names a text meets; of modules above the parameters too, where they may count."""
        assert self.names is not None
        candidates = dict.fromkeys(self.names)
        if self.test.kind != "equals":
            candidates |= dict.fromkeys(_modules_above(self.names))
        return [
            name
            for name in candidates
            if any(meets(self.test.kind, text, prefix + name) for prefix in self.prefixes)
        ]


def selectors(trace: Trace, event: FlagWritten, part: Part) -> Iterator[Selector]:
    """The tests of names that led to a write of some flags."""
    names = parameter_names(trace, part.key, event.index)
    prefixes = _prefixes(trace, event, part.key)
    for test in _name_tests(part.predicate):
        place = next(
            (
                each
                for each in trace.before(event, NamesTested)
                if each.test == test.kind and set(each.texts) <= set(test.texts)
            ),
            None,
        )
        yield Selector(test, names, prefixes, place)


def listing(trace: Trace, event: Event, key: int) -> MethodCalled | None:
    """The call that yielded the names that an event is about."""
    for call in trace.before(event, MethodCalled):
        if call.receiver == ModuleValue(key) and call.name.startswith("named_"):
            return call
    return None


def meets(kind: str, text: str, name: str) -> bool:
    """Whether a name passes a test with one text."""
    if kind == "contains":
        return text in name
    if kind == "startswith":
        return name.startswith(text)
    if kind == "endswith":
        return name.endswith(text)
    return fits_pattern(kind, text, name) if kind in PATTERNS else name == text


def _name_tests(predicate: Predicate) -> Iterator[NameTest]:
    """The tests of names in a predicate; texts of which any will do are one test."""
    yield from _joined(
        [atom for atom in predicate if isinstance(atom, NameTest) and atom.negated], negated=True
    )
    for atom in predicate:
        if isinstance(atom, NameTest) and not atom.negated:
            yield atom
        elif isinstance(atom, NotAll):
            tests = [each for each in atom.atoms if isinstance(each, NameTest)]
            if len(tests) == len(atom.atoms) and all(each.negated for each in tests):
                yield from _joined(tests, negated=False)


def _joined(tests: list[NameTest], *, negated: bool) -> Iterator[NameTest]:
    """One test for all, where they are of one kind."""
    if len({each.kind for each in tests}) == 1:
        texts = tuple(text for each in tests for text in each.texts)
        yield NameTest(tests[0].kind, texts, negated)


def _modules_above(names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        above = name.rpartition(".")[0]
        while above:
            yield above
            above = above.rpartition(".")[0]


def _prefixes(trace: Trace, event: Event, key: int) -> tuple[str, ...]:
    """What may stand before the names: nothing, where the model may not be wrapped."""
    if (trace.objects.module(key).library or "").startswith("peft."):
        return PEFT_PREFIXES
    call = listing(trace, event, key)
    prefixes = [""]
    for wrapped in trace.before(event, Wrapped):
        prefix = PREFIXES.get(wrapped.wrapper.rpartition(".")[2])
        if wrapped.key != key or prefix is None:
            continue
        if call is not None and wrapped.index < call.index and _is_called_on(call, wrapped):
            return (prefix,)
        prefixes.append(prefix)
    return tuple(prefixes)


def _is_called_on(call: MethodCalled, wrapped: Wrapped) -> bool:
    """Whether the names were asked of the very variable that the wrapper was assigned to."""
    target, _, value = wrapped.place.chunk.code(wrapped.place.statement).partition("=")
    return (
        target.strip() == call.label
        and not value.startswith("=")
        and ".module" not in value
        and "_orig_mod" not in value
        and "disable" not in value
        and wrapped.activations == call.activations
        and implies(call.path, wrapped.path)
    )
