"""Adapters: what peft puts into a model, which flags that sets, and how it is taken out again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis import events, library_events
from freezelint.analysis.knowledge import peft
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import SOME, NameTest
from freezelint.analysis.values import (
    UNKNOWN,
    Constant,
    LibraryInstance,
    LibraryValue,
    ModuleValue,
    Part,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import libcst as cst

    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.objects import ModuleObject

ADAPTERS = "adapters()"
"""The attribute under which a model's adapters are kept here."""

_KEYWORDS = "keywords()"
"""The attribute under which the arguments of a configuration are kept here, if all are known."""


def configure(run: Interpreter, name: str, arguments: Arguments, node: cst.Call) -> Value:
    """``LoraConfig(...)`` and its like."""
    made = LibraryInstance(name, run.objects.new_key(), arguments.positional)
    if arguments.complete and not arguments.positional:
        for keyword, value in arguments.keywords.items():
            run.bindings[made.key, keyword] = value
        run.bindings[made.key, _KEYWORDS] = SequenceValue(
            tuple(Constant(keyword) for keyword in arguments.keywords)
        )
    return made


def _keywords(run: Interpreter, value: Value | None) -> dict[str, Value] | None:
    """The arguments that a configuration was made with, if they are what it holds."""
    if not isinstance(value, LibraryInstance):
        return None
    names = run.bindings.get((value.key, _KEYWORDS))
    if not isinstance(names, SequenceValue):
        return None
    if any(each.receiver == value for each in run.trace.all(events.AttributeWritten)):
        return None
    found = [each.value for each in names.items if isinstance(each, Constant)]
    return {name: run.bindings[value.key, name] for name in found}


