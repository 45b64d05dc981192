"""Forward passes: calls of modules, and of what may be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter.classes import find_method
from freezelint.analysis.interpreter.following import follow, is_short
from freezelint.analysis.interpreter.graphs import cut_from
from freezelint.analysis.interpreter.out_of_sight import hand_over
from freezelint.analysis.knowledge.torch import LAYERS_WITHOUT_PARAMETERS
from freezelint.analysis.objects import Origin
from freezelint.analysis.values import ModuleValue, TensorKind, TensorValue, Unknown, Value

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.objects import ModuleObject


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
        if method is not None and is_short(method) and run.index.is_loud(method.definition):
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
