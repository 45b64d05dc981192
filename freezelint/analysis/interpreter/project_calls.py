"""Calls of what the project's settings explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.interpreter.building import build_model
from freezelint.analysis.interpreter.flag_writes import write_flag
from freezelint.analysis.interpreter.optimizers import build_optimizer
from freezelint.analysis.values import (
    UNKNOWN,
    ModuleValue,
    ParameterSequence,
    ParameterValue,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import libcst as cst

    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.project_names import Role


def call_named(
    run: Interpreter, role: Role, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    """Do what the settings say that a function or class does."""
    if role == "optimizers":
        return build_optimizer(run, name.rpartition(".")[2], arguments, node)
    if role == "modules":
        return build_model(run, name, arguments, node)
    for each in _with_flags(arguments.all):
        write_flag(run, each, role == "unfreezers", node)
    # Such functions return what they were given, if anything.
    return next((each for each in arguments.all if isinstance(each, ModuleValue)), UNKNOWN)


def _with_flags(values: Iterable[Value]) -> Iterator[ModuleValue | ParameterValue]:
    for value in values:
        if isinstance(value, (ModuleValue, ParameterValue)):
            yield value
        elif isinstance(value, ParameterSequence):
            yield ParameterValue(value.parts)
        elif isinstance(value, SequenceValue):
            yield from _with_flags(value.items)
