"""Modules in plain lists and dicts of a module, where ``parameters()`` does not find them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.classes import find_method
from freezelint.analysis.objects import Hidden
from freezelint.analysis.values import (
    ElementsValue,
    MappingValue,
    ModuleValue,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.values import Part

_COLLECTS = re.compile(
    r"self\.\w+(?:: [^=\n]+)? ?= ?(?:[\[{(]|list\(|[\w.]*[dD]ict\(|tuple\(|self\.\w+\()"
)


def note_collection(
    run: Interpreter,
    owner: int,
    attribute: str,
    value: Value,
    node: cst.CSTNode,
    source: cst.CSTNode | None = None,
) -> None:
    """Remember what a collection that became an attribute of a module holds.

    Of one that is made elsewhere, what ``source`` names, all elements must be known: else
    nobody could tell whether they are registered by another name.
    """
    module = run.objects.module(owner)
    found = _collected(value)
    are_many = _are_many(value)
    if found is None or (are_many and _has_other_uses(run, source)):
        module.hidden.pop(attribute, None)
        return
    items, kind = found
    if not items:
        # To be filled in the lines below: this is where it should be another kind.
        module.hidden[attribute] = Hidden((), kind, run.place(node), are_many=False)
        return
    keys = tuple(each.key for each in items if isinstance(each, ModuleValue))
    if not keys or len(keys) < len(items):
        module.hidden.pop(attribute, None)
        return
    known = module.hidden.get(attribute)
    module.hidden[attribute] = Hidden(
        keys,
        kind,
        run.place(node) if known is None else known.place,
        are_many,
    )


def holds_modules(value: Value) -> bool:
    """Whether a value is a module, or a collection of nothing but modules."""
    found = _collected(value)
    items = (value,) if found is None else found[0]
    return bool(items) and all(isinstance(each, ModuleValue) for each in items)


def _has_other_uses(run: Interpreter, source: cst.CSTNode | None) -> bool:
    """Whether more is done with a collection made elsewhere than to fill it and to keep it."""
    if not isinstance(source, cst.Name) or run.frame.chunk is None:
        return isinstance(source, (cst.Name, cst.Attribute))
    text, name = run.frame.chunk.text, re.escape(source.value)
    filled = len(re.findall(rf"(?<![\w.]){name}(?: ?= ?(?:\[|list\()|\.append\()", text))
    return filled == 0 or len(re.findall(rf"(?<![\w.]){name}\b", text)) > filled + 1


def _collected(value: Value) -> tuple[tuple[Value, ...], str] | None:
    if isinstance(value, SequenceValue):
        return _flat(value.items), "list"
    if isinstance(value, MappingValue):
        return _flat(each for _, each in value.items), "dict"
    if isinstance(value, ElementsValue):
        return _flat((value.element,)), "list"
    return None


def _flat(values: Iterable[Value]) -> tuple[Value, ...]:
    """What is in a collection, and in collections in it."""
    found: list[Value] = []
    for each in values:
        inner = _collected(each)
        found.extend((each,) if inner is None else inner[0])
    return tuple(found)


def _are_many(value: Value) -> bool:
    """Whether one known element stands for each that a loop makes, in a collection or below."""
    if isinstance(value, ElementsValue):
        return True
    if isinstance(value, MappingValue):
        return not value.complete or any(_are_many(each) for _, each in value.items)
    return isinstance(value, SequenceValue) and (
        not value.complete or any(map(_are_many, value.items))
    )


def look_for_collections(run: Interpreter, parts: Iterable[Part]) -> None:
    """Catch up on constructors that keep something in a collection, now that it matters."""
    keys = [part.key for part in parts]
    for module in list(run.objects.modules()):
        if module.unfinished is None or module.owner_class is None:
            continue
        if all(run.objects.route(key, module.key, run.trace.now) is None for key in keys):
            continue
        constructor = find_method(run, module.owner_class, "__init__")
        definition = None if constructor is None else constructor.definition
        if definition is not None and _COLLECTS.search(definition.text):
            run.finish(module.key)
