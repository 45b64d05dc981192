"""Whether something else than a flag keeps gradients away from a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    AttributeWritten,
    BackwardRan,
    GradientsCleared,
    GradientsMasked,
    MethodCalled,
    OutputDetached,
)
from freezelint.analysis.knowledge.modules import FORWARD_HOOKS
from freezelint.analysis.values import ModuleValue, ParameterValue, Part

if TYPE_CHECKING:
    from freezelint.analysis.events import Event
    from freezelint.analysis.trace import Trace

_HOOKS = FORWARD_HOOKS | {
    "register_full_backward_hook",
    "register_full_backward_pre_hook",
    "register_backward_hook",
}
"""Methods that are given a function which may detach what comes out, or change gradients."""


_GRADIENT_HOOKS = frozenset({"register_hook", "register_post_accumulate_grad_hook"})
"""Methods of a parameter that are given a function which may change or drop its gradient."""


def is_withheld(trace: Trace, key: int, until: Event) -> bool:
    """Whether a module may not be trained though its flags are set and an optimizer has it.

    Its output may be detached by a hook or by a ``forward`` of another make, its gradients may be
    masked or dropped before the step, or ``backward(inputs=...)`` may leave them out.

    Args:
        trace: What the code does.
        key: The module.
        until: The step that would train it.
    """
    if any(key in each.keys for each in trace.all(OutputDetached)):
        return True
    if any(_is_tampered_with(trace, each, key) for each in trace.all(MethodCalled)):
        return True
    if any(
        each.attribute == "forward" and _is_about(trace, each.receiver, key, each.index)
        for each in trace.all(AttributeWritten)
    ):
        return True
    if any(_reaches(trace, each.parts, key, each.index) for each in trace.all(GradientsMasked)):
        return True
    if any("inputs=" in each.place.code for each in trace.all(BackwardRan)):
        return True
    last = next(trace.before(until, BackwardRan), None)
    return last is not None and any(
        _reaches(trace, each.parts, key, each.index)
        for each in trace.between(last, until, GradientsCleared)
    )


def _is_tampered_with(trace: Trace, call: MethodCalled, key: int) -> bool:
    if call.name in _GRADIENT_HOOKS and isinstance(call.receiver, ParameterValue):
        return _reaches(trace, call.receiver.parts, key, call.index)
    return call.name in _HOOKS and _is_about(trace, call.receiver, key, call.index)


def _reaches(trace: Trace, parts: tuple[Part, ...], key: int, at: int) -> bool:
    return any(trace.overlaps(part, key, at) for part in parts)


def _is_about(trace: Trace, receiver: object, key: int, at: int) -> bool:
    return isinstance(receiver, ModuleValue) and trace.related(receiver.key, key, at)
