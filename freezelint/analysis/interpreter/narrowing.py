"""What a loop variable stands for where a condition has picked some of the elements."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.iteration import narrowed
from freezelint.analysis.knowledge.tensors import TENSOR_CLASSES
from freezelint.analysis.objects import Origin
from freezelint.analysis.values import (
    LibraryValue,
    ModuleValue,
    ParameterValue,
    Part,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.predicates import Predicate


def narrow(run: Interpreter, predicate: Predicate) -> dict[tuple[int, str], tuple[Value, Value]]:
    """Reduce the loop variables of this frame to the elements that a predicate picks.

    Returns what was there before and what is now, by binding.
    """
    changed = {}
    elements = run.element_names[-1] if run.element_names and predicate else ()
    for key, value in run.bindings.items():
        if key[0] == run.frame.key:
            smaller = narrowed(value, predicate, run)
            if smaller is not value:
                changed[key] = (value, smaller)
            elif isinstance(value, ModuleValue) and key[1] in elements:
                run.unpicked |= {value.key}
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
    return narrowed_to_kind(run, name, test.args[1].value) if isinstance(name, cst.Name) else None


def narrowed_to_kind(
    run: Interpreter, name: cst.Name, classes: cst.BaseExpression
) -> tuple[tuple[int, str], Value] | None:
    """What a name holds if it is a parameter or tensor: its binding and new value."""
    kind = evaluate(run, classes)
    kinds = kind.items if isinstance(kind, SequenceValue) else (kind,)
    if not kinds or not all(
        isinstance(each, LibraryValue) and each.name in TENSOR_CLASSES for each in kinds
    ):
        return None
    parameter = run.objects.new_module(Origin.PARAMETER, name.value)
    parameter.flag_at_birth = None
    run.mark_birth(parameter)
    return (run.frame.key, name.value), ParameterValue((Part(parameter.key),))


@contextlib.contextmanager
def refined(run: Interpreter, predicate: Predicate) -> Iterator[None]:
    """Narrow the loop variables for the length of a block."""
    outer = run.unpicked
    changed = narrow(run, predicate)
    yield
    run.unpicked = outer
    for key, (value, smaller) in changed.items():
        if run.bindings.get(key) is smaller:
            run.bindings[key] = value
