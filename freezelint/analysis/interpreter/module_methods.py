"""Methods of ``nn.Module``, and of the models of timm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.architectures import known_place
from freezelint.analysis.interpreter import flag_writes
from freezelint.analysis.interpreter.adapted_methods import call_on_adapted
from freezelint.analysis.interpreter.arguments import Arguments, passing
from freezelint.analysis.interpreter.calls import apply
from freezelint.analysis.interpreter.classes import find_method
from freezelint.analysis.interpreter.conditions import judge_constants
from freezelint.analysis.interpreter.following import follow
from freezelint.analysis.interpreter.forward import run_forward
from freezelint.analysis.interpreter.gradients import MASKED
from freezelint.analysis.interpreter.graphs import take_up
from freezelint.analysis.interpreter.iteration import element_module, element_of, items_of
from freezelint.analysis.interpreter.lightning_modules import (
    call_on_lightning_module,
    is_lightning_module,
)
from freezelint.analysis.interpreter.module_tables import TABLE_METHODS, call_on_table
from freezelint.analysis.interpreter.optimizers import clears_to_none
from freezelint.analysis.interpreter.out_of_sight import hand_over
from freezelint.analysis.interpreter.submodules import (
    add_element,
    forget_length,
    note_numbered,
    replace_child,
    submodule_name,
)
from freezelint.analysis.knowledge.frameworks import LIGHTNING_METHODS
from freezelint.analysis.knowledge.modules import (
    HARMLESS_MODULE_METHODS,
    MODULE_ITERATORS,
    SAME_MODULE_METHODS,
    SUBMODULE_ITERATORS,
)
from freezelint.analysis.knowledge.peft import METHODS as ADAPTER_METHODS
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import OF_CHILDREN, SOME, NameTest, OwnTest, Predicate
from freezelint.analysis.values import (
    UNKNOWN,
    ComparisonValue,
    Constant,
    Counted,
    ElementsValue,
    Form,
    FunctionValue,
    ModuleGroup,
    ModuleValue,
    ParameterSequence,
    ParameterValue,
    Part,
    PartialValue,
    SequenceValue,
    StateDictValue,
    TensorValue,
    TypedValue,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezelint.analysis.interpreter.machine import Interpreter

    Special = Callable[[Interpreter, ModuleValue, Arguments, cst.Call], Value]


_CLASSIFIER = "get_classifier()"
"""The attribute under which the head of a timm model is kept here, where its own is not known."""


def call_on_module(
    run: Interpreter, receiver: ModuleValue, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    """A method of ``nn.Module``, or one that cannot be followed."""
    if name in MODULE_ITERATORS:
        parameters = parameters_of(run, receiver, name, arguments)
        prefix = arguments.get(0, "prefix") if name == "named_parameters" else None
        if prefix not in (None, Constant("")):
            # Names that nothing in the model has.
            named = SequenceValue((UNKNOWN, ParameterValue(parameters.parts, is_element=True)))
            return ElementsValue(named, parameters.iterator)
        return parameters
    if name in SUBMODULE_ITERATORS:
        run.prove(receiver)
        predicate: Predicate = (OF_CHILDREN,) if name.endswith("children") else ()
        return ModuleGroup(receiver.key, predicate, named=SUBMODULE_ITERATORS[name])
    if name in SAME_MODULE_METHODS:
        _change(run, receiver, name, arguments, node)
        return receiver
    if name == "state_dict":
        keeps = arguments.keywords.get("keep_vars", Constant(False))
        is_known = isinstance(keeps, Constant) and not arguments.positional and arguments.complete
        return StateDictValue(receiver.key, keeps == Constant(True)) if is_known else UNKNOWN
    special = _SPECIAL.get(name)
    if special is not None:
        return special(run, receiver, arguments, node)
    if name in TABLE_METHODS:
        return call_on_table(run, receiver, name)
    if name in LIGHTNING_METHODS and is_lightning_module(run, receiver):
        return call_on_lightning_module(run, receiver, name, arguments, node)
    if name in ADAPTER_METHODS:
        return call_on_adapted(run, receiver, name, arguments, node)
    if name == "to_empty" or name not in HARMLESS_MODULE_METHODS:
        hand_over(run, (receiver, *arguments.all), node)
    return UNKNOWN


def parameters_of(
    run: Interpreter, receiver: ModuleValue, name: str, arguments: Arguments
) -> ParameterSequence:
    """``parameters()`` or ``named_parameters()`` of a module."""
    run.prove(receiver)
    recursive = arguments.get(1 if name == "named_parameters" else 0, "recurse")
    predicate: Predicate = ()
    if recursive not in (None, Constant(True)):
        predicate = (OwnTest() if recursive == Constant(False) else SOME,)
    return ParameterSequence(
        (Part(receiver.key, predicate),),
        Form.ITERATOR,
        named=MODULE_ITERATORS[name],
        iterator=run.objects.new_key(),
    )


def _change(
    run: Interpreter, receiver: ModuleValue, name: str, arguments: Arguments, node: cst.Call
) -> None:
    if name in ("train", "eval"):
        _set_mode(run, receiver, name, arguments, node)
    elif name == "requires_grad_":
        choice = arguments.get(0, "requires_grad")
        source = arguments.node(0, "requires_grad")
        value = Constant(True) if choice is None else choice
        flag_writes.write_computed_flag(run, receiver, value, node, source)
    elif name == "apply" and arguments.positional:
        _apply(run, receiver, arguments.positional[0], node)


def _flag(choice: Value | None) -> bool | None:
    if choice is None:
        return True
    if isinstance(choice, ComparisonValue):
        return judge_constants(*choice)
    if isinstance(choice, Constant) and isinstance(choice.value, bool):
        return choice.value
    return None


def _set_mode(
    run: Interpreter, receiver: ModuleValue, name: str, arguments: Arguments, node: cst.Call
) -> None:
    mode = False if name == "eval" else _flag(arguments.get(0, "mode"))
    label = run.objects.label(receiver.key)
    if isinstance(node.func, cst.Attribute):
        label = run.label(node.func.value)
    set_mode(run, receiver, mode, label, node)


def set_mode(
    run: Interpreter, receiver: ModuleValue, mode: bool | None, label: str, node: cst.Call
) -> None:
    """Put a module into a mode, and run what classes of the file do of their own then."""
    overrides = _own_ways_to_train(run, receiver.key)
    for part in run.parts_of(receiver.key)[:1]:
        run.announce(
            events.ModeSet(
                place=run.place(node),
                part=part,
                training=mode,
                label=label,
                overridden=tuple(overrides),
            )
        )
    for override in overrides.values():
        follow(run, override, passing(Constant(mode) if mode is not None else UNKNOWN), node)


def _own_ways_to_train(run: Interpreter, key: int) -> dict[int, FunctionValue]:
    """The ``train`` of each submodule whose class in the file has one: torch calls it."""
    found = {}
    for each in run.objects.below(key, run.now):
        if each.owner_class is not None:
            method = find_method(run, each.owner_class, "train", ModuleValue(each.key))
            if method is not None:
                found[each.key] = method
    # What hangs below another of them is for that one's `train` to decide.
    return {
        inner: method
        for inner, method in found.items()
        if not any(run.objects.route(outer, inner, run.now) for outer in found)
    }


def _apply(run: Interpreter, receiver: ModuleValue, function: Value, node: cst.Call) -> None:
    """``module.apply(function)`` calls it on every submodule and on the module itself."""
    if isinstance(function, (FunctionValue, PartialValue)):
        element = ModuleValue(element_module(run, receiver.key, ()))
        apply(run, function, passing(element), node)
    else:
        hand_over(run, (receiver,), node)


def _register(
    run: Interpreter, receiver: ModuleValue, arguments: Arguments, node: cst.Call
) -> Value:
    name, value = arguments.get(0, "name"), arguments.get(1, "module")
    value = value if value is not None else arguments.keywords.get("param")
    if isinstance(name, Constant) and isinstance(name.value, str) and value is not None:
        attribute = submodule_name(run, receiver.key, name.value)
        replace_child(run, receiver.key, attribute, value, node)
        take_up(run, (value,))
        forget_length(run, receiver.key)
    elif isinstance(value, ModuleValue) and _grows(run, receiver, name):
        add_element(run, receiver.key, value, node)
        run.objects.module(receiver.key).is_complete = False
    else:
        hand_over(run, (receiver,), node)
        note_numbered(run, receiver, name or UNKNOWN, value or UNKNOWN)
    return UNKNOWN


def _grows(run: Interpreter, receiver: ModuleValue, name: Value | None) -> bool:
    """Whether a container gets one more layer, under a name that counts how many there are."""
    is_counting = isinstance(name, (Unknown, TypedValue, Counted))
    return is_counting and run.objects.module(receiver.key).library == "torch.nn.Sequential"


def _buffer(run: Interpreter, receiver: ModuleValue, arguments: Arguments, node: cst.Call) -> Value:
    """``register_buffer``: of what is kept there, a mask matters."""
    name, value = arguments.get(0, "name"), arguments.get(1, "tensor")
    is_mask = isinstance(value, TensorValue) and value.how == MASKED
    if isinstance(name, Constant) and is_mask and value is not None:
        run.bindings[receiver.key, str(name.value)] = value
    return UNKNOWN


def _submodule(
    run: Interpreter, receiver: ModuleValue, arguments: Arguments, node: cst.Call
) -> Value:
    target = arguments.get(0, "target")
    if not isinstance(target, Constant) or not isinstance(target.value, str):
        return ModuleValue(element_module(run, receiver.key, (SOME,)))
    value: Value = receiver
    for step in filter(None, target.value.split(".")):
        if not isinstance(value, ModuleValue):
            return UNKNOWN
        value = run.child(value.key, submodule_name(run, value.key, step))
    run.prove(value)
    return value


def _parameter(
    run: Interpreter, receiver: ModuleValue, arguments: Arguments, node: cst.Call
) -> Value:
    """``get_parameter("layer.weight")``: one parameter, by its name if that is known."""
    target = arguments.get(0, "target")
    is_known = isinstance(target, Constant) and isinstance(target.value, str)
    which = NameTest("equals", (target.value,)) if is_known else SOME  # type: ignore[union-attr]
    run.prove(receiver)
    return ParameterValue((Part(receiver.key, (which,)),))


def _append(run: Interpreter, receiver: ModuleValue, arguments: Arguments, node: cst.Call) -> Value:
    value = arguments.get(0, "module")
    if isinstance(value, ModuleValue):
        add_element(run, receiver.key, value, node)
    else:
        forget_length(run, receiver.key)
        run.objects.module(receiver.key).is_complete = False
        if isinstance(value, Unknown):
            hand_over(run, (receiver,), node)
    return receiver


def _extend(run: Interpreter, receiver: ModuleValue, arguments: Arguments, node: cst.Call) -> Value:
    """``ModuleList.insert`` and ``extend``: something joins the module, somewhere."""
    forget_length(run, receiver.key)
    run.objects.module(receiver.key).is_complete = False
    for value in arguments.positional:
        joined = items_of(run, value) or (element_of(run, value),)
        for each in (value,) if isinstance(value, ModuleValue) else joined:
            if isinstance(each, ModuleValue):
                add_element(run, receiver.key, each, node)
            elif isinstance(each, Unknown):
                hand_over(run, (receiver,), node)
    return receiver


def _head(run: Interpreter, receiver: ModuleValue, arguments: Arguments, node: cst.Call) -> Value:
    """Timm's way to the head of a model, whatever its attribute is called."""
    head = run.child(receiver.key, _head_name(run, receiver))
    run.prove(head)
    return head


