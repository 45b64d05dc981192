"""Forward passes: calls of modules, and of what may be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter.classes import find_method
from freezelint.analysis.interpreter.following import code_of, follow, is_short
from freezelint.analysis.interpreter.graphs import derived, replace, with_ancestry
from freezelint.analysis.interpreter.names import look_up
from freezelint.analysis.interpreter.optimizers import add_group_to_any, gives_parameters
from freezelint.analysis.interpreter.out_of_sight import hand_over
from freezelint.analysis.interpreter.submodules import LENGTH
from freezelint.analysis.knowledge import transformers
from freezelint.analysis.knowledge.layers import INDEXED, LAYERS_WITHOUT_PARAMETERS
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import SOME
from freezelint.analysis.tensors import sources_of, tensors_in
from freezelint.analysis.values import (
    Constant,
    FunctionValue,
    ModuleValue,
    TensorKind,
    TensorValue,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.values import FunctionValue


def run_forward(
    run: Interpreter, module: ModuleValue, arguments: Arguments, node: cst.Call
) -> Value:
    """``module(x)``."""
    known = run.objects.module(module.key)
    if known.origin is Origin.CHILD and not known.proof:
        _call_attribute(run, known, arguments, node)
        return _output(run, module, arguments)
    if known.origin is Origin.CHILD and _is_statement(run, node):
        # A forward pass whose output is dropped: rather a method that nobody knows.
        _call_attribute(run, known, arguments, node)
    if known.origin is Origin.ELEMENT and not known.proof:
        _call_on_element(run, arguments, node)
    method = _own_forward(run, known, module, arguments)
    layers = _layers_in_order(run, known, arguments) if method is None else ()
    run.announce(
        events.ForwardRan(
            place=run.place(node),
            key=module.key,
            arguments=arguments.all,
            is_followed=bool(layers) or (method is not None and code_of(method) not in run.active),
        )
    )
    if layers:
        return _passed_through(run, module, _run_in_turn(run, layers, arguments, node))
    if method is not None:
        result = follow(run, method, arguments, node)
        if not isinstance(result, Unknown):
            return _passed_through(run, module, result)
        return _output(run, module, arguments)._replace(is_traced=False)
    package, _, last = (known.library or "").rpartition(".")
    if package == "torch.nn" and last in LAYERS_WITHOUT_PARAMETERS:
        output = TensorValue(TensorKind.OUTPUT, modules=(module.key,))
        return derived(run, output, arguments.all)
    return _output(run, module, arguments)


def _own_forward(
    run: Interpreter, known: ModuleObject, module: ModuleValue, arguments: Arguments
) -> FunctionValue | None:
    """The ``forward`` of a class of the file, where something happens that rules look at.

    Also where it matters what flows into which layer.
    """
    if known.owner_class is None:
        return None
    method = find_method(run, known.owner_class, "forward", module)
    if method is None or not is_short(method):
        return None
    is_worth_it = (
        run.index.is_loud(method.definition)
        or known.owner_class.definition.makes_recurrent_layers
        or known.owner_class.definition.cuts_graphs
        or any(each.is_inference for each in tensors_in(arguments.all))
        or _is_loud_inside(run, known)
    )
    return method if is_worth_it else None


def _layers_in_order(
    run: Interpreter, known: ModuleObject, arguments: Arguments
) -> tuple[ModuleValue, ...]:
    """The layers of an ``nn.Sequential``, if something happens in one that rules look at."""
    if known.library != "torch.nn.Sequential" or known.origin is not Origin.BUILT:
        return ()
    if len(arguments.positional) != 1 or arguments.keywords or not arguments.complete:
        return ()
    length = run.bindings.get((known.key, LENGTH))
    if not known.is_complete or not isinstance(length, Constant) or not _is_loud_inside(run, known):
        return ()
    layers = (run.child(known.key, f"[{number}]") for number in range(length.value))
    return tuple(each for each in layers if isinstance(each, ModuleValue))


def _run_in_turn(
    run: Interpreter, layers: tuple[ModuleValue, ...], arguments: Arguments, node: cst.Call
) -> Value:
    """What the last of some layers gives, each called with what the one before it gave."""
    for layer in layers:
        result = run_forward(run, layer, arguments, node)
        arguments = arguments._replace(positional=(result,))
    return arguments.positional[0]


def _is_loud_inside(run: Interpreter, module: ModuleObject) -> bool:
    """Whether in the forward pass of a submodule something happens that rules look at."""
    loud = run.index.classes_with_loud_forward
    if not loud or (module.owner_class is not None and loud <= {module.owner_class.definition}):
        return False
    pending, seen = [module.key], {module.key}
    while pending:
        key = pending.pop()
        run.finish(key)
        for held in run.objects.held_by(key, run.now):
            owner = run.objects.module(held).owner_class
            if owner is not None and owner.definition in loud:
                return True
            if held not in seen:
                seen.add(held)
                pending.append(held)
    return False


def _output(run: Interpreter, module: ModuleValue, arguments: Arguments) -> TensorValue:
    """What a module computes: with gradients on, its own parameters make for a graph."""
    known = run.objects.module(module.key)
    output = TensorValue(TensorKind.OUTPUT, modules=(module.key,))
    output = with_ancestry(run, output, arguments.all)
    if known.library in INDEXED:
        output = output._replace(is_traced=True)
    elif known.hidden or not (known.proof or known.origin is Origin.CHILD):
        output = output._replace(is_traced=False)
    if run.grad_enabled is False:
        return output._replace(cut_from=sources_of(output), upstream=(), severed=())
    return output


def _passed_through(run: Interpreter, module: ModuleValue, result: Value) -> Value:
    """What the code of a module's own ``forward`` returned."""
    if not isinstance(result, TensorValue) or module.key in sources_of(result):
        return result
    if result.cut_from is None:
        passed = result._replace(upstream=(*result.upstream, module.key))
        replace(run, (result,), passed)
        return passed
    return result._replace(cut_from=(*result.cut_from, module.key))


