"""Whether a graph leads from a tensor back to what it was computed from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.values import (
    BoundMethod,
    Constant,
    MappingValue,
    SequenceValue,
    TensorValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from freezelint.analysis.interpreter.machine import Interpreter


def cut_from(
    run: Interpreter, values: Iterable[Value], *, is_discrete: bool = False
) -> tuple[int, ...] | None:
    """The modules from whose output something without a graph was computed.

    None where there may be a graph: gradients are on, the result is not one of whole
    numbers, and not all of the values are known to have none.
    """
    tensors = list(_tensors_in(values))
    has_graph = run.grad_enabled is not False and not is_discrete
    if not tensors or (has_graph and any(_may_have_graph(each) for each in tensors)):
        return None
    keys = (key for each in tensors if isinstance(each, TensorValue) for key in sources_of(each))
    return tuple(dict.fromkeys(keys))


def derived(
    run: Interpreter, result: TensorValue, values: Iterable[Value], *, is_discrete: bool = False
) -> TensorValue:
    """A tensor that was computed from values, with what is known of the graph behind it."""
    values = tuple(values)
    cut = cut_from(run, values, is_discrete=is_discrete)
    if cut is not None:
        return result._replace(cut_from=cut, upstream=(), severed=())
    return with_ancestry(result, values)


def with_ancestry(result: TensorValue, values: Iterable[Value]) -> TensorValue:
    """A tensor that may have a graph, and the modules that what it was computed from came from."""
    upstream: dict[int, None] = {}
    severed: dict[int, None] = {}
    for each in _tensors_in(values):
        if isinstance(each, TensorValue):
            if each.cut_from is None:
                upstream.update(dict.fromkeys(each.modules + each.upstream))
            severed.update(dict.fromkeys((each.cut_from or ()) + each.severed))
    others = tuple(key for key in upstream if key not in result.modules)
    return result._replace(cut_from=None, upstream=others, severed=tuple(severed))


def sources_of(tensor: TensorValue) -> tuple[int, ...]:
    """All modules from whose output a tensor was computed, with a graph or without."""
    return (tensor.cut_from or tensor.modules) + tensor.upstream + tensor.severed


def note_use(run: Interpreter, tensor: TensorValue, times: int = 1) -> None:
    """Count an expression that reads a module's output where the graph may go on from it."""
    if tensor.cut_from is None and run.grad_enabled is not False:
        for key in tensor.modules + tensor.upstream:
            run.graph_uses[key] = run.graph_uses.get(key, 0) + times


def tensors_in(values: Iterable[Value]) -> Iterator[TensorValue]:
    """The tensors among values, and in sequences and dicts."""
    for each in _tensors_in(values):
        if isinstance(each, TensorValue):
            yield each


def _tensors_in(values: Iterable[Value]) -> Iterator[Value]:
    """The values, and those in sequences, that may be tensors."""
    for value in values:
        if isinstance(value, SequenceValue):
            yield from _tensors_in(value.items)
        elif isinstance(value, MappingValue) and value.complete:
            yield from _tensors_in(each for _, each in value.items)
        elif isinstance(value, BoundMethod):
            # An attribute that is read and not called, such as `.values`, is a tensor too.
            yield value.receiver
        elif not isinstance(value, Constant):
            yield value


def _may_have_graph(value: Value) -> bool:
    return not isinstance(value, TensorValue) or value.cut_from is None
