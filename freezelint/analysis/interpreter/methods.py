"""Methods: which code says what they do depends on what they are called on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis import events
from freezelint.analysis.interpreter.building import fill_container
from freezelint.analysis.interpreter.classes import library_bases
from freezelint.analysis.interpreter.following import call_super, follow
from freezelint.analysis.interpreter.module_methods import call_on_module
from freezelint.analysis.interpreter.names import judge_instance
from freezelint.analysis.interpreter.optimizers import call_on_optimizer
from freezelint.analysis.interpreter.sequences import call_on_mapping, call_on_sequence
from freezelint.analysis.interpreter.subscripts import call_on_table, tensor_of
from freezelint.analysis.interpreter.tensor_methods import call_on_parameter, call_on_tensor
from freezelint.analysis.interpreter.texts import call_on_text
from freezelint.analysis.interpreter.trainers import fill_trainer, is_trainer_class
from freezelint.analysis.interpreter.unknown_methods import call_on_library_instance
from freezelint.analysis.knowledge.layers import MODULE_CONTAINERS
from freezelint.analysis.knowledge.modules import (
    MODULE_ITERATORS,
    SAME_MODULE_METHODS,
    SUBMODULE_ITERATORS,
)
from freezelint.analysis.values import (
    UNKNOWN,
    BoundMethod,
    ClassNameValue,
    Constant,
    ElementsValue,
    Form,
    InstanceValue,
    LibraryInstance,
    MappingValue,
    ModuleGroup,
    ModuleValue,
    OptimizerValue,
    ParameterSequence,
    ParameterValue,
    SequenceValue,
    StateDictValue,
    SubmoduleTable,
    SuperValue,
    TensorValue,
    Value,
)

if TYPE_CHECKING:
    import libcst as cst

    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter


_ONLY_OF_MODULES = frozenset(MODULE_ITERATORS) | frozenset(SUBMODULE_ITERATORS)
"""Methods that show that an object of an imported class is a module."""


def call_method(
    run: Interpreter, method: BoundMethod, arguments: Arguments, node: cst.Call
) -> Value:
    """Call a method of a value that is known."""
    receiver, name = _judged(run, method)
    if isinstance(
        receiver, (ModuleValue, ModuleGroup, ParameterValue, TensorValue, ParameterSequence)
    ):
        _announce_call(run, receiver, name, arguments, node)
    if isinstance(receiver, ModuleValue):
        return call_on_module(run, receiver, name, arguments, node)
    if isinstance(receiver, ParameterValue):
        return call_on_parameter(run, receiver, name, arguments, node)
    if isinstance(receiver, TensorValue):
        return call_on_tensor(run, receiver, name, arguments, node)
    if isinstance(receiver, OptimizerValue):
        return call_on_optimizer(run, receiver, name, arguments, node)
    if isinstance(receiver, (ParameterSequence, SequenceValue, ModuleGroup, ElementsValue)):
        return call_on_sequence(run, receiver, name, arguments, node)
    if isinstance(receiver, (Constant, MappingValue, ClassNameValue)):
        return _on_plain(run, receiver, name, arguments, node)
    if isinstance(receiver, SubmoduleTable):
        return call_on_table(run, receiver, name, arguments, node)
    if isinstance(receiver, StateDictValue):
        return _on_state_dict(run, receiver, name)
    if isinstance(receiver, SuperValue):
        return _on_super(run, receiver, name, arguments, node)
    if isinstance(receiver, (LibraryInstance, InstanceValue)):
        return call_on_library_instance(run, receiver, name, arguments, node)
    return UNKNOWN


def _on_class_name(receiver: ClassNameValue, name: str, arguments: Arguments) -> Value:
    """``find`` and ``lower`` of the name of a module's class."""
    text = arguments.positional[0] if arguments.positional else UNKNOWN
    if name == "find" and isinstance(text, Constant) and isinstance(text.value, str):
        return receiver._replace(text=text.value)
    return receiver if name == "lower" else UNKNOWN


def _on_plain(
    run: Interpreter,
    receiver: Constant | MappingValue | ClassNameValue,
    name: str,
    arguments: Arguments,
    node: cst.Call,
) -> Value:
    if isinstance(receiver, ClassNameValue):
        return _on_class_name(receiver, name, arguments)
    if isinstance(receiver, Constant):
        return call_on_text(receiver.value, name, arguments)
    return call_on_mapping(run, receiver, name, arguments, node)


def _judged(run: Interpreter, method: BoundMethod) -> BoundMethod:
    """The method, of a module where nothing else has one of that name."""
    receiver, name = method
    if isinstance(receiver, LibraryInstance) and name in _ONLY_OF_MODULES:
        return BoundMethod(judge_instance(run, receiver, {name}), name)
    return method


def _announce_call(
    run: Interpreter, receiver: Value, name: str, arguments: Arguments, node: cst.Call
) -> None:
    run.announce(
        events.MethodCalled(
            place=run.place(node),
            receiver=receiver,
            name=name,
            arguments=arguments.positional,
            keywords=arguments.keywords,
        )
    )


def _on_state_dict(run: Interpreter, receiver: StateDictValue, name: str) -> Value:
    if name not in ("items", "values"):
        return UNKNOWN
    tensor = tensor_of(receiver)
    if isinstance(tensor, ParameterValue):
        parts = run.parts_of(receiver.key)
        return ParameterSequence(parts, Form.COLLECTION, named=name == "items")
    return ElementsValue(SequenceValue((UNKNOWN, tensor)) if name == "items" else tensor)


def _on_super(
    run: Interpreter, receiver: SuperValue, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    method = call_super(run, receiver, name)
    if method is not None:
        return follow(run, method, arguments, node)
    inner = receiver.receiver
    if (
        name == "__init__"
        and isinstance(inner, InstanceValue)
        and is_trainer_class(run, inner.owner)
    ):
        fill_trainer(run, inner.key, arguments)
    if name == "__init__" and isinstance(inner, ModuleValue):
        (base, *others) = {*library_bases(run, receiver.owner)} or {""}
        if base in MODULE_CONTAINERS and not others:
            module = run.objects.module(inner.key)
            fill_container(run, module, base.rpartition(".")[2], arguments)
    if isinstance(inner, ModuleValue) and name in (SAME_MODULE_METHODS | set(MODULE_ITERATORS)):
        return call_on_module(run, inner, name, arguments, node)
    return UNKNOWN
