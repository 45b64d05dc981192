"""What hangs below a module: under which name, and what happens when something else does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter.frames import is_certain_module_use
from freezelint.analysis.interpreter.names import uses_of
from freezelint.analysis.knowledge.modules import STRONG_MODULE_EVIDENCE
from freezelint.analysis.objects import Origin
from freezelint.analysis.syntax import dotted
from freezelint.analysis.values import (
    UNKNOWN,
    Constant,
    Counted,
    ModuleValue,
    OptimizerValue,
    ParameterValue,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.machine import Interpreter

_OF_TENSORS = frozenset(
    {"data", "grad", "requires_grad", "requires_grad_", "view", "detach", "clone", "numel", "t"}
)
"""What is asked of a ``weight`` only if it is a tensor."""

LENGTH = "len()"
"""The attribute under which the number of elements of a container is kept here."""


def submodule_name(run: Interpreter, parent: int, name: str) -> str:
    """The attribute of a submodule that ``_modules`` or a string calls by this name."""
    if name.isdigit():
        return f"[{name}]"
    if run.objects.module(parent).library == "torch.nn.ModuleDict":
        return f"[{name!r}]"
    return name


def element_name(run: Interpreter, container: int, index: Value) -> str | None:
    """The attribute of an element of a container; None when it is not known which one it is.

    One counted from the end is the same as one counted from the beginning, where it is known
    how many there are.
    """
    if not isinstance(index, Constant):
        return None
    number = index.value
    if type(number) is not int:
        return f"[{number!r}]"
    if number < 0:
        length = _length(run, container)
        if length is not None and -number <= length:
            number += length
    return f"[{number}]"


def _length(run: Interpreter, container: int) -> int | None:
    length = run.bindings.get((container, LENGTH))
    if not isinstance(length, Constant):
        return None
    for event in run.trace.all(events.HandedOver):
        if any(run.objects.route(key, container, event.index) is not None for key in event.keys):
            # Whoever had it in hands may have added something.
            return None
    return int(length.value)


def _is_counted(run: Interpreter, container: int) -> bool:
    return isinstance(run.bindings.get((container, LENGTH)), Constant)


def add_element(run: Interpreter, container: int, value: ModuleValue, node: cst.CSTNode) -> None:
    """Put a module behind the others in a container."""
    length = run.bindings.get((container, LENGTH))
    if isinstance(length, Constant) and not run.loops and not run.element_names:
        replace_child(run, container, f"[{length.value}]", value, node)
        run.bindings[container, LENGTH] = Constant(length.value + 1)
    else:
        # Of a loop body that is run for many rounds, nobody knows how many.
        replace_child(run, container, f"[+{value.key}]", value, node)
        forget_length(run, container)
        if isinstance(length, Constant):
            run.bindings[container, f"[{length.value}]"] = value
    run.bindings[container, "[-1]"] = value


def forget_length(run: Interpreter, container: int) -> None:
    """Note that a container may hold another number of elements from here on."""
    if (container, LENGTH) in run.bindings:
        run.bindings[container, LENGTH] = UNKNOWN
    run.bindings.pop((container, "[-1]"), None)


def forget_lengths(run: Interpreter) -> None:
    """Note the same of every container."""
    for container, attribute in list(run.bindings):
        if attribute == LENGTH:
            forget_length(run, container)


def name_object(run: Interpreter, value: Value, label: str) -> None:
    """Let a module or optimizer be called what the code calls it first."""
    if isinstance(value, ModuleValue):
        module = run.objects.module(value.key)
        if module.label is None:
            module.label = label
    elif isinstance(value, ParameterValue):
        for part in value.parts:
            parameter = run.objects.module(part.key)
            if parameter.origin is Origin.PARAMETER and parameter.label is None:
                parameter.label = label
    elif isinstance(value, OptimizerValue):
        for key in value.keys:
            optimizer = run.objects.optimizer(key)
            if optimizer.label is None:
                optimizer.label = label


def replace_child(
    run: Interpreter, parent: int, attribute: str, value: Value, node: cst.CSTNode
) -> None:
    """Put something else under an attribute or index of a module."""
    run.finish(parent)
    before = run.bindings.get((parent, attribute))
    owner = run.objects.module(parent)
    old: int | None = None
    if before is not None:
        old = _registered_key(before)
    elif not attribute.startswith("[+"):
        # What joins the others takes the place of none.
        known = run.objects.known_child(parent, attribute)
        is_in_sight = owner.origin is Origin.OWN_CLASS or _is_counted(run, parent)
        if known is not None or not is_in_sight:
            old = run.objects.child(parent, attribute).key
    new = _registered_key(value)
    if new is None and isinstance(value, Unknown):
        # Something of which nothing is known but that it sits here now.
        label = None if owner.label is None else f"{owner.label}.{attribute}"
        made = run.objects.new_module(Origin.GIVEN, label)
        made.flag_at_birth = None
        made.parent = parent
        path = dotted(node)
        made.proof = path is not None and is_certain_module_use(uses_of(run, path))
        run.mark_birth(made)
        new = made.key
        value = ModuleValue(new)
    if old == new or (new is None and (old is None or not run.objects.module(old).is_module)):
        run.bindings[parent, attribute] = value
        return
    run.announce(
        events.SubmoduleReplaced(
            place=run.place(node),
            parent=parent,
            attribute=attribute,
            old=old,
            new=new,
            label=run.label(node) if isinstance(node, cst.Subscript) else dotted(node) or attribute,
        )
    )
    now = run.now
    if old is not None:
        run.objects.detach(old, parent, attribute, now)
    if new is not None and new != parent:
        holder = run.objects.container_of(parent)
        # In each of several modules: what holds them all holds something new, somewhere.
        place = attribute if holder == parent else f"[+{new}]"
        run.objects.attach(new, holder, place, now)
    run.bindings[parent, attribute] = value


def prove_holders(run: Interpreter, parameter: ParameterValue, attribute: str) -> None:
    """What has a ``weight`` that is used as a tensor is a module, and so is what holds it."""
    if attribute not in _OF_TENSORS:
        return
    for part in parameter.parts:
        above = run.objects.module(part.key).parent
        while above is not None:
            holder = run.objects.module(above)
            if holder.is_module or holder.origin not in (Origin.CHILD, Origin.GIVEN):
                break
            holder.proof = True
            above = holder.parent


NUMBERED = "[#]"
"""Follows the name under which attributes are kept here that differ in their numbers only."""


def note_numbered(run: Interpreter, owner: Value, name: Value, value: Value) -> None:
    """Remember a module that is stored under a name that a loop counts: ``f"block{i}"``."""
    if isinstance(owner, ModuleValue) and isinstance(name, Counted) and run.proven(value):
        run.bindings[owner.key, name.before + NUMBERED] = value


def are_modules(
    run: Interpreter, owner: ModuleValue, name: Value, written: cst.CSTNode | None
) -> bool:
    """Whether all attributes that a name with a known beginning may mean are modules."""
    before = name.before if isinstance(name, Counted) else _beginning(written)
    if not before:
        return False
    if isinstance(name, Counted) and run.objects.module(owner.key).library is not None:
        from freezelint.analysis.interpreter.attributes import read_attribute

        assert written is not None
        first = read_attribute(run, owner, f"{before}{name.start}", written)
        return run.proven(first) is not None
    run.finish(owner.key)
    meant = [
        value
        for (key, attribute), value in run.bindings.items()
        if key == owner.key
        and attribute.startswith(before)
        and (not isinstance(name, Counted) or _is_number(attribute[len(before) :]))
    ]
    return bool(meant) and all(run.proven(each) for each in meant)


def _is_number(rest: str) -> bool:
    return rest.isdigit() or rest == NUMBERED


def _beginning(written: cst.CSTNode | None) -> str:
    """What a text begins with whose rest is not known."""
    if isinstance(written, cst.FormattedString) and written.parts:
        first = written.parts[0]
        return first.value if isinstance(first, cst.FormattedStringText) else ""
    if isinstance(written, cst.BinaryOperation) and isinstance(written.left, cst.SimpleString):
        text = written.left.evaluated_value
        return text.partition("%")[0] if isinstance(text, str) else ""
    return ""


_OF_MODULES_ONLY = STRONG_MODULE_EVIDENCE - {"requires_grad_"} | {"train", "eval", "children"}


def prove_by_use(run: Interpreter, value: ModuleValue, name: str) -> None:
    """What hangs below a module is one too if something is called that no parameter answers to."""
    hangs_below = run.objects.module(value.key).parent is not None
    if hangs_below and not _OF_MODULES_ONLY.isdisjoint(uses_of(run, name)):
        run.prove(value)


def remove_child(run: Interpreter, owner: ModuleValue, child: Value) -> None:
    """``del owner.child``, or the same of an element."""
    if isinstance(child, ModuleValue):
        for each in tuple(run.objects.module(child.key).attachments):
            if each.parent == owner.key:
                run.objects.detach(child.key, owner.key, each.attribute, run.now)
    forget_length(run, owner.key)


def _registered_key(value: Value) -> int | None:
    if isinstance(value, ModuleValue):
        return value.key
    if isinstance(value, ParameterValue) and not value.is_element and len(value.parts) == 1:
        return value.parts[0].key
    return None
