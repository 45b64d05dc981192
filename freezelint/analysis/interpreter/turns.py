"""Which turns a condition offers, and that the same condition takes the same turn again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.events import EQUALS_ZERO
from freezelint.analysis.syntax import walk
from freezelint.analysis.trace import Subject, implies
from freezelint.analysis.values import UNKNOWN, Constant, InstanceValue, ModuleValue
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from freezelint.analysis.events import Path
    from freezelint.analysis.interpreter.frames import Frame
    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.syntax import Chunk
    from freezelint.analysis.values import Value

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

    def __init__(self, subjects: dict[int, frozenset[Subject]]) -> None:
        """Start with none, and note there what each asks about."""
        self._count = 0
        self.subjects = subjects
        self.meanings: dict[tuple[int, str, int], tuple[Path, tuple[Path, Path]]] = {}
        """Of what a name was given the answer to: on which path, and its turns."""
        self.choices: dict[tuple[int, str, int], frozenset[Subject]] = {}
        """What the value of a name was chosen by."""
        self._kept: dict[str, bool] = {}
        self._versions: dict[tuple[int, str], int] = {}
        self._known: dict[tuple[object, ...], int] = {("literal 0",): EQUALS_ZERO}

    def new(self) -> int:
        """A point that is no other."""
        self._count += 1
        return self._count

    def version(self, frame: int, name: str) -> int:
        """How often a name has changed."""
        return self._versions.get((frame, name), 0)

    def touch(self, frame: int, name: str) -> None:
        """Note that a name, or something behind it, has changed: conditions on it may too."""
        key = (frame, name)
        self._versions[key] = self._versions.get(key, 0) + 1

    def is_untouched(self, frame: int, name: str) -> bool:
        """Whether a name still holds what it held at first."""
        return (frame, name) not in self._versions

    def keeps(self, text: str, path: str) -> bool:
        """Whether a field of an object never changes after its construction."""
        if path not in self._kept:
            from freezelint.analysis.lasting_fields import is_lasting

            self._kept[path] = is_lasting(text, path)
        return self._kept[path]

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
    subjects: frozenset[str]
    """The names, and the fields of theirs, that it asks about."""
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
        subjects = frozenset(map(rename, self.subjects))
        if self.compared is None:
            return self._replace(text=text, subjects=subjects)
        subject, literal = self.compared
        return self._replace(text=text, subjects=subjects, compared=(rename(subject), literal))


def arms_of(run: Interpreter, test: cst.BaseExpression) -> tuple[Path, Path]:
    """What taking a condition and not taking it add to the path.

    The same condition further down takes the same turn, its negation the other
    one, and of ``mode == "a"`` and ``mode == "b"`` only one is taken.
    """
    condition = _read(run.place(test).chunk, test)
    if run.frame.passed:
        condition, reads = _as_passed(run, condition)
    else:
        reads = [(_home(run, run.frame, name, condition), name) for name in condition.names]
    meaning = _meaning(run, condition, reads)
    if meaning is not None:
        return meaning if condition.is_positive else (meaning[1], meaning[0])
    point = run.points.new() if condition.text is None else run.points.of(condition.text, reads)
    run.points.subjects[point] = frozenset(_subjects(run, condition, reads))
    taken: Path = ((point, 0),)
    if condition.compared is not None:
        subject, literal = condition.compared
        answer = run.points.of(f"literal {literal}", ())
        taken = (*taken, (run.points.of(f"{subject} ==", reads), answer))
    passed: Path = ((point, 1),)
    return (taken, passed) if condition.is_positive else (passed, taken)


def arms_of_case(
    run: Interpreter, subject: cst.BaseExpression, case: cst.MatchCase
) -> tuple[Path, Path]:
    """What a case of a ``match``, and its being passed over, add to the path."""
    chunk, pattern = run.place(subject).chunk, case.pattern
    is_value = isinstance(pattern, cst.MatchValue) and case.guard is None
    fact = ("case", id(case))
    if fact not in chunk.facts:
        value = pattern.value if isinstance(pattern, cst.MatchValue) else cst.Name("None")
        chunk.facts[fact] = cst.Comparison(subject, [cst.ComparisonTarget(cst.Equal(), value)])
    taken, passed = arms_of(run, chunk.facts[fact])
    if is_value:
        return taken, passed
    # One of several values, or of some shape: a question of its own about the same.
    point = run.points.new()
    run.points.subjects[point] = run.points.subjects.get(passed[0][0], frozenset())
    return ((point, 0),), ((point, 1),)


def keep_meaning(
    run: Interpreter, target: cst.BaseExpression, value: Value, source: cst.CSTNode
) -> None:
    """Note that a name was just given the answer to a condition, so that it means the same."""
    if isinstance(target, cst.Name):
        _keep_meaning(run, run.frame, target.value, value, source)


def keep_passed_meaning(run: Interpreter, frame: Frame, name: str, source: cst.CSTNode) -> None:
    """Note that a parameter of what is about to run was passed the answer to a condition."""
    _keep_meaning(run, frame, name, run.bindings.get((frame.key, name), UNKNOWN), source)


def _keep_meaning(
    run: Interpreter, frame: Frame, name: str, value: Value, source: cst.CSTNode
) -> None:
    if isinstance(value, (Constant, ModuleValue)) or not isinstance(source, _ANSWERS + _CHOICES):
        return
    text = run.index.text
    if not any(asked in text for asked in (f"if {name}", f"not {name}", f"{name} ==")):
        return
    key = (frame.key, name, run.points.version(frame.key, name))
    turns = arms_of(run, source.test if isinstance(source, cst.IfExp) else source)
    if isinstance(source, _ANSWERS):
        run.points.meanings[key] = run.path, turns
    if isinstance(source, _CHOICES):
        ((point, _), *_), _ = turns
        run.points.choices[key] = run.points.subjects.get(point, frozenset())


_ANSWERS = (cst.Comparison, cst.UnaryOperation, cst.Attribute, cst.Subscript)
_CHOICES = (cst.IfExp, cst.BooleanOperation, cst.Attribute, cst.Subscript)


def _meaning(
    run: Interpreter, condition: _Condition, reads: list[tuple[int, str]]
) -> tuple[Path, Path] | None:
    if len(reads) != 1 or condition.text != reads[0][1]:
        return None
    path, turns = run.points.meanings.get(
        (*reads[0], run.points.version(*reads[0])), (run.path, None)
    )
    return turns if implies(run.path, path) else None


def _home(run: Interpreter, frame: Frame, name: str, condition: _Condition) -> int:
    """Where a name belongs: to the frame that binds it, or that of the file if none does.

    What a constructor set once and for all belongs to the object: all its methods see the same.
    """
    while (frame.key, name) not in run.bindings and frame.parent is not None:
        frame = frame.parent
    receiver = frame.receiver
    if (
        name == "self"
        and isinstance(receiver, (InstanceValue, ModuleValue))
        and all(
            run.points.keeps(run.index.text, path)
            for path in condition.subjects
            if path.startswith("self")
        )
    ):
        # Keys of objects and of frames must not meet.
        return -1 - receiver.key
    return frame.key


def _subjects(
    run: Interpreter, condition: _Condition, reads: list[tuple[int, str]]
) -> Iterator[Subject]:
    homes = {name: frame for frame, name in reads}
    for path in condition.subjects:
        root = re.split(r"[.\[]", path, maxsplit=1)[0]
        if root in homes:
            version = run.points.version(homes[root], root)
            holder, _, field = path.rpartition(".")
            is_computed = "property" in run.index.text and re.search(
                rf"property\s+def {field}\b", run.index.text
            )
            yield Subject(homes[root], version, holder if holder and is_computed else path)
            yield from run.points.choices.get((homes[root], root, version), ())


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
        reads.append((_home(run, frame, root, condition), root))
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
        text = _LOOK_UP.sub(r"[\1]", _FIELD.sub(r"\1.\2", _plain_code(chunk, plain)))
        literal = _compared_literal(plain) if isinstance(plain, cst.Comparison) else None
        known = chunk.facts[fact] = _Condition(
            positive,
            names,
            frozenset(_PATH.findall(_QUOTED.sub(_without_words, text))),
            None if _CALL.search(text) else text,
            None
            if literal is None or not isinstance(plain, cst.Comparison)
            else (_plain_code(chunk, plain.left), literal),
        )
    return known


_FIELD = re.compile(r"\bgetattr\(([\w.]+), \"(\w+)\"(?:, [\w.]+)?\)")
_LOOK_UP = re.compile(r"\.get\((\"\w+\")(?:, [\w.]+)?\)")
_CALL = re.compile(r"[\w\])]\(")
_QUOTED = re.compile(r"\[\"\w+\"\]|\"[^\"]*\"")
_PATH = re.compile(r"(?<![\w.\]])[A-Za-z_]\w*(?:\.\w+(?!\w*\()|\[\"\w+\"\])*")


def _without_words(quoted: re.Match[str]) -> str:
    """Keep what names a field of a mapping, and no other text."""
    return quoted[0] if quoted[0].startswith("[") else '""'


def _plain_code(chunk: Chunk, node: cst.BaseExpression) -> str:
    """The code of a condition, written in one of several ways to say the same."""
    return chunk.code(node).replace(" is ", " == ").replace("'", '"')


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
            positive, inner = without_negation(test.with_changes(comparisons=[plain]))
            return not positive, inner
        answer = comparison.comparator
        if isinstance(comparison.operator, (cst.Equal, cst.Is)) and isinstance(answer, cst.Name):
            if answer.value == "False":
                positive, inner = without_negation(test.left)
                return not positive, inner
            if answer.value == "True":
                return without_negation(test.left)
    if (
        isinstance(test, cst.Call)
        and isinstance(test.func, cst.Name)
        and test.func.value == "bool"
        and len(test.args) == 1
    ):
        return without_negation(test.args[0].value)
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
