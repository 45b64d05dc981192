"""Built-in functions, as far as they pass modules and parameters on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.events import ConditionTested, ParametersPaired
from freezelint.analysis.interpreter import assignment, concatenation
from freezelint.analysis.interpreter.attributes import read_attribute
from freezelint.analysis.interpreter.element_tests import IDENTITY
from freezelint.analysis.interpreter.expressions import by_path
from freezelint.analysis.interpreter.graphs import take_up
from freezelint.analysis.interpreter.iteration import (
    consume,
    element_module,
    element_of,
    items_of,
    narrow_to_some,
    parameters_in,
    stands_for_several,
)
from freezelint.analysis.interpreter.operators import added, arithmetic
from freezelint.analysis.interpreter.out_of_sight import hand_over
from freezelint.analysis.interpreter.sequences import as_table
from freezelint.analysis.interpreter.somewhere import put_somewhere
from freezelint.analysis.interpreter.submodules import are_modules, note_numbered
from freezelint.analysis.values import (
    ANY_KEY,
    UNKNOWN,
    BoundMethod,
    ClassNameValue,
    Constant,
    Counted,
    ElementsValue,
    InstanceValue,
    LibraryInstance,
    LibraryValue,
    MappingValue,
    ModuleGroup,
    ModuleValue,
    NamespaceValue,
    OpenRange,
    ParameterSequence,
    ParameterValue,
    RangeValue,
    SequenceValue,
    SuperValue,
    TensorValue,
    TypedValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter

    Builtin = Callable[[Interpreter, Arguments, cst.Call], Value]


_ONLY_LOOKING = frozenset(
    {"print", "len", "float", "int", "bool", "isinstance", "hasattr", "id", "type", "repr", "str"}
)
"""Functions from whose result no graph leads back to what they are called with."""


def call_builtin(run: Interpreter, name: str, arguments: Arguments, node: cst.Call) -> Value:
    """Call a built-in function; those not listed here look at their arguments only."""
    if name in _ONLY_LOOKING:
        take_up(run, arguments.all)
    handler = _HANDLERS.get(name)
    return UNKNOWN if handler is None else handler(run, arguments, node)


def _first(arguments: Arguments) -> Value:
    return arguments.positional[0] if arguments.positional else UNKNOWN


def _type(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    value = _first(arguments)
    return ClassNameValue(value.key) if isinstance(value, ModuleValue) else UNKNOWN


def _id(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    value = _first(arguments)
    return LibraryInstance(IDENTITY, 0, (value,)) if isinstance(value, ParameterValue) else UNKNOWN


def _collect(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``list``, ``tuple``, ``set``, ``sorted``: run an iterator to its end."""
    if not arguments.positional:
        return SequenceValue(())
    value = _first(arguments)
    source = arguments.node(0, "") or node
    if isinstance(value, ModuleValue):
        items = items_of(run, value)
        return SequenceValue(items) if items is not None else ModuleGroup(value.key, ())
    if isinstance(value, RangeValue):
        return value
    return consume(run, value, source)


