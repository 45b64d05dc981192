"""Methods of modules, parameters, tensors and of objects nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter import assignment
from freezelint.analysis.interpreter.arguments import Arguments, passing
from freezelint.analysis.interpreter.calls import apply, call_super, follow, run_forward
from freezelint.analysis.interpreter.command_line import PARSER, call_on_parser
from freezelint.analysis.interpreter.graphs import cut_from
from freezelint.analysis.interpreter.iteration import consume, element_module
from freezelint.analysis.interpreter.optimizers import (
    call_on_optimizer,
    clears_to_none,
)
from freezelint.analysis.interpreter.out_of_sight import hand_over
from freezelint.analysis.interpreter.sequences import call_on_mapping, call_on_sequence
from freezelint.analysis.interpreter.submodules import (
    add_element,
    forget_length,
    replace_child,
    submodule_name,
)
from freezelint.analysis.interpreter.subscripts import call_on_table
from freezelint.analysis.knowledge.torch import (
    CONVERSIONS,
    DISCRETE_METHODS,
    HARMLESS_MODULE_METHODS,
    MODULE_ITERATORS,
    ONE_TENSOR_METHODS,
    SAME_MODULE_METHODS,
    SUBMODULE_ITERATORS,
)
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import OF_CHILDREN, SOME, OwnTest, Predicate
from freezelint.analysis.syntax import dotted
from freezelint.analysis.values import (
    UNKNOWN,
    BoundMethod,
    Constant,
    Form,
    FunctionValue,
    LibraryInstance,
    MappingValue,
    ModuleGroup,
    ModuleValue,
    OptimizerValue,
    ParameterSequence,
    ParameterValue,
    Part,
    PartialValue,
    SequenceValue,
    StateDictValue,
    SubmoduleTable,
    SuperValue,
    TensorKind,
    TensorValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezelint.analysis.interpreter.machine import Interpreter

_CLIPPING = frozenset({"clip_grad_norm_", "clip_grad_value_", "clip_gradients"})
"""Methods of Accelerator and Fabric that go over parameters."""

_HARMLESS = frozenset(
    [
        "append",
        "add",
        "info",
        "debug",
        "warning",
        "print",
        "write",
        "log",
        "unscale_",
        "update",
        "detach",
    ]
)
"""Methods that, whatever they are methods of, leave flags and parameters alone."""

CLASSIFIER = "get_classifier()"
"""The attribute under which the head of a timm model is kept here."""


def call_method(
    run: Interpreter, method: BoundMethod, arguments: Arguments, node: cst.Call
) -> Value:
    """Call a method of a value that is known."""
    receiver, name = method
    if isinstance(
        receiver, (ModuleValue, ModuleGroup, ParameterValue, TensorValue, ParameterSequence)
    ):
        _announce_call(run, receiver, name, arguments, node)
    if isinstance(receiver, ModuleValue):
        return call_on_module(run, receiver, name, arguments, node)
    if isinstance(receiver, ParameterValue):
        return _on_parameter(run, receiver, name, arguments, node)
    if isinstance(receiver, TensorValue):
        return _on_tensor(run, receiver, name, arguments, node)
    if isinstance(receiver, OptimizerValue):
        return call_on_optimizer(run, receiver, name, arguments, node)
    if isinstance(receiver, (ParameterSequence, SequenceValue)):
        return call_on_sequence(run, receiver, name, arguments, node)
    if isinstance(receiver, MappingValue):
        return call_on_mapping(run, receiver, name, arguments, node)
    if isinstance(receiver, SubmoduleTable):
        return call_on_table(run, receiver, name, arguments, node)
    if isinstance(receiver, StateDictValue):
        return _on_state_dict(receiver, name)
    if isinstance(receiver, SuperValue):
        return _on_super(run, receiver, name, arguments, node)
    if isinstance(receiver, LibraryInstance):
        return _on_library_instance(run, receiver, name, arguments, node)
    return UNKNOWN


def _announce_call(
    run: Interpreter, receiver: Value, name: str, arguments: Arguments, node: cst.Call
) -> None:
    label = run.label(node.func.value) if isinstance(node.func, cst.Attribute) else ""
    run.announce(
        events.MethodCalled(
            place=run.place(node),
            receiver=receiver,
            name=name,
            arguments=arguments.positional,
            keywords=arguments.keywords,
            label=label,
        )
    )


def call_on_module(
    run: Interpreter, receiver: ModuleValue, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    """A method of ``nn.Module``, or one that cannot be followed."""
    if name in MODULE_ITERATORS:
        return _parameters(run, receiver, name, arguments)
    if name in SUBMODULE_ITERATORS:
        run.prove(receiver)
        predicate: Predicate = (OF_CHILDREN,) if name.endswith("children") else ()
        return ModuleGroup(receiver.key, predicate, named=SUBMODULE_ITERATORS[name])
    if name in SAME_MODULE_METHODS:
        _change(run, receiver, name, arguments, node)
        return receiver
    if name == "state_dict":
        keeps = arguments.keywords.get("keep_vars") == Constant(True)
        return StateDictValue(receiver.key, keeps)
    special = _SPECIAL.get(name)
    if special is not None:
        return special(run, receiver, arguments, node)
    if name == "to_empty" or name not in HARMLESS_MODULE_METHODS:
        hand_over(run, (receiver, *arguments.all), node)
    return UNKNOWN


def _parameters(
    run: Interpreter, receiver: ModuleValue, name: str, arguments: Arguments
) -> ParameterSequence:
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
        assignment.write_flag(run, receiver, _flag(arguments.get(0, "requires_grad")), node)
    elif name == "apply" and arguments.positional:
        _apply(run, receiver, arguments.positional[0], node)


def _flag(choice: Value | None) -> bool | None:
    if choice is None:
        return True
    if isinstance(choice, Constant) and isinstance(choice.value, bool):
        return choice.value
    return None


def _set_mode(
    run: Interpreter, receiver: ModuleValue, name: str, arguments: Arguments, node: cst.Call
) -> None:
    mode = False if name == "eval" else _flag(arguments.get(0, "mode"))
    for part in run.parts_of(receiver.key)[:1]:
        run.announce(
            events.ModeSet(
                place=run.place(node),
                part=part,
                training=mode,
                label=run.label(node.func.value)
                if isinstance(node.func, cst.Attribute)
                else run.objects.label(receiver.key),
            )
        )


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
        forget_length(run, receiver.key)
    else:
        hand_over(run, (receiver,), node)
    return UNKNOWN


def _submodule(
    run: Interpreter, receiver: ModuleValue, arguments: Arguments, node: cst.Call
) -> Value:
    target = arguments.get(0, "target")
    if not isinstance(target, Constant) or not isinstance(target.value, str):
        return UNKNOWN
    value: Value = receiver
    for step in filter(None, target.value.split(".")):
        if not isinstance(value, ModuleValue):
            return UNKNOWN
        value = run.child(value.key, submodule_name(run, value.key, step))
    run.prove(value)
    return value


def _append(run: Interpreter, receiver: ModuleValue, arguments: Arguments, node: cst.Call) -> Value:
    value = arguments.get(0, "module")
    if isinstance(value, ModuleValue):
        add_element(run, receiver.key, value, node)
    else:
        forget_length(run, receiver.key)
    return receiver


def _extend(run: Interpreter, receiver: ModuleValue, arguments: Arguments, node: cst.Call) -> Value:
    """``ModuleList.insert`` and ``extend``: something joins the module, somewhere."""
    forget_length(run, receiver.key)
    for value in arguments.positional:
        if isinstance(value, ModuleValue):
            add_element(run, receiver.key, value, node)
    return receiver


def _head(run: Interpreter, receiver: ModuleValue, arguments: Arguments, node: cst.Call) -> Value:
    """Timm's way to the head of a model, whatever its attribute is called."""
    head = run.child(receiver.key, CLASSIFIER)
    run.prove(head)
    return head


