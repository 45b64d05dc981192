"""Methods that peft gives to a model: to merge its adapters, to switch them, to add more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis import library_events
from freezelint.analysis.interpreter.adapters import (
    ADAPTERS,
    adapters_of,
    attach,
    base_of,
    set_flags,
)
from freezelint.analysis.interpreter.out_of_sight import hand_over
from freezelint.analysis.knowledge import peft
from freezelint.analysis.values import (
    UNKNOWN,
    Constant,
    LibraryInstance,
    ModuleValue,
    Part,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import libcst as cst

    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter


def call_on_adapted(
    run: Interpreter, receiver: ModuleValue, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    """A method that peft gives to a model with adapters."""
    base = base_of(run, receiver.key)
    special = _METHODS.get(name)
    if base is not None and special is not None:
        return special(run, base, arguments, node)
    if name == "disable_adapter":
        return UNKNOWN
    hand_over(run, (receiver, *arguments.all), node)
    if name in ("merge_and_unload", "get_base_model"):
        return ModuleValue(run.given_module(None).key)
    return UNKNOWN


def _remove(run: Interpreter, base: int, name: str, node: cst.Call) -> Value:
    held = adapters_of(run, base)
    for each in held:
        for attachment in run.objects.module(each).attachments:
            run.objects.detach(each, attachment.parent, attachment.attribute, run.trace.now)
    run.bindings[base, ADAPTERS] = SequenceValue(())
    run.announce(
        library_events.AdaptersRemoved(
            place=run.place(node),
            base=base,
            adapters=held,
            label=run.objects.label(base),
            method=name,
        )
    )
    return ModuleValue(base)


def _merge(run: Interpreter, base: int, arguments: Arguments, node: cst.Call) -> Value:
    return _remove(run, base, "merge_and_unload", node)


def _unload(run: Interpreter, base: int, arguments: Arguments, node: cst.Call) -> Value:
    return _remove(run, base, "unload", node)


def _base(run: Interpreter, base: int, arguments: Arguments, node: cst.Call) -> Value:
    return ModuleValue(base)


def _disable(run: Interpreter, base: int, arguments: Arguments, node: cst.Call) -> Value:
    return LibraryInstance(peft.DISABLED_ADAPTERS, base)


def leave_context(run: Interpreter, context: LibraryInstance, node: cst.CSTNode) -> None:
    """``with model.disable_adapter():`` ends: the adapters are on again, and trainable."""
    if context.name != peft.DISABLED_ADAPTERS:
        return
    held = adapters_of(run, context.key)
    # Of several, those are switched on that are active.
    flag = True if len(held) == 1 else None
    if held:
        set_flags(run, tuple(map(Part, held)), flag, "disable_adapter", node)


def _switch(run: Interpreter, base: int, arguments: Arguments, node: cst.Call) -> Value:
    held = adapters_of(run, base)
    mode = arguments.get(1, "inference_mode")
    flag = True if len(held) == 1 and mode in (None, Constant(False)) else None
    if held:
        set_flags(run, tuple(map(Part, held)), flag, "set_adapter", node)
    return UNKNOWN


def _load_more(run: Interpreter, base: int, arguments: Arguments, node: cst.Call) -> Value:
    choice = arguments.get(2, "is_trainable")
    trains = False if choice is None and arguments.complete else None
    if isinstance(choice, Constant) and isinstance(choice.value, bool):
        trains = choice.value
    value = ModuleValue(base)
    attach(run, value, value, peft.UNKNOWN_PREFIX, trains, node, is_loaded=True)
    return UNKNOWN


def _add_more(run: Interpreter, base: int, arguments: Arguments, node: cst.Call) -> Value:
    value = ModuleValue(base)
    attach(run, value, value, peft.UNKNOWN_PREFIX, None, node)
    return UNKNOWN


_METHODS: dict[str, Callable[[Interpreter, int, Arguments, cst.Call], Value]] = {
    "merge_and_unload": _merge,
    "unload": _unload,
    "get_base_model": _base,
    "disable_adapter": _disable,
    "set_adapter": _switch,
    "load_adapter": _load_more,
    "add_adapter": _add_more,
}
