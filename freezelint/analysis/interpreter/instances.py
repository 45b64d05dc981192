"""Instances of the classes of the file: modules, optimizers and plain objects."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.events import HandedOver
from freezelint.analysis.interpreter.arguments import Arguments
from freezelint.analysis.interpreter.classes import (
    find_method,
    has_heirs,
    is_all_in_sight,
    is_module_class,
    is_optimizer_class,
    lineage,
)
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.following import code_of, follow
from freezelint.analysis.interpreter.optimizers import build_optimizer
from freezelint.analysis.interpreter.trainers import fill_trainer, is_trainer_class
from freezelint.analysis.objects import Origin
from freezelint.analysis.values import (
    UNKNOWN,
    ClassValue,
    Constant,
    FunctionValue,
    InstanceValue,
    ModuleValue,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.machine import Interpreter


def instantiate(run: Interpreter, owner: ClassValue, arguments: Arguments, node: cst.Call) -> Value:
    """Make an object of a class of the file and run its ``__init__``."""
    made: Value
    if is_optimizer_class(run, owner):
        return build_optimizer(run, owner.definition.name, arguments, node)
    if is_module_class(run, owner):
        module = run.objects.new_module(Origin.OWN_CLASS, None)
        module.owner_class = owner
        module.place = run.place(node)
        module.is_complete = is_all_in_sight(run, owner)
        run.mark_birth(module)
        made = ModuleValue(module.key)
    else:
        made = InstanceValue(run.objects.new_key(), owner)
    constructor = find_method(run, owner, "__init__", made)
    if (
        constructor is not None
        and isinstance(made, ModuleValue)
        and not (run.index.is_loud(constructor.definition))
    ):
        run.objects.module(made.key).unfinished = lambda: follow(run, constructor, arguments, node)
    elif constructor is not None:
        follow(run, constructor, arguments, node)
    elif isinstance(made, InstanceValue) and is_trainer_class(run, owner):
        fill_trainer(run, made.key, arguments)
    elif isinstance(made, InstanceValue):
        _fill_fields(run, made, arguments)
    return made


def given_instance(
    run: Interpreter, owner: ClassValue, node: cst.CSTNode, label: str | None
) -> ModuleValue:
    """A module of a class of the file that somebody else made, and had in hands since.

    So its layers are known, but not its weights, and its flags are not what they were.

    Args:
        run: The interpreter.
        owner: The class, as an annotation names it.
        node: Where the annotation stands.
        label: What the code calls the module.
    """
    if not run.stack and run.module_frame.chunk is None and _stays_as_made(run, owner):
        return _as_made(run, owner, label)
    module = run.objects.new_module(Origin.OWN_CLASS, label)
    module.owner_class = owner
    module.is_complete = is_all_in_sight(run, owner)
    # It may be of a class that derives from the one that is named.
    module.is_subject = has_heirs(run, owner)
    made = ModuleValue(module.key)
    gradients, statement = run.grad_enabled, run.statement
    run.grad_enabled, run.statement = True, None
    run.mark_birth(module)
    constructor = find_method(run, owner, "__init__", made)
    if constructor is not None:

        def construct() -> None:
            arguments = Arguments((), _usual_numbers(run, owner, constructor), (), {}, False)
            follow(run, constructor, arguments, node)

        if run.index.is_loud(constructor.definition):
            construct()
        else:
            module.unfinished = construct
    place = run.place(node)
    run.announce(HandedOver(place=place, keys=(module.key,), keeps_layers=True, is_over=True))
    run.grad_enabled, run.statement = gradients, statement
    return made


def _as_made(run: Interpreter, owner: ClassValue, label: str | None) -> ModuleValue:
    """A module as its constructor leaves it, which is run as that of a class on its own."""
    module = run.objects.new_module(Origin.OWN_CLASS, label)
    module.owner_class = owner
    module.is_subject = True
    module.is_complete = is_all_in_sight(run, owner)
    run.mark_birth(module)
    made = ModuleValue(module.key)
    constructor = find_method(run, owner, "__init__", made)
    if constructor is None:
        return made
    settled = run.settings
    run.frame, run.activations, run.scopes = run.module_frame, (), ()
    (code,) = constructor.chunk.body

    def construct() -> None:
        follow(run, constructor, Arguments((), {}, (), {}, complete=False), code)

    if run.index.is_loud(constructor.definition):
        construct()
    else:
        module.unfinished = construct
    run.settings = settled
    return made


def _stays_as_made(run: Interpreter, owner: ClassValue) -> bool:
    """Whether a class that the file only defines freezes as it is made, and nobody later on."""
    name = owner.definition.name
    family = list(lineage(run, owner))
    rest = run.index.text
    for each in family:
        rest = rest.replace(each.definition.text, "")
    if re.search(r"requires_grad(?:_\(|\s*=(?!=))", rest):
        return False
    if has_heirs(run, owner) or re.search(rf"(?<!class )\b{name}[(.]", run.index.text):
        return False
    writing = [
        method
        for each in family
        for method in each.definition.methods.values()
        if "requires_grad" in method.text
    ]
    constructor = owner.definition.methods.get("__init__")
    of_constructor = frozenset() if constructor is None else constructor.names_of_own
    return bool(writing) and all(
        method.name in ("__init__", "forward")
        or (method.name in of_constructor and f".{method.name}(" not in rest)
        for method in writing
    )


def _usual_numbers(
    run: Interpreter, owner: ClassValue, constructor: FunctionValue
) -> dict[str, Value]:
    """How wide and deep a class is by default; it is where the file never makes one itself."""
    calls = rf"(?<!\bclass ){re.escape(owner.definition.name)}\("
    code = code_of(constructor)
    if not isinstance(code, cst.FunctionDef) or has_heirs(run, owner):
        return {}
    if re.search(calls, run.index.text) is not None:
        return {}
    return {
        each.name.value: evaluate(run, each.default)
        for each in (*code.params.params, *code.params.kwonly_params)
        if isinstance(each.default, cst.Integer)
    }


def _fill_fields(run: Interpreter, made: InstanceValue, arguments: Arguments) -> None:
    """A dataclass keeps its arguments under the names of its fields, in their order.

    A switch that is on by default is on where nobody turns it off. Of one that is off both
    cases are of interest: it is there to be turned on.
    """
    fields = [
        name
        for each in reversed(list(lineage(run, made.owner)))
        for name in each.definition.annotated
    ]
    text = run.index.text
    for each in lineage(run, made.owner):
        for name in each.definition.switched_on:
            if re.search(rf"\.{name}\s*=(?!=)", text) is None:
                run.bindings[made.key, name] = Constant(True)
    for name, value in zip(fields, arguments.positional, strict=False):
        run.bindings[made.key, name] = value
    if not arguments.complete:
        run.bindings.update({(made.key, name): UNKNOWN for name in fields})
    for name, value in arguments.keywords.items():
        run.bindings[made.key, name] = value