def _new_head(
    run: Interpreter, receiver: ModuleValue, arguments: Arguments, node: cst.Call
) -> Value:
    """Timm puts a fresh layer where the head was."""
    fresh = run.objects.new_module(Origin.BUILT, None)
    fresh.library = "torch.nn.Linear"
    fresh.place = run.place(node)
    run.mark_birth(fresh)
    replace_child(run, receiver.key, CLASSIFIER, ModuleValue(fresh.key), node)
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


def _on_parameter(
    run: Interpreter, receiver: ParameterValue, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    if name == "requires_grad_":
        choice = arguments.get(0, "requires_grad")
        source = arguments.node(0, "requires_grad")
        value = Constant(True) if choice is None else choice
        assignment.write_computed_flag(run, receiver, value, node, source)
        return receiver
    if name == "detach_":
        assignment.write_flag(run, receiver, False, node)
        return receiver
    if name in CONVERSIONS:
        return TensorValue(TensorKind.CONVERTED, name, parts=receiver.parts)
    if name in ("detach", "clone"):
        return TensorValue(TensorKind.TEMPORARY, name, parts=receiver.parts)
    if name.endswith("_"):
        return receiver
    return TensorValue() if name in ("mean", "sum", "norm", "pow", "view", "abs") else UNKNOWN


def _on_tensor(
    run: Interpreter, receiver: TensorValue, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    if name == "backward":
        _backward(run, receiver, node)
        return Constant(None)
    if name == "requires_grad_":
        return _with_grad(run, receiver, node)
    if name in ("item", "tolist", "numpy", "size", "dim", "numel", "shape"):
        return UNKNOWN
    if name == "detach" and receiver.modules:
        run.announce(events.OutputDetached(place=run.place(node), keys=receiver.modules))
        return TensorValue(TensorKind.TEMPORARY, name, cut_from=receiver.modules)
    operands = () if name in ONE_TENSOR_METHODS else arguments.all
    is_discrete = name in DISCRETE_METHODS or name == "detach"
    cut = cut_from(run, (receiver, *operands), is_discrete=is_discrete)
    if receiver.kind is TensorKind.OUTPUT:
        return receiver._replace(cut_from=cut)
    if name in ("detach", "clone"):
        return TensorValue(TensorKind.TEMPORARY, name, parts=receiver.parts, cut_from=cut)
    return receiver._replace(cut_from=cut) if receiver.is_fresh else TensorValue(cut_from=cut)


def _with_grad(run: Interpreter, receiver: TensorValue, node: cst.Call) -> TensorValue:
    """What is computed from it has a graph from here on."""
    leaf = receiver._replace(cut_from=None)
    if isinstance(node.func, cst.Attribute) and isinstance(node.func.value, cst.Name):
        run.bind(node.func.value.value, leaf)
    return leaf


def _backward(run: Interpreter, loss: Value, node: cst.Call) -> None:
    label = dotted(node.func.value) if isinstance(node.func, cst.Attribute) else None
    run.announce(events.BackwardRan(place=run.place(node), loss=loss, label=label))


def _on_state_dict(receiver: StateDictValue, name: str) -> Value:
    if name in ("items", "values"):
        kind = TensorValue(TensorKind.TEMPORARY, "state_dict", parts=(Part(receiver.key),))
        return SequenceValue(
            (SequenceValue((UNKNOWN, kind)),) if name == "items" else (kind,), False
        )
    return UNKNOWN


def _on_super(
    run: Interpreter, receiver: SuperValue, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    method = call_super(run, receiver, name)
    if method is not None:
        return follow(run, method, arguments, node)
    inner = receiver.receiver
    if isinstance(inner, ModuleValue) and name in (SAME_MODULE_METHODS | set(MODULE_ITERATORS)):
        return call_on_module(run, inner, name, arguments, node)
    return UNKNOWN


def _on_library_instance(
    run: Interpreter, receiver: LibraryInstance, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    if receiver.name == PARSER:
        return call_on_parser(run, receiver, name, arguments)
    if name in _CLIPPING and arguments.positional:
        consume(run, arguments.positional[0], arguments.node(0, "parameters") or node)
        return UNKNOWN
    last = receiver.name.rpartition(".")[2]
    if last == "GradScaler" and name == "scale" and arguments.positional:
        return arguments.positional[0]
    if name == "step" and arguments.positional:
        first = arguments.positional[0]
        if isinstance(first, OptimizerValue):
            run.announce(events.Stepped(place=run.place(node), keys=first.keys))
            return UNKNOWN
    if name in ("backward", "manual_backward") and arguments.positional:
        _backward_of(run, arguments, node)
        return UNKNOWN
    if last in ("Accelerator", "Fabric") and name in ("prepare", "setup", "setup_module"):
        values = arguments.positional
        return values[0] if len(values) == 1 else SequenceValue(values)
    if receiver.name.startswith(("torch.optim.lr_scheduler.", "torch.utils.tensorboard.")):
        return UNKNOWN
    if last in ("Trainer", "Seq2SeqTrainer", "SFTTrainer") or arguments.all:
        hand_over(run, (*arguments.all, *receiver.arguments), node)
    return UNKNOWN


def _backward_of(run: Interpreter, arguments: Arguments, node: cst.Call) -> None:
    source = arguments.node(0, "loss")
    run.announce(
        events.BackwardRan(
            place=run.place(node),
            loss=arguments.positional[0],
            label=dotted(source) if source is not None else None,
        )
    )


def call_on_unknown(
    run: Interpreter, function: cst.Attribute, arguments: Arguments, node: cst.Call
) -> Value:
    """A method of an object of which nothing is known."""
    name = function.attr.value
    if name in MODULE_ITERATORS:
        # Whatever this is, it yields parameters.
        module = run.given_module(run.label(function.value))
        return _parameters(run, ModuleValue(module.key), name, arguments)
    if name in _CLIPPING and arguments.positional:
        consume(run, arguments.positional[0], arguments.node(0, "parameters") or node)
        return UNKNOWN
    if name in ("backward", "manual_backward"):
        if arguments.positional:
            _backward_of(run, arguments, node)
        else:
            _backward(run, UNKNOWN, node)
        return UNKNOWN
    if name == "scale" and len(arguments.positional) == 1:
        return arguments.positional[0]
    if name == "step":
        first = arguments.positional[0] if arguments.positional else UNKNOWN
        keys = first.keys if isinstance(first, OptimizerValue) else ()
        run.announce(events.Stepped(place=run.place(node), keys=keys))
        return UNKNOWN
    if name == "prepare" and len(arguments.positional) > 1:
        return SequenceValue(arguments.positional)
    if name not in _HARMLESS:
        hand_over(run, arguments.all, node)
    return UNKNOWN


_SPECIAL: dict[str, Callable[[Interpreter, ModuleValue, Arguments, cst.Call], Value]] = {
    "forward": run_forward,
    "zero_grad": _clear,
    "add_module": _register,
    "register_module": _register,
    "register_parameter": _register,
    "get_submodule": _submodule,
    "append": _append,
    "extend": _extend,
    "insert": _extend,
    "load_state_dict": _load,
    "get_classifier": _head,
    "reset_classifier": _new_head,
}
