"""Hooks on modules: functions that run with each forward pass, and may change what comes of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import MethodCalled
from freezelint.analysis.knowledge.modules import FORWARD_HOOKS
from freezelint.analysis.values import FunctionValue, ModuleValue, PartialValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part, Value

_GIVES_BACK = r"(?m)\breturn\b(?![ \t]*(?:None[ \t]*)?(?:#.*)?$)"

_MODES = r"eval|train|mode"


def may_exchange_values(trace: Trace) -> bool:
    """Whether a hook may put something else in the place of what a module gets or returns.

    A hook that returns nothing, as one that only looks, changes nothing. What a hook of which
    the function is not known does is not known either.
    """
    if not any(map(trace.file.mentions, FORWARD_HOOKS)):
        return False
    hooks = [_function_of(each) for each in _registrations(trace)]
    return not hooks or any(text is None or re.search(_GIVES_BACK, text) for text in hooks)


def may_set_modes(trace: Trace, part: Part) -> bool:
    """Whether a hook on a module involved may put it into another mode as it runs."""
    return any(
        isinstance(each.receiver, ModuleValue)
        and trace.related(trace.objects.container_of(each.receiver.key), part.key, each.index)
        and ((text := _function_of(each)) is None or re.search(_MODES, text) is not None)
        for each in _registrations(trace)
    )


def _registrations(trace: Trace) -> Iterator[MethodCalled]:
    return (each for each in trace.all(MethodCalled) if each.name in FORWARD_HOOKS)


def _function_of(call: MethodCalled) -> str | None:
    """The text of the function that is registered, if it is one of the file."""
    function: Value | None = next(iter(call.arguments), call.keywords.get("hook"))
    while isinstance(function, PartialValue):
        function = function.function
    if not isinstance(function, FunctionValue):
        return None
    if function.definition is not None:
        return function.definition.text
    code = function.chunk.module.code_for_node(function.node)
    # A lambda gives back what it computes.
    return f"return {code}" if code.startswith("lambda") else code
