"""Expressions that certainly give no bool, judged by how they are written."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.syntax import dotted, inner_nodes, walk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.analysis.index import Index
    from freezelint.analysis.syntax import Chunk

_FUNCTIONS = {
    **dict.fromkeys(("len", "sum", "int"), "an int"),
    "float": "a float",
    "str": "a str",
    **dict.fromkeys(("list", "sorted"), "a list"),
    **dict.fromkeys(("set", "frozenset"), "a set"),
    "tuple": "a tuple",
    "dict": "a dict",
    "filter": "an iterator",
    "map": "an iterator",
}
"""Built-in functions, and what they return."""

_OF_MODULES = {
    **dict.fromkeys(("re.match", "re.search", "re.fullmatch"), "a match or None"),
    "re.findall": "a list",
    "re.sub": "a str",
    **dict.fromkeys(("numpy.any", "numpy.all", "numpy.isin"), "an array"),
    "os.getenv": "a str",
    "os.environ.get": "a str",
}

_OF_TEXTS = {
    **dict.fromkeys(("count", "find", "rfind"), "an int"),
    **dict.fromkeys(("lower", "upper", "strip", "join"), "a str"),
    "split": "a list",
}
"""Methods, mostly of texts, and what they return."""

_DISPLAYS: dict[type[cst.CSTNode], str] = {
    cst.List: "a list",
    cst.ListComp: "a list",
    cst.Set: "a set",
    cst.SetComp: "a set",
    cst.Dict: "a dict",
    cst.DictComp: "a dict",
    cst.Tuple: "a tuple",
    cst.GeneratorExp: "a generator",
    cst.FormattedString: "a str",
    cst.SimpleString: "a str",
    cst.Integer: "an int",
    cst.Float: "a float",
}

_ARITHMETIC = (cst.Add, cst.Subtract, cst.Multiply, cst.Divide, cst.FloorDivide, cst.Modulo)

_BINDING = (cst.Param, cst.AugAssign, cst.AnnAssign, cst.For, cst.CompFor, cst.NamedExpr)


def certain_type(node: cst.CSTNode | None, chunk: Chunk, file: Index) -> str | None:
    """Say what an expression gives that certainly gives no bool; None where it may.

    Args:
        node: The expression.
        chunk: The code it stands in.
        file: The file.
    """
    if isinstance(node, cst.Name):
        if node.value == "None":
            return "None"
        values = _values_of(node.value, file.chunks_of_scope(chunk))
        node = values[0] if len(values) == 1 else None
    shown = None if node is None else _DISPLAYS.get(type(node))
    if shown is not None:
        return shown
    if isinstance(node, cst.BinaryOperation):
        return _of_arithmetic(node)
    if isinstance(node, cst.BooleanOperation):
        left = certain_type(node.left, chunk, file)
        right = certain_type(node.right, chunk, file)
        return None if left is None or right is None else right
    if isinstance(node, cst.IfExp):
        first = certain_type(node.body, chunk, file)
        return None if certain_type(node.orelse, chunk, file) is None else first
    return _returned(node, chunk, file) if isinstance(node, cst.Call) else None


def _of_arithmetic(node: cst.BinaryOperation) -> str | None:
    """What is counted with a number: a number, an array or a tensor, but never a bool."""
    sides = (node.left, node.right)
    if isinstance(node.operator, cst.Modulo) and isinstance(node.left, cst.SimpleString):
        return "a str"
    is_counted = any(isinstance(each, (cst.Integer, cst.Float)) for each in sides)
    return "a number" if is_counted and isinstance(node.operator, _ARITHMETIC) else None


def _returned(call: cst.Call, chunk: Chunk, file: Index) -> str | None:
    name = dotted(call.func)
    if name is not None:
        first, _, rest = name.partition(".")
        if not rest:
            is_own = name in file.functions or name in file.classes or name in file.imports
            given = None if is_own else _FUNCTIONS.get(name)
            return None if _values_of(name, file.chunks_of_scope(chunk)) else given
        if first in file.imports:
            return _OF_MODULES.get(f"{file.imports[first]}.{rest}")
    if not isinstance(call.func, cst.Attribute):
        return None
    is_of_text = all(isinstance(each.value, cst.SimpleString) for each in call.args)
    return _OF_TEXTS.get(call.func.attr.value) if is_of_text else None


def _values_of(name: str, chunks: Sequence[Chunk]) -> list[cst.BaseExpression | None]:
    """What a name is given in its scope; None for what is not assigned as a whole."""
    values: list[cst.BaseExpression | None] = []
    for each in itertools.chain.from_iterable(inner_nodes(chunk.module) for chunk in chunks):
        if isinstance(each, cst.Assign):
            for target in each.targets:
                is_whole = isinstance(target.target, cst.Name) and target.target.value == name
                if is_whole or _binds(target.target, name):
                    values.append(each.value if is_whole else None)
        elif isinstance(each, _BINDING):
            target_node = each.name if isinstance(each, cst.Param) else each.target
            if _binds(target_node, name):
                values.append(None)
        elif isinstance(each, cst.AsName) and _binds(each.name, name):
            values.append(None)
    return values


def _binds(target: cst.CSTNode, name: str) -> bool:
    return any(isinstance(each, cst.Name) and each.value == name for each in walk(target))
