"""Methods of lists and dicts that hold parameters or modules."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.assignment import as_parameters, concatenated
from freezelint.analysis.interpreter.hidden import note_collection
from freezelint.analysis.interpreter.iteration import element_of, narrow_to_some, stands_for_several
from freezelint.analysis.syntax import dotted
from freezelint.analysis.values import (
    ANY_KEY,
    UNKNOWN,
    Constant,
    Form,
    InstanceValue,
    MappingValue,
    ModuleGroup,
    ModuleValue,
    ParameterSequence,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter


def call_on_sequence(
    run: Interpreter,
    receiver: ParameterSequence | SequenceValue | ModuleGroup,
    name: str,
    arguments: Arguments,
    node: cst.Call,
) -> Value:
    """``append``, ``extend`` and the other methods that change a list."""
    if isinstance(receiver, ModuleGroup):
        is_taken = name in ("pop", "popleft")
        return narrow_to_some(run, element_of(run, receiver)) if is_taken else UNKNOWN
    if not isinstance(node.func, cst.Attribute) or not arguments.positional:
        return UNKNOWN
    value = arguments.positional[-1]
    if isinstance(node.func.value, cst.IfExp):
        _change_either(run, node.func.value, name, value, node)
        return UNKNOWN
    changed = _changed(run, receiver, name, value, node)
    if changed is not None:
        store(run, node.func.value, changed)
    return UNKNOWN


def _changed(
    run: Interpreter,
    receiver: ParameterSequence | SequenceValue,
    name: str,
    value: Value,
    node: cst.Call,
) -> Value | None:
    """What a method makes of a list; None where it changes nothing."""
    if name in ("append", "insert", "add"):
        return _appended(run, receiver, value, node)
    if name in ("extend", "update"):
        return concatenated(run, receiver, value, node)
    return UNKNOWN if name in ("remove", "pop", "clear", "discard") else None


def _change_either(
    run: Interpreter, choice: cst.IfExp, name: str, value: Value, node: cst.Call
) -> None:
    """``(these if test else those).append(value)``: each list gets some of the values."""
    from freezelint.analysis.interpreter.expressions import evaluate

    for arm in (choice.body, choice.orelse):
        receiver = evaluate(run, arm)
        if isinstance(receiver, (ParameterSequence, SequenceValue)):
            changed = _changed(run, receiver, name, narrow_to_some(run, value), node)
            if changed is not None:
                store(run, arm, changed)


def _appended(
    run: Interpreter, receiver: ParameterSequence | SequenceValue, value: Value, node: cst.Call
) -> Value:
    if isinstance(receiver, SequenceValue):
        # In a loop over elements one append stands for many.
        grows = bool(run.element_names) or bool(run.loops)
        items = receiver.items
        if grows and items and items[-1] == value:
            return receiver
        is_known = not grows or hasattr(value, "parts") or stands_for_several(run, value)
        complete = receiver.complete and is_known
        return SequenceValue((*items, value), complete)
    more = as_parameters(run, SequenceValue((value,)), node)
    if more is None:
        return receiver._replace(complete=False)
    parts = tuple(dict.fromkeys(receiver.parts + more.parts))
    return ParameterSequence(parts, Form.COLLECTION, receiver.named, receiver.complete)


def store(run: Interpreter, target: cst.BaseExpression, value: Value) -> None:
    """Put a changed list or dict back where it came from."""
    from freezelint.analysis.interpreter.expressions import evaluate

    if isinstance(target, cst.Name):
        frame = run.frame
        while frame.parent is not None and (frame.key, target.value) not in run.bindings:
            frame = frame.parent
        old = run.bindings.get((frame.key, target.value))
        run.bindings[frame.key, target.value] = value
        if old is not None:
            renew(run, old, value)
    elif isinstance(target, cst.Attribute):
        receiver = evaluate(run, target.value)
        if isinstance(receiver, ModuleValue):
            note_collection(run, receiver.key, target.attr.value, value, target)
        if isinstance(receiver, (ModuleValue, InstanceValue)):
            run.bindings[receiver.key, target.attr.value] = value
    elif isinstance(target, cst.IfExp):
        # One of the two has changed.
        store(run, target.body, UNKNOWN)
        store(run, target.orelse, UNKNOWN)
    elif isinstance(target, cst.Subscript) and dotted(target.value) is not None:
        store(run, target.value, _with_element(run, target, value))


def renew(run: Interpreter, old: Value, new: Value) -> None:
    """Let the lists and dicts that hold a changed list or dict hold it as it is now."""
    if not isinstance(old, (SequenceValue, MappingValue, ParameterSequence)):
        return
    for name, value in list(run.bindings.items()):
        if isinstance(value, (SequenceValue, MappingValue)):
            renewed = _renewed(value, old, new)
            if renewed is not value:
                run.bindings[name] = renewed


def _renewed(value: Value, old: Value, new: Value, depth: int = 3) -> Value:
    # Nothing is known of what is alike either, if it may be the same.
    if value is old or (new is UNKNOWN and value == old):
        return new
    if depth == 0:
        return value
    if isinstance(value, SequenceValue):
        items = tuple(_renewed(each, old, new, depth - 1) for each in value.items)
        is_same = all(map(operator.is_, items, value.items))
        return value if is_same else value._replace(items=items)
    if isinstance(value, MappingValue):
        pairs = tuple((key, _renewed(each, old, new, depth - 1)) for key, each in value.items)
        is_same = all(one[1] is other[1] for one, other in zip(pairs, value.items, strict=True))
        return value if is_same else value._replace(items=pairs)
    return value


def _with_element(run: Interpreter, target: cst.Subscript, value: Value) -> Value:
    """A list or dict one of whose elements has changed."""
    from freezelint.analysis.interpreter.expressions import evaluate

    holder = evaluate(run, target.value)
    index = target.slice[0].slice
    key = evaluate(run, index.value) if isinstance(index, cst.Index) else UNKNOWN
    if isinstance(holder, MappingValue):
        return with_entry(holder, key, value)
    if not isinstance(key, Constant):
        return UNKNOWN
    if isinstance(holder, SequenceValue) and type(key.value) is int and holder.complete:
        items = list(holder.items)
        if -len(items) <= key.value < len(items):
            items[key.value] = value
            return holder._replace(items=tuple(items))
    return UNKNOWN


def with_entry(mapping: MappingValue, key: Value, value: Value) -> MappingValue:
    """A dict of modules with one more; in a loop over keys nobody knows, one stands for many."""
    name = key.value if isinstance(key, Constant) else ANY_KEY
    rest = tuple(pair for pair in mapping.items if pair[0] != name)
    return MappingValue((*rest, (name, value)), mapping.complete and name is not ANY_KEY)


def call_on_mapping(
    run: Interpreter, receiver: MappingValue, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    """``get``, ``values`` and ``items`` of a dict whose keys are known."""
    if name == "get" and arguments.positional:
        key = arguments.positional[0]
        if isinstance(key, Constant):
            found = receiver.get(key.value)
            missing = arguments.get(1, "default") or Constant(None)
            return found or (missing if receiver.complete else UNKNOWN)
    if name == "values":
        return SequenceValue(tuple(value for _, value in receiver.items), receiver.complete)
    if name == "items":
        pairs = tuple(
            SequenceValue((UNKNOWN if key is ANY_KEY else Constant(key), value))
            for key, value in receiver.items
        )
        return SequenceValue(pairs, receiver.complete)
    if name in ("update", "pop", "setdefault", "clear") and isinstance(node.func, cst.Attribute):
        store(run, node.func.value, UNKNOWN)
    return UNKNOWN
