"""Which parameters of a module a loop, a filter or a condition picks out.

A predicate is a conjunction of atoms; the empty one means every parameter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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
    """``contains``, ``startswith``, ``endswith``, ``equals`` or ``child``."""
    texts: tuple[str, ...]
    negated: bool = False

    def decide(self, prefix: str) -> bool | None:
        """Whether every parameter below ``prefix`` is kept (True), none is (False), or unknown.

        ``prefix`` is a module's dotted name relative to the module whose
        parameters are tested, for example ``layer4.0``.
        """
        dotted_prefix = prefix + "."
        hit = any(self._holds(text, prefix, dotted_prefix) for text in self.texts)
        if hit:
            return not self.negated
        excluded = self.kind in ("startswith", "child") and not any(
            text.startswith(dotted_prefix) for text in self.texts
        )
        return self.negated if excluded else None

    def _holds(self, text: str, prefix: str, dotted_prefix: str) -> bool:
        if self.kind == "contains":
            return text in dotted_prefix
        if self.kind == "startswith":
            return dotted_prefix.startswith(text)
        if self.kind == "child":
            return prefix == text or prefix.startswith(text + ".")
        return False


class TypeTest(NamedTuple):
    """Keeps modules by ``isinstance``; ``names`` are dotted class names."""

    names: tuple[str, ...]
    negated: bool = False


class OfChildren(NamedTuple):
    """Everything below the children: all but the parameters that the module itself owns."""

    # Tuples without fields would all be equal.
    kind: str = "of children"


class Some(NamedTuple):
    """Keeps some parameters; which is not known."""

    kind: str = "some"


OF_CHILDREN = OfChildren()
SOME = Some()

Atom = FlagTest | NameTest | TypeTest | OfChildren | Some
Predicate = tuple[Atom, ...]


def conjunction(first: Predicate, second: Predicate) -> Predicate:
    """Both, each atom once."""
    return first + tuple(atom for atom in second if atom not in first)


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


def is_total(predicate: Predicate) -> bool:
    """Whether the predicate lets everything through (but for a module's own parameters)."""
    return all(isinstance(atom, OfChildren) for atom in predicate)


def flag_tests(predicate: Predicate) -> list[FlagTest]:
    """The tests of ``requires_grad`` in a predicate."""
    return [atom for atom in predicate if isinstance(atom, FlagTest)]


def decide(predicate: Predicate, prefix: str) -> bool | None:
    """Whether all parameters below ``prefix`` are picked, none is, or it is unknown."""
    answer: bool | None = True
    for atom in predicate:
        if isinstance(atom, OfChildren):
            continue
        verdict = atom.decide(prefix) if isinstance(atom, NameTest) and prefix else None
        if verdict is False:
            return False
        if verdict is None:
            answer = None
    return answer