def _head_name(run: Interpreter, receiver: ModuleValue) -> str:
    place = known_place(run.trace, receiver.key)
    heads = () if place is None or place.path else place.heads
    return heads[0] if len(heads) == 1 and "." not in heads[0] else _CLASSIFIER


def _embeddings(
    run: Interpreter, receiver: ModuleValue, arguments: Arguments, node: cst.Call
) -> Value:
    """The way of transformers to the table of token embeddings."""
    table = run.child(receiver.key, "get_input_embeddings()")
    run.prove(table)
    return table


def _half(run: Interpreter, receiver: ModuleValue, arguments: Arguments, node: cst.Call) -> Value:
    """The way of transformers to the encoder or decoder, where nobody goes there by attributes."""
    function = node.func
    name = function.attr.value if isinstance(function, cst.Attribute) else ""
    if arguments.all or run.index.mentions_attribute(name.removeprefix("get_")):
        return UNKNOWN
    half = run.child(receiver.key, f"{name}()")
    run.prove(half)
    return half


def _new_head(
    run: Interpreter, receiver: ModuleValue, arguments: Arguments, node: cst.Call
) -> Value:
    """Timm puts a fresh layer where the head was."""
    fresh = run.objects.new_module(Origin.BUILT, None)
    fresh.library = "torch.nn.Linear"
    fresh.place = run.place(node)
    run.mark_birth(fresh)
    name = _head_name(run, receiver)
    replace_child(run, receiver.key, name, ModuleValue(fresh.key), node)
    return UNKNOWN


