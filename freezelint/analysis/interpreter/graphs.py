"""Whether a graph leads from a tensor back to what it was computed from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.values import BoundMethod, Constant, SequenceValue, TensorValue, Value

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
    tensors = list(_tensors_in(values))
    has_graph = run.grad_enabled is not False and not is_discrete
    if not tensors or (has_graph and any(_may_have_graph(each) for each in tensors)):
        return None
    keys = (
        key
        for each in tensors
        if isinstance(each, TensorValue)
        for key in (each.cut_from or each.modules)
    )
    return tuple(dict.fromkeys(keys))


def _tensors_in(values: Iterable[Value]) -> Iterable[Value]:
    """The values, and those in sequences, that may be tensors."""
    for value in values:
        if isinstance(value, SequenceValue):
            yield from _tensors_in(value.items)
        elif isinstance(value, BoundMethod):
            # An attribute that is read and not called, such as `.values`, is a tensor too.
            yield value.receiver
        elif not isinstance(value, Constant):
            yield value


def _may_have_graph(value: Value) -> bool:
    return not isinstance(value, TensorValue) or value.cut_from is None
