"""One state for several paths: what they agree on stays known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.interpreter.graphs import lose_sight
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import SOME, union
from freezelint.analysis.tensors import cut_sources
from freezelint.analysis.values import (
    UNKNOWN,
    Constant,
    Form,
    LibraryInstance,
    LibraryValue,
    MappingValue,
    ModuleGroup,
    ModuleValue,
    OptimizerValue,
    ParameterSequence,
    ParameterValue,
    Part,
    SequenceValue,
    TensorValue,
    Unknown,
    Value,
    same,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.analysis.interpreter.frames import Bindings
    from freezelint.analysis.interpreter.machine import Interpreter


def join(run: Interpreter, states: Sequence[Bindings]) -> Bindings:
    """One state that holds what all of these agree on."""
    if len(states) == 1:
        return states[0]
    joined = dict(states[0])
    for other in states[1:]:
        for key, value in other.items():
            mine = joined.get(key)
            if mine is None:
                joined[key] = value
            elif mine is not value:
                joined[key] = join_values(run, mine, value)
    return joined


def join_values(run: Interpreter, first: Value, second: Value) -> Value:
    """One value for a name that holds either of two."""
    if same(first, second):
        return first
    nothing = Constant(None)
    if same(first, nothing):
        return second
    if same(second, nothing):
        return first
    for one, other in ((first, second), (second, first)):
        # Judged by its uses on one arm, it is no other thing on the other.
        if (
            isinstance(one, (Unknown, LibraryInstance))
            and isinstance(other, ModuleValue)
            and run.objects.module(other.key).origin is Origin.GIVEN
        ):
            return other
    if isinstance(first, ModuleValue) and isinstance(second, ModuleValue):
        return _join_modules(run, first, second)
    if isinstance(first, TensorValue) or isinstance(second, TensorValue):
        return _join_tensors(run, first, second)
    if isinstance(first, OptimizerValue) and isinstance(second, OptimizerValue):
        return OptimizerValue(tuple(dict.fromkeys(first.keys + second.keys)))
    if isinstance(first, LibraryValue) and isinstance(second, LibraryValue):
        are_classes = all(_is_class(each.name) for each in (first, second))
        return one_of_a_package(first.name, second.name) if are_classes else UNKNOWN
    if (
        isinstance(first, ParameterValue)
        and isinstance(second, ParameterValue)
        and (first.is_element and second.is_element)
    ):
        return first._replace(parts=_picked_by_either(first.parts, second.parts))
    joined = _join_collections(run, first, second)
    return _join_groups(first, second) if isinstance(joined, Unknown) else joined


def _picked_by_either(first: tuple[Part, ...], second: tuple[Part, ...]) -> tuple[Part, ...]:
    """Elements that got here in either way: in one loop, each of them did in its own."""
    if len(first) == len(second) == 1 and first[0].key == second[0].key:
        together = union(first[0].predicate, second[0].predicate)
        if together is not None:
            return (first[0]._replace(predicate=together),)
    return tuple(dict.fromkeys((*first, *second)))


def _is_class(name: str) -> bool:
    return name.rpartition(".")[2][:1].isupper()


def one_of_a_package(*names: str) -> Value:
    """Something of a package, such as a class of optimizers, where it is not known which."""
    packages = {name.rpartition(".")[0] for name in names}
    return (
        LibraryValue(f"{packages.pop()}.Chosen") if len(packages) == 1 and all(names) else UNKNOWN
    )


def _join_collections(run: Interpreter, first: Value, second: Value) -> Value:
    if isinstance(first, ParameterSequence) and isinstance(second, ParameterSequence):
        # Whichever it is, it can be gone over once.
        is_iterator = first.iterator is not None and second.iterator is not None
        iterator = run.objects.new_key() if is_iterator else None
        if set(first.parts) == set(second.parts) and first.form is second.form:
            return first._replace(iterator=iterator)
        return first._replace(
            parts=tuple(dict.fromkeys(first.parts + second.parts)),
            complete=False,
            iterator=iterator,
        )
    if isinstance(first, SequenceValue) and isinstance(second, SequenceValue):
        return _join_sequences(run, first, second)
    for one, other in ((first, second), (second, first)):
        if one == SequenceValue(()) and isinstance(other, ParameterSequence):
            # In a loop over parameters a condition narrows which of them are added.
            return other._replace(complete=other.complete and bool(run.element_names))
    if isinstance(first, MappingValue) and isinstance(second, MappingValue):
        return _join_mappings(run, first, second)
    if isinstance(first, ModuleGroup) and isinstance(second, ModuleGroup):
        is_same = first.key == second.key and first.named == second.named
        return first._replace(predicate=(SOME,)) if is_same else UNKNOWN
    return UNKNOWN


def _join_mappings(run: Interpreter, first: MappingValue, second: MappingValue) -> Value:
    """Dicts with the same keys, such as the entries of one table."""
    keys = [key for key, _ in first.items]
    if keys != [key for key, _ in second.items]:
        return UNKNOWN
    pairs = zip(first.items, second.items, strict=True)
    return MappingValue(
        tuple((key, join_values(run, one, other)) for (key, one), (_, other) in pairs),
        first.complete and second.complete,
    )


def _join_groups(first: Value, second: Value) -> Value:
    """Parameters for an optimizer, in groups on one path and perhaps in none on the other."""
    one, other = _parameters(first), _parameters(second)
    if not one or not other:
        return UNKNOWN
    parts = tuple(dict.fromkeys((*one, *other)))
    return ParameterSequence(parts, Form.COLLECTION, complete=False)


def _parameters(value: Value) -> tuple[Part, ...]:
    """All parameters in groups or collections; none if there is anything else in them."""
    if isinstance(value, (ParameterSequence, ParameterValue)):
        return value.parts
    if isinstance(value, MappingValue):
        return _parameters(value.get("params") or UNKNOWN)
    if isinstance(value, SequenceValue):
        found = [_parameters(each) for each in value.items]
        return tuple(part for each in found for part in each) if all(found) else ()
    return ()


def _join_tensors(run: Interpreter, first: Value, second: Value) -> Value:
    """A tensor that has a graph on one of two paths only, or another one on each."""
    tensors = [each for each in (first, second) if isinstance(each, TensorValue)]
    bare = [_without_history(each) for each in tensors]
    if any(each != bare[0] for each in bare) or len(bare) == 1:
        for each in tensors:
            lose_sight(run, each)
        return UNKNOWN
    one, other = tensors
    upstream = dict.fromkeys(one.upstream + other.upstream)
    severed = [key for key in cut_sources(one) if key in cut_sources(other)]
    return bare[0]._replace(
        upstream=tuple(upstream),
        severed=tuple(dict.fromkeys(severed)),
        is_inference=one.is_inference and other.is_inference,
        is_traced=all(each.is_traced or each.cut_from is not None for each in tensors),
    )


def _without_history(tensor: TensorValue) -> TensorValue:
    return tensor._replace(
        cut_from=None, upstream=(), severed=(), is_inference=False, is_traced=False
    )


def _join_sequences(run: Interpreter, first: SequenceValue, second: SequenceValue) -> Value:
    short, long = sorted((first, second), key=lambda each: len(each.items))
    if len(short.items) == len(long.items):
        pairs = list(zip(first.items, second.items, strict=True))
        items = tuple(join_values(run, one, other) for one, other in pairs)
        if first.complete and second.complete:
            return SequenceValue(items)
        are_sure = [one in first.sure and other in second.sure for one, other in pairs]
        certain = tuple(each for each, is_sure in zip(items, are_sure, strict=True) if is_sure)
        return SequenceValue(items, complete=False, certain=certain)
    more = long.items[len(short.items) :]
    if not all(map(same, short.items, long.items)):
        return UNKNOWN
    # In a loop over parameters a condition narrows which of them are appended.
    are_narrowed = bool(run.element_names) and all(map(is_of_parameters, more))
    if short.complete and long.complete and are_narrowed:
        return long
    certain = tuple(each for each in short.sure if each in long.sure)
    return long._replace(complete=False, certain=certain)


def is_of_parameters(value: Value) -> bool:
    """Whether a value is parameters or a group of them, which stands for one of each round."""
    if isinstance(value, MappingValue):
        return value.complete and is_of_parameters(value.get("params") or UNKNOWN)
    if isinstance(value, SequenceValue):
        return value.complete and all(map(is_of_parameters, value.items))
    return hasattr(value, "parts")


def _join_modules(run: Interpreter, first: ModuleValue, second: ModuleValue) -> ModuleValue:
    one, other = run.objects.module(first.key), run.objects.module(second.key)
    if not (one.is_module and other.is_module):
        return first if one.is_module else second
    joined = run.objects.new_module(Origin.JOINED, one.label or other.label)
    joined.alternatives = (*one.alternatives, *other.alternatives, one.key, other.key)
    joined.flag_at_birth = None
    if one.owner_class is not None and one.owner_class == other.owner_class:
        joined.owner_class = one.owner_class
    run.mark_birth(joined)
    return ModuleValue(joined.key)
