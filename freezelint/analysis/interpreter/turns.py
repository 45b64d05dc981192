"""Which turns a condition offers, and that the same condition takes the same turn again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.events import EQUALS_ZERO
from freezelint.analysis.syntax import walk
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezelint.analysis.events import Path
    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.syntax import Chunk

_NEGATED: dict[type[cst.BaseCompOp], type[cst.BaseCompOp]] = {
    cst.NotEqual: cst.Equal,
    cst.IsNot: cst.Equal,
    cst.NotIn: cst.In,
    cst.LessThanEqual: cst.GreaterThan,
    cst.LessThan: cst.GreaterThanEqual,
}
"""Operators that say the opposite of others."""


class BranchingPoints:
    """Identities of conditions: one has the same as long as what it reads is the same."""

    def __init__(self) -> None:
        """Start with none."""
        self._count = 0
        self._versions: dict[tuple[int, str], int] = {}
        self._known: dict[tuple[object, ...], int] = {("literal 0",): EQUALS_ZERO}

    def new(self) -> int:
        """A point that is no other."""
        self._count += 1
        return self._count

    def touch(self, frame: int, name: str) -> None:
        """Note that a name, or something behind it, has changed: conditions on it may too."""
        key = (frame, name)
        self._versions[key] = self._versions.get(key, 0) + 1

    def is_untouched(self, frame: int, name: str) -> bool:
        """Whether a name still holds what it held at first."""
        return (frame, name) not in self._versions

    def of(self, text: str, reads: Iterable[tuple[int, str]]) -> int:
        """The point of a condition with this text that reads these names of frames."""
        key = (text, *((*name, self._versions.get(name, 0)) for name in sorted(reads)))
        if key not in self._known:
            self._known[key] = self.new()
        return self._known[key]


class _Condition(NamedTuple):
    """What the code of a condition tells, whatever the values are."""

    is_positive: bool
    names: frozenset[str]
    text: str | None
    """Its code without a negation; None where a call may answer otherwise the next time."""
    compared: tuple[str, str] | None
    """What is compared with a literal, and the literal."""

    def renamed(self, paths: dict[str, str]) -> _Condition:
        """The condition with dotted names in place of names."""
        words = re.compile(rf"(?<![\w.])(?:{'|'.join(paths)})\b")

        def rename(text: str) -> str:
            return words.sub(lambda found: paths[found[0]], text)

        text = None if self.text is None else rename(self.text)
        if self.compared is None:
            return self._replace(text=text)
        subject, literal = self.compared
        return self._replace(text=text, compared=(rename(subject), literal))


def arms_of(run: Interpreter, test: cst.BaseExpression) -> tuple[Path, Path]:
    """What taking a condition and not taking it add to the path.

    The same condition further down takes the same turn, its negation the other
    one, and of ``mode == "a"`` and ``mode == "b"`` only one is taken.
    """
    condition = _read(run.place(test).chunk, test)
    if run.frame.passed:
        condition, reads = _as_passed(run, condition)
    else:
        reads = [(run.frame.key, name) for name in condition.names]
    point = run.points.new() if condition.text is None else run.points.of(condition.text, reads)
    taken: Path = ((point, 0),)
    if condition.compared is not None:
        subject, literal = condition.compared
        answer = run.points.of(f"literal {literal}", ())
        taken = (*taken, (run.points.of(f"{subject} ==", reads), answer))
    passed: Path = ((point, 1),)
    return (taken, passed) if condition.is_positive else (passed, taken)


def _as_passed(run: Interpreter, condition: _Condition) -> tuple[_Condition, list[tuple[int, str]]]:
    """The same condition on what the callers call the things that they passed."""
    reads = []
    paths = {}
    for name in condition.names:
        frame, path = run.frame, name
        root, _, rest = path.partition(".")
        while root in frame.passed and run.points.is_untouched(frame.key, root):
            frame, passed = frame.passed[root]
            path = f"{passed}.{rest}" if rest else passed
            root, _, rest = path.partition(".")
        reads.append((frame.key, root))
        if path != name:
            paths[name] = path
    return condition.renamed(paths) if paths else condition, reads


def _read(chunk: Chunk, test: cst.BaseExpression) -> _Condition:
    """Read a condition of a chunk, once: its code is printed from the tree, which takes long."""
    fact = ("condition", id(test))
    known: _Condition | None = chunk.facts.get(fact)
    if known is None:
        positive, plain = without_negation(test)
        nodes = list(walk(plain))
        attributes = {id(each.attr) for each in nodes if type(each) is cst.Attribute}
        names = frozenset(
            each.value for each in nodes if type(each) is cst.Name and id(each) not in attributes
        )
        calls = any(type(each) is cst.Call for each in nodes)
        literal = _compared_literal(plain) if isinstance(plain, cst.Comparison) else None
        known = chunk.facts[fact] = _Condition(
            positive,
            names,
            None if calls else chunk.code(plain).replace(" is ", " == "),
            None
            if literal is None or not isinstance(plain, cst.Comparison)
            else (chunk.code(plain.left), literal),
        )
    return known


def without_negation(test: cst.BaseExpression) -> tuple[bool, cst.BaseExpression]:
    """A condition, or the one that it negates, and which of the two that is."""
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        positive, inner = without_negation(test.expression)
        return not positive, inner
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        comparison = test.comparisons[0]
        opposite = _NEGATED.get(type(comparison.operator))
        if opposite is not None:
            plain = comparison.with_changes(operator=opposite())
            return False, test.with_changes(comparisons=[plain])
    return True, test


def _compared_literal(test: cst.Comparison) -> str | None:
    comparison = test.comparisons[0]
    literal = comparison.comparator
    if len(test.comparisons) != 1 or not isinstance(comparison.operator, (cst.Equal, cst.Is)):
        return None
    if isinstance(literal, (cst.SimpleString, cst.Integer)):
        return literal.value
    if isinstance(literal, cst.Name) and literal.value in ("None", "True", "False"):
        return literal.value
    return None
