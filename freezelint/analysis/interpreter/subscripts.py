"""Elements by number, by key and by slice: reading them, and putting others in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.events import ElementCounted
from freezelint.analysis.interpreter.expressions import by_path, evaluate
from freezelint.analysis.interpreter.gradients import piece_of
from freezelint.analysis.interpreter.graphs import derived, lone_parameter
from freezelint.analysis.interpreter.iteration import (
    element_module,
    element_of,
    narrow_to_some,
    stands_for_several,
)
from freezelint.analysis.interpreter.joining import one_of_a_package
from freezelint.analysis.interpreter.module_tables import is_table
from freezelint.analysis.interpreter.out_of_sight import hand_over
from freezelint.analysis.interpreter.sequences import entry_of
from freezelint.analysis.interpreter.submodules import element_name, submodule_name
from freezelint.analysis.knowledge.layers import MODULE_CONTAINERS, PARAMETER_CONTAINERS
from freezelint.analysis.knowledge.tensors import VALUES_WITH_INDICES
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import OF_CHILDREN, SOME, AllButLast, First, conjunction
from freezelint.analysis.values import (
    ANY_KEY,
    FIRST_STEP,
    UNKNOWN,
    BoundMethod,
    ChoiceValue,
    ClassValue,
    Constant,
    EitherValue,
    ElementsValue,
    Form,
    FunctionValue,
    LibraryValue,
    MappingValue,
    ModuleGroup,
    ModuleValue,
    ParameterName,
    ParameterSequence,
    ParameterValue,
    Part,
    PartialValue,
    SequenceValue,
    StateDictValue,
    SubmoduleTable,
    TensorKind,
    TensorValue,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.predicates import Predicate


def read_subscript(run: Interpreter, node: cst.Subscript) -> Value:
    """``receiver[index]``."""
    receiver = evaluate(run, node.value)
    if isinstance(receiver, TensorValue):
        if receiver.kind is TensorKind.GRADIENT:
            return piece_of(receiver, index_of(run, node))
        if receiver.is_inference and not _is_view(node):
            return receiver._replace(is_inference=False)
        if receiver.how in VALUES_WITH_INDICES and receiver.kind is TensorKind.OUTPUT:
            return receiver._replace(how="" if _is_first(node) else "[...]")
        return receiver
    if isinstance(receiver, BoundMethod) and isinstance(receiver.receiver, TensorValue):
        # An attribute that is read and not called: the output of a model has several.
        output = receiver.receiver
        return output if output.cut_from is not None else output._replace(how="[...]")
    if isinstance(receiver, ParameterValue):
        parts = tuple(
            part._replace(predicate=conjunction(part.predicate, (SOME,))) for part in receiver.parts
        )
        piece = TensorValue(TensorKind.PIECE, "[...]", parts=parts)
        return piece if lone_parameter(run, receiver) is None else derived(run, piece, (receiver,))
    if len(node.slice) != 1:
        return UNKNOWN
    element = node.slice[0].slice
    if isinstance(element, cst.Slice):
        return _sliced(run, receiver, element)
    assert isinstance(element, cst.Index)
    index = evaluate(run, element.value)
    if index == Constant(0) and (name := _split_name(run, node.value)) is not None:
        return name
    if isinstance(receiver, ModuleValue) and (
        index == Constant(1) or not isinstance(index, Constant)
    ):
        _note_counting(run, receiver, element.value, node)
    value = _indexed(run, receiver, index)
    return by_path(run, value, node)


def _note_counting(
    run: Interpreter, receiver: ModuleValue, index: cst.BaseExpression, node: cst.Subscript
) -> None:
    if isinstance(index, cst.Name):
        run.announce(ElementCounted(place=run.place(node), container=receiver.key, variable=index))


def _is_first(node: cst.Subscript) -> bool:
    index = node.slice[0].slice
    number = index.value if isinstance(index, cst.Index) else None
    return len(node.slice) == 1 and isinstance(number, cst.Integer) and number.value == "0"


def _split_name(run: Interpreter, node: cst.BaseExpression) -> ParameterName | None:
    """The first of the pieces that a parameter's name has between its dots."""
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
        return None
    if node.func.attr.value not in ("split", "partition") or not node.args:
        return None
    name = evaluate(run, node.func.value)
    if not isinstance(name, ParameterName) or evaluate(run, node.args[0].value) != Constant("."):
        return None
    return ParameterName(FIRST_STEP)


