"""What a loop over a value sees, and what running an iterator to its end means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis import events
from freezelint.analysis.interpreter.graphs import derived
from freezelint.analysis.interpreter.joining import join_values
from freezelint.analysis.interpreter.module_tables import entries_of, is_table
from freezelint.analysis.interpreter.submodules import LENGTH
from freezelint.analysis.knowledge.layers import PARAMETER_CONTAINERS
from freezelint.analysis.knowledge.tensors import DATA_LOADERS
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import SOME, FlagTest, Predicate, conjunction
from freezelint.analysis.values import (
    UNKNOWN,
    BoundMethod,
    Constant,
    Counted,
    ElementsValue,
    Form,
    LibraryInstance,
    MappingValue,
    ModuleGroup,
    ModuleValue,
    OpenRange,
    ParameterName,
    ParameterSequence,
    ParameterValue,
    Part,
    RangeValue,
    SequenceValue,
    SubmoduleTable,
    TensorKind,
    TensorValue,
    Value,
)

if TYPE_CHECKING:
    import libcst as cst

    from freezelint.analysis.interpreter.machine import Interpreter

UNROLL_LIMIT = 24
"""Literal collections up to this long are gone through item by item."""


def items_of(run: Interpreter, value: Value) -> tuple[Value, ...] | None:
    """The elements of a value in order, if they are known one by one."""
    if isinstance(value, SequenceValue) and value.complete and len(value.items) <= UNROLL_LIMIT:
        return value.items
    if isinstance(value, RangeValue) and len(value.values) <= UNROLL_LIMIT:
        return tuple(Constant(each) for each in value.values)
    if isinstance(value, MappingValue) and value.complete and len(value.items) <= UNROLL_LIMIT:
        return tuple(Constant(key) for key, _ in value.items)
    if isinstance(value, ModuleValue):
        return _registered_items(run, value)
    return None


def stands_for_several(run: Interpreter, value: Value) -> bool:
    """Whether one item of a list stands for each of several modules."""
    return isinstance(value, ModuleValue) and (
        run.objects.module(value.key).origin is Origin.ELEMENT
    )


def _registered_items(run: Interpreter, value: ModuleValue) -> tuple[Value, ...] | None:
    """The modules in a ``Sequential`` or ``ModuleList`` built in sight, the keys of a table."""
    if is_table(run, value):
        entries = entries_of(run, value)
        return None if entries is None else tuple(map(Constant, entries))
    if run.objects.module(value.key).library not in ("torch.nn.Sequential", "torch.nn.ModuleList"):
        return None
    if run.bindings.get((value.key, LENGTH)) == UNKNOWN:
        return None
    items: list[Value] = []
    while (item := run.bindings.get((value.key, f"[{len(items)}]"))) is not None:
        items.append(item)
    return tuple(items) or None


def element_of(run: Interpreter, value: Value) -> Value:
    """What stands for every element of a value."""
    if isinstance(value, ParameterSequence):
        return _element_of_parameters(value)
    if isinstance(value, ModuleGroup):
        return _element_of_modules(run, value)
    if isinstance(value, SubmoduleTable) or is_table(run, value):
        return ParameterName(1)
    if isinstance(value, ElementsValue):
        return value.element
    if isinstance(value, (OpenRange, RangeValue)):
        return _element_of_range(value)
    if isinstance(value, ModuleValue) and (
        run.objects.module(value.key).library in PARAMETER_CONTAINERS
    ):
        return ParameterValue((Part(value.key),), is_element=True)
    if isinstance(value, LibraryInstance) and value.name in DATA_LOADERS:
        return TensorValue(cut_from=())
    if isinstance(value, (TensorValue, BoundMethod)):
        return _element_of_output(run, value)
    if isinstance(value, ModuleValue) and _may_hold_modules(run, value):
        return ModuleValue(element_module(run, value.key, ()))
    if isinstance(value, SequenceValue) and value.items:
        joined = value.items[0]
        for other in value.items[1:]:
            joined = join_values(run, joined, other)
        return joined
    return UNKNOWN


def _element_of_range(value: OpenRange | RangeValue) -> Value:
    if isinstance(value, OpenRange):
        return Counted(value.start)
    if len(value.values) <= UNROLL_LIMIT:
        return UNKNOWN
    first, second, *_ = value.values
    return Counted(first) if second == first + 1 else UNKNOWN


def _element_of_output(run: Interpreter, value: TensorValue | BoundMethod) -> Value:
    """One of what a model returned, or of an attribute of it that holds a tensor of each layer."""
    output = value.receiver if isinstance(value, BoundMethod) else value
    if not isinstance(output, TensorValue) or output.kind is not TensorKind.OUTPUT:
        return UNKNOWN
    if isinstance(value, TensorValue):
        return UNKNOWN if value.how else value
    is_of_layers = value.name in ("hidden_states", "attentions", "feature_maps")
    return derived(run, TensorValue(), (value,)) if is_of_layers else UNKNOWN


def _element_of_modules(run: Interpreter, value: ModuleGroup) -> Value:
    module = ModuleValue(element_module(run, value.key, value.predicate))
    if not value.named:
        return module
    # Below each of several modules the names are those that each of them knows.
    is_below_several = run.objects.module(value.key).origin is Origin.ELEMENT
    return SequenceValue((UNKNOWN if is_below_several else ParameterName(1), module))


def _element_of_parameters(value: ParameterSequence) -> Value:
    if value.form is Form.TABLE:
        return ParameterName(0) if value.named else UNKNOWN
    element = ParameterValue(value.parts, is_element=True)
    return SequenceValue((ParameterName(0), element)) if value.named else element


def _may_hold_modules(run: Interpreter, value: ModuleValue) -> bool:
    """Whether the elements may be submodules: of a module, or of what hangs below one."""
    module = run.objects.module(value.key)
    return module.is_module or module.origin in (Origin.CHILD, Origin.ELEMENT)


def element_module(run: Interpreter, container: int, predicate: Predicate) -> int:
    """A module that stands for each of several submodules of ``container``."""
    element = run.objects.new_module(Origin.ELEMENT, None)
    element.parent = container
    element.predicate = predicate
    element.proof = run.objects.module(container).proof
    element.flag_at_birth = None
    label = run.objects.module(container).label
    if SOME in predicate and label is not None:
        element.label = f"{label}[...]"
    run.mark_birth(element)
    return element.key


def parameters_in(value: Value) -> ParameterSequence | None:
    """Parameters, or the ones of which a list holds copies, each in its place."""
    if isinstance(value, ParameterSequence):
        return None if value.form is Form.TABLE else value
    if isinstance(value, ElementsValue):
        copied = value.element
    elif isinstance(value, SequenceValue) and value.complete and len(value.items) == 1:
        copied = value.items[0]
    else:
        return None
    if not isinstance(copied, TensorValue) or not copied.parts:
        return None
    if copied.kind not in (TensorKind.TEMPORARY, TensorKind.CONVERTED):
        return None
    return ParameterSequence(copied.parts, Form.COLLECTION)


def settle_flags(run: Interpreter, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Evaluate lazy tests of ``requires_grad`` now."""
    settled = []
    for part in parts:
        atoms = tuple(
            atom._replace(at=run.trace.now)
            if isinstance(atom, FlagTest) and atom.at is None
            else atom
            for atom in part.predicate
        )
        settled.append(part._replace(predicate=atoms))
    return tuple(settled)


