"""Calls: to code of the file, which is followed, and to everything else."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.arguments import Arguments, evaluate_arguments
from freezelint.analysis.interpreter.classes import find_method
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.following import follow
from freezelint.analysis.interpreter.forward import run_forward
from freezelint.analysis.interpreter.instances import instantiate
from freezelint.analysis.interpreter.joining import join, join_values
from freezelint.analysis.interpreter.out_of_sight import hand_over, keys_in
from freezelint.analysis.values import (
    UNKNOWN,
    BoundMethod,
    BuiltinValue,
    ClassValue,
    EitherValue,
    FunctionValue,
    InstanceValue,
    LibraryValue,
    ModuleValue,
    PartialValue,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.machine import Interpreter


def call(run: Interpreter, node: cst.Call) -> Value:
    """Evaluate a call."""
    function = evaluate(run, node.func)
    arguments = evaluate_arguments(run, node)
    return apply(run, function, arguments, node)


def apply(run: Interpreter, function: Value, arguments: Arguments, node: cst.Call) -> Value:
    """Call a value."""
    from freezelint.analysis.interpreter import builtins, library_calls, methods

    name = _name_of(function)
    role = None if name is None else run.index.names.role_of(name)
    if role is not None and name is not None:
        from freezelint.analysis.interpreter.project_calls import call_named

        return call_named(run, role, name, arguments, node)
    if isinstance(function, FunctionValue):
        return follow(run, function, arguments, node)
    if isinstance(function, PartialValue):
        return apply(run, function.function, function.arguments.followed_by(arguments), node)
    if isinstance(function, EitherValue):
        return _apply_either(run, function, arguments, node)
    if isinstance(function, ClassValue):
        return instantiate(run, function, arguments, node)
    if isinstance(function, LibraryValue):
        return library_calls.call_library(run, function.name, arguments, node)
    if isinstance(function, BuiltinValue):
        return builtins.call_builtin(run, function.name, arguments, node)
    if isinstance(function, BoundMethod):
        return methods.call_method(run, function, arguments, node)
    if isinstance(function, InstanceValue):
        method = find_method(run, function.owner, "__call__", function)
        if method is not None:
            return follow(run, method, arguments, node)
    if isinstance(function, ModuleValue):
        return run_forward(run, function, arguments, node)
    return call_unknown(run, arguments, node)


def _apply_either(
    run: Interpreter, function: EitherValue, arguments: Arguments, node: cst.Call
) -> Value:
    """Call each of several values from the same state, and join what is left.

    What functions do to modules that they are passed may go with other things that the key
    decides, so nothing is said of that.
    """
    if any(isinstance(each, FunctionValue) for each in function.choices) and any(
        keys_in(run, arguments.all)
    ):
        return call_unknown(run, arguments, node)
    point, path, start = run.points.new(), run.path, run.bindings
    states, results = [], []
    for number, each in enumerate(function.choices):
        run.path = (*path, (point, number))
        run.bindings = dict(start)
        results.append(apply(run, each, arguments, node))
        states.append(run.bindings)
    run.path = path
    run.bindings = join(run, states)
    return functools.reduce(functools.partial(join_values, run), results)


def _name_of(function: Value) -> str | None:
    """What the settings may call a value."""
    if isinstance(function, LibraryValue):
        return function.name
    if isinstance(function, FunctionValue) and function.definition is not None:
        return function.definition.name
    return None


def call_unknown(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """Hand the arguments to code that cannot be followed."""
    from freezelint.analysis.interpreter.unknown_methods import call_on_unknown

    if isinstance(node.func, cst.Attribute):
        return call_on_unknown(run, node.func, arguments, node)
    hand_over(run, arguments.all, node)
    return UNKNOWN
