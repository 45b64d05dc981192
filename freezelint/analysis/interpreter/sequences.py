"""Methods of lists and dicts that hold parameters or modules."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.concatenation import as_parameters, concatenated
from freezelint.analysis.interpreter.element_tests import ElementTest
from freezelint.analysis.interpreter.hidden import note_collection
from freezelint.analysis.interpreter.iteration import (
    consume,
    element_of,
    narrow_to_some,
    narrowed,
    stands_for_several,
)
from freezelint.analysis.interpreter.joining import is_of_parameters
from freezelint.analysis.interpreter.optimizers import note_edited_groups
from freezelint.analysis.predicates import NameTest
from freezelint.analysis.syntax import dotted
from freezelint.analysis.values import (
    ANY_KEY,
    UNKNOWN,
    Constant,
    ElementsValue,
    Form,
    InstanceValue,
    MappingValue,
    ModuleGroup,
    ModuleValue,
    ParameterName,
    ParameterSequence,
    ParameterValue,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter


def call_on_sequence(
    run: Interpreter,
    receiver: ParameterSequence | SequenceValue | ModuleGroup | ElementsValue,
    name: str,
    arguments: Arguments,
    node: cst.Call,
) -> Value:
    """``append``, ``extend`` and the other methods that change a list."""
    if name in ("pop", "popleft") and not isinstance(receiver, ParameterSequence):
        return _taken(run, receiver, name, arguments, node)
    if isinstance(receiver, (ModuleGroup, ElementsValue)):
        if isinstance(node.func, cst.Attribute):
            note_edited_groups(run, node.func.value, name)
        return UNKNOWN
    if isinstance(receiver, ParameterSequence) and receiver.form is Form.TABLE:
        return _call_on_table(run, receiver, name, arguments, node)
    if not isinstance(node.func, cst.Attribute):
        return UNKNOWN
    if name in ("reverse", "rotate", "clear"):
        store(run, node.func.value, _turned(receiver, name))
    if not arguments.positional:
        return UNKNOWN
    value = arguments.positional[-1]
    if isinstance(node.func.value, cst.IfExp):
        _change_either(run, node.func.value, name, value, node)
        return UNKNOWN
    changed = _changed(run, receiver, name, value, node)
    if changed is not None:
        store(run, node.func.value, changed)
    return UNKNOWN


def _turned(receiver: ParameterSequence | SequenceValue, name: str) -> Value:
    """A list in another order, or emptied."""
    if name == "clear":
        return UNKNOWN
    if isinstance(receiver, ParameterSequence):
        return receiver
    if name == "reverse" and receiver.complete:
        return receiver._replace(items=receiver.items[::-1])
    return UNKNOWN


def _taken(
    run: Interpreter,
    receiver: SequenceValue | ModuleGroup | ElementsValue,
    name: str,
    arguments: Arguments,
    node: cst.Call,
) -> Value:
    """``pop``: one of the elements; which one is known as long as none was taken before."""
    if isinstance(receiver, (ModuleGroup, ElementsValue)):
        return narrow_to_some(run, element_of(run, receiver))
    if not isinstance(node.func, cst.Attribute):
        return UNKNOWN
    place = Constant(0) if name == "popleft" else arguments.get(0, "index") or Constant(-1)
    items = list(receiver.items)
    number = place.value if isinstance(place, Constant) else None
    if (
        type(number) is not int
        or not receiver.complete
        or number not in range(-len(items), len(items))
    ):
        store(run, node.func.value, UNKNOWN)
        return UNKNOWN
    if run.loops or run.element_names:
        alike = element_of(run, receiver)
        store(run, node.func.value, ElementsValue(alike))
        return narrow_to_some(run, alike)
    taken = items.pop(number)
    store(run, node.func.value, SequenceValue(tuple(items)))
    return taken


def _call_on_table(
    run: Interpreter,
    table: ParameterSequence,
    name: str,
    arguments: Arguments,
    node: cst.Call,
) -> Value:
    """``keys``, ``values``, ``items`` and ``get`` of a dict of parameters."""
    together = table._replace(form=Form.COLLECTION)
    if name == "keys":
        return ElementsValue(ParameterName(0)) if table.named else UNKNOWN
    if name == "values":
        return together._replace(named=False)
    if name == "items":
        return together if table.named else _with_unknown_keys(run, together)
    if name == "get" and arguments.positional:
        return entry_of(run, table, arguments.positional[0])
    if name not in ("copy", "__contains__") and isinstance(node.func, cst.Attribute):
        store(run, node.func.value, UNKNOWN)
    return UNKNOWN


def _with_unknown_keys(run: Interpreter, together: ParameterSequence) -> Value:
    return ElementsValue(SequenceValue((UNKNOWN, element_of(run, together))))


def as_table(
    run: Interpreter, value: ParameterSequence, arguments: Arguments, node: cst.Call
) -> Value:
    """``dict(model.named_parameters())``, or the same in an order."""
    consumed = consume(run, value, arguments.node(0, "") or node)
    assert isinstance(consumed, ParameterSequence)
    is_alone = len(arguments.all) == 1 and arguments.complete
    return consumed._replace(form=Form.TABLE) if value.named and is_alone else UNKNOWN


def entry_of(run: Interpreter, table: ParameterSequence, key: Value) -> Value:
    """``table[key]``: one of the parameters, by its name."""
    element = ParameterValue(table.parts, is_element=True)
    if table.named and isinstance(key, Constant) and isinstance(key.value, str):
        return narrowed(element, (NameTest("equals", (key.value,)),), run)
    return narrow_to_some(run, element)


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
    """``(these if test else those).append(value)``: each list gets some of the values.

    By a condition on the elements both together get all of them.
    """
    from freezelint.analysis.interpreter.conditions import judge
    from freezelint.analysis.interpreter.expressions import evaluate

    verdict = judge(run, choice.test)
    if isinstance(verdict, bool):
        given = [(choice.body if verdict else choice.orelse, value)]
    elif isinstance(verdict, ElementTest):
        given = [
            (choice.body, narrowed(value, verdict.when_true, run)),
            (choice.orelse, narrowed(value, verdict.when_false, run)),
        ]
    else:
        some = narrow_to_some(run, value)
        given = [(choice.body, some), (choice.orelse, some)]
    for arm, each in given:
        receiver = evaluate(run, arm)
        if isinstance(receiver, (ParameterSequence, SequenceValue)):
            changed = _changed(run, receiver, name, each, node)
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
        is_known = not grows or is_of_parameters(value) or stands_for_several(run, value)
        complete = receiver.complete and is_known
        certain = () if complete else (*receiver.sure, value)
        return SequenceValue((*items, value), complete, certain)
    more = as_parameters(run, SequenceValue((value,)), node)
    if more is None:
        return receiver._replace(complete=False)
    parts = tuple(dict.fromkeys(receiver.parts + more.parts))
    return ParameterSequence(parts, Form.COLLECTION, receiver.named, receiver.complete)


def _set_default(
    run: Interpreter, mapping: MappingValue, arguments: Arguments, target: cst.BaseExpression
) -> Value:
    """``mapping.setdefault(key, [])``: what is there, or a new list that is put there."""
    key = arguments.positional[0]
    name = key.value if isinstance(key, Constant) else ANY_KEY
    there = mapping.get(name)
    if there is None:
        there = arguments.positional[1]
        store(run, target, with_entry(mapping, key, there))
    return there


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
    elif isinstance(target, cst.Call):
        _store_default(run, target, value)
    elif isinstance(target, cst.Subscript) and dotted(target.value) is not None:
        store(run, target.value, _with_element(run, target, value))


def _store_default(run: Interpreter, target: cst.Call, value: Value) -> None:
    """``mapping.setdefault(key, []).append(value)``."""
    from freezelint.analysis.interpreter.expressions import evaluate

    method = target.func
    if not isinstance(method, cst.Attribute) or method.attr.value != "setdefault":
        return
    mapping = evaluate(run, method.value)
    if isinstance(mapping, MappingValue):
        key = evaluate(run, target.args[0].value)
        store(run, method.value, with_entry(mapping, key, value))


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
    alike = receiver.get(ANY_KEY) if len(receiver.items) == 1 else None
    if name == "values" and alike is not None:
        return ElementsValue(alike)
    if name == "values":
        return SequenceValue(tuple(value for _, value in receiver.items), receiver.complete)
    if name == "items":
        if alike is not None:
            return ElementsValue(SequenceValue((UNKNOWN, alike)))
        pairs = tuple(
            SequenceValue((UNKNOWN if key is ANY_KEY else Constant(key), value))
            for key, value in receiver.items
        )
        return SequenceValue(pairs, receiver.complete)
    is_filled = name == "setdefault" and len(arguments.positional) == 2
    if is_filled and isinstance(node.func, cst.Attribute):
        return _set_default(run, receiver, arguments, node.func.value)
    if name in ("update", "pop", "setdefault", "clear") and isinstance(node.func, cst.Attribute):
        store(run, node.func.value, UNKNOWN)
    return UNKNOWN
