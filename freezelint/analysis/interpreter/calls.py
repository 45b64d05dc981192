"""Calls: to code of the file, which is followed, and to everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter.arguments import (
    Arguments,
    annotate_parameters,
    bind_parameters,
    evaluate_arguments,
)
from freezelint.analysis.interpreter.classes import (
    find_method,
    is_module_class,
    is_optimizer_class,
    library_bases,
)
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.graphs import cut_from
from freezelint.analysis.interpreter.machine import CALL_DEPTH, Flow
from freezelint.analysis.interpreter.out_of_sight import hand_over
from freezelint.analysis.knowledge.torch import GRAD_SWITCHES, LAYERS_WITHOUT_PARAMETERS
from freezelint.analysis.objects import Origin
from freezelint.analysis.syntax import dotted, inner_nodes
from freezelint.analysis.values import (
    UNKNOWN,
    BoundMethod,
    BuiltinValue,
    ClassValue,
    Constant,
    FunctionValue,
    InstanceValue,
    LibraryValue,
    ModuleValue,
    PartialValue,
    SuperValue,
    TensorKind,
    TensorValue,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.objects import ModuleObject

_LONGEST_FOLLOWED = 1_500
"""Lines; longer functions are treated as code that cannot be followed."""


def call(run: Interpreter, node: cst.Call) -> Value:
    """Evaluate a call."""
    function = evaluate(run, node.func)
    arguments = evaluate_arguments(run, node)
    return apply(run, function, arguments, node)


def apply(run: Interpreter, function: Value, arguments: Arguments, node: cst.Call) -> Value:
    """Call a value."""
    from freezelint.analysis.interpreter import builtins, library_calls, methods

    if isinstance(function, FunctionValue):
        return follow(run, function, arguments, node)
    if isinstance(function, PartialValue):
        return apply(run, function.function, function.arguments.followed_by(arguments), node)
    if isinstance(function, ClassValue):
        return instantiate(run, function, arguments, node)
    if isinstance(function, LibraryValue):
        return library_calls.call_library(run, function.name, arguments, node)
    if isinstance(function, BuiltinValue):
        return builtins.call_builtin(run, function.name, arguments, node)
    if isinstance(function, BoundMethod):
        return methods.call_method(run, function, arguments, node)
    if isinstance(function, ModuleValue):
        return run_forward(run, function, arguments, node)
    return call_unknown(run, arguments, node)


def call_unknown(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """Hand the arguments to code that cannot be followed."""
    from freezelint.analysis.interpreter.methods import call_on_unknown

    if isinstance(node.func, cst.Attribute):
        return call_on_unknown(run, node.func, arguments, node)
    hand_over(run, arguments.all, node)
    return UNKNOWN


def run_forward(
    run: Interpreter, module: ModuleValue, arguments: Arguments, node: cst.Call
) -> Value:
    """``module(x)``."""
    known = run.objects.module(module.key)
    if known.origin is Origin.CHILD and not known.proof:
        _call_attribute(run, known, arguments, node)
        return TensorValue(TensorKind.OUTPUT, modules=(module.key,))
    if known.origin is Origin.CHILD and _is_statement(run, node):
        # A forward pass whose output is dropped: rather a method that nobody knows.
        _call_attribute(run, known, arguments, node)
    run.announce(events.ForwardRan(place=run.place(node), key=module.key))
    if known.owner_class is not None:
        method = find_method(run, known.owner_class, "forward", module)
        if method is not None and _is_short(method) and run.index.is_loud(method.definition):
            result = follow(run, method, arguments, node)
            if not isinstance(result, Unknown):
                return result
    output = TensorValue(TensorKind.OUTPUT, modules=(module.key,))
    if run.grad_enabled is False:
        return output._replace(cut_from=(module.key,))
    package, _, last = (known.library or "").rpartition(".")
    if package == "torch.nn" and last in LAYERS_WITHOUT_PARAMETERS:
        return output._replace(cut_from=cut_from(run, arguments.all))
    return output


def _call_attribute(
    run: Interpreter, attribute: ModuleObject, arguments: Arguments, node: cst.Call
) -> None:
    """A call of an attribute that may be a submodule, or a method of the module that holds it.

    Where the result is dropped it must be a method, and one with an effect.
    """
    assert attribute.parent is not None
    assert attribute.attribute is not None
    values = arguments.all
    if _is_statement(run, node):
        values = (*values, ModuleValue(attribute.parent))
    hand_over(run, values, node)
    run.announce(
        events.MethodCalled(
            place=run.place(node),
            receiver=ModuleValue(attribute.parent),
            name=attribute.attribute,
            arguments=arguments.positional,
            keywords=arguments.keywords,
            label=run.objects.label(attribute.parent),
        )
    )


def _is_statement(run: Interpreter, node: cst.Call) -> bool:
    statement = run.statement
    return isinstance(statement, cst.SimpleStatementLine) and any(
        isinstance(each, cst.Expr) and each.value is node for each in statement.body
    )


def _is_short(function: FunctionValue) -> bool:
    return function.definition is None or function.definition.length <= _LONGEST_FOLLOWED


def instantiate(run: Interpreter, owner: ClassValue, arguments: Arguments, node: cst.Call) -> Value:
    """Make an object of a class of the file and run its ``__init__``."""
    made: Value
    if is_optimizer_class(run, owner):
        from freezelint.analysis.interpreter.optimizers import build_optimizer

        return build_optimizer(run, owner.definition.name, arguments, node)
    if is_module_class(run, owner):
        module = run.objects.new_module(Origin.OWN_CLASS, None)
        module.owner_class = owner
        module.place = run.place(node)
        module.is_complete = set(library_bases(run, owner)) == {"torch.nn.Module"}
        run.mark_birth(module)
        made = ModuleValue(module.key)
    else:
        made = InstanceValue(run.objects.new_key(), owner)
    constructor = find_method(run, owner, "__init__", made)
    if (
        constructor is not None
        and isinstance(made, ModuleValue)
        and not (run.index.is_loud(constructor.definition))
    ):
        run.objects.module(made.key).unfinished = lambda: follow(run, constructor, arguments, node)
    elif constructor is not None:
        follow(run, constructor, arguments, node)
    elif isinstance(made, InstanceValue):
        _fill_fields(run, made, arguments)
    return made


def _fill_fields(run: Interpreter, made: InstanceValue, arguments: Arguments) -> None:
    """A dataclass keeps its keyword arguments under their names."""
    for name, value in arguments.keywords.items():
        run.bindings[made.key, name] = value


def follow(
    run: Interpreter, function: FunctionValue, arguments: Arguments, node: cst.CSTNode
) -> Value:
    """Run a function of the file with these arguments."""
    if isinstance(node, cst.Call) and run.index.is_irrelevant(function.definition):
        return UNKNOWN
    code = _code_of(function)
    if (
        code is None
        or len(run.active) >= CALL_DEPTH
        or code in run.active
        or not _is_short(function)
    ):
        if isinstance(node, cst.Call):
            values = arguments.all
            if function.receiver is not None and code not in run.active:
                values = (*values, function.receiver)
            hand_over(run, values, node)
        return UNKNOWN
    if isinstance(node, cst.Call) and _is_generator(function, code):
        hand_over(run, arguments.all, node)
        return UNKNOWN
    return _activate(run, function, code, arguments, node)


def _code_of(function: FunctionValue) -> cst.FunctionDef | cst.Lambda | None:
    if function.node is not None:
        code = function.node
    else:
        body = function.chunk.body
        code = body[0] if body else None
    return code if isinstance(code, (cst.FunctionDef, cst.Lambda)) else None


def _is_generator(function: FunctionValue, code: cst.FunctionDef | cst.Lambda) -> bool:
    if function.definition is not None and "yield" not in function.definition.words:
        return False
    fact = ("generator", id(code))
    facts = function.chunk.facts
    if fact not in facts:
        facts[fact] = isinstance(code, cst.FunctionDef) and any(
            type(each) is cst.Yield for each in inner_nodes(code.body)
        )
    return bool(facts[fact])


def _activate(
    run: Interpreter,
    function: FunctionValue,
    code: cst.FunctionDef | cst.Lambda,
    arguments: Arguments,
    node: cst.CSTNode,
) -> Value:
    from freezelint.analysis.interpreter.statements import run_body

    outer = run.frame
    saved = (run.statement, run.path, run.stack, run.activations, run.grad_enabled, run.scopes)
    elements, run.element_names = run.element_names, []
    exits, run.loop_exits = run.loop_exits, []
    place = run.place(node) if outer.chunk is not None else None
    frame = run.new_frame(function.chunk, run.frames[function.frame], code)
    frame.receiver, frame.owner = function.receiver, function.owner
    bind_parameters(run, frame.key, function, code.params, arguments)
    run.frame = frame
    run.active.append(code)
    if function.definition is not None:
        run.entered.add(function.definition)
    name = code.name.value if isinstance(code, cst.FunctionDef) else "<lambda>"
    run.scopes = (*run.scopes, name)
    run.activations = (*run.activations, run.objects.new_key())
    if place is not None:
        run.stack = (*run.stack, place)
    annotate_parameters(run, code.params)
    try:
        if isinstance(code, cst.Lambda):
            result = evaluate(run, code.body)
        else:
            if _turns_grad_off(run, code):
                run.grad_enabled = False
            flow = run_body(run, code.body)
            result = _result(run, flow)
    finally:
        run.frame = outer
        run.active.pop()
        _forget_locals(run, frame.key)
        run.statement, run.path, run.stack, run.activations, run.grad_enabled, run.scopes = saved
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
        run.bindings = run.join(states)
    if not values:
        return UNKNOWN
    result = values[0]
    for other in values[1:]:
        result = run.join_values(result, other)
    return result


def _turns_grad_off(run: Interpreter, code: cst.FunctionDef) -> bool:
    for decorator in code.decorators:
        function = decorator.decorator
        name = function.func if isinstance(function, cst.Call) else function
        text = dotted(name)
        if text is None:
            continue
        value = evaluate(run, name)
        if isinstance(value, LibraryValue) and GRAD_SWITCHES.get(value.name) is False:
            return True
    return False


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