def _pass_through(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    value = _first(arguments)
    if isinstance(value, (ParameterSequence, ModuleGroup, ElementsValue, SequenceValue)):
        return value
    return UNKNOWN


def _reversed(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    value = _first(arguments)
    if isinstance(value, ModuleValue):
        value = _collect(run, arguments, node)
    if isinstance(value, ModuleGroup):
        return value
    if isinstance(value, SequenceValue):
        return value._replace(items=tuple(reversed(value.items)))
    return _pass_through(run, arguments, node)


def _enumerate(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    value = consume(run, _first(arguments), arguments.node(0, "") or node)
    items = items_of(run, value)
    if items is not None:
        is_counted = not any(stands_for_several(run, each) for each in items)
        pairs = tuple(
            SequenceValue((Constant(n) if is_counted else UNKNOWN, each))
            for n, each in enumerate(items)
        )
        return SequenceValue(pairs)
    element = element_of(run, value)
    return UNKNOWN if element == UNKNOWN else ElementsValue(SequenceValue((UNKNOWN, element)))


def _zip(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    columns = [items_of(run, value) for value in arguments.positional]
    known = [column for column in columns if column is not None]
    is_counted = not any(stands_for_several(run, each) for column in known for each in column)
    if known and len(known) == len(columns) and is_counted:
        return SequenceValue(tuple(SequenceValue(row) for row in zip(*known, strict=False)))
    elements, sequences = [], []
    for number, value in enumerate(arguments.positional):
        consumed = consume(run, value, arguments.node(number, "") or node)
        elements.append(element_of(run, consumed))
        if (sequence := parameters_in(consumed)) is not None:
            sequences.append(sequence)
    if len(sequences) > 1:
        run.announce(
            ParametersPaired(
                place=run.place(node),
                sequences=tuple(sequences),
                is_strict="strict" in arguments.keywords,
            )
        )
    if all(each == UNKNOWN for each in elements):
        return UNKNOWN
    goes_over_parameters = any(isinstance(each, ParameterSequence) for each in arguments.positional)
    iterator = run.objects.new_key() if goes_over_parameters else None
    return ElementsValue(SequenceValue(tuple(elements)), iterator)


def _range(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    numbers = [
        each.value
        for each in arguments.positional
        if isinstance(each, Constant) and type(each.value) is int
    ]
    if not numbers or len(numbers) != len(arguments.positional) or len(numbers) > 3:
        return _open_range(arguments)
    if len(numbers) == 3 and numbers[2] == 0:
        return UNKNOWN
    values = range(*numbers)
    if len(values) <= 64:
        return RangeValue(tuple(values))
    return OpenRange(values[0]) if values.step == 1 else UNKNOWN


def _open_range(arguments: Arguments) -> Value:
    start = arguments.positional[0] if len(arguments.positional) == 2 else Constant(0)
    is_known = isinstance(start, Constant) and type(start.value) is int
    if not arguments.complete or len(arguments.positional) not in (1, 2) or not is_known:
        return UNKNOWN
    return OpenRange(start.value)  # type: ignore[union-attr]


def _sum(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """Adding up uses the iterator up; ``sum(lists, [])`` is also a way to concatenate."""
    consumed = consume(run, _first(arguments), arguments.node(0, "") or node)
    if len(arguments.positional) == 2 and isinstance(consumed, SequenceValue):
        joined: Value = arguments.positional[1]
        for item in consumed.items:
            joined = concatenation.concatenated(run, joined, item, node)
        return joined
    if isinstance(consumed, ElementsValue):
        # Each of them is like this one; a sum begins with 0.
        is_tensor = isinstance(consumed.element, TensorValue)
        return arithmetic(run, consumed.element, Constant(0) if is_tensor else UNKNOWN)
    if isinstance(consumed, BoundMethod):
        return element_of(run, consumed)
    if isinstance(consumed, SequenceValue) and consumed.items:
        is_all = consumed.complete and isinstance(consumed.items[0], TensorValue)
        total: Value = Constant(0) if is_all else UNKNOWN
        for item in consumed.items:
            total = added(run, total, item)
        return total
    return UNKNOWN


def _next(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    return narrow_to_some(run, element_of(run, _first(arguments)))


def _getattr(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    if len(arguments.positional) < 2:
        return UNKNOWN
    receiver, name = arguments.positional[:2]
    if isinstance(name, Constant) and isinstance(name.value, str):
        value = read_attribute(run, receiver, name.value, node)
        return by_path(run, value, node)
    if isinstance(receiver, ModuleValue) and run.proven(receiver):
        # Some submodule or parameter of it; which is not known.
        chosen = ModuleValue(element_of_module(run, receiver))
        if are_modules(run, receiver, name, arguments.node(1, "name")):
            run.prove(chosen)
        return narrow_to_some(run, chosen)
    if not isinstance(receiver, (ModuleValue, InstanceValue)) and hasattr(receiver, "name"):
        return read_attribute(run, receiver, "Chosen", node)
    return UNKNOWN


def element_of_module(run: Interpreter, receiver: ModuleValue) -> int:
    """A stand-in for an attribute whose name is not known."""
    element = element_of(run, receiver)
    assert isinstance(element, ModuleValue)
    run.objects.module(element.key).proof = False
    return element.key


def _setattr(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    if len(arguments.positional) != 3:
        return UNKNOWN
    receiver, name, value = arguments.positional
    if isinstance(name, Constant) and isinstance(name.value, str):
        source = arguments.nodes[2]
        assignment.write_attribute(run, receiver, name.value, value, node, source)
    elif isinstance(receiver, (ModuleValue, InstanceValue, NamespaceValue)):
        hand_over(run, (receiver,), node)
        note_numbered(run, receiver, name, value)
    elif isinstance(value, ModuleValue) and arguments.nodes:
        put_somewhere(run, arguments.nodes[0], value, node, node)
    return Constant(None)


def _super(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    frame = run.frame
    if frame.receiver is not None and frame.owner is not None:
        return SuperValue(frame.receiver, frame.owner)
    return UNKNOWN


def _dict(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    if arguments.positional:
        value = _first(arguments)
        if isinstance(value, ParameterSequence):
            return as_table(run, value, arguments, node)
        if isinstance(value, ModuleGroup) and value.named and len(arguments.all) == 1:
            element = ModuleValue(element_module(run, value.key, value.predicate))
            return MappingValue(((ANY_KEY, element),), complete=False)
        return value if isinstance(value, MappingValue) else UNKNOWN
    return MappingValue(tuple(arguments.keywords.items()), arguments.complete)


def _vars(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """The attributes of an object as a dict, in which others may be put."""
    hand_over(run, arguments.positional, node)
    value = _first(arguments)
    return LibraryValue(f"{value.name}.__dict__") if isinstance(value, LibraryValue) else UNKNOWN


def _use_up(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    for number, value in enumerate(arguments.positional):
        if isinstance(value, ParameterSequence):
            consume(run, value, arguments.node(number, "") or node)
    return UNKNOWN


def _test(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``any``, ``all`` and ``bool``: a test of each element, or of the value."""
    value, source = _first(arguments), arguments.node(0, "")
    if isinstance(source, (cst.GeneratorExp, cst.ListComp)):
        source = source.elt
        value = element_of(run, value)
    if isinstance(value, BoundMethod) and source is not None:
        run.announce(ConditionTested(place=run.place(source), value=value, expression=source))
    return _use_up(run, arguments, node)


def _str(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    value = _first(arguments)
    if isinstance(value, Counted):
        return value
    return Constant(str(value.value)) if isinstance(value, Constant) else UNKNOWN


def _int(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """A number; which one is known of a literal only."""
    value = _first(arguments)
    if isinstance(value, Constant) and isinstance(value.value, (bool, int, float)):
        return Constant(int(value.value))
    if isinstance(value, Constant) and isinstance(value.value, str) and value.value.isdecimal():
        return Constant(int(value.value))
    return value if isinstance(value, Counted) else TypedValue("int")


def _filter(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    from freezelint.analysis.interpreter.functional import filter_elements

    return filter_elements(run, arguments, node)


def _map(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    from freezelint.analysis.interpreter.functional import map_elements

    return map_elements(run, arguments, node)


_HANDLERS: dict[str, Builtin] = {
    "id": _id,
    "int": _int,
    "type": _type,
    "filter": _filter,
    "map": _map,
    "list": _collect,
    "tuple": _collect,
    "set": _collect,
    "frozenset": _collect,
    "sorted": _collect,
    "iter": _pass_through,
    "reversed": _reversed,
    "enumerate": _enumerate,
    "zip": _zip,
    "range": _range,
    "sum": _sum,
    "max": _use_up,
    "min": _use_up,
    "any": _test,
    "all": _test,
    "bool": _test,
    "next": _next,
    "getattr": _getattr,
    "setattr": _setattr,
    "super": _super,
    "dict": _dict,
    "str": _str,
    "vars": _vars,
}
