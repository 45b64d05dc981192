"""Marks in a program's code: a call beside the statements that findings are about.

Only the code of files with findings is another one than Python would make of them, by calls
that take no line of their own: tracebacks, ``inspect`` and line numbers stay. The file, what
Python caches of it and what processes of the program load are as they were.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import os
import sys
import warnings
from typing import TYPE_CHECKING

import torch

from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import CodeType, FrameType, ModuleType

NAME = "__freezelint__"
"""The variable of a marked module that holds :func:`passed`."""

_is_compiling: Callable[[], bool] = getattr(torch.compiler, "is_compiling", lambda: False)
_listeners: list[Callable[[int, FrameType], None]] = []


class Moment(NamedTuple):
    """When the program passes a statement."""

    finding: int
    """The place of the finding among all."""
    is_finding: bool
    """Whether it is the statement of the finding, or one of its evidence."""
    is_before: bool
    """Before it runs; else after it has, without an error."""
    is_near: bool
    """Whether the finding's names mean the same there: in the same function, or outside of all."""


class Wanted(NamedTuple):
    """Statements of one file that are to be marked for one finding, by their lines."""

    finding: int
    lines: tuple[int, int]
    evidence: tuple[int, ...]


def passed(number: int) -> None:
    """Say that the program is at a mark; nothing where nobody listens, or code is compiled."""
    if _is_compiling():
        return
    for listener in _listeners:
        listener(number, sys._getframe(1))  # noqa: SLF001


def listen(listener: Callable[[int, FrameType], None]) -> Callable[[], None]:
    """Have a function called with the number of every mark, and the frame that passes it.

    Call what comes back to end that.
    """
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


class Markers:
    """Compiles files with marks."""

    def __init__(self, wanted: Mapping[str, Sequence[Wanted]]) -> None:
        """Take what is to be marked, by the absolute path of the file."""
        self._wanted = wanted
        self.moments: list[tuple[Moment, ...]] = []
        """What each mark stands for."""

    def compiled(self, source: bytes, path: str) -> CodeType:
        """Compile a file, with marks if any are wanted in it.

        Raises:
            SyntaxError, ValueError: as ``compile`` does.
        """
        plain = compile(source, path, "exec", dont_inherit=True)
        wanted = self._wanted.get(os.path.abspath(path))
        if not wanted:
            return plain
        tree = ast.parse(source, path)
        # The last first, so that the positions of the others stay true.
        for block, position, moments in reversed(list(_places(tree, wanted))):
            mark = self._mark(moments, block[position])
            block.insert(position if moments[0].is_before else position + 1, mark)
        with warnings.catch_warnings():
            # They were given above.
            warnings.simplefilter("ignore")
            return compile(tree, path, "exec", dont_inherit=True)

    def is_wanted(self, path: str) -> bool:
        """Whether there is anything to mark in a file."""
        return os.path.abspath(path) in self._wanted

    def _mark(self, moments: tuple[Moment, ...], statement: ast.stmt) -> ast.stmt:
        self.moments.append(moments)
        number = ast.Constant(len(self.moments) - 1)
        call = ast.Call(func=ast.Name(NAME, ast.Load()), args=[number], keywords=[])
        mark = ast.copy_location(ast.Expr(call), statement)
        mark.end_lineno, mark.end_col_offset = statement.lineno, statement.col_offset
        return ast.fix_missing_locations(mark)


_SIMPLE = (ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete)
"""Statements after which the next one runs."""


class _Statement(NamedTuple):
    block: list[ast.stmt]
    position: int
    scope: ast.AST

    @property
    def node(self) -> ast.stmt:
        return self.block[self.position]


def _places(
    tree: ast.Module, wanted: Sequence[Wanted]
) -> Iterator[tuple[list[ast.stmt], int, tuple[Moment, ...]]]:
    """Where marks go, in the order of the blocks: those of one statement before and after it."""
    statements = list(_statements(tree.body, tree))
    by_statement: dict[int, list[tuple[int, bool, bool]]] = {}
    for each in wanted:
        found = _at(statements, each.lines[0])
        if found is None:
            continue
        scope = statements[found].scope
        by_statement.setdefault(found, []).append((each.finding, True, True))
        for line in each.evidence:
            other = _at(statements, line)
            if other is not None and other != found:
                is_near = statements[other].scope in (scope, tree)
                by_statement.setdefault(other, []).append((each.finding, False, is_near))
    for number in sorted(by_statement):
        statement = statements[number]
        for is_before in (True, False):
            if is_before or isinstance(statement.node, _SIMPLE):
                yield (
                    statement.block,
                    statement.position,
                    tuple(
                        Moment(finding, is_finding, is_before, is_near)
                        for finding, is_finding, is_near in by_statement[number]
                    ),
                )


def _statements(block: list[ast.stmt], scope: ast.AST) -> Iterator[_Statement]:
    for position, node in enumerate(block):
        yield _Statement(block, position, scope)
        is_scope = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        for inner in _blocks(node):
            yield from _statements(inner, node if is_scope else scope)


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        inner = getattr(node, name, None)
        if isinstance(inner, list):
            yield inner
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield part.body


def _at(statements: Sequence[_Statement], line: int) -> int | None:
    """The innermost statement on a line, by its place in the list."""
    found = None
    for number, each in enumerate(statements):
        if each.node.lineno <= line <= (each.node.end_lineno or each.node.lineno):
            found = number
    return found


class MarkingFinder(importlib.abc.MetaPathFinder):
    """Lets the import system load files with findings from their marked code."""

    def __init__(self, markers: Markers) -> None:
        """Take what marks them."""
        self._markers = markers

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module as it is found anyway, with a loader that marks it; None for all others."""
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None or not self._markers.is_wanted(spec.origin):
            return None
        if type(spec.loader) is not importlib.machinery.SourceFileLoader:
            return None
        spec.loader = _MarkingLoader(fullname, spec.origin, self._markers)
        return spec


class _MarkingLoader(importlib.machinery.SourceFileLoader):
    """Compiles the file, and neither reads nor writes what Python caches of it."""

    def __init__(self, fullname: str, path: str, markers: Markers) -> None:
        super().__init__(fullname, path)
        self._markers = markers

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self._markers.compiled(self.get_data(path), path)

    def exec_module(self, module: ModuleType) -> None:
        vars(module)[NAME] = passed
        super().exec_module(module)
