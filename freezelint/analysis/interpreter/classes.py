"""Classes of the checked file: are they modules, which methods do they have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.interpreter.literals import value_of
from freezelint.analysis.interpreter.names import absolute
from freezelint.analysis.knowledge.modules import LIGHTNING_BASES, MODULE_BASES
from freezelint.analysis.knowledge.zoo import NOT_MODULES
from freezelint.analysis.values import UNKNOWN, ClassValue, FunctionValue, InstanceValue, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.interpreter.machine import Interpreter

_MODEL_PACKAGES = ("transformers.", "diffusers.", "torchvision.models.", "timm.models.", "peft.")


def lineage(run: Interpreter, value: ClassValue) -> Iterator[ClassValue]:
    """The class and those of its bases that the file defines, nearest first."""
    pending, seen = [value.definition], set()
    while pending:
        definition = pending.pop(0)
        if definition.name in seen:
            continue
        seen.add(definition.name)
        yield ClassValue(definition)
        for base in definition.bases:
            found = run.class_named(base)
            if found is not None:
                pending.append(found)


def library_bases(run: Interpreter, value: ClassValue) -> Iterator[str]:
    """Dotted names of the imported classes that a class derives from."""
    for each in lineage(run, value):
        for base in each.definition.bases:
            root, _, rest = base.partition(".")
            if root in run.index.imports and run.class_named(base) is None:
                imported = absolute(run, run.index.imports[root])
                yield f"{imported}.{rest}" if rest else imported


def is_module_class(run: Interpreter, value: ClassValue) -> bool:
    """Whether instances are certainly modules."""
    return any(_is_module_base(base) for base in library_bases(run, value))


def is_all_in_sight(run: Interpreter, value: ClassValue) -> bool:
    """Whether a module has no submodules but those that code in the file attaches to it."""
    bases = set(library_bases(run, value))
    return bool(bases) and bases <= {"torch.nn.Module", *LIGHTNING_BASES}


def has_heirs(run: Interpreter, value: ClassValue) -> bool:
    """Whether another class of the file derives from this one."""
    name = value.definition.name
    return any(name in each.names_in_header for each in run.index.classes.values())


def _is_module_base(name: str) -> bool:
    last = name.rpartition(".")[2]
    if name in MODULE_BASES:
        return True
    if name.startswith("torch.nn.") and last[:1].isupper():
        return last not in ("Parameter", "Buffer", "UninitializedParameter")
    return (
        name.startswith(_MODEL_PACKAGES)
        and last[:1].isupper()
        and not last.endswith((*NOT_MODULES, "Mixin", "Output", "Weights", "Model_Output"))
        and last.endswith(("Model", "Net", "ResNet", "Transformer", "Encoder", "Decoder", "VGG"))
    )


def is_lightning_class(run: Interpreter, value: ClassValue) -> bool:
    """Whether instances are Lightning modules."""
    return any(base in LIGHTNING_BASES for base in library_bases(run, value))


def is_optimizer_class(run: Interpreter, value: ClassValue) -> bool:
    """Whether the class derives from ``torch.optim.Optimizer`` or one of its kind."""
    return any(
        base.startswith("torch.optim.") and ".lr_scheduler" not in base
        for base in library_bases(run, value)
    )


def find_method(
    run: Interpreter,
    value: ClassValue,
    name: str,
    receiver: Value | None = None,
    *,
    after: ClassValue | None = None,
) -> FunctionValue | None:
    """A method by name, searched in the file's part of the lineage.

    With ``after``, only behind that class: what ``super()`` finds.
    """
    skipping = after is not None
    for each in lineage(run, value):
        if skipping:
            skipping = each != after
            continue
        method = each.definition.methods.get(name)
        if method is not None:
            bound: Value | None = receiver
            if "staticmethod" in method.decorators:
                bound = None
            elif "classmethod" in method.decorators:
                bound = value
            return FunctionValue(
                method,
                method.chunk,
                None,
                run.module_frame.key,
                bound,
                each,
            )
    return None


def defines_attribute(run: Interpreter, value: ClassValue, name: str) -> bool:
    """Whether a class has a field or property of that name, or reads it from ``self``."""
    return any(each.definition.defines(name) for each in lineage(run, value))


def class_constant(run: Interpreter, owner: ClassValue, name: str) -> Value:
    """What the body of a class, or of a base in the file, gives a name that no method changes."""
    definition = owner.definition
    if definition.constants is None and not definition.bases:
        return UNKNOWN
    family = [each.definition for each in lineage(run, owner)]
    found = (each.constants.get(name) for each in family if each.constants is not None)
    constant = next((each for each in found if each is not None), None)
    if constant is None:
        return UNKNOWN
    is_changed = any(
        name in each.attributes_made or name in each.attributes_changed for each in family
    )
    # What another class has under this name of its own is another thing.
    if is_changed or re.search(rf"(?<!\bself)\.{re.escape(name)}\s*=(?!=)", run.index.text):
        return UNKNOWN
    return value_of(run, constant)


def some_object(run: Interpreter, owner: ClassValue) -> Value:
    """An object of which nothing is known but its class, unless it is a module or optimizer."""
    if is_module_class(run, owner) or is_optimizer_class(run, owner):
        return UNKNOWN
    return InstanceValue(run.objects.new_key(), owner)
