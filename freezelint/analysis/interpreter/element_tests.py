"""Conditions that pick some of the elements a loop goes over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.events import NamesTested, NumbersTested
from freezelint.analysis.interpreter.names import frame_of, look_up
from freezelint.analysis.interpreter.turns import without_negation
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import (
    SOME,
    ConditionTest,
    FlagTest,
    NameTest,
    Predicate,
    conjunction,
    negation,
)
from freezelint.analysis.syntax import assigned_names, walk
from freezelint.analysis.values import (
    BuiltinValue,
    Constant,
    Counted,
    ElementsValue,
    FlagValue,
    LibraryInstance,
    ModuleValue,
    ParameterName,
    ParameterValue,
    Part,
    SequenceValue,
    Value,
)
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.machine import Interpreter

_LASTING_ATTRIBUTES = frozenset({"ndim", "shape", "dtype"})
_LASTING_METHODS = frozenset({"dim", "ndimension", "numel", "size", "is_floating_point"})
"""What a parameter always answers the same to."""

IDENTITY = "id"
"""What stands for the ``id`` of a parameter, which is its argument."""

_PURE_FUNCTIONS = frozenset({"len", "id", "isinstance", "any", "all", "str", "int", "min", "max"})


class ElementTest(NamedTuple):
    """A condition that picks some of the elements a loop goes over."""

    when_true: Predicate
    when_false: Predicate

    @property
    def negation(self) -> ElementTest:
        """The test with its sides exchanged."""
        return ElementTest(self.when_false, self.when_true)


Verdict = bool | ElementTest | None
"""What is known of a condition."""

UNDECIDED = ElementTest((SOME,), (SOME,))


def both(one: ElementTest, other: ElementTest) -> ElementTest:
    """True where both are."""
    together = conjunction(one.when_true, other.when_true)
    return ElementTest(together, negation(together))


def either(one: ElementTest, other: ElementTest) -> ElementTest:
    """True where at least one is."""
    return both(one.negation, other.negation).negation


def flag_test(
    run: Interpreter, value: FlagValue, node: cst.CSTNode, *, wanted: bool
) -> ElementTest | None:
    """A test of ``requires_grad`` of an element; None when it is something else's."""
    receiver = value.receiver
    if isinstance(receiver, ParameterValue) and receiver.is_element:
        place = run.place(run.selection or node)
        # A statement looks at the flag now; what picks elements does where they are asked for.
        is_lazy = run.selection is not None or run.frame.on_yield is not None
        at = None if is_lazy else run.trace.now
        return ElementTest((FlagTest(wanted, place, at),), (FlagTest(not wanted, place, at),))
    return None


def name_test(
    run: Interpreter, kind: str, texts: Value, node: cst.CSTNode, *, negated: bool = False
) -> ElementTest:
    """A test of an element's name against texts that may not be known."""
    found = _texts(texts)
    if found is None:
        for text in _counted(texts):
            run.announce(
                NumbersTested(
                    place=run.place(node),
                    test=kind,
                    start=text.start,
                    text=text.before,
                    after=text.after,
                )
            )
        return UNDECIDED
    run.announce(NamesTested(place=run.place(node), test=kind, texts=found))
    return ElementTest((NameTest(kind, found, negated),), (NameTest(kind, found, not negated),))


def _texts(value: Value) -> tuple[str, ...] | None:
    if isinstance(value, Constant) and isinstance(value.value, str):
        return (value.value,)
    if isinstance(value, SequenceValue) and value.complete:
        texts = [each.value for each in value.items if isinstance(each, Constant)]
        if len(texts) == len(value.items) and all(isinstance(each, str) for each in texts):
            return tuple(texts)
    return None


def _counted(value: Value) -> list[Counted]:
    """The texts with a number in them."""
    if isinstance(value, ElementsValue):
        value = value.element
    items = value.items if isinstance(value, SequenceValue) else (value,)
    return [each for each in items if isinstance(each, Counted)]


def identity_test(run: Interpreter, one: LibraryInstance, known: Value) -> ElementTest | None:
    """Whether an element is one of those whose ``id`` was taken; None where it is not known."""
    items: tuple[Value, ...] = ()
    if isinstance(known, SequenceValue) and known.complete:
        items = known.items
    elif isinstance(known, ElementsValue):
        items = (known.element,)
    found: list[tuple[Part, ...]] = []
    for each in (one, *items):
        if not isinstance(each, LibraryInstance) or each.name != IDENTITY:
            return None
        (taken,) = each.arguments
        if not isinstance(taken, ParameterValue):
            return None
        found.append(taken.parts)
    (whole, *others), *picked = found
    names = [_name_within(run, whole.key, part) for parts in picked for part in parts]
    texts = tuple(f"{name}." for name in names if name is not None)
    if others or not names or len(texts) < len(names):
        return None
    return ElementTest(
        (NameTest("startswith", texts),), (NameTest("startswith", texts, negated=True),)
    )


