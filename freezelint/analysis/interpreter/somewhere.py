"""What happens to something unknown: of which model it is a part, nobody can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter.names import look_up
from freezelint.analysis.interpreter.submodules import replace_child
from freezelint.analysis.objects import Origin
from freezelint.analysis.syntax import walk
from freezelint.analysis.values import Constant, ModuleValue, Part

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.values import Value

_KEEPING = frozenset(
    {"append", "add", "extend", "insert", "id", "len", "isinstance", "print", "type"}
    | {"setattr", "getattr", "hasattr"}
)
"""Calls that take modules and parameters, and not only tensors."""

_OF_TENSORS = frozenset({"detach", "detach_", "clone", "grad", "item", "backward", "retain_grad"})


def note_doubtful_write(
    run: Interpreter, receiver: cst.BaseExpression, value: Value | None, node: cst.CSTNode
) -> None:
    """``unknown.requires_grad_(True)``: whatever model holds it may be trainable from here on.

    Args:
        run: The interpreter.
        receiver: What the flag is written to.
        value: The new flag; None where it is not said, which means True.
        node: The write.
    """
    if value != Constant(False) and not _is_tensor(run, receiver):
        note_doubt(run, run.label(receiver), node)


def note_doubt(run: Interpreter, label: str, node: cst.CSTNode) -> None:
    """Say that any module, or a part of it, may have been made trainable."""
    parts = tuple(map(Part, _outermost(run)))
    if parts:
        run.announce(
            events.FlagWritten(
                place=run.place(node),
                parts=parts,
                value=None,
                label=label,
                certain=False,
            )
        )


def put_somewhere(
    run: Interpreter,
    receiver: cst.BaseExpression,
    module: ModuleValue,
    source: cst.CSTNode,
    node: cst.CSTNode,
) -> None:
    """``unknown.attribute = Layer(...)``: some model has a new module in it from here on.

    Of what a loop over the elements of a model reaches, it is that model.
    """
    if not isinstance(source, cst.Call):
        return
    base = receiver
    while isinstance(base, (cst.Attribute, cst.Subscript)):
        base = base.value
    value = look_up(run, base.value) if isinstance(base, cst.Name) else None
    element = run.objects.module(value.key) if isinstance(value, ModuleValue) else None
    if element is not None and element.origin is Origin.ELEMENT and element.parent is not None:
        replace_child(run, element.parent, f"[+{module.key}]", module, node)
        return
    run.announce(events.HandedOver(place=run.place(node), keys=_outermost(run)))


def _outermost(run: Interpreter) -> tuple[int, ...]:
    """All modules and parameters that are in no other."""
    return tuple(
        each.key
        for each in run.objects.modules()
        if each.origin is not Origin.ELEMENT
        and not any(attachment.until is None for attachment in each.attachments)
    )


def _is_tensor(run: Interpreter, receiver: cst.BaseExpression) -> bool:
    """Whether an input is meant, such as one that an attack or a penalty needs gradients of."""
    base = receiver
    while isinstance(base, (cst.Call, cst.Attribute, cst.Subscript)):
        if isinstance(base, cst.Attribute):
            if base.attr.value in _OF_TENSORS:
                return True
            base = base.value
        elif isinstance(base, cst.Subscript):
            base = base.value
        else:
            base = base.func
    if not isinstance(base, cst.Name):
        return True
    return base is receiver and base.value in _computed_with(run)


def _computed_with(run: Interpreter) -> frozenset[str]:
    """Names in the code around that are called on, computed with, or asked for a gradient."""
    chunk = run.frame.chunk
    assert chunk is not None
    fact = ("computed with", 0)
    known: frozenset[str] | None = chunk.facts.get(fact)
    if known is None:
        names: set[str] = set()
        for body in chunk.body:
            for each in walk(body):
                names.update(_operands(each))
        known = chunk.facts[fact] = frozenset(names)
    return known


def _operands(node: cst.CSTNode) -> set[str]:
    operands: list[cst.BaseExpression] = []
    if isinstance(node, cst.Call):
        function = node.func
        last = function.attr if isinstance(function, cst.Attribute) else function
        if not isinstance(last, cst.Name) or last.value not in _KEEPING:
            operands = [each.value for each in node.args]
    elif isinstance(node, cst.BinaryOperation):
        operands = [node.left, node.right]
    elif isinstance(node, cst.Attribute) and node.attr.value in _OF_TENSORS:
        operands = [node.value]
    return {each.value for each in operands if isinstance(each, cst.Name)}
