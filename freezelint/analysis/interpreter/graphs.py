"""Whether a graph leads from a tensor back to what it was computed from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.events import OutputDetached
from freezelint.analysis.interpreter.gradients import COMPARED
from freezelint.analysis.objects import Origin
from freezelint.analysis.tensors import (
    cut_sources,
    graph_sources,
    operands_in,
    sources_of,
)
from freezelint.analysis.values import (
    BoundMethod,
    ChoiceValue,
    ComparisonValue,
    ElementsValue,
    MappingValue,
    ParameterValue,
    SequenceValue,
    TensorKind,
    TensorValue,
    TypedValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from freezelint.analysis.interpreter.machine import Interpreter


_DEEPEST = 4
"""How many lists and dicts may lie in each other for what is in them to be looked at."""


def cut_from(
    run: Interpreter, values: Iterable[Value], *, is_discrete: bool = False
) -> tuple[int, ...] | None:
    """The modules from whose output something without a graph was computed.

    None where there may be a graph: gradients are on, the result is not one of whole
    numbers, and not all of the values are known to have none.
    """
    tensors = [_as_tensor(run, each) for each in operands_in(values)]
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
        take_up(run, operands_in(values))
        return result._replace(cut_from=cut, upstream=(), severed=(), is_inference=run.is_inference)
    return with_ancestry(run, result, values)


def with_ancestry(run: Interpreter, result: TensorValue, values: Iterable[Value]) -> TensorValue:
    """A tensor that may have a graph, and the modules that what it was computed from came from."""
    values = tuple(values)
    upstream: dict[int, None] = {}
    severed: dict[int, None] = {}
    is_traced = True
    for operand in operands_in(values):
        each = _as_tensor(run, operand)
        is_traced = is_traced and _is_traced(each)
        if isinstance(each, TensorValue):
            upstream.update(dict.fromkeys(graph_sources(each)))
            severed.update(dict.fromkeys(cut_sources(each)))
        elif isinstance(each, ParameterValue):
            compute_with(run, each)
    others = tuple(key for key in upstream if key not in result.modules)
    made = result._replace(
        cut_from=None,
        upstream=others,
        severed=tuple(severed),
        is_inference=run.is_inference,
        is_traced=is_traced,
    )
    take_up(run, operands_in(values))
    hand_out(run, (made,))
    return made


# The ends of a graph are counted: each value that an expression has with a graph is an open
# end of it, for each module that it may lead back to. Whatever goes on from a value takes up
# its end and hands out one of its own; a name keeps a value without an end until it is read.
# What nobody takes up, such as a loss that is differentiated or an argument of code out of
# sight, stays open: a gradient may come from there.


def hand_out(run: Interpreter, values: Iterable[Value]) -> None:
    """Count the open ends of what an expression is worth."""
    if run.grad_enabled is not False:
        for each in _carried(run, values):
            _count(run, each, 1)


def take_up(run: Interpreter, values: Iterable[Value]) -> None:
    """Say that the open ends of values were taken up by something that is followed itself."""
    if run.grad_enabled is not False:
        for each in _carried(run, values):
            _count(run, each, -1)


def store(run: Interpreter, targets: Sequence[cst.BaseExpression], value: Value) -> None:
    """Say that an assignment keeps a value in names, or its elements, one in each.

    Without gradients reads are not counted, so another name for the same is lost sight of.
    """
    is_spread = (
        len(targets) == 1
        and isinstance(targets[0], cst.Tuple)
        and all(isinstance(each.value, cst.Name) for each in targets[0].elements)
        and (
            isinstance(value, (TensorValue, ElementsValue))
            or (isinstance(value, SequenceValue) and len(value.items) == len(targets[0].elements))
        )
    )
    if not is_spread and not all(isinstance(target, cst.Name) for target in targets):
        return
    if run.grad_enabled is False:
        lose_sight(run, value)
    else:
        take_up(run, (value,))


def replace(run: Interpreter, values: Iterable[Value], result: Value) -> None:
    """Say that an expression is worth one of several values, or what is left of all of them."""
    if isinstance(result, TensorValue):
        take_up(run, values)
        hand_out(run, (result,))


def lose_sight(run: Interpreter, value: Value) -> None:
    """Note that a module's output may be read where nothing is known of it any more."""
    for each in _carried(run, (value,)):
        _count(run, each, 1)


