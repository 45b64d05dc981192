"""Literals and tables as values: those that names of the file and of its classes stand for."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from freezelint.analysis.interpreter.texts import call_on_text
from freezelint.analysis.values import (
    UNKNOWN,
    Constant,
    LibraryInstance,
    LibraryValue,
    MappingValue,
    PartialValue,
    RangeValue,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.machine import Interpreter

_LONGEST = 64
"""Longer lists are none of layers or of their names."""

_DEEPEST = 8
"""As many names as may stand for one another."""

_SAME_AGAIN = frozenset({"list", "tuple", "set", "frozenset"})


def value_of(run: Interpreter, node: ast.expr) -> Value:
    """The value of an expression in which little is called: ``dict``, ``partial``, ``tuple``."""
    return _Reader(run, {}, _DEEPEST).read(node)


class _Reader:
    """Reads expressions of a file or a class that are not run here."""

    def __init__(self, run: Interpreter, counted: dict[str, Value], depth: int) -> None:
        self._run = run
        self._counted = counted
        """What the variables of the comprehensions around hold."""
        self._depth = depth

    def read(self, node: ast.expr) -> Value:
        """The value of an expression."""
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            return self._sequence(node)
        if isinstance(node, ast.Dict):
            return self._mapping(node)
        if isinstance(node, ast.Call):
            return self._called(node)
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._named(node)
        if isinstance(node, ast.BinOp):
            return self._combined(node)
        if isinstance(node, ast.JoinedStr):
            return self._filled(node)
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
            return self._collected(node)
        try:
            return Constant(ast.literal_eval(node))
        except (ValueError, TypeError, SyntaxError):
            return UNKNOWN

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set) -> Value:
        items: list[Value] = []
        for each in node.elts:
            if not isinstance(each, ast.Starred):
                items.append(self.read(each))
                continue
            spread = self._items(each.value)
            if spread is None:
                return UNKNOWN
            items += spread
        return SequenceValue(tuple(items))

    def _items(self, node: ast.expr) -> tuple[Value, ...] | None:
        """What a list, a tuple or a range has in it; None where that is not known."""
        value = self.read(node)
        if isinstance(value, RangeValue):
            return tuple(map(Constant, value.values))
        return value.items if isinstance(value, SequenceValue) and value.complete else None

    def _mapping(self, node: ast.Dict) -> Value:
        items: list[tuple[Any, Value]] = []
        for key, value in zip(node.keys, node.values, strict=True):
            if not isinstance(key, ast.Constant):
                return UNKNOWN
            items.append((key.value, self.read(value)))
        return MappingValue(tuple(items))

    def _called(self, node: ast.Call) -> Value:
        """``dict(...)``, ``partial(function, flag=False)``, ``re.compile(...)`` or ``list(...)``."""
        from freezelint.analysis.interpreter.arguments import Arguments
        from freezelint.analysis.interpreter.command_line import options_of

        keywords = {str(each.arg): self.read(each.value) for each in node.keywords}
        if isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
            return MappingValue(tuple(keywords.items()))
        if isinstance(node.func, ast.Name) and not keywords:
            if node.func.id in _SAME_AGAIN and len(node.args) == 1:
                items = self._items(node.args[0])
                return UNKNOWN if items is None else SequenceValue(items)
            if node.func.id == "range":
                return self._range(node)
        values = tuple(map(self.read, node.args))
        if isinstance(node.func, ast.Attribute):
            text = self.read(node.func.value)
            if isinstance(text, Constant) and isinstance(text.value, str):
                arguments = Arguments(values, keywords, (), {}, complete=True)
                return call_on_text(text.value, node.func.attr, arguments)
        function = node.func if isinstance(node.func, (ast.Name, ast.Attribute)) else None
        library = UNKNOWN if function is None else self._named(function)
        if library == LibraryValue("re.compile"):
            return LibraryInstance("re.compile", 0, values)
        if library != LibraryValue("functools.partial"):
            if isinstance(library, LibraryValue) and len(values) == 1 and not keywords:
                return options_of(library.name, values[0])
            return UNKNOWN
        return PartialValue(values[0], Arguments(values[1:], keywords, (), {}, complete=True))

    def _range(self, node: ast.Call) -> Value:
        bounds = [_number(self.read(each)) for each in node.args]
        known = [each for each in bounds if each is not None]
        if len(known) < len(bounds) or not 0 < len(known) <= 3 or known[2:] == [0]:
            return UNKNOWN
        values = range(*known)
        return RangeValue(tuple(values)) if len(values) <= _LONGEST else UNKNOWN

    def _combined(self, node: ast.BinOp) -> Value:
        """``BASE + ["head."]``, ``"encoder." + name`` and ``[False] * 4``."""
        left, right = self.read(node.left), self.read(node.right)
        if isinstance(node.op, ast.Mult):
            number = _number(right)
            if not isinstance(left, SequenceValue) or number is None or number > _LONGEST:
                return UNKNOWN
            return left._replace(items=left.items * number)
        if not isinstance(node.op, ast.Add):
            return UNKNOWN
        if isinstance(left, SequenceValue) and isinstance(right, SequenceValue):
            return SequenceValue(left.items + right.items, left.complete and right.complete)
        if not isinstance(left, Constant) or not isinstance(right, Constant):
            return UNKNOWN
        one, other = left.value, right.value
        is_alike = type(one) is type(other) and isinstance(one, (str, int))
        return Constant(one + other) if is_alike else UNKNOWN

    def _filled(self, node: ast.JoinedStr) -> Value:
        """``f"encoder.layer.{i}."`` for a number or a text that is known."""
        text = ""
        for piece in node.values:
            is_plain = isinstance(piece, ast.FormattedValue) and (
                piece.conversion == -1 and piece.format_spec is None
            )
            value = self.read(piece.value if is_plain else piece)  # type: ignore[attr-defined]
            if not isinstance(value, Constant) or type(value.value) not in (str, int):
                return UNKNOWN
            text += str(value.value)
        return Constant(text)

    def _collected(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> Value:
        """``[f"layer{i}" for i in range(1, 3)]``."""
        clause, *others = node.generators
        items = self._items(clause.iter)
        target = clause.target
        if items is None or others or clause.ifs or not isinstance(target, ast.Name):
            return UNKNOWN
        if len(items) > _LONGEST:
            return UNKNOWN
        made = [
            _Reader(self._run, {**self._counted, target.id: each}, self._depth).read(node.elt)
            for each in items
        ]
        return UNKNOWN if UNKNOWN in made else SequenceValue(tuple(made))

    def _named(self, node: ast.Name | ast.Attribute) -> Value:
        from freezelint.analysis.interpreter.names import defined_by_file

        if isinstance(node, ast.Attribute):
            inner = node.value
            holder = self._named(inner) if isinstance(inner, (ast.Name, ast.Attribute)) else UNKNOWN
            is_library = isinstance(holder, LibraryValue)
            return LibraryValue(f"{holder.name}.{node.attr}") if is_library else UNKNOWN  # type: ignore[union-attr]
        if node.id in self._counted:
            return self._counted[node.id]
        defined = defined_by_file(self._run, node.id)
        if defined is not None:
            return defined
        constant = self._run.index.constants.get(node.id) if self._depth else None
        if constant is None:
            return UNKNOWN
        return _Reader(self._run, {}, self._depth - 1).read(constant)


def _number(value: Value) -> int | None:
    number = value.value if isinstance(value, Constant) else None
    return number if type(number) is int else None
