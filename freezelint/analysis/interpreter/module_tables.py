"""``nn.ModuleDict`` and ``ParameterDict``, gone over by key, by value or by both."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from freezelint.analysis.knowledge.layers import PARAMETER_CONTAINERS
from freezelint.analysis.predicates import OF_CHILDREN
from freezelint.analysis.values import (
    UNKNOWN,
    Constant,
    Form,
    ModuleGroup,
    ModuleValue,
    ParameterSequence,
    SequenceValue,
    SubmoduleTable,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.machine import Interpreter

TABLE = "torch.nn.ModuleDict"

TABLE_METHODS = frozenset({"items", "keys", "values"})


def is_table(run: Interpreter, value: Value) -> bool:
    """Whether a value certainly is an ``nn.ModuleDict``."""
    return isinstance(value, ModuleValue) and run.objects.module(value.key).library == TABLE


def entries_of(run: Interpreter, table: ModuleValue) -> dict[str, ModuleValue] | None:
    """The submodules by key, where all of them were put there in sight, under known keys."""
    if not run.objects.module(table.key).is_complete:
        return None
    entries: dict[str, ModuleValue] = {}
    for key in run.objects.held_by(table.key, run.now):
        for each in run.objects.module(key).attachments:
            if each.parent != table.key or each.until is not None:
                continue
            if not each.attribute.startswith(("['", '["')):
                return None
            entries[ast.literal_eval(each.attribute[1:-1])] = ModuleValue(key)
    return entries


def call_on_table(run: Interpreter, table: ModuleValue, name: str) -> Value:
    """``keys``, ``values`` and ``items`` of a dict of modules, or of parameters."""
    if run.objects.module(table.key).library in PARAMETER_CONTAINERS:
        parts = run.parts_of(table.key)
        named = name == "items"
        return UNKNOWN if name == "keys" else ParameterSequence(parts, Form.COLLECTION, named=named)
    entries = entries_of(run, table)
    if entries is None:
        group = ModuleGroup(table.key, (OF_CHILDREN,), named=name == "items")
        return SubmoduleTable(table.key) if name == "keys" else group
    if name == "keys":
        return SequenceValue(tuple(map(Constant, entries)))
    if name == "values":
        return SequenceValue(tuple(entries.values()))
    return SequenceValue(
        tuple(SequenceValue((Constant(key), module)) for key, module in entries.items())
    )