def consume(run: Interpreter, value: Value, node: cst.CSTNode) -> Value:
    """Run an iterator to its end and return what it held, as a collection."""
    if isinstance(value, SequenceValue):
        return value._replace(items=tuple(consume(run, each, node) for each in value.items))
    if isinstance(value, MappingValue):
        return value._replace(
            items=tuple((key, consume(run, each, node)) for key, each in value.items)
        )
    if not isinstance(value, (ParameterSequence, ElementsValue)):
        return value
    if isinstance(value, ParameterSequence) and value.form is Form.TABLE:
        return value
    if value.iterator is not None:
        run.announce(
            events.IteratorConsumed(
                place=run.place(node),
                iterator=value.iterator,
                parts=value.parts if isinstance(value, ParameterSequence) else (),
            )
        )
    if isinstance(value, ElementsValue):
        return value._replace(iterator=None)
    return value._replace(parts=settle_flags(run, value.parts), form=Form.COLLECTION, iterator=None)


def narrowed(value: Value, predicate: Predicate, run: Interpreter) -> Value:
    """A loop variable for only those elements that a predicate picks."""
    if not predicate:
        return value
    if isinstance(value, ParameterValue) and value.is_element:
        return value._replace(
            parts=tuple(
                part._replace(predicate=conjunction(part.predicate, predicate))
                for part in value.parts
            )
        )
    if isinstance(value, ModuleValue) and value.key in run.objects:
        module = run.objects.module(value.key)
        if module.origin is Origin.ELEMENT and module.parent is not None:
            key = element_module(run, module.parent, conjunction(module.predicate, predicate))
            run.objects.module(key).label = module.label
            run.objects.module(key).proof = module.proof
            return ModuleValue(key)
    if isinstance(value, SequenceValue) and _is_pair(value):
        return value._replace(items=tuple(narrowed(each, predicate, run) for each in value.items))
    return value


def _is_pair(value: SequenceValue) -> bool:
    """Whether this is an element with its name or number, which a loop did not take apart."""
    first = value.items[0] if len(value.items) == 2 else None
    return first == UNKNOWN or isinstance(first, ParameterName)


def narrow_to_some(run: Interpreter, element: Value) -> Value:
    """One element of which it is not known which."""
    if isinstance(element, ParameterValue):
        parts = tuple(
            part._replace(predicate=conjunction(part.predicate, (SOME,))) for part in element.parts
        )
        return element._replace(parts=parts)
    return narrowed(element, (SOME,), run)
