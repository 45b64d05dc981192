"""Gradients of parameters: what code between the backward pass and the step makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis import events
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

_SAME = frozenset({"detach", "detach_", "cpu", "cuda", "to", "clone", "contiguous"})

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
        return isinstance(value.left, TensorValue)
    return isinstance(value, TensorValue) and value.is_fresh and value.how in _ZEROS


def call_on_gradient(
    run: Interpreter, receiver: TensorValue, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    """A method of ``p.grad``, or of what a hook is passed."""
    if name in _SAME:
        return receiver._replace(parts=()) if name == "clone" else receiver
    changed: Value = UNKNOWN
    first = arguments.positional[0] if arguments.positional else UNKNOWN
    if name == "zero_" or (name == "fill_" and is_zero(first)):
        changed = receiver._replace(how=ZEROED)
        if receiver.parts:
            run.announce(
                events.GradientsCleared(place=run.place(node), parts=receiver.parts, to_none=False)
            )
    elif name.rstrip("_") == "mul":
        changed = product(receiver, first)
    elif name.rstrip("_") == "masked_fill" and is_zero(arguments.get(1, "value") or UNKNOWN):
        changed = receiver._replace(how=MASKED)
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
    run.announce(
        events.GradientsCleared(place=run.place(node), parts=parameter.parts, to_none=to_none)
    )


def note_masked(run: Interpreter, gradient: Value, node: cst.CSTNode) -> None:
    """Announce that the gradient of a parameter has lost some or all of its elements."""
    if not isinstance(gradient, TensorValue) or gradient.kind is not TensorKind.GRADIENT:
        return
    if gradient.parts and gradient.how in (ZEROED, MASKED):
        announce_masked(run, ParameterValue(gradient.parts), gradient.how, node, by_hook=False)


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


def with_zeros_at(run: Interpreter, tensor: TensorValue, node: cst.CSTNode) -> TensorValue:
    """A tensor of which some elements have been set to zero."""
    if tensor.kind is TensorKind.GRADIENT:
        changed = tensor._replace(how=MASKED)
        note_masked(run, changed, node)
        return changed
    return tensor._replace(how=MASKED) if tensor.is_fresh else tensor
