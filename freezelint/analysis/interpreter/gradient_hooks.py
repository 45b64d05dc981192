"""Hooks on parameters: functions of the file that every new gradient goes through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.interpreter.arguments import Arguments, passing
from freezelint.analysis.interpreter.following import follow
from freezelint.analysis.interpreter.gradients import (
    MASKED,
    ZEROED,
    announce_masked,
    is_gradient,
    is_zero,
)
from freezelint.analysis.values import (
    FunctionValue,
    LibraryValue,
    ParameterValue,
    PartialValue,
    TensorKind,
    TensorValue,
    Value,
)

if TYPE_CHECKING:
    import libcst as cst

    from freezelint.analysis.interpreter.machine import Interpreter


def hook_on_parameter(
    run: Interpreter, parameter: ParameterValue, arguments: Arguments, node: cst.Call
) -> None:
    """``p.register_hook(function)``: see what the function makes of a gradient."""
    function: Value | None = arguments.get(0, "hook")
    passed = passing(TensorValue(TensorKind.GRADIENT, "grad"))
    if isinstance(function, PartialValue):
        first: Arguments = function.arguments
        function, passed = function.function, first.followed_by(passed)
    if isinstance(function, LibraryValue) and function.name == "torch.zeros_like":
        announce_masked(run, parameter, ZEROED, node, by_hook=True)
    if not isinstance(function, FunctionValue):
        return
    result = follow(run, function, passed, node.func)
    how = result.how if isinstance(result, TensorValue) and is_gradient(result) else ""
    if is_zero(result):
        how = ZEROED
    if how in (ZEROED, MASKED):
        announce_masked(run, parameter, how, node, by_hook=True)
