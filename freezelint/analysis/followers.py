"""Networks whose weights are written by hand: momentum encoders, targets, averages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import AttributeWritten, MethodCalled
from freezelint.analysis.objects import Origin
from freezelint.analysis.values import (
    ModuleValue,
    ParameterValue,
    Part,
    StateDictValue,
    TensorValue,
)

if TYPE_CHECKING:
    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Value


def follows_another(trace: Trace, key: int) -> bool:
    """Whether a module is a copy of another, or its weights are written or copied by hand."""
    if trace.objects.module(key).origin is Origin.COPY:
        return True
    return any(
        _writes_weights(call) and _is_of(trace, call.receiver, key, call.index)
        for call in trace.all(MethodCalled)
    ) or any(
        write.attribute == "data" and _is_of(trace, write.receiver, key, write.index)
        for write in trace.all(AttributeWritten)
    )


def _writes_weights(call: MethodCalled) -> bool:
    if call.name == "load_state_dict":
        return any(isinstance(each, StateDictValue) for each in call.arguments)
    if call.name == "requires_grad_" or not call.name.endswith("_"):
        return False
    return isinstance(call.receiver, (TensorValue, ParameterValue))


def _is_of(trace: Trace, value: Value, key: int, at: int) -> bool:
    if isinstance(value, (ParameterValue, TensorValue)):
        return any(trace.parts_overlap(part, Part(key), at) for part in value.parts)
    return isinstance(value, ModuleValue) and trace.related(value.key, key, at)
