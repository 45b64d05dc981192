"""Literals and tables as values: those that names of the file and of its classes stand for."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from freezelint.analysis.values import (
    UNKNOWN,
    Constant,
    LibraryInstance,
    LibraryValue,
    MappingValue,
    PartialValue,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.machine import Interpreter


def value_of(run: Interpreter, node: ast.expr) -> Value:
    """The value of an expression in which little is called: ``dict``, ``partial``."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        if any(isinstance(each, ast.Starred) for each in node.elts):
            return UNKNOWN
        return SequenceValue(tuple(value_of(run, each) for each in node.elts))
    if isinstance(node, ast.Dict):
        return _mapping(run, node)
    if isinstance(node, ast.Call):
        return _called(run, node)
    if isinstance(node, (ast.Name, ast.Attribute)):
        return _named(run, node)
    try:
        return Constant(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError):
        return UNKNOWN


def _called(run: Interpreter, node: ast.Call) -> Value:
    """``dict(...)``, ``partial(function, flag=False)`` or ``re.compile(...)``."""
    from freezelint.analysis.interpreter.arguments import Arguments

    keywords = {str(each.arg): value_of(run, each.value) for each in node.keywords}
    if isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
        return MappingValue(tuple(keywords.items()))
    function = node.func if isinstance(node.func, (ast.Name, ast.Attribute)) else None
    library = UNKNOWN if function is None else _named(run, function)
    if library == LibraryValue("re.compile"):
        return LibraryInstance("re.compile", 0, tuple(value_of(run, each) for each in node.args))
    if library != LibraryValue("functools.partial"):
        return UNKNOWN
    called, *rest = (value_of(run, each) for each in node.args)
    return PartialValue(called, Arguments(tuple(rest), keywords, (), {}, complete=True))


def _mapping(run: Interpreter, node: ast.Dict) -> Value:
    items: list[tuple[Any, Value]] = []
    for key, value in zip(node.keys, node.values, strict=True):
        if not isinstance(key, ast.Constant):
            return UNKNOWN
        items.append((key.value, value_of(run, value)))
    return MappingValue(tuple(items))


def _named(run: Interpreter, node: ast.Name | ast.Attribute) -> Value:
    from freezelint.analysis.interpreter.names import defined_by_file

    if isinstance(node, ast.Attribute):
        inner = node.value
        holder = _named(run, inner) if isinstance(inner, (ast.Name, ast.Attribute)) else UNKNOWN
        is_library = isinstance(holder, LibraryValue)
        return LibraryValue(f"{holder.name}.{node.attr}") if is_library else UNKNOWN  # type: ignore[union-attr]
    return defined_by_file(run, node.id) or UNKNOWN