def _call_attribute(
    run: Interpreter, attribute: ModuleObject, arguments: Arguments, node: cst.Call
) -> None:
    """A call of an attribute that may be a submodule, or a method of the module that holds it.

    Where the result is dropped it must be a method, and one with an effect.
    """
    assert attribute.parent is not None
    assert attribute.attribute is not None
    values = arguments.all
    if gives_parameters(node):
        add_group_to_any(run, arguments, node)
        return
    if attribute.attribute in transformers.FREEZING_METHODS and _is_of_transformers(run, attribute):
        _freeze_by_method(run, attribute.parent, attribute.attribute, node)
        return
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
        )
    )


def _call_on_element(run: Interpreter, arguments: Arguments, node: cst.Call) -> None:
    """A call of something that each of several modules has: a submodule, or a method."""
    if not isinstance(node.func, cst.Attribute) or not isinstance(node.func.value, cst.Name):
        return
    receiver = look_up(run, node.func.value.value)
    if isinstance(receiver, ModuleValue):
        run.announce(
            events.MethodCalled(
                place=run.place(node),
                receiver=receiver,
                name=node.func.attr.value,
                arguments=arguments.positional,
                keywords=arguments.keywords,
            )
        )


def _is_of_transformers(run: Interpreter, attribute: ModuleObject) -> bool:
    module = attribute
    while module.origin is Origin.CHILD and module.parent is not None:
        module = run.objects.module(module.parent)
    return (module.library or "").startswith("transformers.")


def _freeze_by_method(run: Interpreter, key: int, method: str, node: cst.Call) -> None:
    """A model of transformers freezes itself, or a part of itself."""
    way = transformers.frozen_by(run.objects.module(key).library or "", method)
    for step in way or ():
        child = run.child(key, step)
        if not isinstance(child, ModuleValue):
            return
        key = child.key
    is_whole = way is not None or method == "_freeze_parameters"
    run.announce(
        events.FlagWritten(
            place=run.place(node),
            parts=run.parts_of(key, () if is_whole else (SOME,)),
            value=False,
            label=run.objects.label(key),
        )
    )


def _is_statement(run: Interpreter, node: cst.Call) -> bool:
    statement = run.statement
    return isinstance(statement, cst.SimpleStatementLine) and any(
        isinstance(each, cst.Expr) and each.value is node for each in statement.body
    )
