"""Where the nodes of a parsed piece of text stand.

LibCST works positions out by printing the tree, which for a long function takes as
long as analyzing it. CPython's parser tells on which line a statement begins, and then
that statement is all that has to be printed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libcst as cst
from libcst.metadata import PositionProvider

from freezelint.analysis.definitions import parse
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator, Mapping, Sequence

    from libcst.metadata import CodeRange


class Positions(PositionProvider):
    """LibCST's positions, without the walk over the tree that its wrapper makes besides."""

    def of(self, module: cst.Module) -> Mapping[cst.CSTNode, CodeRange]:
        """The position of every node: lines from 1, columns from 0."""
        self._gen_impl(module)
        return self._computed  # type: ignore[return-value]

    def within(
        self, module: cst.Module, statement: cst.BaseStatement, indent: str
    ) -> Mapping[cst.CSTNode, CodeRange]:
        """The positions in a statement of a module, printed at an indent; lines from anywhere."""
        if not indent:
            return self.of(module.with_changes(header=(), body=[statement]))
        block = cst.IndentedBlock([statement], indent=indent)
        return self.of(module.with_changes(header=(), body=[cst.If(cst.Name("_"), block)]))


class Beginning(NamedTuple):
    """Where a statement begins."""

    line: int
    """From 1."""
    column: int
    """From 0, which is also how far it is indented."""


def beginnings(module: cst.Module, text: str) -> Mapping[cst.BaseStatement, Beginning]:
    """Where the statements of a module begin that have lines of their own.

    Returns:
        Nothing where CPython cannot parse the text, as the syntax of a newer Python.
    """
    try:
        tree = parse(text)
    except SyntaxError:
        return {}
    return dict(_paired(module.body, tree.body))


def _paired(
    statements: Sequence[cst.BaseStatement], twins: Sequence[ast.stmt]
) -> Iterator[tuple[cst.BaseStatement, Beginning]]:
    """Pair the statements of a block with those that CPython read in the same lines."""
    place = 0
    for statement in statements:
        twin = twins[place]
        yield statement, Beginning(twin.lineno, twin.col_offset)
        if isinstance(statement, cst.SimpleStatementLine):
            place += len(statement.body)
            continue
        place += 1
        for block, inner in _blocks(statement, twin):
            if isinstance(block, cst.IndentedBlock):
                yield from _paired(block.body, inner)


def _blocks(statement: Any, twin: Any) -> Iterator[tuple[cst.CSTNode, Sequence[ast.stmt]]]:
    """The blocks of a compound statement, each with what CPython read in it."""
    if isinstance(statement, cst.Match):
        for case, same in zip(statement.cases, twin.cases, strict=True):
            yield case.body, same.body
        return
    yield statement.body, twin.body
    for handler, same in zip(
        getattr(statement, "handlers", ()), getattr(twin, "handlers", ()), strict=True
    ):
        yield handler.body, same.body
    orelse = getattr(statement, "orelse", None)
    if isinstance(orelse, cst.If):
        # An `elif` has no line of its own when it is printed; what is in its block has.
        yield from _blocks(orelse, twin.orelse[0])
    elif orelse is not None:
        yield orelse.body, twin.orelse
    if getattr(statement, "finalbody", None) is not None:
        yield statement.finalbody.body, twin.finalbody
