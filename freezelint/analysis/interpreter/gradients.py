"""Gradients of parameters: what code between the backward pass and the step makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis import events
from freezelint.analysis.knowledge.tensors import CONVERSIONS
from freezelint.analysis.values import (
    UNKNOWN,
    ComparisonValue,
    Constant,
    ParameterValue,
    TensorKind,
    TensorValue,
    Value,
)

if TYPE_CHECKING:
    import libcst as cst

    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter

ZEROED = "zeroed"
MASKED = "masked"
"""What was done to a gradient: all of it is zero, or some of it is."""

PIECE = "piece"
"""A slice of a gradient, which shares its memory."""

COMPARED = "compared"
"""How a tensor came about that says of each element whether something is so."""

_KEEPING = CONVERSIONS | {"int", "long", "clone", "detach", "view", "unsqueeze", "expand_as"}
"""Methods that leave the elements of a mask what they are."""

_SAME = frozenset({"detach", "detach_", "cpu", "cuda", "to", "clone", "contiguous"})

_FILLING = frozenset(
    {"add_", "sub_", "copy_", "addcmul_", "addcdiv_", "lerp_", "index_add_", "index_copy_", "set_"}
)
"""Methods after which a gradient of zeros need not be one."""

_ZEROS = frozenset({"zeros", "zeros_like", MASKED})
"""How tensors come about of which elements are zero until somebody writes others."""


def is_gradient(value: Value) -> bool:
    """Whether this is the gradient of a parameter, or made from one."""
    return isinstance(value, TensorValue) and value.kind is TensorKind.GRADIENT


def is_zero(value: Value) -> bool:
    """Whether this is the number 0, or a tensor of zeros."""
    if isinstance(value, Constant):
        return isinstance(value.value, (int, float)) and value.value == 0
    return isinstance(value, TensorValue) and value.is_fresh and value.how == "zeros_like"


def product(left: Value, right: Value) -> Value:
    """What a gradient times something else is."""
    gradient, factor = (left, right) if is_gradient(left) else (right, left)
    assert isinstance(gradient, TensorValue)
    if is_zero(factor):
        return gradient._replace(how=ZEROED)
    if _is_mask(factor):
        return gradient._replace(how=MASKED)
    return gradient


def _is_mask(value: Value) -> bool:
    """Whether elements of a tensor are certainly zero."""
    if isinstance(value, ComparisonValue):
        return isinstance(value.left, TensorValue) and not is_gradient(value.left)
    if not isinstance(value, TensorValue):
        return False
    return value.how == COMPARED or (value.is_fresh and value.how in _ZEROS)


def is_lasting_mask(value: Value) -> bool:
    """Whether this is a tensor that was made to pick elements."""
    return isinstance(value, TensorValue) and value.how in (MASKED, COMPARED)


def kept_mask(receiver: TensorValue, name: str) -> TensorValue | None:
    """What a method makes of a mask that came from a comparison; None where it is another thing."""
    return TensorValue(how=COMPARED) if receiver.how == COMPARED and name in _KEEPING else None


def complement(value: Value) -> Value | None:
    """``1 - mask``, which is a mask as well."""
    return value if is_lasting_mask(value) else None


def call_on_gradient(
    run: Interpreter, receiver: TensorValue, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    """A method of ``p.grad``, or of what a hook is passed."""
    if name in _SAME:
        return receiver._replace(parts=()) if name == "clone" else receiver
    changed: Value = UNKNOWN
    first = arguments.positional[0] if arguments.positional else UNKNOWN
    if name == "zero_" or (name == "fill_" and is_zero(first)):
        changed = receiver._replace(how=MASKED if receiver.how == PIECE else ZEROED)
        if receiver.parts and receiver.how != PIECE:
            run.announce(
                events.GradientsCleared(place=run.place(node), parts=receiver.parts, to_none=False)
            )
    elif name.rstrip("_") == "mul":
        changed = product(receiver, first)
    elif (name.rstrip("_") == "masked_fill" and is_zero(arguments.get(1, "value") or UNKNOWN)) or (
        name.rstrip("_") == "index_fill" and is_zero(arguments.get(2, "value") or UNKNOWN)
    ):
        changed = receiver._replace(how=MASKED)
    if name in _FILLING:
        note_filled(run, receiver, node)
    if name.endswith("_"):
        note_masked(run, changed, node)
        return changed if isinstance(changed, TensorValue) else receiver
    return changed


def write_gradient(
    run: Interpreter, parameter: ParameterValue, value: Value, node: cst.CSTNode
) -> None:
    """``p.grad = value``."""
    if isinstance(value, TensorValue) and is_gradient(value):
        note_masked(run, value._replace(parts=parameter.parts), node)
        return
    to_none: bool | None = None
    if isinstance(value, Constant) or is_zero(value):
        to_none = isinstance(value, Constant) and value.value is None
        if not isinstance(value, Constant):
            announce_masked(run, parameter, ZEROED, node, by_hook=False)
    run.announce(
        events.GradientsCleared(place=run.place(node), parts=parameter.parts, to_none=to_none)
    )


def note_masked(run: Interpreter, gradient: Value, node: cst.CSTNode) -> None:
    """Announce that the gradient of a parameter has lost some or all of its elements."""
    if not isinstance(gradient, TensorValue) or gradient.kind is not TensorKind.GRADIENT:
        return
    if gradient.parts and gradient.how in (ZEROED, MASKED):
        announce_masked(run, ParameterValue(gradient.parts), gradient.how, node, by_hook=False)


def note_filled(run: Interpreter, gradient: Value, node: cst.CSTNode) -> None:
    """Announce that something was written into the gradient of a parameter."""
    if isinstance(gradient, TensorValue) and gradient.parts:
        run.announce(events.GradientsFilled(place=run.place(node), parts=gradient.parts))


def announce_masked(
    run: Interpreter, parameter: ParameterValue, how: str, node: cst.CSTNode, *, by_hook: bool
) -> None:
    """Announce that gradients of a parameter become zero, or some of their elements."""
    labels = dict.fromkeys(run.objects.label(part.key) for part in parameter.parts)
    run.announce(
        events.GradientsMasked(
            place=run.place(node),
            parts=parameter.parts,
            label=", ".join(labels),
            by_hook=by_hook,
            is_partial=how == MASKED,
        )
    )


def piece_of(gradient: TensorValue, index: Value | None) -> TensorValue:
    """``grad[index]``: by a mask it is a copy, by slices a view of what it is taken from."""
    is_copy = isinstance(index, (TensorValue, ComparisonValue))
    return gradient._replace(how=PIECE, parts=() if is_copy else gradient.parts)


def chosen(condition: Value, taken: Value, other: Value) -> Value | None:
    """``torch.where(condition, grad, zeros)``, where the condition is not about the gradient."""
    if not is_lasting_mask(condition) and not (
        isinstance(condition, ComparisonValue) and isinstance(condition.left, TensorValue)
    ):
        return None
    for one, rest in ((taken, other), (other, taken)):
        if isinstance(one, TensorValue) and is_gradient(one) and is_zero(rest):
            return one._replace(how=MASKED)
    return None


def with_zeros_at(run: Interpreter, tensor: TensorValue, node: cst.CSTNode) -> TensorValue:
    """A tensor of which some elements have been set to zero."""
    if tensor.kind is TensorKind.GRADIENT:
        changed = tensor._replace(how=MASKED)
        note_masked(run, changed, node)
        return changed
    return tensor._replace(how=MASKED) if tensor.is_fresh else tensor