def _is_view(node: cst.Subscript) -> bool:
    """Whether one row or column is taken, which shares the memory of the tensor."""
    indices = [each.slice for each in node.slice]
    picked = [each for each in indices if isinstance(each, cst.Index)]
    return len(picked) == 1 and isinstance(picked[0].value, (cst.Integer, cst.UnaryOperation))


def _sliced(run: Interpreter, receiver: Value, element: cst.Slice) -> Value:
    if isinstance(receiver, ModuleValue):
        return ModuleValue(_slice_of(run, receiver, _bounds(run, element)))
    if isinstance(receiver, ElementsValue):
        if isinstance(receiver.element, ModuleValue):
            run.unpicked |= {receiver.element.key}
        return receiver._replace(iterator=None)
    if isinstance(receiver, SequenceValue):
        return _cut(run, receiver, element)
    if isinstance(receiver, ModuleGroup):
        picked: Predicate = (SOME, *_how_many(run, element))
        if OF_CHILDREN not in receiver.predicate:
            picked = tuple(each for each in picked if not isinstance(each, First))
        return receiver._replace(predicate=conjunction(receiver.predicate, picked))
    if isinstance(receiver, ParameterSequence):
        which: Predicate = (SOME, *_how_many(run, element))
        parts = tuple(
            part._replace(predicate=conjunction(part.predicate, which)) for part in receiver.parts
        )
        return receiver._replace(parts=parts, form=Form.COLLECTION, iterator=None)
    return UNKNOWN


def _cut(run: Interpreter, receiver: SequenceValue, element: cst.Slice) -> Value:
    """The first elements of a list of modules, or the last; of others nothing is said."""
    bounds = _bounds(run, element)
    if bounds is None or not any(isinstance(each, ModuleValue) for each in receiver.items):
        return UNKNOWN
    picked = slice(*bounds)
    if receiver.complete:
        return SequenceValue(receiver.items[picked])
    # What lies between the certain ones may take a place among the first, or the last, so many.
    first, last = bounds
    is_sure = first >= 0 and (last is None or last < 0)
    return receiver._replace(certain=receiver.certain[picked] if is_sure else ())


def _how_many(run: Interpreter, element: cst.Slice) -> tuple[AllButLast | First, ...]:
    """What ``[:-1]``, or ``[:6]``, says of the elements that it takes."""
    bounds = _bounds(run, element)
    if bounds is None or bounds[0] != 0 or not bounds[1]:
        return ()
    number = bounds[1]
    return (AllButLast(-number),) if number < 0 else (First(number),)


def _bounds(run: Interpreter, element: cst.Slice) -> tuple[int, int | None] | None:
    """Where a slice begins and ends; None where that is not known."""
    if element.step is not None:
        return None
    ends = (element.lower, element.upper)
    lower, upper = (Constant(None) if end is None else evaluate(run, end) for end in ends)
    first = 0 if lower == Constant(None) else getattr(lower, "value", None)
    last = getattr(upper, "value", False)
    is_known = type(first) is int and (last is None or type(last) is int)
    return (first, last) if is_known else None  # type: ignore[return-value]


