"""Assignments to elements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.events import ParametersWritten
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.gradients import (
    MASKED,
    is_gradient,
    is_lasting_mask,
    is_zero,
    note_filled,
    with_zeros_at,
)
from freezelint.analysis.interpreter.hidden import holds_modules
from freezelint.analysis.interpreter.optimizers import note_rate
from freezelint.analysis.interpreter.out_of_sight import hand_over
from freezelint.analysis.interpreter.sequences import renew, store, with_entry
from freezelint.analysis.interpreter.submodules import (
    add_element,
    element_name,
    name_object,
    replace_child,
    submodule_name,
)
from freezelint.analysis.interpreter.subscripts import index_of
from freezelint.analysis.syntax import dotted
from freezelint.analysis.values import (
    UNKNOWN,
    ComparisonValue,
    Constant,
    InstanceValue,
    LibraryInstance,
    MappingValue,
    ModuleValue,
    ParameterSequence,
    ParameterValue,
    SequenceValue,
    SubmoduleTable,
    TensorKind,
    TensorValue,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.machine import Interpreter


_ZEROS = ("zeros", "zeros_like")


def assign_subscript(run: Interpreter, target: cst.Subscript, value: Value) -> None:
    """``receiver[index] = value``."""
    if _hide(run, target, value):
        return
    if _exchanges_parameter(run, target):
        return
    receiver = evaluate(run, target.value)
    path = dotted(target)
    if isinstance(receiver, (TensorValue, ParameterValue)):
        _assign_elements(run, receiver, target, value)
    elif isinstance(receiver, LibraryInstance):
        note_rate(run, receiver, target)
    elif isinstance(receiver, SubmoduleTable):
        _assign_submodule(run, receiver, target, value)
    elif isinstance(receiver, ModuleValue):
        _assign_element(run, receiver, target, value)
    elif isinstance(receiver, MappingValue) and (holds_modules(value) or is_lasting_mask(value)):
        index = target.slice[0].slice
        key = evaluate(run, index.value) if isinstance(index, cst.Index) else UNKNOWN
        store(run, target.value, with_entry(receiver, key, value))
    elif isinstance(receiver, (MappingValue, SequenceValue, ParameterSequence)):
        if dotted(target.value) is not None:
            _forget(run, target.value)
    elif path is not None:
        name_object(run, value, path)
        run.bindings[run.frame.key, path] = value


def _hide(run: Interpreter, target: cst.Subscript, value: Value) -> bool:
    """``module.__dict__["name"] = value``: an attribute of a module that is not registered."""
    container = target.value
    if not isinstance(container, cst.Attribute) or container.attr.value != "__dict__":
        return False
    owner = evaluate(run, container.value)
    index = target.slice[0].slice
    key = evaluate(run, index.value) if isinstance(index, cst.Index) else UNKNOWN
    if not isinstance(owner, ModuleValue) or not isinstance(key, Constant):
        return False
    run.bindings[owner.key, str(key.value)] = value
    return True


def _exchanges_parameter(run: Interpreter, target: cst.Subscript) -> bool:
    """``module._parameters["weight"] = value``: the module has another parameter from here on."""
    table = target.value
    if not isinstance(table, cst.Attribute) or table.attr.value != "_parameters":
        return False
    owner = evaluate(run, table.value)
    if isinstance(owner, ModuleValue):
        hand_over(run, (owner,), target)
    return isinstance(owner, ModuleValue)


def _assign_elements(
    run: Interpreter, tensor: TensorValue | ParameterValue, target: cst.Subscript, value: Value
) -> None:
    """Some elements of a tensor get other values."""
    if isinstance(tensor, ParameterValue) or tensor.kind is TensorKind.TEMPORARY:
        run.announce(
            ParametersWritten(
                place=run.place(target), parts=tensor.parts, may_be_zero=is_zero(value)
            )
        )
    elif (is_zero(value) or _is_zeroed(value)) and _takes_several(run, target):
        changed = with_zeros_at(run, tensor, target)
        if isinstance(target.value, cst.Name):
            run.bind(target.value.value, changed)
    elif is_gradient(tensor):
        note_filled(run, tensor, target)
    elif tensor.is_fresh and tensor.how in _ZEROS and isinstance(target.value, cst.Name):
        # Where some stay zero, this makes a mask.
        how = MASKED if _takes_a_part(target) else "filled"
        run.bind(target.value.value, tensor._replace(how=how))


def _is_zeroed(value: Value) -> bool:
    """Whether this is a copy of a piece of a gradient, filled with zeros."""
    return (
        is_gradient(value)
        and isinstance(value, TensorValue)
        and (value.how == MASKED and not value.parts)
    )


def _takes_a_part(target: cst.Subscript) -> bool:
    """Whether an index leaves something out."""
    return not all(
        isinstance(each.slice, cst.Slice) and each.slice.lower is None and each.slice.upper is None
        for each in target.slice
    )


def _takes_several(run: Interpreter, target: cst.Subscript) -> bool:
    """Whether a slice or a mask is meant: one row that is zeroed may be padding."""
    first = target.slice[0].slice
    if isinstance(first, cst.Slice):
        return True
    assert isinstance(first, cst.Index)
    if run.label(target.value) in run.place(first).code or ".grad" in run.place(first).code:
        # What a gradient says itself, such as where it is not a number, is no choice of weights.
        return False
    return isinstance(evaluate(run, first.value), (TensorValue, ComparisonValue))


def _assign_element(
    run: Interpreter, receiver: ModuleValue, target: cst.Subscript, value: Value
) -> None:
    name = element_name(run, receiver.key, index_of(run, target))
    if name is not None and isinstance(value, ModuleValue) and value.key != receiver.key:
        run.prove(receiver)
        name_object(run, value, run.label(target))
        replace_child(run, receiver.key, name, value, target)
    elif name is None and isinstance(value, ModuleValue) and _only_grows(run, receiver.key):
        name_object(run, value, run.label(target))
        add_element(run, receiver.key, value, target)
    elif run.proven(receiver) is not None:
        hand_over(run, (receiver,), target)


def _only_grows(run: Interpreter, container: int) -> bool:
    """Whether this is a ``ModuleDict`` in sight, filled by keys that nobody knows."""
    return run.objects.module(container).library == "torch.nn.ModuleDict" and all(
        attachment.attribute.startswith("[+")
        for _, attachment in run.objects.attachments_to(container)
    )


def _assign_submodule(
    run: Interpreter, table: SubmoduleTable, target: cst.Subscript, value: Value
) -> None:
    name = index_of(run, target)
    if isinstance(name, Constant) and isinstance(name.value, str):
        name_object(run, value, run.label(target))
        attribute = submodule_name(run, table.key, name.value)
        replace_child(run, table.key, attribute, value, target)
    else:
        hand_over(run, (table,), target)


def _forget(run: Interpreter, target: cst.BaseExpression) -> None:
    renew(run, evaluate(run, target), UNKNOWN)
    if isinstance(target, cst.Name):
        run.bind(target.value, UNKNOWN)
    elif isinstance(target, cst.Attribute):
        receiver = evaluate(run, target.value)
        if isinstance(receiver, (InstanceValue, ModuleValue)):
            run.bindings[receiver.key, target.attr.value] = UNKNOWN
