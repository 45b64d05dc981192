"""Lists of parameters and modules that are put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.interpreter.graphs import take_up
from freezelint.analysis.interpreter.iteration import consume, element_of, items_of
from freezelint.analysis.values import (
    UNKNOWN,
    Constant,
    Counted,
    ElementsValue,
    Form,
    ModuleGroup,
    ModuleValue,
    ParameterSequence,
    ParameterValue,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    import libcst as cst

    from freezelint.analysis.interpreter.machine import Interpreter


def concatenated(run: Interpreter, first: Value, second: Value, node: cst.CSTNode) -> Value:
    """``first + second`` for collections."""
    if isinstance(first, Constant) and isinstance(second, Constant):
        if isinstance(first.value, str) and isinstance(second.value, str):
            return Constant(first.value + second.value)
        return UNKNOWN
    left, right = as_parameters(run, first, node), as_parameters(run, second, node)
    if left is not None and right is not None:
        return ParameterSequence(
            left.parts + right.parts,
            Form.COLLECTION,
            named=left.named and right.named,
            complete=left.complete and right.complete,
        )
    if isinstance(first, SequenceValue) and isinstance(second, SequenceValue):
        complete = first.complete and second.complete
        certain = () if complete else first.sure + second.sure
        return SequenceValue(first.items + second.items, complete, certain)
    if isinstance(first, (SequenceValue, ElementsValue)) and (
        isinstance(second, (SequenceValue, ElementsValue))
    ):
        return _with_counted(first, second)
    if left is not None and not isinstance(first, SequenceValue):
        return left._replace(complete=False, form=Form.COLLECTION, iterator=None)
    if any(isinstance(each, (SequenceValue, ModuleGroup)) for each in (first, second)):
        one, other = _as_modules(run, first), _as_modules(run, second)
        if one is not None and other is not None:
            return SequenceValue(one.items + other.items, one.complete and other.complete)
    rest = left if left is not None else right
    if rest is not None:
        return rest._replace(complete=False, form=Form.COLLECTION, iterator=None)
    return UNKNOWN


def _with_counted(
    first: SequenceValue | ElementsValue, second: SequenceValue | ElementsValue
) -> Value:
    """Texts, and one that stands for each of several which count."""
    items: list[Value] = []
    for each in (first, second):
        if isinstance(each, SequenceValue):
            items.extend(each.items)
        elif isinstance(each.element, Counted):
            items.append(each.element)
        else:
            return UNKNOWN
    return SequenceValue(tuple(items), complete=False)


def _as_modules(run: Interpreter, value: Value) -> SequenceValue | None:
    """A value as a list of modules, in which one may stand for each of several."""
    if isinstance(value, SequenceValue):
        return value
    if not isinstance(value, (ModuleGroup, ModuleValue)):
        return None
    items = items_of(run, value)
    if items is not None:
        return SequenceValue(items)
    element = element_of(run, value)
    return SequenceValue((element,)) if isinstance(element, ModuleValue) else None


def as_parameters(run: Interpreter, value: Value, node: cst.CSTNode) -> ParameterSequence | None:
    """A value as a collection of parameters, if that is what it holds."""
    if isinstance(value, ParameterSequence):
        consumed = consume(run, value, node)
        assert isinstance(consumed, ParameterSequence)
        return consumed
    if isinstance(value, SequenceValue):
        collected: list[ParameterSequence] = []
        for item in value.items:
            if isinstance(item, ParameterValue):
                collected.append(ParameterSequence(item.parts, Form.COLLECTION))
            else:
                return None
        take_up(run, (value,))
        return ParameterSequence(
            tuple(part for each in collected for part in each.parts),
            Form.COLLECTION,
            complete=value.complete,
        )
    return None
