"""What goes to code that cannot be followed: of that, nothing is known any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import HandedOver
from freezelint.analysis.interpreter.command_line import forget_options
from freezelint.analysis.objects import Origin
from freezelint.analysis.values import (
    UNKNOWN,
    InstanceValue,
    MappingValue,
    ModuleGroup,
    ModuleValue,
    NamespaceValue,
    OptimizerValue,
    ParameterSequence,
    ParameterValue,
    PartialValue,
    SequenceValue,
    StateDictValue,
    SubmoduleTable,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import libcst as cst

    from freezelint.analysis.interpreter.machine import Interpreter


def hand_over(
    run: Interpreter,
    values: Sequence[Value],
    node: cst.CSTNode,
    *,
    keeps_layers: bool = False,
    is_over: bool = False,
) -> None:
    """Announce that modules or optimizers went out of sight."""
    forget_options(run, values)
    forget_fields(run, values)
    keys, optimizers = keys_in(run, values)
    # Which of the elements it was is not known.
    keys = tuple(dict.fromkeys((*keys, *filter(None, (_container(run, key) for key in keys)))))
    for key in keys:
        # Whoever has it now may hang something below it.
        module = run.objects.module(key)
        if module.is_complete:
            module.is_complete, module.complete_until = False, run.trace.now
    if keys or optimizers:
        run.announce(
            HandedOver(
                place=run.place(node),
                keys=keys,
                optimizers=optimizers,
                keeps_layers=keeps_layers,
                is_over=is_over,
            )
        )


def _container(run: Interpreter, key: int) -> int | None:
    module = run.objects.module(key)
    return module.parent if module.origin is Origin.ELEMENT else None


FORGOTTEN = "fields()"
"""The attribute that says of an object that its class does not tell any more what it holds."""


def forget_fields(run: Interpreter, values: Iterable[Value]) -> None:
    """Note that code out of sight has objects in hands and may give them other attributes."""
    for value in values:
        if isinstance(value, InstanceValue):
            run.bindings[value.key, FORGOTTEN] = UNKNOWN


def keys_in(run: Interpreter, values: Iterable[Value]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Modules and optimizers that can be reached from values."""
    modules: list[int] = []
    optimizers: list[int] = []
    pending = list(values)
    seen: set[int] = set()
    while pending:
        value = pending.pop()
        if id(value) in seen:
            # Objects hold each other in circles, and lists share their elements.
            continue
        seen.add(id(value))
        if isinstance(value, (ModuleValue, ModuleGroup, StateDictValue, SubmoduleTable)):
            modules.append(run.objects.container_of(value.key))
        elif isinstance(value, OptimizerValue):
            optimizers.extend(value.keys)
        elif isinstance(value, SequenceValue):
            pending.extend(value.items)
        elif isinstance(value, MappingValue):
            pending.extend(each for _, each in value.items)
        elif isinstance(value, PartialValue):
            pending.extend(value.arguments.all)
        elif isinstance(value, (ParameterSequence, ParameterValue)):
            modules.extend(part.key for part in value.parts)
        elif isinstance(value, (InstanceValue, NamespaceValue)) and -value.key not in seen:
            seen.add(-value.key)
            pending.extend(each for (owner, _), each in run.bindings.items() if owner == value.key)
    return tuple(dict.fromkeys(modules)), tuple(dict.fromkeys(optimizers))
