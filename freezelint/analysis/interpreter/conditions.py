"""Conditions: known, unknown, or a choice among the elements of a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter.called_conditions import (
    judge_call,
    judge_class_name,
    judge_type,
)
from freezelint.analysis.interpreter.element_tests import (
    IDENTITY,
    UNDECIDED,
    ElementTest,
    Verdict,
    both,
    depends_on_element,
    either,
    flag_test,
    identity_test,
    name_test,
    unread_test,
)
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.gradients import is_gradient
from freezelint.analysis.interpreter.texts import MATCH
from freezelint.analysis.values import (
    FIRST_STEP,
    BoundMethod,
    ClassNameValue,
    ComparisonValue,
    Constant,
    FlagValue,
    InstanceValue,
    LibraryInstance,
    LibraryValue,
    MappingValue,
    ModuleValue,
    OptimizerValue,
    ParameterName,
    ParameterValue,
    SequenceValue,
    TensorValue,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.machine import Interpreter


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
        verdict = judge_call(run, node)
        if verdict is not None:
            return verdict
    if isinstance(node, cst.Comparison):
        verdict = judge_type(run, node)
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
    if isinstance(value, LibraryInstance) and value.name == MATCH:
        kind, pattern = value.arguments
        return name_test(run, str(kind.value), pattern, node)  # type: ignore[union-attr]
    return None


def _judge_comparison(run: Interpreter, value: ComparisonValue, node: cst.CSTNode) -> Verdict:
    left, operator, right = value
    if isinstance(left, ClassNameValue):
        return judge_class_name(run, left, operator, right, node)
    if isinstance(right, ClassNameValue) and operator in ("in", "not in"):
        return judge_class_name(run, right, operator, left, node)
    if isinstance(left, FlagValue) and isinstance(right, Constant) and operator in ("==", "is"):
        return flag_test(run, left, node, wanted=bool(right.value))
    if isinstance(left, FlagValue) and isinstance(right, Constant) and operator in ("!=", "is not"):
        return flag_test(run, left, node, wanted=not right.value)
    if isinstance(right, ParameterName) and operator in ("in", "not in"):
        if right.loop == FIRST_STEP:
            return UNDECIDED
        return name_test(run, "contains", left, node, negated=operator == "not in")
    if isinstance(left, ParameterName) and operator in ("in", "not in", "==", "!="):
        kind = "equals" if left.loop == 0 else "child"
        return name_test(run, kind, right, node, negated=operator in ("not in", "!="))
    if isinstance(left, LibraryInstance) and left.name == IDENTITY and operator in ("in", "not in"):
        among = identity_test(run, left, right)
        return among.negation if among is not None and operator == "not in" else among
    if isinstance(left, LibraryInstance) and left.name == MATCH and right == Constant(None):
        found = judge_value(run, left, node)
        is_none = operator in ("is", "==")
        return found.negation if is_none and isinstance(found, ElementTest) else found
    if is_gradient(left) and right == Constant(None) and run.selection is None:
        # Before something is done to a gradient, the case that there is one counts.
        return operator in ("is not", "!=")
    return judge_constants(left, operator, right)


_NEVER_NONE = (ModuleValue, SequenceValue, MappingValue, OptimizerValue, InstanceValue)


def judge_constants(left: Value, operator: str, right: Value) -> bool | None:
    """What a comparison with a constant says; None where that is not known."""
    nothing = Constant(None)
    if (
        right == nothing
        and isinstance(right, Constant)
        and operator in ("is", "is not", "==", "!=")
    ):
        if isinstance(left, Constant):
            return (left.value is None) == (operator in ("is", "=="))
        if isinstance(left, _NEVER_NONE) or (isinstance(left, TensorValue) and not left.how):
            return operator in ("is not", "!=")
        return None
    if not isinstance(left, Constant):
        return None
    if isinstance(right, MappingValue) and right.complete and operator in ("in", "not in"):
        return (right.get(left.value) is not None) == (operator == "in")
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
