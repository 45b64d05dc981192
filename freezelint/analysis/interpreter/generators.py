"""Generators: functions that give parameters, modules or groups one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.iteration import element_of, items_of
from freezelint.analysis.interpreter.out_of_sight import hand_over
from freezelint.analysis.syntax import inner_nodes
from freezelint.analysis.values import (
    UNKNOWN,
    MappingValue,
    ModuleValue,
    ParameterSequence,
    SequenceValue,
    Value,
    same,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.values import FunctionValue

_HARMLESS_DECORATORS = frozenset({"staticmethod", "classmethod"})

_ABOUT_PARAMETERS = ("param", "modules(", "children(", "requires_grad")
"""One of these is in the text of a generator whose elements are worth following."""


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


def may_run_at_once(
    function: FunctionValue, code: cst.FunctionDef | cst.Lambda, arguments: Arguments
) -> bool:
    """Whether a generator goes over parameters or modules, and nothing else drives it.

    What a decorator makes of it, such as a context manager, runs in two halves.
    """
    if not isinstance(code, cst.FunctionDef):
        return False
    names = {
        each.decorator.value if isinstance(each.decorator, cst.Name) else ""
        for each in code.decorators
    }
    if not names <= _HARMLESS_DECORATORS:
        return False
    if function.definition is not None:
        text = function.definition.text
        given = (function.receiver, *arguments.all)
        if function.definition.hands_out and any(isinstance(each, ModuleValue) for each in given):
            return True
    else:
        text = function.chunk.code(code)
    return any(word in text for word in _ABOUT_PARAMETERS)


def collected(run: Interpreter, given: list[Value]) -> Value:
    """What a generator gives, as a generator expression would."""
    from freezelint.analysis.interpreter.comprehensions import collect

    different: list[Value] = []
    for each in given:
        # The second round of a loop gives the same again.
        plain = _without_iterators(each)
        if not any(same(plain, _without_iterators(other)) for other in different):
            different.append(each)
    return collect(run, different, complete=True, is_lazy=True) if different else UNKNOWN


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
    given = run.frame.yields
    if given is None:
        # Whoever asked for it does what it likes until the next turn.
        hand_over(run, [value], node)
    elif isinstance(node.value, cst.From):
        items = items_of(run, value)
        given.extend((element_of(run, value),) if items is None else items)
    else:
        given.append(value)
    return UNKNOWN
