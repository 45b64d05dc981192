"""Whether a graph leads from a tensor back to what it was computed from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.tensors import cut_sources, graph_sources, operands_in, sources_of
from freezelint.analysis.values import TensorValue, Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezelint.analysis.interpreter.machine import Interpreter


def cut_from(
    run: Interpreter, values: Iterable[Value], *, is_discrete: bool = False
) -> tuple[int, ...] | None:
    """The modules from whose output something without a graph was computed.

    None where there may be a graph: gradients are on, the result is not one of whole
    numbers, and not all of the values are known to have none.
    """
    tensors = list(operands_in(values))
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
        return result._replace(cut_from=cut, upstream=(), severed=(), is_inference=run.is_inference)
    return with_ancestry(run, result, values)


def with_ancestry(run: Interpreter, result: TensorValue, values: Iterable[Value]) -> TensorValue:
    """A tensor that may have a graph, and the modules that what it was computed from came from."""
    upstream: dict[int, None] = {}
    severed: dict[int, None] = {}
    for each in operands_in(values):
        if isinstance(each, TensorValue):
            upstream.update(dict.fromkeys(graph_sources(each)))
            severed.update(dict.fromkeys(cut_sources(each)))
    others = tuple(key for key in upstream if key not in result.modules)
    return result._replace(
        cut_from=None,
        upstream=others,
        severed=tuple(severed),
        is_inference=run.is_inference,
    )


def note_use(run: Interpreter, tensor: TensorValue, times: int = 1) -> None:
    """Count an expression that reads a module's output where the graph may go on from it."""
    if run.grad_enabled is not False:
        for key in graph_sources(tensor):
            run.graph_uses[key] = run.graph_uses.get(key, 0) + times


def lose_sight(run: Interpreter, tensor: TensorValue) -> None:
    """Note that a module's output may be read under a name of which nothing is known any more."""
    for key in graph_sources(tensor):
        run.graph_uses[key] = run.graph_uses.get(key, 0) + 1


def _may_have_graph(value: Value) -> bool:
    return not isinstance(value, TensorValue) or value.cut_from is None
