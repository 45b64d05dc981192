"""Modules and parameters that calls of libraries build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.interpreter.graphs import hand_out
from freezelint.analysis.interpreter.iteration import items_of
from freezelint.analysis.interpreter.submodules import LENGTH
from freezelint.analysis.knowledge.layers import CONTAINERS
from freezelint.analysis.knowledge.torchvision import heads_of
from freezelint.analysis.objects import ModuleObject, Origin
from freezelint.analysis.predicates import SOME
from freezelint.analysis.values import (
    ANY_KEY,
    UNKNOWN,
    Constant,
    ElementsValue,
    MappingValue,
    ModuleGroup,
    ModuleValue,
    ParameterValue,
    Part,
    SequenceValue,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    import libcst as cst

    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter


def build_parameter(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``nn.Parameter(...)``."""
    made = run.objects.new_module(Origin.PARAMETER, None)
    flag = arguments.get(1, "requires_grad")
    known = flag is None or (isinstance(flag, Constant) and isinstance(flag.value, bool))
    made.flag_at_birth = None
    if known:
        made.flag_at_birth = True if flag is None else flag == Constant(True)
    made.place = run.place(node)
    run.mark_birth(made)
    parameter = ParameterValue((Part(made.key),))
    hand_out(run, (parameter,))
    return parameter


def copy_module(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``copy.deepcopy(module)``."""
    value = arguments.positional[0] if arguments.positional else UNKNOWN
    if value == Constant(None):
        return value
    if not isinstance(value, ModuleValue) or run.proven(value) is None:
        return UNKNOWN
    source = run.objects.module(value.key)
    copied = run.objects.new_module(Origin.COPY, None)
    copied.source = value.key
    copied.owner_class = source.owner_class
    copied.library = source.library
    copied.place = run.place(node)
    run.mark_birth(copied)
    return ModuleValue(copied.key)


def share_module(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``copy.copy(module)``: another object around the same parameters and submodules."""
    value = arguments.positional[0] if arguments.positional else UNKNOWN
    return value if isinstance(value, ModuleValue) else UNKNOWN


def build_layer(run: Interpreter, name: str, arguments: Arguments, node: cst.Call) -> Value:
    """A layer or container of ``torch.nn``."""
    module = run.objects.new_module(Origin.BUILT, None)
    module.library = name
    module.arguments = arguments
    module.place = run.place(node)
    run.mark_birth(module)
    last = name.rpartition(".")[2]
    if last in CONTAINERS:
        fill_container(run, module, last, arguments)
    return ModuleValue(module.key)


def fill_container(run: Interpreter, module: ModuleObject, kind: str, arguments: Arguments) -> None:
    """Put into a container what its constructor is called with."""
    values, in_sight = arguments.positional, arguments.complete
    if kind == "Sequential" and len(values) == 1 and isinstance(values[0], MappingValue):
        _name_layers(run, module, values[0])
        return
    if kind == "ModuleDict" and values and isinstance(values[0], MappingValue):
        for key, value in values[0].items:
            if isinstance(value, ModuleValue):
                name = f"[+{value.key}]" if key is ANY_KEY else f"[{key!r}]"
                _hold(run, module.key, name, value)
        module.is_complete = values[0].complete and all(
            isinstance(value, ModuleValue) for _, value in values[0].items
        )
        return
    if kind == "ModuleList" and len(values) == 1:
        held = items_of(run, values[0])
        values = held if held is not None else values
    in_sight = in_sight and all(isinstance(each, ModuleValue) for each in values)
    run.bindings[module.key, LENGTH] = Constant(len(values)) if in_sight else UNKNOWN
    # What a star spreads is known, if one stands for each.
    module.is_complete = not arguments.keywords and all(map(_is_of_modules, values))
    for number, value in enumerate(values):
        if isinstance(value, ModuleValue):
            _hold(run, module.key, f"[{number}]", value)
        else:
            _hold_several(run, module, value, is_all=len(values) == 1)


def _hold_several(run: Interpreter, module: ModuleObject, value: Value, *, is_all: bool) -> None:
    """What is passed with a star: nobody knows how many layers it stands for."""
    if isinstance(value, ElementsValue) and isinstance(value.element, ModuleValue):
        # ``*(block(width) for width in widths)``: one stands for each.
        _hold(run, module.key, f"[+{value.element.key}]", value.element)
    elif isinstance(value, SequenceValue):
        # ``*layers``: a loop appended these, and perhaps more of their kind.
        module.flag_at_birth = None
        for each in value.certain:
            if isinstance(each, ModuleValue):
                _hold(run, module.key, f"[+{each.key}]", each)
    elif isinstance(value, ModuleGroup):
        module.has_own = not is_all
        module.origin = Origin.DERIVED
        module.source = value.key
        module.predicate = value.predicate or (SOME,)
        module.flag_at_birth = None
    elif isinstance(value, Unknown):
        module.flag_at_birth = None


def _is_of_modules(value: Value) -> bool:
    """Whether this is a module, or some of which one stands for each."""
    return isinstance(value, ModuleValue) or (
        isinstance(value, ElementsValue) and isinstance(value.element, ModuleValue)
    )


def _name_layers(run: Interpreter, module: ModuleObject, layers: MappingValue) -> None:
    """``Sequential(OrderedDict(...))``: layers with names, which have numbers too."""
    in_sight = layers.complete and all(isinstance(each, ModuleValue) for _, each in layers.items)
    module.is_complete = in_sight
    run.bindings[module.key, LENGTH] = Constant(len(layers.items)) if in_sight else UNKNOWN
    for number, (name, value) in enumerate(layers.items):
        if not isinstance(value, ModuleValue):
            module.flag_at_birth = None
            continue
        _hold(run, module.key, str(name), value)
        if in_sight:
            run.bindings[module.key, f"[{number}]"] = value


def build_pretrained_layer(
    run: Interpreter, name: str, arguments: Arguments, node: cst.Call
) -> ModuleValue:
    """A layer made of weights that are there already: frozen unless it is told otherwise."""
    module = build_model(run, name, arguments, node)
    made = run.objects.module(module.key)
    made.flag_at_birth = _negated(arguments.get(1, "freeze")) if arguments.complete else None
    return module


def _negated(choice: Value | None) -> bool | None:
    if choice is None:
        return False
    is_known = isinstance(choice, Constant) and isinstance(choice.value, bool)
    return not choice.value if is_known else None  # type: ignore[union-attr]


def _hold(run: Interpreter, parent: int, attribute: str, value: ModuleValue) -> None:
    run.objects.attach(value.key, parent, attribute, run.now)
    run.bindings[parent, attribute] = value


def build_model(run: Interpreter, name: str, arguments: Arguments, node: cst.Call) -> ModuleValue:
    """A model that a library hands out whole."""
    if name == "torchvision.models.get_model" and arguments.positional:
        name, arguments = _model_of_name(name, arguments)
    module = run.objects.new_module(Origin.BUILT, None)
    module.library = name
    module.arguments = arguments
    module.place = run.place(node)
    if name.startswith(("peft.", "loralib.")):
        # Frozen in parts.
        module.flag_at_birth = None
    run.mark_birth(module)
    return ModuleValue(module.key)


def _model_of_name(name: str, arguments: Arguments) -> tuple[str, Arguments]:
    """What ``get_model("resnet18", ...)`` calls; as it stands where the name is not known."""
    (asked, *_) = arguments.positional
    text = asked.value if isinstance(asked, Constant) else None
    builder = f"torchvision.models.{text}"
    if heads_of(builder) is None:
        return name, arguments
    return builder, arguments.without_first()
