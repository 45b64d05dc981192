"""Functions of the file: run where they are called, with what they are passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.events import MODE_OVERRIDES, Borrowed, ContextEntered
from freezelint.analysis.interpreter.arguments import (
    Arguments,
    annotate_parameters,
    bind_parameters,
    passed_names,
    passed_nodes,
)
from freezelint.analysis.interpreter.classes import find_method
from freezelint.analysis.interpreter.element_tests import element_parameters
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.flow import Flow
from freezelint.analysis.interpreter.graphs import replace, take_up
from freezelint.analysis.interpreter.joining import join, join_values
from freezelint.analysis.interpreter.out_of_sight import hand_over
from freezelint.analysis.interpreter.turns import keep_passed_meaning
from freezelint.analysis.knowledge.calls import GRAD_SWITCHES, INFERENCE_SWITCHES
from freezelint.analysis.syntax import dotted
from freezelint.analysis.tensors import sources_of, tensors_in
from freezelint.analysis.values import (
    UNKNOWN,
    ClassValue,
    Constant,
    FunctionValue,
    InstanceValue,
    LibraryInstance,
    LibraryValue,
    ModuleValue,
    ParameterName,
    ParameterSequence,
    SuperValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezelint.analysis.interpreter.machine import Interpreter

_DEEPEST_CALL = 8
"""Calls that may be nested; what a deeper one does is not known."""

_LONGEST_FOLLOWED = 1_500
"""Lines; what a longer function does is not known."""


def follow(
    run: Interpreter, function: FunctionValue, arguments: Arguments, node: cst.CSTNode
) -> Value:
    """Run a function of the file with these arguments."""
    if (
        isinstance(node, cst.Call)
        and run.index.is_irrelevant(function.definition)
        and not _passes_selection(arguments)
        and not _passes_output(arguments)
        and not _connects(run, arguments)
        and not _goes_over_own(run, function)
    ):
        _lend(run, function, arguments, node)
        return UNKNOWN
    code = code_of(function)
    if code is None or not is_followed(run, function, code):
        if isinstance(node, cst.Call):
            values = arguments.all
            if function.receiver is not None and code not in run.active:
                values = (*values, function.receiver)
            hand_over(run, values, node)
        return UNKNOWN
    if function.definition is not None and isinstance(code, cst.FunctionDef) and code.decorators:
        from freezelint.analysis.interpreter import decorated

        wrapper = decorated.around(run, function, code, node)
        if wrapper is not None:
            run.entered.add(function.definition)
            passed = decorated.with_receiver(function, arguments)
            if isinstance(wrapper, FunctionValue):
                return follow(run, wrapper, passed, node)
            hand_over(run, passed.all, node)
            return UNKNOWN
    if isinstance(node, cst.Call):
        from freezelint.analysis.interpreter.generators import is_generator, run_generator

        if is_generator(function, code):
            return run_generator(run, function, code, arguments, node)
    return activate(run, function, code, arguments, node)


def is_followed(
    run: Interpreter, function: FunctionValue, code: cst.FunctionDef | cst.Lambda
) -> bool:
    """Whether a function is run where it is called: it is short, and no call in its own course."""
    return len(run.active) < _DEEPEST_CALL and code not in run.active and is_short(function)


def _passes_selection(arguments: Arguments) -> bool:
    """Whether a function gets what can be gone over only once, or a name to judge by."""
    return any(
        isinstance(each, ParameterName)
        or (isinstance(each, ParameterSequence) and each.iterator is not None)
        for each in arguments.all
    )


def _goes_over_own(run: Interpreter, method: FunctionValue) -> bool:
    """Whether a method mentions what its object keeps and can be gone over only once."""
    receiver = method.receiver
    if not isinstance(receiver, (InstanceValue, ModuleValue)) or method.definition is None:
        return False
    kept = (run.bindings.get((receiver.key, name)) for name in method.definition.names_of_own)
    return any(isinstance(each, ParameterSequence) and each.iterator is not None for each in kept)


def _passes_output(arguments: Arguments) -> bool:
    """Whether a function gets what a module computed, and may give back what has its graph.

    Or a tensor that the code has made, which may be meant to require a gradient.
    """
    return any(sources_of(each) or each.is_fresh for each in tensors_in(arguments.all))


def _connects(run: Interpreter, arguments: Arguments) -> bool:
    """Whether a function that only computes gets several modules, and one stands alone.

    What comes out of it leads back to that module, which nobody would hear of. Without
    gradients, it is what a part of a model gives that is to be heard of, as a teacher in it.
    """
    modules = [each.key for each in arguments.all if isinstance(each, ModuleValue)]
    if run.grad_enabled is False:
        return any(run.objects.module(each).attachments for each in modules)
    return len(modules) > 1 and any(map(run.objects.stands_alone, modules))


def _lend(run: Interpreter, function: FunctionValue, arguments: Arguments, node: cst.Call) -> None:
    """Say which modules a function may call that only computes."""
    values = (function.receiver, *arguments.all)
    keys = tuple(each.key for each in values if isinstance(each, ModuleValue))
    if keys and run.backdated is None:
        run.announce(Borrowed(place=run.place(node), keys=keys))


def is_short(function: FunctionValue) -> bool:
    """Whether a function is short enough to be followed."""
    return function.definition is None or function.definition.length <= _LONGEST_FOLLOWED


def code_of(function: FunctionValue) -> cst.FunctionDef | cst.Lambda | None:
    """The definition of a function, or the lambda that it is."""
    if function.node is not None:
        code = function.node
    else:
        body = function.chunk.body
        code = body[0] if body else None
    return code if isinstance(code, (cst.FunctionDef, cst.Lambda)) else None


def activate(
    run: Interpreter,
    function: FunctionValue,
    code: cst.FunctionDef | cst.Lambda,
    arguments: Arguments,
    node: cst.CSTNode,
    *,
    on_yield: Callable[[Value, cst.Yield], None] | None = None,
) -> Value:
    """Run the code of a function with these arguments; return what it returns."""
    from freezelint.analysis.interpreter.statements import run_body

    outer = run.frame
    saved = (run.statement, run.path, run.stack, run.activations, run.scopes)
    gradients = (run.grad_enabled, run.is_inference)
    elements, run.element_names = run.element_names, []
    exits, run.loop_exits = run.loop_exits, []
    place = run.place(node) if outer.chunk is not None else None
    frame = run.new_frame(function.chunk, run.frames[function.frame], code)
    frame.receiver, frame.owner, frame.on_yield = function.receiver, function.owner, on_yield
    bind_parameters(run, frame.key, function, code.params, arguments)
    names_of_elements = element_parameters(run, frame.key, code)
    if names_of_elements:
        run.element_names = [names_of_elements]
    for name, path in passed_names(function, code.params, arguments):
        frame.passed[name] = outer, path
    for name, passed in passed_nodes(function, code.params, arguments):
        if name not in frame.passed and outer.chunk is not None:
            keep_passed_meaning(run, frame, name, passed)
    take_up(run, arguments.all)
    run.frame = frame
    run.active.append(code)
    if function.definition is not None:
        run.entered.add(function.definition)
    name = code.name.value if isinstance(code, cst.FunctionDef) else "<lambda>"
    if isinstance(function.receiver, ModuleValue):
        name = MODE_OVERRIDES.get(name, name)
    run.scopes = (*run.scopes, name)
    run.activations = (*run.activations, run.objects.new_key())
    if place is not None:
        run.stack = (*run.stack, place)
    annotate_parameters(run, code.params)
    try:
        if isinstance(code, cst.Lambda):
            if function.chunk is not outer.chunk:
                run.statement = None
            result = evaluate(run, code.body)
        else:
            _switch_gradients(run, code)
            flow = run_body(run, code.body)
            result = _result(run, flow)
    finally:
        run.frame = outer
        run.active.pop()
        _forget_locals(run, frame.key)
        run.statement, run.path, run.stack, run.activations, run.scopes = saved
        run.grad_enabled, run.is_inference = gradients
        run.element_names, run.loop_exits = elements, exits
    return result


def _forget_locals(run: Interpreter, frame: int) -> None:
    """Drop the names of a finished activation, unless a function it made may still read them."""
    mine = [key for key in run.bindings if key[0] == frame]
    if not any(isinstance(run.bindings[key], FunctionValue) for key in mine):
        for key in mine:
            del run.bindings[key]


def _result(run: Interpreter, flow: Flow) -> Value:
    frame = run.frame
    states = list(frame.exits)
    values = list(frame.returns)
    if flow is not Flow.RETURN:
        states.append(run.bindings)
        values.append(Constant(None))
    if states:
        run.bindings = join(run, states)
    if not values:
        return UNKNOWN
    result = values[0]
    for other in values[1:]:
        result = join_values(run, result, other)
    if len(values) > 1:
        replace(run, values, result)
    return result


def _switch_gradients(run: Interpreter, code: cst.FunctionDef) -> None:
    """Let decorators turn gradients on or off."""
    for decorator in code.decorators:
        function = decorator.decorator
        name = function.func if isinstance(function, cst.Call) else function
        text = dotted(name)
        if text is None:
            continue
        value = evaluate(run, name)
        if isinstance(value, LibraryValue) and value.name in GRAD_SWITCHES:
            run.statement = code
            run.announce(
                ContextEntered(
                    place=run.place(decorator),
                    value=LibraryInstance(value.name, 0),
                    expression=function,
                    is_decorator=True,
                )
            )
            run.grad_enabled = GRAD_SWITCHES[value.name]
            run.is_inference = run.is_inference or value.name in INFERENCE_SWITCHES


def call_super(run: Interpreter, value: SuperValue, name: str) -> FunctionValue | None:
    """The method that ``super().name`` means, if the file defines it."""
    receiver = value.receiver
    owner: ClassValue | None = None
    if isinstance(receiver, ModuleValue):
        owner = run.objects.module(receiver.key).owner_class
    elif isinstance(receiver, InstanceValue):
        owner = receiver.owner
    if owner is None:
        return None
    return find_method(run, owner, name, receiver, after=value.owner)