def _clear(run: Interpreter, receiver: ModuleValue, arguments: Arguments, node: cst.Call) -> Value:
    run.announce(
        events.GradientsCleared(
            place=run.place(node),
            parts=run.parts_of(receiver.key),
            to_none=clears_to_none(arguments),
        )
    )
    return UNKNOWN


def _load(run: Interpreter, receiver: ModuleValue, arguments: Arguments, node: cst.Call) -> Value:
    module = run.objects.module(receiver.key)
    module.loaded = run.now
    module.loads_all = arguments.get(1, "strict") in (None, Constant(True))
    if arguments.keywords.get("assign") == Constant(True):
        run.announce(
            events.ParametersReplaced(
                place=run.place(node),
                key=receiver.key,
                label=run.objects.label(receiver.key),
                how="load_state_dict(assign=True)",
            )
        )
    return UNKNOWN


_SPECIAL: dict[str, Special] = {
    "forward": run_forward,
    "zero_grad": _clear,
    "add_module": _register,
    "register_module": _register,
    "register_parameter": _register,
    "register_buffer": _buffer,
    "get_submodule": _submodule,
    "get_parameter": _parameter,
    "append": _append,
    "extend": _extend,
    "insert": _extend,
    "load_state_dict": _load,
    "get_classifier": _head,
    "get_input_embeddings": _embeddings,
    "get_encoder": _half,
    "get_decoder": _half,
    "reset_classifier": _new_head,
}
