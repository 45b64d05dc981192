"""Reading an attribute of a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis import events
from freezelint.analysis.interpreter.adapters import base_of, has_adapters
from freezelint.analysis.interpreter.arguments import passing
from freezelint.analysis.interpreter.classes import (
    class_constant,
    defines_attribute,
    find_method,
    is_lightning_class,
    library_bases,
)
from freezelint.analysis.interpreter.command_line import forget_options
from freezelint.analysis.interpreter.following import follow
from freezelint.analysis.interpreter.graphs import compared, detached, lone_parameter, take_up
from freezelint.analysis.interpreter.iteration import element_module
from freezelint.analysis.interpreter.lightning import FINETUNING_METHODS, is_finetuning_class
from freezelint.analysis.interpreter.module_tables import TABLE_METHODS
from freezelint.analysis.interpreter.names import by_use, uses_of
from freezelint.analysis.interpreter.optimizers import groups_of
from freezelint.analysis.interpreter.out_of_sight import FORGOTTEN, hand_over
from freezelint.analysis.interpreter.submodules import prove_holders
from freezelint.analysis.interpreter.trainers import TRAINER_METHODS, is_trainer_class
from freezelint.analysis.knowledge import timm
from freezelint.analysis.knowledge.frameworks import LIGHTNING_METHODS
from freezelint.analysis.knowledge.layers import (
    CONTAINERS,
    DICTIONARIES,
    LAYERS_WITH_WEIGHT,
    MODULE_CONTAINERS,
    PARAMETER_ATTRIBUTES,
)
from freezelint.analysis.knowledge.modules import (
    HARMLESS_MODULE_METHODS,
    MODULE_ITERATORS,
    SAME_MODULE_METHODS,
    SUBMODULE_ITERATORS,
)
from freezelint.analysis.knowledge.peft import METHODS as ADAPTER_METHODS
from freezelint.analysis.knowledge.submodules import kind_of_submodule
from freezelint.analysis.knowledge.tensors import VALUES_WITH_INDICES
from freezelint.analysis.knowledge.torchvision import child_kind
from freezelint.analysis.knowledge.transformers import REAL_OUTPUTS
from freezelint.analysis.objects import ModuleObject, Origin
from freezelint.analysis.predicates import SOME, OwnTest, conjunction
from freezelint.analysis.syntax import dotted
from freezelint.analysis.tensors import graph_sources
from freezelint.analysis.values import (
    UNKNOWN,
    BoundMethod,
    ClassNameValue,
    ClassValue,
    ComparisonValue,
    Constant,
    ElementsValue,
    FlagValue,
    FunctionValue,
    InstanceValue,
    LibraryInstance,
    LibraryValue,
    MappingValue,
    ModuleGroup,
    ModuleValue,
    NamespaceValue,
    OptimizerValue,
    ParameterSequence,
    ParameterValue,
    Part,
    SequenceValue,
    StateDictValue,
    SubmoduleTable,
    SuperValue,
    TensorKind,
    TensorValue,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    import libcst as cst

    from freezelint.analysis.interpreter.machine import Interpreter

_MODULE_METHODS = (
    frozenset(MODULE_ITERATORS)
    | frozenset(SUBMODULE_ITERATORS)
    | SAME_MODULE_METHODS
    | HARMLESS_MODULE_METHODS
    | {"add_module", "register_module", "register_parameter", "forward", "append", "extend"}
    | {"get_submodule", "get_parameter", "insert", "freeze", "unfreeze", "to_empty"}
    | {"reset_classifier", "get_classifier"}
)

_OF_OBJECTS = frozenset(MODULE_ITERATORS) | frozenset(SUBMODULE_ITERATORS) | {"step", "zero_grad"}
"""Methods that no tensor has."""

_OF_EVERY_MODULE = (
    frozenset(MODULE_ITERATORS)
    | frozenset(SUBMODULE_ITERATORS)
    | SAME_MODULE_METHODS
    | HARMLESS_MODULE_METHODS
    | frozenset(PARAMETER_ATTRIBUTES)
)

_WITHOUT_GRAPH = frozenset({"shape", "device", "dtype", "ndim", "requires_grad", "is_cuda"})
"""Attributes of a tensor from which no graph leads back to it."""

_WRAPPED = frozenset({"module", "_orig_mod"})


def read_attribute(run: Interpreter, receiver: Value, name: str, node: cst.CSTNode) -> Value:
    """``receiver.name``."""
    if isinstance(receiver, ModuleValue):
        is_class = name == "__class__"
        return ClassNameValue(receiver.key) if is_class else _of_module(run, receiver, name, node)
    if isinstance(receiver, LibraryValue):
        return LibraryValue(f"{receiver.name}.{name}")
    if isinstance(receiver, ParameterValue):
        prove_holders(run, receiver, name)
        return _of_parameter(run, receiver, name, node)
    if isinstance(receiver, (TensorValue, BoundMethod, ComparisonValue)):
        return _of_tensor(run, receiver, name, node)
    if isinstance(receiver, InstanceValue):
        return _of_instance(run, receiver, name, node)
    if isinstance(receiver, (Constant, NamespaceValue, ClassValue)):
        return _of_plain(run, receiver, name)
    if isinstance(receiver, ClassNameValue):
        return receiver if name in ("__name__", "__qualname__") else BoundMethod(receiver, name)
    if isinstance(receiver, (Unknown, FunctionValue)):
        return FlagValue(receiver) if name == "requires_grad" else UNKNOWN
    if isinstance(
        receiver,
        (
            ParameterSequence,
            ModuleGroup,
            OptimizerValue,
            StateDictValue,
            SequenceValue,
            ElementsValue,
            MappingValue,
            SubmoduleTable,
            LibraryInstance,
            SuperValue,
        ),
    ):
        if isinstance(receiver, OptimizerValue) and name == "param_groups":
            return groups_of(receiver)
        if isinstance(receiver, MappingValue) and not hasattr(dict, name):
            # What is read from a dict like this is one of those whose keys are attributes, too.
            return receiver.get(name) or UNKNOWN
        return BoundMethod(receiver, name)
    return UNKNOWN


def _of_plain(
    run: Interpreter, receiver: Constant | NamespaceValue | ClassValue, name: str
) -> Value:
    """What a text, the options of a command line or a class has."""
    if isinstance(receiver, Constant):
        return BoundMethod(receiver, name) if isinstance(receiver.value, str) else UNKNOWN
    if isinstance(receiver, ClassValue):
        method = find_method(run, receiver, name)
        if method is None and name == "apply" and _is_autograd_function(run, receiver):
            return LibraryValue("torch.autograd.Function.apply")
        return class_constant(run, receiver, name) if method is None else method
    if name == "__dict__":
        forget_options(run, (receiver,))
    return run.bindings.get((receiver.key, name), UNKNOWN)


def _is_autograd_function(run: Interpreter, owner: ClassValue) -> bool:
    """Whether a class of the file has a ``backward`` of its own, such as one that turns signs."""
    return any(
        base in ("torch.autograd.Function", "torch.autograd.function.Function")
        for base in library_bases(run, owner)
    )


def _of_module(run: Interpreter, receiver: ModuleValue, name: str, node: cst.CSTNode) -> Value:
    module = run.objects.module(receiver.key)
    run.finish(receiver.key)
    changed = run.bindings.get((receiver.key, name))
    if changed is not None:
        return changed
    own = _of_own_class(run, module, receiver, name, node)
    if own is not None:
        return own
    if name in _MODULE_METHODS or (name in TABLE_METHODS and module.library in DICTIONARIES):
        return BoundMethod(receiver, name)
    if name in ADAPTER_METHODS and (name == "merge_and_unload" or has_adapters(module)):
        return BoundMethod(receiver, name)
    if name == "_modules":
        run.prove(receiver)
        return SubmoduleTable(receiver.key)
    if name == "__dict__":
        # Whatever is in there can be taken out or exchanged by its key.
        hand_over(run, (receiver,), node)
        return UNKNOWN
    if name in _WRAPPED and (
        module.owner_class is None or not defines_attribute(run, module.owner_class, name)
    ):
        return receiver
    if name == "requires_grad":
        return FlagValue(receiver)
    if name in ("data", "grad", "shape", "device", "dtype") and not module.is_module:
        return UNKNOWN
    return _child(run, receiver, module, name)


def _of_own_class(
    run: Interpreter, module: ModuleObject, receiver: ModuleValue, name: str, node: cst.CSTNode
) -> Value | None:
    """What a class of the file says, of the module or of each that it stands for."""
    if module.owner_class is not None:
        method = find_method(run, module.owner_class, name, receiver)
        if method is not None:
            return _method_or_property(run, method, node)
        constant = class_constant(run, module.owner_class, name)
        if constant is not UNKNOWN:
            return constant
        if name in LIGHTNING_METHODS and is_lightning_class(run, module.owner_class):
            return BoundMethod(receiver, name)
    elif module.origin is Origin.ELEMENT and name not in _OF_EVERY_MODULE:
        return _method_of_each(run, module, receiver, name)
    return None


def _method_of_each(
    run: Interpreter, element: ModuleObject, receiver: ModuleValue, name: str
) -> FunctionValue | None:
    """A method of the one class of the file that all modules in a list or ``Sequential`` have."""
    container = None if element.parent is None else run.objects.module(element.parent)
    while container is not None and container.origin is Origin.DERIVED and not container.has_own:
        container = None if container.source is None else run.objects.module(container.source)
    if container is None or container.library not in MODULE_CONTAINERS:
        return None
    held = [
        run.objects.module(key).owner_class for key in run.objects.held_by(container.key, run.now)
    ]
    if not held or held[0] is None or any(each != held[0] for each in held):
        return None
    return find_method(run, held[0], name, receiver)


def _child(run: Interpreter, receiver: ModuleValue, module: ModuleObject, name: str) -> Value:
    if module.origin is Origin.ELEMENT:
        return _child_of_element(run, receiver, module, name)
    if has_adapters(module):
        base = base_of(run, receiver.key)
        if base is not None:
            # What a wrapper of peft has not itself, the model in it has.
            return _child(run, ModuleValue(base), run.objects.module(base), name)
    child = run.objects.child(receiver.key, name)
    if child.proof:
        if child.origin is Origin.PARAMETER:
            return ParameterValue((Part(child.key),))
        return ModuleValue(child.key)
    kind = _kind_of_child(module, name) or _kind_of_twins(run, module, name)
    kind = kind or _kind_in_model(run, module, name) or _kind_in_layer(run, module, name)
    if kind == "parameter":
        child.origin = Origin.PARAMETER
        child.proof = True
        return ParameterValue((Part(child.key),))
    if kind is not None:
        child.proof = True
        child.library = kind
    return ModuleValue(child.key)


def _child_of_element(
    run: Interpreter, receiver: ModuleValue, module: ModuleObject, name: str
) -> Value:
    """What each of several modules has under a name: some of what they all hold together."""
    assert module.parent is not None
    if name in PARAMETER_ATTRIBUTES:
        predicate = conjunction(module.predicate, (OwnTest(name),))
        return ParameterValue((Part(module.parent, predicate),), is_element=True)
    inner = element_module(run, module.parent, conjunction(module.predicate, (SOME,)))
    child = run.objects.module(inner)
    child.proof = False
    child.label = f"{module.label}.{name}" if module.label else None
    run.bindings[receiver.key, name] = ModuleValue(inner)
    return ModuleValue(inner)


def _kind_of_child(module: ModuleObject, name: str) -> str | None:
    """``parameter``, the dotted class of a submodule, or None when it is not known."""
    library = module.library
    if library is None:
        return "parameter" if name in PARAMETER_ATTRIBUTES and module.owner_class is None else None
    last = library.rpartition(".")[2]
    if library.startswith("torch.nn.") and last in LAYERS_WITH_WEIGHT:
        return "parameter" if name in PARAMETER_ATTRIBUTES else None
    if library.startswith("torch.nn.") and last in CONTAINERS:
        return "torch.nn.Module"
    if library.startswith("torchvision."):
        return child_kind(library, name)
    if library in timm.FACTORIES:
        return "torch.nn.Module" if timm.is_submodule(name) else None
    return "parameter" if name in PARAMETER_ATTRIBUTES else None


def _kind_in_layer(run: Interpreter, module: ModuleObject, name: str) -> str | None:
    """``parameter`` where a class derives from a layer that has a weight."""
    if name not in PARAMETER_ATTRIBUTES or module.owner_class is None:
        return None
    bases = [base.rpartition(".") for base in library_bases(run, module.owner_class)]
    is_layer = any(
        package == "torch.nn" and last in LAYERS_WITH_WEIGHT for package, _, last in bases
    )
    return "parameter" if is_layer else None


def _kind_in_model(run: Interpreter, module: ModuleObject, name: str) -> str | None:
    """What the attribute holds in a model that a library built, or in a part of it."""
    while module.origin is Origin.CHILD and module.parent is not None:
        module = run.objects.module(module.parent)
    if module.origin not in (Origin.BUILT, Origin.GIVEN) or module.library is None:
        return None
    if module.library in timm.FACTORIES and timm.is_submodule(name):
        return "torch.nn.Module"
    return kind_of_submodule(module.library, name)


def _kind_of_twins(run: Interpreter, module: ModuleObject, name: str) -> str | None:
    """What the attribute holds in the module that this is a copy of, or in each that it may be."""
    twins = module.alternatives
    if module.origin is Origin.COPY and module.source is not None:
        twins = (module.source,)
    kinds: set[str] = set()
    for each in twins:
        run.finish(each)
        value = run.bindings.get((each, name))
        if value is None:
            value = _child(run, ModuleValue(each), run.objects.module(each), name)
        kind = _kind_of(run, value)
        if kind is None:
            # That settles it; alternatives that have others take twice as long at each level.
            return None
        kinds.add(kind)
    if len(kinds) > 1 and "parameter" not in kinds:
        return "torch.nn.Module"
    return kinds.pop() if len(kinds) == 1 else None


def _kind_of(run: Interpreter, value: Value) -> str | None:
    if isinstance(value, ParameterValue):
        return "parameter"
    module = run.proven(value)
    return None if module is None else module.library or "torch.nn.Module"


def _method_or_property(run: Interpreter, method: FunctionValue, node: cst.CSTNode) -> Value:
    """A method is a value; a property is what it returns."""
    if not _is_property(method):
        return method
    return follow(run, method, passing(), node)


def _is_property(method: FunctionValue) -> bool:
    return method.definition is not None and any(
        each in ("property", "cached_property") or each.endswith((".cached_property", ".setter"))
        for each in method.definition.decorators
    )


def _of_parameter(
    run: Interpreter, receiver: ParameterValue, name: str, node: cst.CSTNode
) -> Value:
    if name in _WITHOUT_GRAPH or name in ("data", "grad"):
        take_up(run, (receiver,))
    if name == "requires_grad":
        return FlagValue(receiver)
    if name == "data":
        key = lone_parameter(run, receiver)
        cut_from = None if key is None else (key,)
        if key is not None:
            run.announce(events.DataRead(place=run.place(node), key=key))
        return TensorValue(TensorKind.TEMPORARY, "data", parts=receiver.parts, cut_from=cut_from)
    if name == "grad":
        return TensorValue(TensorKind.GRADIENT, name, parts=receiver.parts)
    if name in ("shape", "device", "dtype", "ndim"):
        return UNKNOWN
    return BoundMethod(receiver, name)


def _of_tensor(
    run: Interpreter,
    receiver: TensorValue | BoundMethod | ComparisonValue,
    name: str,
    node: cst.CSTNode,
) -> Value:
    if isinstance(receiver, ComparisonValue):
        truths = compared(run, receiver)
        return UNKNOWN if truths is None else BoundMethod(truths, name)
    if isinstance(receiver, TensorValue):
        if name == "data" and receiver.kind is TensorKind.GRADIENT:
            # What is done to it is done to the gradient.
            return receiver
        if name == "data" and graph_sources(receiver):
            return detached(run, receiver, name, node)
        if name == "values" and receiver.how in VALUES_WITH_INDICES:
            return receiver._replace(how="")
        if name in _WITHOUT_GRAPH:
            take_up(run, (receiver,))
        return FlagValue(receiver) if name == "requires_grad" else BoundMethod(receiver, name)
    # `output.logits.mean`: what a model returned has the graph that the whole has, or none.
    output = receiver.receiver
    if not isinstance(output, TensorValue) or name in _OF_OBJECTS:
        return UNKNOWN
    if output.cut_from:
        return BoundMethod(output, name)
    if output.kind is TensorKind.OUTPUT:
        how = output.how if receiver.name in REAL_OUTPUTS else "."
        return _of_tensor(run, output._replace(how=how), name, node)
    return UNKNOWN


def _of_instance(run: Interpreter, receiver: InstanceValue, name: str, node: cst.CSTNode) -> Value:
    value = run.bindings.get((receiver.key, name))
    if value is not None and not isinstance(value, Unknown):
        return value
    method = find_method(run, receiver.owner, name, receiver)
    if method is not None:
        return _method_or_property(run, method, node)
    if _inherits(run, receiver, name):
        return BoundMethod(receiver, name)
    if value is None and (receiver.key, FORGOTTEN) not in run.bindings:
        constant = class_constant(run, receiver.owner, name)
        if constant is not UNKNOWN:
            return constant
    path = dotted(node)
    judged = UNKNOWN if path is None else by_use(run, uses_of(run, path), path)
    if judged is not UNKNOWN:
        run.bindings[receiver.key, name] = judged
    return judged


def _inherits(run: Interpreter, receiver: InstanceValue, name: str) -> bool:
    """Whether a method is one that the class has from a framework."""
    if name in TRAINER_METHODS:
        return is_trainer_class(run, receiver.owner)
    return name in FINETUNING_METHODS and is_finetuning_class(run, receiver.owner)
