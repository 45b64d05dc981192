"""``filter`` and ``map``: functions that are called with each of several parameters."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.arguments import passing
from freezelint.analysis.interpreter.calls import apply
from freezelint.analysis.interpreter.conditions import judge
from freezelint.analysis.interpreter.element_tests import IDENTITY, ElementTest
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.following import code_of
from freezelint.analysis.interpreter.iteration import consume, element_of, items_of
from freezelint.analysis.interpreter.judged_functions import inside
from freezelint.analysis.predicates import SOME, conjunction
from freezelint.analysis.values import (
    UNKNOWN,
    BoundMethod,
    BuiltinValue,
    ElementsValue,
    Form,
    FunctionValue,
    LibraryInstance,
    ModuleGroup,
    ParameterSequence,
    ParameterValue,
    PartialValue,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.predicates import Predicate


def filter_elements(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``filter(test, elements)``."""
    if len(arguments.positional) != 2:
        return UNKNOWN
    test, sequence = arguments.positional
    if not isinstance(sequence, (ParameterSequence, ModuleGroup)) or (
        isinstance(sequence, ParameterSequence) and sequence.form is Form.TABLE
    ):
        return UNKNOWN
    outer, run.selection = run.selection, node
    predicate = _predicate_of(run, test, sequence)
    run.selection = outer
    if isinstance(sequence, ModuleGroup):
        picked = (SOME,) if predicate is None else predicate
        return sequence._replace(predicate=conjunction(sequence.predicate, picked))
    if predicate is None:
        return sequence._replace(parts=(), form=Form.COLLECTION, iterator=None)
    parts = tuple(
        part._replace(predicate=conjunction(part.predicate, predicate)) for part in sequence.parts
    )
    return ParameterSequence(
        parts, Form.ITERATOR, sequence.named, sequence.complete, iterator=run.objects.new_key()
    )


def _predicate_of(
    run: Interpreter, test: Value, sequence: ParameterSequence | ModuleGroup
) -> Predicate | None:
    """What the test of a ``filter`` picks; None when it picks nothing."""
    with entered(run, test, passing(element_of(run, sequence))) as body:
        verdict = None if body is None else judge(run, body)
    if isinstance(verdict, ElementTest):
        return verdict.when_true
    if verdict is None:
        return (SOME,)
    return () if verdict else None


def _returned(code: object) -> cst.BaseExpression | None:
    """The expression that a lambda or a one-line function returns."""
    if isinstance(code, cst.Lambda):
        return code.body
    if isinstance(code, cst.FunctionDef) and isinstance(code.body, cst.IndentedBlock):
        last = code.body.body[-1]
        if isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[0], cst.Return):
            others = code.body.body[:-1]
            if all(isinstance(each, cst.SimpleStatementLine) and _is_text(each) for each in others):
                return last.body[0].value
    return None


def _is_text(line: cst.SimpleStatementLine) -> bool:
    return all(
        isinstance(each, cst.Expr) and isinstance(each.value, cst.SimpleString)
        for each in line.body
    )


def map_elements(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``map(function, elements)``."""
    if len(arguments.positional) != 2:
        return UNKNOWN
    function, values = arguments.positional
    if isinstance(values, ParameterSequence):
        return _map_parameters(run, function, values, node)
    items = items_of(run, values)
    if not isinstance(function, (BoundMethod, FunctionValue, PartialValue)):
        return UNKNOWN
    if items is None:
        # Called for each of nobody knows what, it may still do something to it.
        run.element_names.append(set())
        apply(run, function, passing(element_of(run, values)), node)
        run.element_names.pop()
        return UNKNOWN
    return SequenceValue(tuple(apply(run, function, passing(each), node) for each in items))


def _map_parameters(
    run: Interpreter, function: Value, values: ParameterSequence, node: cst.Call
) -> Value:
    """``map`` that picks the parameter out of each pair."""
    picked = _applied(run, function, values)
    if not isinstance(picked, ParameterValue):
        # Whatever it makes of them, such as ``map(id, ...)``, is what somebody wants to know.
        consume(run, values, node.args[1].value)
        if function != BuiltinValue("id"):
            return UNKNOWN
        return ElementsValue(LibraryInstance(IDENTITY, 0, (element_of(run, values),)))
    return ParameterSequence(
        picked.parts, Form.ITERATOR, False, values.complete, iterator=run.objects.new_key()
    )


def _applied(run: Interpreter, function: Value, values: ParameterSequence) -> Value:
    with entered(run, function, passing(element_of(run, values))) as body:
        return UNKNOWN if body is None else evaluate(run, body)


@contextlib.contextmanager
def entered(
    run: Interpreter, function: Value, arguments: Arguments
) -> Iterator[cst.BaseExpression | None]:
    """Stand in a one-expression function that is called with an element; yield its result."""
    code = code_of(function) if isinstance(function, FunctionValue) else None
    body = _returned(code)
    if code is None or body is None or not isinstance(function, FunctionValue):
        yield None
        return
    with inside(run, function, code, arguments):
        yield body
