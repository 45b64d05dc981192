"""Text to LibCST, a piece at a time, and the way back from a node to its place.

LibCST parses below one megabyte a second and works positions out by printing
the whole tree again. So a scope is parsed when the interpreter first enters it,
and positions are computed for a piece when a finding in it is reported.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import libcst as cst

from freezelint.analysis.parsing import parse
from freezelint.findings import Span
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from libcst.metadata import CodeRange

    from freezelint.analysis.positions import Beginning

_METHOD_SHELL = "class _:\n"

_TRIVIA = frozenset(
    {
        "asname_whitespace",
        "colon",
        "comma",
        "dot",
        "equal",
        "footer",
        "header",
        "lbrace",
        "lbracket",
        "leading_lines",
        "lines_after_decorators",
        "lines_after_module_header",
        "lpar",
        "operator",
        "rbrace",
        "rbracket",
        "rpar",
        "semicolon",
        "star",
        "trailing_whitespace",
    }
)


class Chunk:
    """A run of whole lines of one file, parsed on first use."""

    def __init__(self, lines: Sequence[str], first_line: int, *, is_method: bool = False) -> None:
        """Take the lines (without newlines) and the number of the first, from 1."""
        self._lines = lines
        self._first_line = first_line
        self._is_method = is_method
        self._module: cst.Module | None = None
        self._positions: dict[cst.CSTNode, Mapping[cst.CSTNode, CodeRange]] = {}
        self.facts: dict[tuple[str, int], Any] = {}
        """What was worked out about nodes of this chunk, by kind of fact and node identity."""

    @property
    def module(self) -> cst.Module:
        """The parsed lines; raises ``libcst.ParserSyntaxError`` when they do not parse."""
        if self._module is None:
            self._module = parse(self._text_parsed)
        return self._module

    @property
    def _text_parsed(self) -> str:
        text = self.text + "\n"
        return _METHOD_SHELL + text if self._is_method else text

    @property
    def body(self) -> Sequence[cst.BaseStatement]:
        """The statements of these lines; for a method, the method itself."""
        statements: Sequence[cst.BaseStatement] = self.module.body
        if self._is_method:
            shell = statements[0]
            assert isinstance(shell, cst.ClassDef)
            return shell.body.body  # type: ignore[return-value]
        return statements

    def span(self, node: cst.CSTNode, statement: cst.CSTNode | None = None) -> Span:
        """Where a node of this chunk stands in the file; sooner known if its statement is."""
        place, shift = self._position_within(node, statement) or (self._all_positions[node], 0)
        shift += self._first_line - 1 - (1 if self._is_method else 0)
        return Span(
            place.start.line + shift,
            place.start.column + 1,
            place.end.line + shift,
            place.end.column + 1,
        )

    @functools.cached_property
    def _all_positions(self) -> Mapping[cst.CSTNode, CodeRange]:
        from freezelint.analysis.positions import Positions

        return Positions().of(self.module)

    @functools.cached_property
    def _beginnings(self) -> Mapping[cst.BaseStatement, Beginning]:
        from freezelint.analysis.positions import beginnings

        return beginnings(self.module, self._text_parsed)

    def _position_within(
        self, node: cst.CSTNode, statement: cst.CSTNode | None
    ) -> tuple[CodeRange, int] | None:
        """The position of a node in its statement, and how many lines below that it is."""
        if "_all_positions" in self.__dict__ or not isinstance(statement, cst.BaseStatement):
            return None
        beginning = self._beginnings.get(statement)
        if beginning is None:
            return None
        positions = self._positions.get(statement)
        if positions is None:
            from freezelint.analysis.positions import Positions

            line = self._text_parsed.split("\n")[beginning.line - 1]
            positions = Positions().within(self.module, statement, line[: beginning.column])
            self._positions[statement] = positions
        if node not in positions:
            return None
        return positions[node], beginning.line - positions[statement].start.line

    @property
    def text(self) -> str:
        """The lines as they stand in the file."""
        return "\n".join(self._lines)

    def line(self, number: int) -> str:
        """A line of the file that belongs to this chunk."""
        return self._lines[number - self._first_line]

    def mentions(self, name: str) -> int:
        """How often an identifier occurs in these lines, comments and strings included."""
        return len(re.findall(rf"\b{re.escape(name)}\b", self.text))

    def loop_over(self, name: cst.Name) -> cst.For | None:
        """The innermost ``for`` loop that assigns a name for this mention of it."""
        found: cst.For | None = None
        for loop in inner_nodes(self.module):
            if isinstance(loop, cst.For) and any(each is name for each in walk(loop.body)):
                bound = {each.value for each in walk(loop.target) if isinstance(each, cst.Name)}
                found = loop if name.value in bound else found
        return found

    def code(self, node: cst.CSTNode) -> str:
        """The source text of a node, on one line."""
        # Printing from the tree takes long, and most that is asked for is a name or a path.
        return dotted(node) or " ".join(self.module.code_for_node(node).split())


class Place(NamedTuple):
    """A node, the statement it belongs to, and the chunk that knows where they are."""

    chunk: Chunk
    node: cst.CSTNode
    statement: cst.CSTNode

    @property
    def span(self) -> Span:
        """Where the node stands."""
        return self.chunk.span(self.node, self.statement)

    @property
    def code(self) -> str:
        """The node as it is written."""
        return self.chunk.code(self.node)

    @property
    def statement_code(self) -> str:
        """The statement as it is written, on one line."""
        return self.chunk.code(self.statement)

    @property
    def comments(self) -> str:
        """The comments on the lines of the statement and directly above it."""
        line = self.statement
        if not isinstance(line, cst.SimpleStatementLine):
            return ""
        found = [each.comment.value for each in line.leading_lines if each.comment is not None]
        if line.trailing_whitespace.comment is not None:
            found.append(line.trailing_whitespace.comment.value)
        return " ".join(found)

    @property
    def statement_lines(self) -> tuple[int, int]:
        """First and last line of the statement; of a compound one, up to the node's end."""
        whole = self.chunk.span(self.statement, self.statement)
        if isinstance(self.statement, cst.BaseCompoundStatement):
            return min(whole.line, self.span.line), self.span.end_line
        return whole.line, whole.end_line