def _slice_of(
    run: Interpreter, receiver: ModuleValue, bounds: tuple[int, int | None] | None
) -> int:
    """A slice of a container is a module of its own, and can be looped over too."""
    container = run.proven(receiver)
    if container is None:
        return element_module(run, receiver.key, (SOME,))
    label = None if container.label is None else f"{container.label}[...]"
    made = run.objects.new_module(Origin.DERIVED, label)
    made.source = receiver.key
    made.bounds = bounds
    made.predicate = (SOME,)
    made.flag_at_birth = None
    made.library = container.library if container.library in MODULE_CONTAINERS else None
    run.mark_birth(made)
    return made.key


def _indexed(run: Interpreter, receiver: Value, index: Value) -> Value:
    entry = _entry(run, receiver, index)
    if entry is not None:
        return entry
    if isinstance(receiver, LibraryValue) and receiver.name.endswith(".__dict__"):
        return _chosen(receiver.name.removesuffix(".__dict__"), index)
    if not isinstance(index, Constant):
        if is_table(run, receiver) and isinstance(receiver, ModuleValue):
            # To go over a `ModuleDict` gives its keys, to ask for one of these a module.
            return narrow_to_some(run, ModuleValue(element_module(run, receiver.key, ())))
        if isinstance(receiver, (ModuleValue, ModuleGroup, ParameterSequence)):
            return narrow_to_some(run, element_of(run, receiver))
        return _any_of(run, receiver)
    key = index.value
    if isinstance(receiver, SequenceValue) and type(key) is int:
        if receiver.complete and -len(receiver.items) <= key < len(receiver.items):
            passed = receiver.items[:key] if key >= 0 else receiver.items[key:]
            is_counted = not any(stands_for_several(run, each) for each in passed)
            return receiver.items[key] if is_counted else UNKNOWN
        return UNKNOWN
    if isinstance(receiver, MappingValue):
        return receiver.get(key) or UNKNOWN
    if isinstance(receiver, ModuleValue):
        return _element(run, receiver, index)
    if isinstance(receiver, (ModuleGroup, ParameterSequence)):
        return narrow_to_some(run, element_of(run, receiver))
    return UNKNOWN


def _entry(run: Interpreter, receiver: Value, index: Value) -> Value | None:
    """An entry of a dict that is about one model, or whose values are all alike."""
    if isinstance(receiver, SubmoduleTable):
        return _submodule(run, receiver, index)
    if isinstance(receiver, StateDictValue):
        return tensor_of(receiver)
    if isinstance(receiver, ParameterSequence) and receiver.form is Form.TABLE:
        return entry_of(run, receiver, index)
    return _one_alike(run, receiver, index) if isinstance(receiver, MappingValue) else None


def _one_alike(run: Interpreter, table: MappingValue, key: Value) -> Value | None:
    """An entry of a dict whose values are all alike: one of them, and not all at once."""
    alike = table.get(ANY_KEY)
    if alike is None or isinstance(key, ParameterName):
        return alike
    known = table.get(key.value) if isinstance(key, Constant) else None
    if known is not None:
        return known
    # What was built for each key stands for the others, too: what is done to it is done to all.
    is_built = isinstance(alike, ModuleValue) and (
        run.objects.module(alike.key).origin is not Origin.ELEMENT
    )
    return alike if is_built else narrow_to_some(run, alike)


def _any_of(run: Interpreter, receiver: Value) -> Value:
    """What a table holds under a key nobody knows: one of several literals, or of modules."""
    if not isinstance(receiver, (MappingValue, SequenceValue)) or not receiver.complete:
        return UNKNOWN
    if isinstance(receiver, MappingValue) and len(receiver.items) == 1:
        return receiver.items[0][1]
    if isinstance(receiver, SequenceValue):
        is_of_modules = all(isinstance(each, ModuleValue) for each in receiver.items)
        return element_of(run, receiver) if is_of_modules else UNKNOWN
    if receiver.items and all(isinstance(each, ModuleValue) for _, each in receiver.items):
        return element_of(run, SequenceValue(tuple(each for _, each in receiver.items)))
    values = tuple(dict.fromkeys(each for _, each in receiver.items if isinstance(each, Constant)))
    if len(values) == 1 and all(each == values[0] for _, each in receiver.items):
        return values[0]
    if values and all(isinstance(each, Constant) for _, each in receiver.items):
        return ChoiceValue(values)
    tables = [each for _, each in receiver.items if isinstance(each, MappingValue)]
    if tables and len(tables) == len(receiver.items):
        return _one_table(run, tables)
    return _one_function(receiver)


