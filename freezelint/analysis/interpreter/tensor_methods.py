"""Methods of parameters and of other tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter import flag_writes
from freezelint.analysis.interpreter.gradients import call_on_gradient, kept_mask
from freezelint.analysis.interpreter.graphs import (
    compute_with,
    derived,
    detached,
    lone_parameter,
    take_up,
)
from freezelint.analysis.interpreter.training_loop import run_backward
from freezelint.analysis.knowledge.tensors import (
    BOUNDED_METHODS,
    CONVERSIONS,
    DISCRETE_METHODS,
    ONE_TENSOR_METHODS,
    VIEW_METHODS,
)
from freezelint.analysis.values import (
    UNKNOWN,
    Constant,
    ParameterValue,
    TensorKind,
    TensorValue,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter


def call_on_parameter(
    run: Interpreter, receiver: ParameterValue, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    """A method of a parameter, or of each of several."""
    if name == "requires_grad_":
        choice = arguments.get(0, "requires_grad")
        source = arguments.node(0, "requires_grad")
        value = Constant(True) if choice is None else choice
        flag_writes.write_computed_flag(run, receiver, value, node, source)
        return receiver
    if name == "detach_":
        # It clears the flag, but to make a leaf of it: that is no freeze.
        flag_writes.write_flag(run, receiver, False, node, certain=False)
        return receiver
    if name == "register_hook":
        from freezelint.analysis.interpreter.gradient_hooks import hook_on_parameter

        hook_on_parameter(run, receiver, arguments, node)
        return UNKNOWN
    if name == "detach":
        return _detached_parameter(run, receiver, node)
    if name in ("numel", "size", "dim", "item", "tolist", "numpy"):
        take_up(run, (receiver,))
        return UNKNOWN
    if name.endswith("_"):
        return receiver
    if lone_parameter(run, receiver) is not None or name in CONVERSIONS or name == "clone":
        return _computed_from(run, receiver, name, arguments)
    compute_with(run, receiver)
    return TensorValue() if name in ("mean", "sum", "norm", "pow", "view", "abs") else UNKNOWN


def _detached_parameter(run: Interpreter, receiver: ParameterValue, node: cst.Call) -> TensorValue:
    detached = TensorValue(TensorKind.TEMPORARY, "detach", parts=receiver.parts)
    key = lone_parameter(run, receiver)
    if key is None:
        return detached
    take_up(run, (receiver,))
    run.announce(events.OutputDetached(place=run.place(node), keys=(key,)))
    return detached._replace(cut_from=(key,))


def _computed_from(
    run: Interpreter, receiver: ParameterValue, name: str, arguments: Arguments
) -> TensorValue:
    result = TensorValue()
    if name in CONVERSIONS:
        result = TensorValue(TensorKind.CONVERTED, name, parts=receiver.parts)
    elif name == "clone":
        result = TensorValue(TensorKind.TEMPORARY, name, parts=receiver.parts)
    if lone_parameter(run, receiver) is None:
        return result
    operands = () if name in ONE_TENSOR_METHODS else arguments.all
    return derived(run, result, (receiver, *operands), is_discrete=name in DISCRETE_METHODS)


def call_on_tensor(
    run: Interpreter, receiver: TensorValue, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    """A method of a tensor that is no parameter."""
    if receiver.kind is TensorKind.GRADIENT:
        return call_on_gradient(run, receiver, name, arguments, node)
    if name == "backward":
        run_backward(run, receiver, _receiver_node(node), node)
        return Constant(None)
    if name == "requires_grad_":
        if arguments.get(0, "requires_grad") == Constant(False):
            return receiver
        return flag_writes.make_leaf(run, receiver, _receiver_node(node))
    if name in ("item", "tolist", "numpy", "size", "dim", "numel", "shape"):
        take_up(run, (receiver,))
        # The numbers of what was cut from its graph are as good as the tensor.
        cut = receiver.cut_from if name == "numpy" else None
        return TensorValue(how=name, cut_from=cut) if cut else UNKNOWN
    if name == "detach" and (receiver.modules or receiver.upstream):
        return detached(run, receiver, name, node)
    operands = () if name in ONE_TENSOR_METHODS else arguments.all
    if name in BOUNDED_METHODS:
        operands = tuple(each for each in operands if each is not UNKNOWN)
    is_discrete = name in DISCRETE_METHODS or name == "detach"
    result = kept_mask(receiver, name) or TensorValue()
    if receiver.kind is TensorKind.OUTPUT:
        # What is computed by other methods may be no tensor of real numbers.
        how = receiver.how if name in ONE_TENSOR_METHODS else name
        result = receiver._replace(how=how, made=None)
    elif name in ("detach", "clone"):
        result = TensorValue(TensorKind.TEMPORARY, name, parts=receiver.parts)
    elif receiver.is_fresh or (name.endswith("_") and receiver.kind is TensorKind.TEMPORARY):
        result = receiver
    result = derived(run, result, (receiver, *operands), is_discrete=is_discrete)
    if receiver.is_inference and name in VIEW_METHODS:
        return result._replace(is_inference=True)
    return result


def _receiver_node(node: cst.Call) -> cst.BaseExpression | None:
    return node.func.value if isinstance(node.func, cst.Attribute) else None
