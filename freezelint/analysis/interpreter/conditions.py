"""Conditions: known, unknown, or a choice among the elements of a loop."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter.element_tests import (
    UNDECIDED,
    ElementTest,
    both,
    depends_on_element,
    either,
    flag_test,
    name_test,
    unread_test,
)
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.iteration import narrowed
from freezelint.analysis.knowledge.torch import STRONG_MODULE_EVIDENCE, TENSOR_CLASSES
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import (
    Predicate,
    TypeTest,
)
from freezelint.analysis.values import (
    BoundMethod,
    BuiltinValue,
    ComparisonValue,
    Constant,
    FlagValue,
    LibraryValue,
    MappingValue,
    ModuleValue,
    ParameterName,
    ParameterValue,
    Part,
    SequenceValue,
    TensorValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.interpreter.machine import Interpreter


Verdict = bool | ElementTest | None


def judge(run: Interpreter, node: cst.BaseExpression) -> Verdict:
    """Evaluate a condition; None when nothing is known of it."""
    verdict = _judge(run, node)
    if verdict is UNDECIDED or (verdict is None and depends_on_element(run, node)):
        return unread_test(run, node)
    return verdict


def _judge(run: Interpreter, node: cst.BaseExpression) -> Verdict:
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Not):
        inner = judge(run, node.expression)
        if isinstance(inner, ElementTest):
            return inner.negation
        return None if inner is None else not inner
    if isinstance(node, cst.BooleanOperation):
        return _judge_pair(run, node)
    if isinstance(node, cst.Call):
        verdict = _judge_call(run, node)
        if verdict is not None:
            return verdict
    value = evaluate(run, node)
    run.announce(events.ConditionTested(place=run.place(node), value=value, expression=node))
    return judge_value(run, value, node)


def _judge_pair(run: Interpreter, node: cst.BooleanOperation) -> Verdict:
    left, right = judge(run, node.left), judge(run, node.right)
    decisive = isinstance(node.operator, cst.Or)
    if left is decisive or right is decisive:
        return decisive
    if isinstance(left, bool):
        return right
    if isinstance(right, bool):
        return left
    if left is None and right is None:
        return None
    one = left if isinstance(left, ElementTest) else UNDECIDED
    other = right if isinstance(right, ElementTest) else UNDECIDED
    return either(one, other) if decisive else both(one, other)


def judge_value(run: Interpreter, value: Value, node: cst.CSTNode) -> Verdict:
    """What a value means as a condition."""
    if isinstance(value, Constant):
        return bool(value.value)
    if isinstance(value, BoundMethod) and isinstance(value.receiver, (ParameterValue, TensorValue)):
        # An attribute that somebody put there may have any value.
        return True if value.name == "requires_grad_" else None
    if isinstance(value, (BoundMethod, LibraryValue)):
        return True
    if isinstance(value, FlagValue):
        return flag_test(run, value, node, wanted=True)
    if isinstance(value, ComparisonValue):
        return _judge_comparison(run, value, node)
    if isinstance(value, SequenceValue) and value.complete:
        return bool(value.items)
    return None


def _judge_comparison(run: Interpreter, value: ComparisonValue, node: cst.CSTNode) -> Verdict:
    left, operator, right = value
    if isinstance(left, FlagValue) and isinstance(right, Constant) and operator in ("==", "is"):
        return flag_test(run, left, node, wanted=bool(right.value))
    if isinstance(left, FlagValue) and isinstance(right, Constant) and operator in ("!=", "is not"):
        return flag_test(run, left, node, wanted=not right.value)
    if isinstance(right, ParameterName) and operator in ("in", "not in"):
        return name_test("contains", left, negated=operator == "not in")
    if isinstance(left, ParameterName) and operator in ("in", "not in", "==", "!="):
        kind = "child" if left.loop == 1 else "equals"
        return name_test(kind, right, negated=operator in ("not in", "!="))
    return _judge_constants(left, operator, right)


def _judge_constants(left: Value, operator: str, right: Value) -> Verdict:
    nothing = Constant(None)
    if (
        right == nothing
        and isinstance(right, Constant)
        and operator in ("is", "is not", "==", "!=")
    ):
        if isinstance(left, Constant):
            return (left.value is None) == (operator in ("is", "=="))
        if isinstance(left, (ModuleValue, SequenceValue, MappingValue)):
            return operator in ("is not", "!=")
        return None
    if not isinstance(left, Constant):
        return None
    if isinstance(right, SequenceValue) and right.complete and operator in ("in", "not in"):
        if all(isinstance(each, Constant) for each in right.items):
            return (left in right.items) == (operator == "in")
        return None
    if not isinstance(right, Constant):
        return None
    return _compare(left.value, operator, right.value)


def _compare(left: object, operator: str, right: object) -> bool | None:
    if operator in ("==", "is"):
        return left == right
    if operator in ("!=", "is not"):
        return left != right
    if isinstance(left, str) and isinstance(right, str) and operator in ("in", "not in"):
        return (left in right) == (operator == "in")
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return {
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
        }.get(operator)
    return None


def _judge_call(run: Interpreter, node: cst.Call) -> Verdict:
    function = node.func
    arguments = [each.value for each in node.args]
    if isinstance(function, cst.Name) and isinstance(run.look_up(function.value), BuiltinValue):
        if function.value == "any" and len(arguments) == 1:
            return _judge_any(run, arguments[0])
        if function.value == "isinstance" and len(arguments) == 2:
            return _judge_isinstance(run, arguments[0], arguments[1])
        if function.value == "hasattr" and len(arguments) == 2:
            return _judge_hasattr(run, arguments[0], arguments[1])
    if isinstance(function, cst.Attribute) and arguments:
        receiver = evaluate(run, function.value)
        if isinstance(receiver, ParameterName) and function.attr.value in (
            "startswith",
            "endswith",
        ):
            texts = evaluate(run, arguments[0])
            return name_test(function.attr.value, texts)
    return None


def _judge_hasattr(
    run: Interpreter, tested: cst.BaseExpression, name: cst.BaseExpression
) -> bool | None:
    """Only modules have ``parameters`` and the like; parameters certainly have not."""
    attribute = evaluate(run, name)
    if not isinstance(attribute, Constant) or attribute.value not in STRONG_MODULE_EVIDENCE:
        return None
    value = evaluate(run, tested)
    if isinstance(value, ParameterValue):
        return bool(attribute.value == "requires_grad_")
    return True if run.proven(value) is not None else None


def _judge_any(run: Interpreter, node: cst.BaseExpression) -> Verdict:
    """``any(text in name for text in TEXTS)`` with known texts."""
    if not isinstance(node, (cst.GeneratorExp, cst.ListComp)):
        return None
    test, clause = node.elt, node.for_in
    if clause.inner_for_in is not None or clause.ifs or not isinstance(clause.target, cst.Name):
        return None
    texts = evaluate(run, clause.iter)
    variable = clause.target.value
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        comparison = test.comparisons[0]
        if isinstance(comparison.operator, cst.In) and _is_name(test.left, variable):
            name = evaluate(run, comparison.comparator)
            if isinstance(name, ParameterName):
                return name_test("contains", texts)
    if (
        isinstance(test, cst.Call)
        and isinstance(test.func, cst.Attribute)
        and test.func.attr.value in ("startswith", "endswith")
        and len(test.args) == 1
        and _is_name(test.args[0].value, variable)
    ):
        name = evaluate(run, test.func.value)
        if isinstance(name, ParameterName):
            return name_test(test.func.attr.value, texts)
    return None


def _is_name(node: cst.BaseExpression, name: str) -> bool:
    return isinstance(node, cst.Name) and node.value == name


def _judge_isinstance(
    run: Interpreter, tested: cst.BaseExpression, classes: cst.BaseExpression
) -> Verdict:
    value = evaluate(run, tested)
    wanted = evaluate(run, classes)
    names = wanted.items if isinstance(wanted, SequenceValue) else (wanted,)
    builtin = {each.name for each in names if isinstance(each, BuiltinValue)}
    if builtin and len(builtin) == len(names):
        return _is_builtin(value, builtin)
    if not isinstance(value, ModuleValue):
        return None
    module = run.objects.module(value.key)
    if not all(isinstance(each, LibraryValue) for each in names):
        return UNDECIDED if module.origin is Origin.ELEMENT else None
    texts = tuple(each.name for each in names if isinstance(each, LibraryValue))
    if "torch.nn.Module" in texts and module.is_module:
        return True
    if module.origin is Origin.ELEMENT:
        return ElementTest((TypeTest(texts),), (TypeTest(texts, negated=True),))
    if module.library is not None and module.library.startswith("torch.nn."):
        return True if module.library in texts else None
    return None


def narrow(run: Interpreter, predicate: Predicate) -> dict[tuple[int, str], tuple[Value, Value]]:
    """Reduce the loop variables of this frame to the elements that a predicate picks.

    Returns what was there before and what is now, by binding.
    """
    changed = {}
    for key, value in run.bindings.items():
        if key[0] == run.frame.key:
            smaller = narrowed(value, predicate, run)
            if smaller is not value:
                changed[key] = (value, smaller)
    for key, (_, smaller) in changed.items():
        run.bindings[key] = smaller
    return changed


def narrowed_by_type(
    run: Interpreter, test: cst.BaseExpression
) -> tuple[tuple[int, str], Value] | None:
    """What ``if isinstance(x, nn.Parameter)`` says of ``x`` inside: its binding and new value."""
    if not isinstance(test, cst.Call) or len(test.args) != 2:
        return None
    name = test.args[0].value
    if not isinstance(test.func, cst.Name) or test.func.value != "isinstance":
        return None
    if not isinstance(name, cst.Name):
        return None
    kind = evaluate(run, test.args[1].value)
    kinds = kind.items if isinstance(kind, SequenceValue) else (kind,)
    if not kinds or not all(
        isinstance(each, LibraryValue) and each.name in TENSOR_CLASSES for each in kinds
    ):
        return None
    parameter = run.objects.new_module(Origin.PARAMETER, name.value)
    parameter.flag_at_birth = None
    run.mark_birth(parameter)
    return (run.frame.key, name.value), ParameterValue((Part(parameter.key),))


def _is_builtin(value: Value, names: set[str]) -> bool | None:
    """``isinstance(value, (list, tuple))``, where what the value is is known."""
    if isinstance(value, SequenceValue):
        return bool(names & {"list", "tuple", "set"})
    if isinstance(value, (ModuleValue, ParameterValue)):
        return False
    if isinstance(value, Constant):
        return type(value.value).__name__ in names
    return None


@contextlib.contextmanager
def refined(run: Interpreter, predicate: Predicate) -> Iterator[None]:
    """Narrow the loop variables for the length of a block."""
    changed = narrow(run, predicate)
    yield
    for key, (value, smaller) in changed.items():
        if run.bindings.get(key) is smaller:
            run.bindings[key] = value
