"""Assignments: to names, attributes, elements and tuples of these."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter import gradients, graphs
from freezelint.analysis.interpreter.classes import defines_attribute
from freezelint.analysis.interpreter.concatenation import concatenated
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.flag_writes import first_argument, write_flag_of
from freezelint.analysis.interpreter.graphs import take_up
from freezelint.analysis.interpreter.hidden import note_collection
from freezelint.analysis.interpreter.iteration import items_of
from freezelint.analysis.interpreter.names import is_held, judge_instance, uses_of
from freezelint.analysis.interpreter.operators import added, arithmetic
from freezelint.analysis.interpreter.optimizers import note_edited_groups
from freezelint.analysis.interpreter.somewhere import put_somewhere
from freezelint.analysis.interpreter.submodules import (
    name_object,
    prove_by_use,
    prove_holders,
    replace_child,
)
from freezelint.analysis.knowledge.layers import RECURRENT_LAYERS
from freezelint.analysis.knowledge.tensors import VALUES_WITH_INDICES
from freezelint.analysis.objects import Origin
from freezelint.analysis.syntax import dotted
from freezelint.analysis.values import (
    UNKNOWN,
    Constant,
    ElementsValue,
    InstanceValue,
    LibraryInstance,
    MappingValue,
    ModuleValue,
    NamespaceValue,
    ParameterValue,
    SequenceValue,
    TensorKind,
    TensorValue,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.machine import Interpreter


def assign(run: Interpreter, target: cst.BaseExpression, value: Value, source: cst.CSTNode) -> None:
    """Store a value where an assignment puts it."""
    if isinstance(target, cst.Name):
        _assign_name(run, target, value)
    elif isinstance(target, cst.Attribute):
        note_edited_groups(run, target)
        receiver = evaluate(run, target.value)
        write_attribute(run, receiver, target.attr.value, value, target, source)
    elif isinstance(target, cst.Subscript):
        from freezelint.analysis.interpreter.subscript_writes import assign_subscript

        note_edited_groups(run, target)
        assign_subscript(run, target, value)
    elif isinstance(target, (cst.Tuple, cst.List)):
        _unpack(run, target, value, source)
    elif isinstance(target, cst.StarredElement):
        taken = value if isinstance(value, SequenceValue) else UNKNOWN
        assign(run, target.value, taken, source)


def _unpack(
    run: Interpreter, target: cst.Tuple | cst.List, value: Value, source: cst.CSTNode
) -> None:
    items: tuple[Value, ...] = ()
    width = len(target.elements)
    stars = [n for n, each in enumerate(target.elements) if isinstance(each, cst.StarredElement)]
    if stars and isinstance(value, (SequenceValue, MappingValue)):
        items = _around_the_star(run, value, stars[0], width) if value.complete else ()
    elif isinstance(value, SequenceValue) and len(value.items) == width:
        items = value.items
    elif isinstance(value, ModuleValue):
        known = items_of(run, value) or ()
        items = known if len(known) == width and not stars else ()
    elif isinstance(value, TensorValue) and value.cut_from is not None:
        # A batch, or what was computed without a graph: so is all that it consists of.
        items = (value,) * width
    elif isinstance(value, TensorValue) and value.kind is TensorKind.OUTPUT:
        how = "" if _are_all_real(run, value) else "[...]"
        items = (value._replace(how=how),) * width
        if value.how in VALUES_WITH_INDICES:
            items = (value._replace(how=""), *items[1:])
    elif (
        isinstance(value, ElementsValue)
        and not stars
        and (isinstance(value.element, (TensorValue, LibraryInstance)))
    ):
        # Of tensors or groups, not of modules: each is another one.
        items = (value.element,) * width
    for number, element in enumerate(target.elements):
        inner = element if isinstance(element, cst.StarredElement) else element.value
        assign(run, inner, items[number] if items else UNKNOWN, source)


def _around_the_star(
    run: Interpreter, value: SequenceValue | MappingValue, star: int, width: int
) -> tuple[Value, ...]:
    """What each target of ``first, *others = value`` takes."""
    known = items_of(run, value)
    if known is None or len(known) < width - 1:
        return ()
    end = len(known) - (width - star - 1)
    return (*known[:star], SequenceValue(known[star:end]), *known[end:])


def _are_all_real(run: Interpreter, output: TensorValue) -> bool:
    """Whether a recurrent layer made a tensor: all that it returns has a graph."""
    return not output.how and all(
        (run.objects.module(key).library or "").rpartition(".")[2] in RECURRENT_LAYERS
        for key in output.modules
    )


def _assign_name(run: Interpreter, target: cst.Name, value: Value) -> None:
    name = target.value
    if isinstance(value, LibraryInstance):
        value = judge_instance(run, value, uses_of(run, name))
    elif isinstance(value, ModuleValue) and not run.objects.module(value.key).proof:
        prove_by_use(run, value, name)
    name_object(run, value, name)
    run.bind(name, value)


def write_attribute(
    run: Interpreter,
    receiver: Value,
    attribute: str,
    value: Value,
    node: cst.CSTNode,
    source: cst.CSTNode,
) -> None:
    """``receiver.attribute = value``."""
    receiver_node = node.value if isinstance(node, cst.Attribute) else first_argument(node)
    path = dotted(node) if isinstance(node, cst.Attribute) else None
    if path is not None and isinstance(value, LibraryInstance):
        value = judge_instance(run, value, uses_of(run, path))
    run.announce(
        events.AttributeWritten(
            place=run.place(node),
            receiver=receiver,
            attribute=attribute,
            value=value,
            owner_declares=functools.partial(_is_declared, run, receiver, attribute),
            receiver_node=receiver_node,
            receiver_name=None if receiver_node is None else dotted(receiver_node),
            value_node=source,
        )
    )
    if isinstance(value, ParameterValue):
        take_up(run, (value,))
    if isinstance(receiver, ParameterValue):
        take_up(run, (receiver,))
        prove_holders(run, receiver, attribute)
    if attribute == "requires_grad":
        write_flag_of(run, receiver, value, node, source)
        return
    if attribute == "grad" and isinstance(receiver, ParameterValue):
        gradients.write_gradient(run, receiver, value, node)
        return
    if path is not None:
        name_object(run, value, path)
    if path is not None:
        run.touch(path.partition(".")[0])
    if (
        isinstance(value, ModuleValue)
        and receiver_node is not None
        and _is_somewhere(run, receiver)
    ):
        put_somewhere(run, receiver_node, value, source, node)
    if isinstance(receiver, ModuleValue):
        note_collection(run, receiver.key, attribute, value, node, source)
        replace_child(run, receiver.key, attribute, value, node)
    elif isinstance(receiver, (InstanceValue, NamespaceValue)):
        announce_rebinding(run, path or attribute, (receiver.key, attribute), value, node)
        run.bindings[receiver.key, attribute] = value
    else:
        _keep(run, receiver, node, attribute, value)


def _keep(
    run: Interpreter, receiver: Value, node: cst.CSTNode, attribute: str, value: Value
) -> None:
    """Keep an attribute of something that has no identity here."""
    path = dotted(node) if isinstance(node, cst.Attribute) else None
    if isinstance(receiver, MappingValue) and isinstance(node, cst.Attribute):
        # A dict whose keys are attributes, too.
        from freezelint.analysis.interpreter.sequences import store, with_entry

        store(run, node.value, with_entry(receiver, Constant(attribute), value))
    elif path is not None and attribute not in ("data",):
        run.bindings[run.frame.key, path] = value


def _is_somewhere(run: Interpreter, receiver: Value) -> bool:
    """Whether a value is one of several modules, or nobody knows what."""
    if isinstance(receiver, ModuleValue):
        return run.objects.module(receiver.key).origin is Origin.ELEMENT
    return isinstance(receiver, Unknown)


def _is_declared(run: Interpreter, receiver: Value, attribute: str) -> bool:
    owner = None
    if isinstance(receiver, ModuleValue):
        owner = run.objects.module(receiver.key).owner_class
    elif isinstance(receiver, InstanceValue):
        owner = receiver.owner
    return owner is not None and (
        defines_attribute(run, owner, attribute) or defines_attribute(run, owner, "__setattr__")
    )


def announce_rebinding(
    run: Interpreter, name: str, key: tuple[int, str], value: Value, node: cst.CSTNode
) -> None:
    """Say so when a name that held one module is about to hold another."""
    old = run.bindings.get(key)
    if isinstance(old, ModuleValue) and isinstance(value, ModuleValue) and old.key != value.key:
        run.announce(
            events.NameRebound(
                place=run.place(node),
                name=name,
                old=old.key,
                new=value.key,
                is_held=is_held(run, old, but=key),
            )
        )


def augmented(run: Interpreter, node: cst.AugAssign) -> None:
    """``x += y``: lists of parameters grow, and losses are added up."""
    value = evaluate(run, node.value)
    before = evaluate(run, node.target)
    result: Value = UNKNOWN
    if gradients.is_gradient(before):
        if isinstance(node.operator, cst.MultiplyAssign):
            gradients.note_masked(run, gradients.product(before, value), node)
        elif isinstance(node.operator, (cst.AddAssign, cst.SubtractAssign)):
            gradients.note_filled(run, before, node)
        return
    if isinstance(before, ParameterValue):
        # In place: the name holds the parameter that it held.
        run.announce(events.ParametersWritten(place=run.place(node), parts=before.parts))
        return
    if isinstance(node.operator, cst.AddAssign):
        result = concatenated(run, before, value, node.value)
        if (
            run.loops
            and isinstance(result, SequenceValue)
            and any(isinstance(each, ModuleValue) for each in result.items[-1:])
        ):
            # One round stands for nobody knows how many.
            result = SequenceValue(result.items, complete=False, certain=result.sure)
    if isinstance(result, Unknown) and isinstance(node.target, cst.Name) and run.grad_enabled:
        # Without gradients it is an update in place, of what may be a leaf.
        compute = added if isinstance(node.operator, cst.AddAssign) else arithmetic
        result = compute(run, before, value)
        graphs.store(run, (node.target,), result)
    assign(run, node.target, result, node.value)
