"""What operators make of two values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.graphs import compared, derived
from freezelint.analysis.tensors import sources_of
from freezelint.analysis.values import (
    UNKNOWN,
    BoundMethod,
    ComparisonValue,
    Constant,
    TensorKind,
    TensorValue,
    TypedValue,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.machine import Interpreter


def bitwise(run: Interpreter, left: Value, right: Value, node: cst.BinaryOperation) -> Value:
    """Of tensors it is one of truth values or whole numbers, which has no graph."""
    from freezelint.analysis.interpreter.concatenation import concatenated

    if not any(isinstance(each, (TensorValue, ComparisonValue)) for each in (left, right)):
        is_or = isinstance(node.operator, cst.BitOr)
        return concatenated(run, left, right, node) if is_or else arithmetic(run, left, right)
    return arithmetic(run, left, right, is_discrete=True)


def added(run: Interpreter, left: Value, right: Value) -> Value:
    """What a sum of two operands gives: a term may have a graph where another has none."""
    result = arithmetic(run, left, right)
    if not isinstance(result, TensorValue) or result.cut_from is not None:
        return result
    terms = [each for each in (left, right) if isinstance(each, TensorValue)]
    idle = (key for each in terms for key in (*each.idle, *(each.cut_from or ())))
    return result._replace(idle=tuple(dict.fromkeys(idle)))


def arithmetic(run: Interpreter, left: Value, right: Value, *, is_discrete: bool = False) -> Value:
    """What a computation with two operands gives."""
    # An attribute that is read and not called, such as `.values`, is a tensor too.
    operands = [each.receiver if isinstance(each, BoundMethod) else each for each in (left, right)]
    operands = [
        (compared(run, each) or each) if isinstance(each, ComparisonValue) else each
        for each in operands
    ]
    tensors = [each for each in operands if isinstance(each, TensorValue)]
    graphs = [each.modules for each in tensors if each.cut_from is None]
    modules = tuple(dict.fromkeys(key for keys in graphs for key in keys))
    kind = TensorKind.OUTPUT if modules else TensorKind.PLAIN
    result = derived(run, TensorValue(kind, modules=modules), operands, is_discrete=is_discrete)
    is_traced = modules or result.cut_from is not None or sources_of(result)
    if not is_traced and _is_any_number(left) and _is_any_number(right):
        return TypedValue("float")
    return result if is_traced else UNKNOWN


def _is_number(value: Value) -> bool:
    return isinstance(value, Constant) and type(value.value) in (int, float)


def _is_any_number(value: Value) -> bool:
    return _is_number(value) or (isinstance(value, TypedValue) and value.type in ("int", "float"))