def _one_table(run: Interpreter, tables: list[MappingValue]) -> MappingValue:
    """One of several tables: what all of them hold, as far as it is alike."""
    first, *others = tables
    entries: list[tuple[object, Value]] = []
    for key, value in first.items:
        found = [value, *(each.get(key) or UNKNOWN for each in others)]
        alike = MappingValue(tuple(enumerate(found)))
        entries.append((key, found[0] if len({*map(id, found)}) == 1 else _any_of(run, alike)))
    return MappingValue(tuple(entries), complete=False)


def _chosen(package: str, name: Value) -> LibraryValue:
    """Something of a package by a name that may not be known."""
    is_text = isinstance(name, Constant) and isinstance(name.value, str)
    return LibraryValue(f"{package}.{name.value if is_text else 'Chosen'}")  # type: ignore[union-attr]


def _one_function(table: MappingValue) -> Value:
    """An entry of a table of functions, where it is not known which."""
    values = tuple(dict.fromkeys(each for _, each in table.items))
    are_callable = all(
        isinstance(each, (FunctionValue, ClassValue, PartialValue, LibraryValue)) for each in values
    )
    if are_callable and not all(isinstance(each, LibraryValue) for each in values):
        return EitherValue(values) if len(values) <= _MOST_CHOICES else UNKNOWN
    names = [each.name if isinstance(each, LibraryValue) else "" for each in values]
    return one_of_a_package(*names)


_MOST_CHOICES = 6
"""Entries of a table that are all tried, as each takes the time of a call."""


def tensor_of(state: StateDictValue) -> Value:
    """What stands for an entry of a state dict: a view, or a parameter itself if it keeps them."""
    if state.keeps_variables:
        return ParameterValue((Part(state.key, (SOME,)),))
    return TensorValue(TensorKind.TEMPORARY, "state_dict", parts=(Part(state.key),))


def _element(run: Interpreter, receiver: ModuleValue, index: Value) -> Value:
    library = run.objects.module(receiver.key).library
    if library in PARAMETER_CONTAINERS:
        return ParameterValue((Part(receiver.key, (SOME,)),))
    name = element_name(run, receiver.key, index)
    if name is None:
        return UNKNOWN
    child = run.child(receiver.key, name)
    if library in MODULE_CONTAINERS:
        run.prove(child)
    return child


def index_of(run: Interpreter, target: cst.Subscript) -> Value:
    """The index of an element that is assigned, where it is known."""
    element = target.slice[0].slice
    return evaluate(run, element.value) if isinstance(element, cst.Index) else UNKNOWN


def _submodule(run: Interpreter, table: SubmoduleTable, name: Value) -> Value:
    if isinstance(name, Constant) and isinstance(name.value, str):
        child = run.child(table.key, submodule_name(run, table.key, name.value))
        run.prove(child)
        return child
    return narrow_to_some(run, element_of(run, _children(table)))


def _children(table: SubmoduleTable) -> ModuleGroup:
    return ModuleGroup(table.key, (OF_CHILDREN,))


def call_on_table(
    run: Interpreter, table: SubmoduleTable, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    """A method of the dict that a module keeps its submodules in."""
    if name in ("items", "values"):
        return _children(table)._replace(named=name == "items")
    if name == "keys":
        return table
    if name == "get" and arguments.positional:
        return _submodule(run, table, arguments.positional[0])
    hand_over(run, (table, *arguments.all), node)
    return UNKNOWN