def add(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``get_peft_model(model, config)``: freezes the model, puts adapters in and wraps it."""
    base = _known(run, arguments.get(0, "model") or UNKNOWN)
    configuration = arguments.get(1, "peft_config")
    keywords = _keywords(run, configuration)
    _say_that_parameters_come(run, base, "get_peft_model", node)
    wrapped = _wrap(run, base, node)
    set_flags(run, (Part(base.key),), _freezes_all_else(keywords), "get_peft_model", node)
    prefix = peft.UNKNOWN_PREFIX
    if isinstance(configuration, LibraryInstance):
        prefix = peft.ADAPTER_PREFIXES.get(configuration.name, prefix)
    attach(run, wrapped, base, prefix, _trains(keywords), node, keywords)
    return wrapped


def _say_that_parameters_come(
    run: Interpreter, base: ModuleValue, function: str, node: cst.Call
) -> None:
    label = run.objects.label(base.key)
    run.announce(
        events.ParametersReplaced(place=run.place(node), key=base.key, label=label, how=function)
    )


def _trains(keywords: Mapping[str, Value] | None) -> bool | None:
    """Whether adapters of this configuration are trainable."""
    if keywords is None:
        return None
    choice = keywords.get("inference_mode", Constant(False))
    is_known = isinstance(choice, Constant) and isinstance(choice.value, bool)
    return not choice.value if is_known else None  # type: ignore[union-attr]


def _freezes_all_else(keywords: Mapping[str, Value] | None) -> bool | None:
    """False if all that is no adapter is frozen for certain: the value of its flags."""
    if keywords is None or keywords.get("modules_to_save") not in (None, Constant(None)):
        return None
    if keywords.get("bias") not in (None, Constant("none")):
        return None
    if _task(keywords) in peft.HEAD_TASKS or keywords.get("trainable_token_indices"):
        return None
    return False


def _task(keywords: Mapping[str, Value]) -> object:
    task = keywords.get("task_type")
    if isinstance(task, LibraryValue):
        return task.name.rpartition(".")[2]
    return task.value if isinstance(task, Constant) else None


def load(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``PeftModel.from_pretrained(model, folder)``."""
    return _load(run, _known(run, arguments.get(0, "model") or UNKNOWN), arguments, node)


def build_and_load(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``AutoPeftModelForCausalLM.from_pretrained(folder)``."""
    return _load(run, _known(run, UNKNOWN), arguments, node)


def _load(run: Interpreter, base: ModuleValue, arguments: Arguments, node: cst.Call) -> Value:
    wrapped = _wrap(run, base, node)
    trains = _is_trainable(arguments)
    if trains is True:
        _say_that_parameters_come(run, base, "from_pretrained", node)
    frozen = (Part(wrapped.key), Part(base.key))
    set_flags(run, frozen, False if trains is False else None, "from_pretrained", node)
    attach(run, wrapped, base, peft.UNKNOWN_PREFIX, trains, node, is_loaded=True)
    return wrapped


def _is_trainable(arguments: Arguments) -> bool | None:
    choice = arguments.get(3, "is_trainable")
    if choice is None:
        return False if arguments.complete else None
    is_known = isinstance(choice, Constant) and isinstance(choice.value, bool)
    return bool(choice.value) if is_known else None  # type: ignore[union-attr]


def freeze_for_quantization(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``prepare_model_for_kbit_training(model)``: freezes all that is there."""
    model = arguments.get(0, "model") or UNKNOWN
    if isinstance(model, ModuleValue):
        run.prove(model)
        parts = run.parts_of(model.key)
        set_flags(run, parts, False, "prepare_model_for_kbit_training", node)
    return model


def mark_only_lora(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``mark_only_lora_as_trainable(model)`` of loralib: freezes all the rest."""
    model = arguments.get(0, "model")
    if isinstance(model, ModuleValue):
        run.prove(model)
        rest = NameTest("contains", ("lora_",), negated=True)
        set_flags(run, run.parts_of(model.key, (rest,)), False, "mark_only_lora_as_trainable", node)
        if arguments.get(1, "bias") not in (None, Constant("none")):
            biases = run.parts_of(model.key, (SOME,))
            set_flags(run, biases, None, "mark_only_lora_as_trainable", node)
    return Constant(None)


def _known(run: Interpreter, model: Value) -> ModuleValue:
    """The model that adapters go into; what hangs below it is not all in sight any more."""
    if not isinstance(model, ModuleValue):
        model = ModuleValue(run.given_module(None).key)
    run.prove(model)
    run.objects.module(model.key).is_complete = False
    return model


def _wrap(run: Interpreter, base: ModuleValue, node: cst.Call) -> ModuleValue:
    """What is handed out: it holds the model as ``base_model.model``."""
    wrapped = run.objects.new_module(Origin.BUILT, None)
    wrapped.library = peft.MODEL
    wrapped.place = run.place(node)
    wrapped.flag_at_birth = None
    run.mark_birth(wrapped)
    tuner = run.objects.child(wrapped.key, "base_model")
    tuner.library = peft.TUNER
    tuner.proof = True
    run.objects.attach(base.key, tuner.key, "model", run.trace.now)
    run.bindings[tuner.key, "model"] = base
    run.bindings[wrapped.key, "base_model"] = ModuleValue(tuner.key)
    return ModuleValue(wrapped.key)


def attach(
    run: Interpreter,
    wrapped: ModuleValue,
    base: ModuleValue,
    prefix: str,
    trains: bool | None,
    node: cst.Call,
    keywords: Mapping[str, Value] | None = None,
    *,
    is_loaded: bool = False,
) -> None:
    """Put new adapters into a model that was handed out as ``wrapped``."""
    label = run.objects.label(base.key)
    adapters = run.objects.new_module(Origin.BUILT, f"the adapters of {label}")
    adapters.library = peft.TUNER
    adapters.flag_at_birth = trains
    run.mark_birth(adapters)
    held = (*adapters_of(run, base.key), adapters.key)
    run.bindings[base.key, ADAPTERS] = SequenceValue(tuple(map(ModuleValue, held)))
    run.objects.attach(adapters.key, base.key, f"*.{prefix}", run.trace.now)
    run.announce(
        library_events.AdaptersAdded(
            place=run.place(node),
            model=wrapped.key,
            base=base.key,
            adapters=adapters.key,
            label=label,
            is_loaded=is_loaded,
            trains=trains,
            configuration=keywords,
        )
    )


def adapters_of(run: Interpreter, base: int) -> tuple[int, ...]:
    """The adapters that are in a model."""
    held = run.bindings.get((base, ADAPTERS))
    if not isinstance(held, SequenceValue):
        return ()
    return tuple(each.key for each in held.items if isinstance(each, ModuleValue))


def set_flags(
    run: Interpreter,
    parts: tuple[Part, ...],
    flag: bool | None,
    function: str,
    node: cst.CSTNode,
) -> None:
    """Announce that a library sets flags as a part of what it does."""
    run.announce(
        library_events.FlagsSetByLibrary(
            place=run.place(node),
            parts=parts,
            value=flag,
            label=run.objects.label(parts[0].key),
            function=function,
        )
    )


def has_adapters(module: ModuleObject) -> bool:
    """Whether this is what peft wraps around a model."""
    return module.library in (peft.MODEL, peft.TUNER)


def base_of(run: Interpreter, key: int) -> int | None:
    """The model that adapters were put into, from what peft wrapped around it."""
    library = run.objects.module(key).library
    if library == peft.MODEL:
        tuner = run.bindings.get((key, "base_model"))
        return base_of(run, tuner.key) if isinstance(tuner, ModuleValue) else None
    if library == peft.TUNER:
        model = run.bindings.get((key, "model"))
        return model.key if isinstance(model, ModuleValue) else None
    return None


ADAPTER_CALLS: dict[str, Callable[[Interpreter, Arguments, cst.Call], Value]] = {
    "peft.get_peft_model": add,
    **dict.fromkeys(peft.FROZEN_ON_LOADING, load),
    **dict.fromkeys(peft.AUTO_FROZEN_ON_LOADING, build_and_load),
    **dict.fromkeys(peft.FREEZES_EVERYTHING, freeze_for_quantization),
    **dict.fromkeys(peft.ONE_WAY_MARKERS, mark_only_lora),
}
"""Functions of peft, and of those before it, that change a model."""
