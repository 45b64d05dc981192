"""Which parameters of a module a loop, a filter or a condition picks out.

A predicate is a conjunction of atoms; the empty one means every parameter.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from freezelint.analysis.syntax import Place


class FlagTest(NamedTuple):
    """Keeps parameters whose ``requires_grad`` had this value when it was evaluated."""

    value: bool
    place: Place
    at: int | None = None
    """Index of the moment in the trace; None while a lazy filter is not consumed."""


class NameTest(NamedTuple):
    """Keeps parameters by their name."""

    kind: str
    """``contains``, ``startswith``, ``endswith``, ``equals``, ``child``, or ``match`` and
    ``search`` for regular expressions."""
    texts: tuple[str, ...]
    negated: bool = False

    def decide(self, prefix: str) -> bool | None:
        """Whether every parameter below ``prefix`` is kept (True), none is (False), or unknown.

        ``prefix`` is a module's dotted name relative to the module whose
        parameters are tested, for example ``layer4.0``. A star in it stands for
        names that are not known.
        """
        if "*" in prefix and self.kind != "contains":
            return None
        dotted_prefix = prefix + "."
        hit = any(self._holds(text, prefix, dotted_prefix) for text in self.texts)
        if hit:
            return not self.negated
        excluded = self.kind in ("startswith", "child") and not any(
            text.startswith(dotted_prefix) for text in self.texts
        )
        return self.negated if excluded else None

    def is_met_by(self, name: str) -> bool:
        """Whether the parameter of this very name is kept."""
        hit = any(self._fits(text, name) for text in self.texts)
        return hit is not self.negated

    def judge(self, name: str) -> bool | None:
        """The same where stars in a name stand for what is not known of it."""
        if "*" not in name or all(self._is_out_of_reach(text, name) for text in self.texts):
            return self.is_met_by(name)
        return self.decide(name)

    def _is_out_of_reach(self, text: str, name: str) -> bool:
        """Whether what a star stands for, a number, makes no difference to a test for a text."""
        if self.kind == "endswith":
            return len(text) <= len(name.rpartition("*")[2])
        if self.kind == "startswith":
            return len(text) <= name.index("*")
        return self.kind == "contains" and re.search(r"\d", text) is None

    def _fits(self, text: str, name: str) -> bool:
        if self.kind == "contains":
            return text in name
        if self.kind == "startswith":
            return name.startswith(text)
        if self.kind == "endswith":
            return name.endswith(text)
        if self.kind == "child":
            return name.startswith(f"{text}.") or name == text
        if self.kind in PATTERNS:
            return fits_pattern(self.kind, text, name)
        return name == text

    def lies_below(self, prefix: str) -> bool:
        """Whether only parameters below ``prefix`` can be kept."""
        if self.negated or self.kind not in ("startswith", "child", "equals"):
            return False
        within = prefix + "."
        return all(
            text.startswith(within) or (self.kind == "child" and text == prefix)
            for text in self.texts
        )

    def _holds(self, text: str, prefix: str, dotted_prefix: str) -> bool:
        if self.kind == "contains":
            return text in dotted_prefix
        if self.kind == "startswith":
            return dotted_prefix.startswith(text)
        if self.kind == "child":
            return prefix == text or prefix.startswith(text + ".")
        return False


PATTERNS = frozenset({"match", "search"})
"""Kinds of tests of names whose texts are regular expressions."""


def fits_pattern(kind: str, pattern: str, name: str) -> bool:
    """Whether a regular expression, which is a valid one, fits a name."""
    compiled = re.compile(pattern)
    return (compiled.match if kind == "match" else compiled.search)(name) is not None


class TypeTest(NamedTuple):
    """Keeps modules by ``isinstance``; ``names`` are dotted class names."""

    names: tuple[str, ...]
    negated: bool = False


class OfChildren(NamedTuple):
    """Everything below the children: all but the parameters that the module itself owns."""

    # Tuples without fields would all be equal.
    kind: str = "of children"


class OwnTest(NamedTuple):
    """Keeps what the modules picked so far own themselves, not what their submodules do."""

    attribute: str | None = None
    """The one that is kept; None for all."""


class ConditionTest(NamedTuple):
    """Keeps parameters by a condition that says nothing here, but always picks the same."""

    condition: int
    """Its identity: another condition with the same text that reads the same is the same one."""
    negated: bool = False


class NotAll(NamedTuple):
    """Keeps parameters that fail at least one of several tests."""

    atoms: tuple[Atom, ...]


class Some(NamedTuple):
    """Keeps some parameters; which is not known."""

    kind: str = "some"


class AllButLast(NamedTuple):
    """Beside a :class:`Some`: the first submodules or parameters are kept, all but so many."""

    dropped: int


class First(NamedTuple):
    """Beside a :class:`Some`: so many submodules are kept, in the order in which they stand."""

    number: int


OF_CHILDREN = OfChildren()
SOME = Some()

Atom = (
    FlagTest
    | NameTest
    | TypeTest
    | OfChildren
    | OwnTest
    | ConditionTest
    | NotAll
    | Some
    | AllButLast
    | First
)
Predicate = tuple[Atom, ...]


def conjunction(first: Predicate, second: Predicate) -> Predicate:
    """Both, each atom once."""
    return first + tuple(atom for atom in second if atom not in first)


def negation(predicate: Predicate) -> Predicate:
    """What picks all that a predicate does not."""
    if len(predicate) == 1:
        (atom,) = predicate
        if isinstance(atom, (NameTest, TypeTest, ConditionTest)):
            return (atom._replace(negated=not atom.negated),)
        if isinstance(atom, FlagTest):
            return (atom._replace(value=not atom.value),)
        if isinstance(atom, NotAll):
            return atom.atoms
    if not predicate or any(isinstance(atom, (Some, FlagTest, OfChildren)) for atom in predicate):
        # A flag may have another value by the time that it is tested.
        return (SOME,)
    return (NotAll(predicate),)


def union(first: Predicate, second: Predicate) -> Predicate | None:
    """What two predicates pick together, where they differ by a test and its negation only."""
    if SOME in first or SOME in second:
        return None
    mine = tuple(atom for atom in first if atom not in second)
    other = tuple(atom for atom in second if atom not in first)
    if (mine or other) and other != negation(mine):
        return None
    return tuple(atom for atom in first if atom in second)


def excludes(first: Predicate, second: Predicate) -> bool:
    """Whether nothing can be picked by both."""
    return any(_exclude(one, other) for one in first for other in second)


def _exclude(one: Atom, other: Atom) -> bool:
    if isinstance(one, OwnTest) and isinstance(other, OwnTest):
        return None not in (one.attribute, other.attribute) and one != other
    if isinstance(other, (NameTest, TypeTest, ConditionTest)):
        return implies((one,), other._replace(negated=not other.negated))
    return False


def implies(predicate: Predicate, atom: Atom) -> bool:
    """Whether everything that a predicate picks certainly passes an atom."""
    if isinstance(atom, Some):
        # Which ones are meant is not known, so two of these are never the same.
        return False
    if atom in predicate or isinstance(atom, OfChildren):
        return True
    if not isinstance(atom, NameTest) or not atom.negated or atom.kind != "startswith":
        return False
    return any(
        isinstance(mine, NameTest)
        and not mine.negated
        and mine.kind in ("startswith", "child", "equals")
        and not any(
            one.startswith(other) or other.startswith(one)
            for one in mine.texts
            for other in atom.texts
        )
        for mine in predicate
    )


def without_names(predicate: Predicate) -> Predicate:
    """What of a predicate holds where the same parameters have other names."""
    return tuple(atom for atom in predicate if isinstance(atom, (TypeTest, OwnTest)))


def is_total(predicate: Predicate) -> bool:
    """Whether the predicate lets everything through (but for a module's own parameters)."""
    return all(isinstance(atom, OfChildren) for atom in predicate)


def flag_tests(predicate: Predicate) -> list[FlagTest]:
    """The tests of ``requires_grad`` in a predicate."""
    return [atom for atom in predicate if isinstance(atom, FlagTest)]


def lies_below(predicate: Predicate, prefix: str) -> bool:
    """Whether a predicate picks nothing but parameters below ``prefix``."""
    return any(isinstance(atom, NameTest) and atom.lies_below(prefix) for atom in predicate)


def decide(predicate: Predicate, prefix: str) -> bool | None:
    """Whether all parameters below ``prefix`` are picked, none is, or it is unknown."""
    answer: bool | None = True
    for atom in predicate:
        if isinstance(atom, OfChildren):
            continue
        verdict = _verdict(atom, prefix) if prefix else None
        if verdict is False:
            return False
        if verdict is None:
            answer = None
    return answer


def is_met_by(predicate: Predicate, name: str) -> bool | None:
    """Whether the parameter of this very name is picked, as far as names tell."""
    answer: bool | None = True
    for atom in predicate:
        if isinstance(atom, OfChildren):
            continue
        verdict: bool | None = None
        if isinstance(atom, NameTest):
            verdict = atom.judge(name)
        elif isinstance(atom, NotAll):
            inner = is_met_by(atom.atoms, name)
            verdict = None if inner is None else not inner
        if verdict is False:
            return False
        if verdict is None:
            answer = None
    return answer


def _verdict(atom: Atom, prefix: str) -> bool | None:
    if isinstance(atom, NameTest):
        return atom.decide(prefix)
    if isinstance(atom, NotAll):
        verdict = decide(atom.atoms, prefix)
        return None if verdict is None else not verdict
    return None