def _count(run: Interpreter, tensor: TensorValue, times: int) -> None:
    for key in graph_sources(tensor):
        ends = run.trace.open_ends
        ends[key] = ends.get(key, 0) + times


def _carried(
    run: Interpreter, values: Iterable[Value], depth: int = _DEEPEST
) -> Iterator[TensorValue]:
    """The tensors among values, and in what holds several, whether or not that is all of it."""
    for value in values:
        if isinstance(value, TensorValue):
            yield value
        elif isinstance(value, ParameterValue):
            if (key := lone_parameter(run, value)) is not None:
                yield TensorValue(upstream=(key,))
        elif depth and isinstance(value, BoundMethod):
            yield from _carried(run, (value.receiver,), depth - 1)
        elif depth and isinstance(value, ElementsValue):
            yield from _carried(run, (value.element,), depth - 1)
        elif depth and isinstance(value, SequenceValue):
            yield from _carried(run, value.items, depth - 1)
        elif depth and isinstance(value, MappingValue):
            yield from _carried(run, (each for _, each in value.items), depth - 1)


def detached(run: Interpreter, tensor: TensorValue, how: str, node: cst.CSTNode) -> TensorValue:
    """What ``detach()`` and ``data`` make of the output of modules."""
    take_up(run, (tensor,))
    keys = tensor.modules + tensor.upstream
    run.announce(OutputDetached(place=run.place(node), keys=keys))
    return TensorValue(
        TensorKind.TEMPORARY,
        how,
        cut_from=sources_of(tensor),
        is_inference=tensor.is_inference,
    )


def compute_with(run: Interpreter, parameters: ParameterValue) -> None:
    """Note that something was computed with each of several parameters, which may be a loss."""
    if run.grad_enabled is not False:
        run.trace.computed_with.update(part.key for part in parameters.parts)


def lone_parameter(run: Interpreter, value: Value) -> int | None:
    """The one parameter that a value is; None where it is none, or stands for several."""
    if not isinstance(value, ParameterValue) or value.is_element or len(value.parts) != 1:
        return None
    key, predicate = value.parts[0]
    is_one = run.objects.module(key).origin is Origin.PARAMETER
    return key if is_one and not predicate else None


def _as_tensor(run: Interpreter, value: Value) -> Value:
    if isinstance(value, ComparisonValue):
        return compared(run, value) or value
    key = lone_parameter(run, value)
    return value if key is None else TensorValue(upstream=(key,), is_traced=True)


def _is_traced(value: Value) -> bool:
    """Whether it is known where each graph behind a value leads."""
    if isinstance(value, TensorValue):
        return value.cut_from is not None or value.is_traced
    return isinstance(value, (TypedValue, ChoiceValue))


def compared(run: Interpreter, comparison: ComparisonValue) -> TensorValue | None:
    """The tensor of truth values that comparing a tensor gives: it has no graph, whatever has."""
    sides = [_as_tensor(run, each) for each in (comparison.left, comparison.right)]
    tensors = [each for each in operands_in(sides) if isinstance(each, TensorValue)]
    if not tensors:
        return None
    keys = dict.fromkeys(key for each in tensors for key in sources_of(each))
    return TensorValue(how=COMPARED, cut_from=tuple(keys), is_inference=run.is_inference)


def _may_have_graph(value: Value) -> bool:
    if isinstance(value, (TypedValue, ChoiceValue)):
        return False
    return not isinstance(value, TensorValue) or value.cut_from is None