def _fields(kind: type) -> tuple[str, ...]:
    """The fields of a node that carry meaning; none for what is no node."""
    if not issubclass(kind, cst.CSTNode) or kind in _LEAVES:
        return ()
    return tuple(
        name
        for name in kind.__dataclass_fields__
        if name not in _TRIVIA and not name.startswith("whitespace")
    )


class _FieldTable(dict[type, tuple[str, ...]]):
    """Fields by type, worked out at the first meeting: ``isinstance`` is slow on LibCST's types."""

    def __missing__(self, kind: type) -> tuple[str, ...]:
        fields = self[kind] = _fields(kind)
        return fields


_LEAVES = frozenset(
    {cst.Name, cst.Integer, cst.Float, cst.SimpleString, cst.Pass, cst.Comment, cst.Newline}
)
_FIELDS = _FieldTable()


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield a node and all below it that carry meaning, in no promised order."""
    for current in inner_nodes(node):
        yield current
        for name in _FIELDS[type(current)]:
            value = getattr(current, name)
            if type(value) in _LEAVES:
                yield value
            elif type(value) is tuple or type(value) is list:
                yield from (each for each in value if type(each) in _LEAVES)


def inner_nodes(node: cst.CSTNode) -> list[cst.CSTNode]:
    """Collect a node and all below it that have nodes of their own, in no promised order."""
    found = [node]
    fields = _FIELDS
    for current in found:
        for name in fields[type(current)]:
            value = getattr(current, name)
            kind = type(value)
            if fields[kind]:
                found.append(value)
            elif kind is tuple or kind is list:
                found += [each for each in value if fields[type(each)]]
    return found


_ASSIGNING = frozenset({cst.AssignTarget, cst.AugAssign, cst.NamedExpr, cst.For})


def assigned_names(node: cst.CSTNode) -> set[str]:
    """Names that the code below a node assigns."""
    names: set[str] = set()
    for each in walk(node):
        # Compared by identity: isinstance is slow on LibCST's types.
        if type(each) in _ASSIGNING:
            target = each.target  # type: ignore[attr-defined]
            names.update(name.value for name in walk(target) if type(name) is cst.Name)
    return names


def dotted(node: cst.CSTNode) -> str | None:
    """``a.b[0].c`` for names, attributes and plain subscripts; None for anything else."""
    kind = type(node)
    if kind is cst.Name:
        return node.value  # type: ignore[attr-defined, no-any-return]
    if kind is not cst.Attribute and kind is not cst.Subscript:
        return None
    if isinstance(node, cst.Attribute):
        base = dotted(node.value)
        return None if base is None else f"{base}.{node.attr.value}"
    if isinstance(node, cst.Subscript) and len(node.slice) == 1:
        base = dotted(node.value)
        element = node.slice[0].slice
        if base is not None and isinstance(element, cst.Index):
            index = _index_text(element.value)
            return None if index is None else f"{base}[{index}]"
    return None


def _index_text(node: cst.BaseExpression) -> str | None:
    if isinstance(node, (cst.Integer, cst.SimpleString)):
        return node.value
    if (
        isinstance(node, cst.UnaryOperation)
        and isinstance(node.operator, cst.Minus)
        and isinstance(node.expression, cst.Integer)
    ):
        return f"-{node.expression.value}"
    return None
