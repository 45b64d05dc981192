"""Names: what they hold, and what their uses say that they hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.frames import (
    is_certain_module_use,
    is_module_use,
    is_optimizer_use,
)
from freezelint.analysis.interpreter.literals import value_of
from freezelint.analysis.interpreter.out_of_sight import keys_in
from freezelint.analysis.knowledge.modules import SAME_MODULE_METHODS
from freezelint.analysis.values import (
    UNKNOWN,
    BuiltinValue,
    ClassValue,
    LibraryInstance,
    LibraryValue,
    MappingValue,
    ModuleValue,
    OptimizerValue,
    ParameterSequence,
    SequenceValue,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.frames import Frame
    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.values import FunctionValue

_NOTHING: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
"""Neither modules nor optimizers."""

_BUILTINS = frozenset(
    [
        "all",
        "any",
        "dict",
        "enumerate",
        "filter",
        "float",
        "getattr",
        "hasattr",
        "int",
        "isinstance",
        "iter",
        "len",
        "list",
        "map",
        "max",
        "min",
        "next",
        "print",
        "range",
        "reversed",
        "set",
        "setattr",
        "sorted",
        "str",
        "sum",
        "super",
        "tuple",
        "type",
        "zip",
        "id",
        "repr",
        "bool",
        "frozenset",
        "abs",
        "round",
        "open",
        "vars",
        "format",
        "issubclass",
        "callable",
    ]
)


def look_up(run: Interpreter, name: str) -> Value:
    """What a name holds here."""
    frame: Frame | None = run.frame
    while frame is not None:
        value = run.bindings.get((frame.key, name))
        if value is not None:
            if isinstance(value, Unknown):
                return judge_by_use(run, frame, name)
            return value
        frame = frame.parent
    defined = defined_by_file(run, name)
    if defined is not None:
        return defined
    if name in _BUILTINS:
        return BuiltinValue(name)
    constant = run.index.constants.get(name)
    return value_of(run, constant) if constant is not None else judge_by_use(run, run.frame, name)


def defined_by_file(
    run: Interpreter, name: str
) -> FunctionValue | ClassValue | LibraryValue | None:
    """What the file defines or imports under a name."""
    index = run.index
    if name in index.functions:
        return run.function_value(index.functions[name])
    if name in index.classes:
        return ClassValue(index.classes[name])
    if name in index.imports:
        return LibraryValue(absolute(run, index.imports[name]))
    return None


def frame_of(run: Interpreter, name: str) -> Frame | None:
    """The frame, of those around, that binds a name."""
    frame: Frame | None = run.frame
    while frame is not None and (frame.key, name) not in run.bindings:
        frame = frame.parent
    return frame


def absolute(run: Interpreter, name: str) -> str:
    """Resolve a relative import against the package of the checked file."""
    if not name.startswith("."):
        return name
    stripped = name.lstrip(".")
    up = len(name) - len(stripped) - 1
    parts = run.package.split(".") if run.package else []
    if not parts or up >= len(parts):
        return name
    return ".".join([*parts[: len(parts) - up], stripped])


def uses_of(run: Interpreter, name: str, frame: Frame | None = None) -> set[str]:
    """The methods that the code around calls on a dotted name."""
    methods = run.frame.uses_of(name)
    if frame is not None and frame is not run.frame:
        methods = methods | frame.uses_of(name)
    owner = run.frame.owner
    if owner is not None and name.startswith("self."):
        methods = methods | run.class_uses.get(owner.definition.name, {}).get(name, set())
    return methods


def judge_by_use(run: Interpreter, frame: Frame, name: str) -> Value:
    """Let the calls made on a dotted name tell what it holds; remember the verdict."""
    made = by_use(run, uses_of(run, name, frame), name)
    if made is not UNKNOWN:
        run.bindings[frame.key, name] = made
    return made


def by_use(run: Interpreter, methods: set[str], label: str) -> Value:
    """What answers to all of these calls."""
    if is_module_use(methods):
        return guessed_module(run, label)
    if is_optimizer_use(methods):
        optimizer = run.objects.new_optimizer("")
        optimizer.label = label
        return OptimizerValue((optimizer.key,))
    return UNKNOWN


def guessed_module(run: Interpreter, label: str) -> ModuleValue:
    """Something unknown that turned out to be a module; it may be a part of another one.

    What the code is called with from outside stands for itself.
    """
    made = run.given_module(label)
    code = run.active[0] if run.active else None
    base = re.split(r"\W", label, maxsplit=1)[0]
    if base != "self" and not (isinstance(code, cst.FunctionDef) and base in _arguments(code)):
        run.guesses.add(made.key)
    return ModuleValue(made.key)


def given_as(run: Interpreter, node: cst.BaseExpression | None) -> ModuleValue:
    """A module that only what it is passed to tells to be one; its name holds it from now on."""
    while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        if node.func.attr.value not in SAME_MODULE_METHODS:
            break
        node = node.func.value
    if not isinstance(node, cst.Name):
        return ModuleValue(run.given_module(None).key)
    made = run.given_module(node.value)
    frame, prefix = run.frame.key, f"{node.value}."
    for (owner, name), value in list(run.bindings.items()):
        attribute = name.removeprefix(prefix)
        # What was already known to be a module is a part of it.
        if (
            owner == frame
            and name.startswith(prefix)
            and attribute.isidentifier()
            and isinstance(value, ModuleValue)
        ):
            run.objects.attach(value.key, made.key, attribute, -1)
            run.bindings[made.key, attribute] = value
    run.bind(node.value, ModuleValue(made.key))
    return ModuleValue(made.key)


def _arguments(code: cst.FunctionDef) -> set[str]:
    parameters = code.params
    named = (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params)
    return {each.name.value for each in named}


def judge_instance(run: Interpreter, instance: LibraryInstance, methods: set[str]) -> Value:
    """Let calls tell that an object of an imported class is a module, whatever holds it.

    One that was given a module may train it out of sight, so nothing is said of it.
    """
    if not is_certain_module_use(methods) or keys_in(run, instance.arguments) != _NOTHING:
        return instance
    module = ModuleValue(run.given_module(None).key)
    for (owner, name), value in list(run.bindings.items()):
        if isinstance(value, LibraryInstance) and value.key == instance.key:
            run.bindings[owner, name] = module
            if owner in run.objects:
                made = run.objects.module(module.key)
                made.label = made.label or f"{run.objects.label(owner)}.{name}"
                run.objects.attach(module.key, owner, name, -1)
    return module


def is_held(run: Interpreter, module: ModuleValue, but: tuple[int, str]) -> bool:
    """Whether anything but one name holds a module, or a list of its parameters."""
    return any(each != but and _holds(value, module) for each, value in run.bindings.items())


def _holds(value: Value, module: ModuleValue) -> bool:
    if isinstance(value, ModuleValue):
        return value.key == module.key
    if isinstance(value, SequenceValue):
        return any(_holds(each, module) for each in value.items)
    if isinstance(value, MappingValue):
        return any(_holds(each, module) for _, each in value.items)
    if isinstance(value, ParameterSequence):
        return any(part.key == module.key for part in value.parts)
    return False