def _name_within(run: Interpreter, whole: int, part: Part) -> str | None:
    """What a module, all of whose parameters are meant, is called within another one."""
    if part.predicate or run.objects.module(part.key).origin is Origin.PARAMETER:
        return None
    name = run.objects.route(whole, part.key, run.now)
    # Of some, the analysis has a name of its own only.
    return name if name and not {"*", "("}.intersection(name) else None


def element_parameters(
    run: Interpreter, frame: int, code: cst.FunctionDef | cst.Lambda
) -> set[str]:
    """The parameters of a function that stand for elements now, and what may be made of them."""
    names = {each.name.value for each in code.params.params}
    given = {name for name in names if is_element(run, run.bindings.get((frame, name)))}
    return given | assigned_names(code.body) if given else given


def is_element(run: Interpreter, value: Value | None) -> bool:
    """Whether a value stands for each of several, or for the names of them."""
    if isinstance(value, ModuleValue):
        return run.objects.module(value.key).origin is Origin.ELEMENT
    return isinstance(value, ParameterName) or (
        isinstance(value, ParameterValue) and value.is_element
    )


def depends_on_element(run: Interpreter, node: cst.CSTNode) -> bool:
    """Whether a condition may say another thing of each element."""
    if not run.element_names:
        return False
    names = set().union(*run.element_names)
    return any(isinstance(each, cst.Name) and each.value in names for each in walk(node))


def unread_test(run: Interpreter, node: cst.BaseExpression) -> ElementTest:
    """A condition on elements of which nothing is known but, perhaps, that it is lasting.

    Then it, or its negation, can be told apart from others where it is written again.
    """
    positive, plain = without_negation(node)
    reads = _Reads(run).of(plain)
    if reads is None:
        return UNDECIDED
    code = run.place(plain.with_changes(lpar=(), rpar=())).code
    test = ConditionTest(run.points.of(code, reads), negated=not positive)
    return ElementTest((test,), negation((test,)))


class _Reads:
    """What a condition reads besides the elements that it is about."""

    def __init__(self, run: Interpreter) -> None:
        self._run = run
        self._elements: set[str] = set().union(*run.element_names)
        self._own: set[str] = set()
        """The variables of comprehensions in it."""
        self._found: set[tuple[int, str]] = set()

    def of(self, node: cst.BaseExpression) -> set[tuple[int, str]] | None:
        """The names of frames; None if the answer may be another without a change of these."""
        return self._found if self._visit(node) else None

    def _visit(self, node: cst.CSTNode) -> bool:
        """Note what is read below a node; False where it need not last."""
        if isinstance(node, cst.Name):
            return self._visit_name(node.value)
        if isinstance(node, cst.Attribute):
            return self._visit_attribute(node, _LASTING_ATTRIBUTES)
        if isinstance(node, cst.Call):
            return self._visit_call(node)
        if isinstance(node, cst.CompFor):
            names = [each.value for each in walk(node.target) if isinstance(each, cst.Name)]
            self._own.update(names)
        if isinstance(node, (cst.Lambda, cst.Await, cst.NamedExpr, cst.Yield)):
            return False
        # A comprehension names its variables before it says what they are.
        inner = reversed(node.children) if isinstance(node, cst.BaseComp) else node.children
        return all(map(self._visit, inner))

    def _visit_name(self, name: str) -> bool:
        if name in self._own:
            return True
        if name in self._elements:
            return isinstance(look_up(self._run, name), (ParameterName, ParameterValue))
        frame = frame_of(self._run, name)
        if frame is not None:
            self._found.add((frame.key, name))
        return True

    def _visit_attribute(self, node: cst.Attribute, lasting: frozenset[str]) -> bool:
        value = self._element(node.value)
        if isinstance(value, ParameterValue):
            return node.attr.value in lasting
        return self._visit(node.value)

    def _visit_call(self, node: cst.Call) -> bool:
        function = node.func
        if isinstance(function, cst.Name):
            is_known = function.value in _PURE_FUNCTIONS and isinstance(
                look_up(self._run, function.value), BuiltinValue
            )
        else:
            is_known = isinstance(function, cst.Attribute) and self._is_of_element(function)
        return is_known and all(self._visit(each.value) for each in node.args)

    def _is_of_element(self, method: cst.Attribute) -> bool:
        """Whether this is a method of an element, or of what is made of an element's name."""
        if isinstance(self._element(method.value), ParameterValue):
            return self._visit_attribute(method, _LASTING_METHODS)
        root = method.value
        while isinstance(root, (cst.Attribute, cst.Subscript, cst.Call)):
            root = root.func if isinstance(root, cst.Call) else root.value
        return isinstance(self._element(root), ParameterName) and self._visit(method.value)

    def _element(self, node: cst.BaseExpression) -> Value | None:
        if isinstance(node, cst.Name) and node.value in self._elements - self._own:
            return look_up(self._run, node.value)
        return None
