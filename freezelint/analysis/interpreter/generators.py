"""Generator functions: what they give one after the other, and those that serve as contexts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.classes import find_method
from freezelint.analysis.interpreter.following import activate, code_of, follow, is_followed
from freezelint.analysis.interpreter.iteration import element_of, items_of, narrow_to_some
from freezelint.analysis.interpreter.out_of_sight import hand_over
from freezelint.analysis.syntax import dotted, inner_nodes
from freezelint.analysis.values import (
    UNKNOWN,
    Constant,
    ElementsValue,
    FunctionValue,
    InstanceValue,
    MappingValue,
    ModuleValue,
    ParameterSequence,
    ParameterValue,
    SequenceValue,
    TensorValue,
    Unknown,
    Value,
    same,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.flow import Flow
    from freezelint.analysis.interpreter.machine import Interpreter

_HARMLESS_DECORATORS = frozenset({"staticmethod", "classmethod"})


_TAKES_TURNS = r"requires_grad_\(|requires_grad = |\.step\(|add_param_group|\boptim\.[A-Z]"
"""What a generator does that has to do with when its caller does the rest."""


def is_generator(function: FunctionValue, code: cst.FunctionDef | cst.Lambda) -> bool:
    """Whether calling a function gives a generator."""
    if function.definition is not None and "yield" not in function.definition.words:
        return False
    fact = ("generator", id(code))
    facts = function.chunk.facts
    if fact not in facts:
        facts[fact] = isinstance(code, cst.FunctionDef) and any(
            type(each) is cst.Yield for each in inner_nodes(code.body)
        )
    return bool(facts[fact])


def _decorators(code: cst.FunctionDef | cst.Lambda) -> list[str]:
    if not isinstance(code, cst.FunctionDef):
        return []
    return [dotted(each.decorator) or "" for each in code.decorators]


def run_generator(
    run: Interpreter,
    function: FunctionValue,
    code: cst.FunctionDef | cst.Lambda,
    arguments: Arguments,
    node: cst.CSTNode,
) -> Value:
    """Call a generator function: all that it gives, as a generator expression would.

    What a decorator makes of it runs in two halves, or otherwise: of that nothing is known.
    """
    from freezelint.analysis.interpreter.comprehensions import collect

    if not _HARMLESS_DECORATORS.issuperset(_decorators(code)):
        hand_over(run, arguments.all, node)
        return UNKNOWN
    found: list[Value] = []
    path, depth = run.path, len(run.loops)
    loops: list[cst.Yield] = []

    takes_turns = function.definition is not None and re.search(
        _TAKES_TURNS, function.definition.text
    )

    def keep(value: Value, source: cst.Yield) -> None:
        if takes_turns:
            # In between, its caller trains with what it has set up so far.
            own = [held for (frame, _), held in run.bindings.items() if frame == run.frame.key]
            hand_over(run, [value, *arguments.all, *own], source)
        values: tuple[Value, ...] = (value,)
        if isinstance(source.value, cst.From):
            items = items_of(run, value)
            values = (element_of(run, value),) if items is None else items
        if run.path != path:
            # In some runs only.
            values = tuple(_one_of(run, each) for each in values)
        found.extend(values)
        if len(run.loops) > depth:
            loops.append(source)

    activate(run, function, code, arguments, node, on_yield=keep)
    different: list[Value] = []
    for each in found:
        # The second round of a loop gives the same again.
        plain = _without_iterators(each)
        if not any(same(plain, _without_iterators(other)) for other in different):
            different.append(each)
    if len(different) == 1 and (len(found) > 1 or loops) and _is_data(different[0]):
        return ElementsValue(different[0])
    is_complete = not any(isinstance(each, Unknown) for each in different)
    return collect(run, different, complete=is_complete, is_lazy=True) if different else UNKNOWN


def _one_of(run: Interpreter, value: Value) -> Value:
    if isinstance(value, SequenceValue):
        return value._replace(items=tuple(_one_of(run, each) for each in value.items))
    if isinstance(value, (ParameterValue, ModuleValue)):
        return narrow_to_some(run, value)
    return value


def _is_data(value: Value) -> bool:
    """Whether a value is of no model, so that one that is given stands for any number of them."""
    if isinstance(value, SequenceValue):
        return all(map(_is_data, value.items))
    if isinstance(value, MappingValue):
        return all(_is_data(each) for _, each in value.items)
    return isinstance(value, (Unknown, TensorValue, Constant))


def _without_iterators(value: Value) -> Value:
    if isinstance(value, ParameterSequence):
        return value._replace(iterator=None)
    if isinstance(value, SequenceValue):
        return value._replace(items=tuple(map(_without_iterators, value.items)))
    if isinstance(value, MappingValue):
        return value._replace(
            items=tuple((key, _without_iterators(each)) for key, each in value.items)
        )
    return value


def run_yield(run: Interpreter, node: cst.Yield, value: Value) -> Value:
    """``yield value``, or ``yield from value``."""
    if run.frame.on_yield is None:
        # Whoever asked for it does what it likes until the next turn.
        hand_over(run, [value], node)
    else:
        run.frame.on_yield(value, node)
    return UNKNOWN


def run_in_context(
    run: Interpreter, node: cst.BaseExpression, body: Callable[[Value], Flow]
) -> Flow | None:
    """Run a block where the generator behind its context yields.

    None where the context is no generator of the file.
    """
    from freezelint.analysis.interpreter.arguments import evaluate_arguments
    from freezelint.analysis.interpreter.expressions import evaluate

    if not isinstance(node, cst.Call):
        return None
    function = evaluate(run, node.func)
    code = code_of(function) if isinstance(function, FunctionValue) else None
    if not isinstance(function, FunctionValue) or code is None:
        return None
    if not any(each.endswith("contextmanager") for each in _decorators(code)):
        return None
    if not is_followed(run, function, code) or not is_generator(function, code):
        return None
    flows: list[Flow] = []
    caller = run.place_of_run

    def enter(value: Value, source: cst.Yield) -> None:
        if flows:
            return
        inside = run.place_of_run
        run.place_of_run = caller
        flows.append(body(value))
        run.place_of_run = inside

    activate(run, function, code, evaluate_arguments(run, node), node, on_yield=enter)
    return flows[0] if flows else body(UNKNOWN)


def run_in_own_context(
    run: Interpreter,
    context: InstanceValue,
    node: cst.BaseExpression,
    body: Callable[[Value], Flow],
) -> Flow:
    """Run a block between the ``__enter__`` and the ``__exit__`` of an object of the file."""
    from freezelint.analysis.interpreter.arguments import passing

    enter, leave = (
        find_method(run, context.owner, name, context) for name in ("__enter__", "__exit__")
    )
    if enter is None or leave is None:
        return body(UNKNOWN)
    statement = run.statement
    flow = body(follow(run, enter, passing(), node))
    run.statement = statement
    follow(run, leave, passing(*[Constant(None)] * 3), node)
    return flow
