"""What the ``step`` of an optimizer does to parameters that have no gradient.

Read from the code, not run: the groups of an optimizer and the gradients in them are known to
nobody here, and all that matters is what comes before the question whether there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.gradient_questions import Question, question
from freezelint.analysis.syntax import dotted, walk
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LEAVES = (cst.Continue, cst.Return, cst.Raise, cst.Break)


class Update(NamedTuple):
    """A write to a parameter that happens without a gradient."""

    node: cst.CSTNode
    statement: cst.CSTNode
    parameter: str


def updates_without_gradient(step: cst.FunctionDef) -> list[Update]:
    """The writes in a ``step`` that certainly reach parameters whose gradient is missing."""
    reader = _Reader()
    if isinstance(step.body, cst.IndentedBlock):
        reader.read(step.body.body, guarded=False)
    return reader.found


class _Reader:
    """Goes through a ``step`` in order; keeps what its names stand for."""

    def __init__(self) -> None:
        self.found: list[Update] = []
        self._groups: set[str] = set()
        self._lists: set[str] = set()
        self._parameters: set[str] = set()
        self._gradients: set[str] = set()
        self._writes: list[Update] = []
        self._is_substituted = False
        self._is_loud = False
        """A gradient is used as if there always was one: without it, an error is raised."""

    def read(self, statements: Iterable[cst.BaseStatement], *, guarded: bool) -> bool:
        """Read statements; whether what follows is reached with a gradient only (or may be)."""
        for statement in statements:
            if isinstance(statement, cst.SimpleStatementLine):
                guarded = self._read_line(statement, statement.body, guarded=guarded)
            elif isinstance(statement, cst.If):
                guarded = self._read_if(statement, guarded=guarded)
            elif isinstance(statement, cst.For):
                self._read_for(statement, guarded=guarded)
            elif isinstance(statement, (cst.With, cst.While)):
                guarded = self._read_body(statement, statement.body, guarded=guarded)
            elif isinstance(statement, (cst.Try, cst.TryStar, cst.Match)):
                return True
        return guarded

    def _read_body(self, owner: cst.CSTNode, body: cst.BaseSuite, *, guarded: bool) -> bool:
        if isinstance(body, cst.IndentedBlock):
            return self.read(body.body, guarded=guarded)
        assert isinstance(body, cst.SimpleStatementSuite)
        return self._read_line(owner, body.body, guarded=guarded)

    def _read_if(self, node: cst.If, *, guarded: bool) -> bool:
        # What stands in for a missing gradient is always there.
        gradients = set() if self._is_substituted else self._gradients
        asked = question(node.test, self._parameters, gradients)
        if asked is Question.UNCLEAR:
            return True
        is_there, is_missing = guarded, guarded
        if asked is Question.IS_MISSING:
            self._read_body(node, node.body, guarded=guarded)
            if _leaves(node.body):
                is_missing = True
            elif not guarded and self._substitutes(node.body):
                self._is_substituted = True
            self._read_else(node.orelse, guarded=True)
            return is_missing
        if asked is Question.IS_THERE:
            self._read_body(node, node.body, guarded=True)
            self._read_else(node.orelse, guarded=guarded)
            return guarded or (isinstance(node.orelse, cst.Else) and _leaves(node.orelse.body))
        is_there = self._read_body(node, node.body, guarded=guarded)
        return self._read_else(node.orelse, guarded=guarded) or is_there

    def _read_else(self, node: cst.If | cst.Else | None, *, guarded: bool) -> bool:
        if isinstance(node, cst.If):
            return self._read_if(node, guarded=guarded)
        return guarded if node is None else self._read_body(node, node.body, guarded=guarded)

    def _substitutes(self, body: cst.BaseSuite) -> bool:
        """Whether a missing gradient gets a value."""
        return any(
            isinstance(each, cst.AssignTarget) and self._is_gradient(each.target)
            for each in walk(body)
        )

    def _read_for(self, node: cst.For, *, guarded: bool) -> None:
        source = node.iter
        target: cst.BaseExpression = node.target
        if isinstance(source, cst.Call) and dotted(source.func) == "enumerate" and source.args:
            source = source.args[0].value
            if isinstance(target, cst.Tuple) and len(target.elements) == 2:
                target = target.elements[1].value
        name = target.value if isinstance(target, cst.Name) else None
        if name is not None and dotted(source) == "self.param_groups":
            self._groups.add(name)
            self._read_body(node, node.body, guarded=guarded)
        elif name is not None and self._is_list(source):
            self._read_elements(node, name, guarded=guarded)
        else:
            self._read_body(node, node.body, guarded=guarded)

    def _read_elements(self, node: cst.For, name: str, *, guarded: bool) -> None:
        self._parameters.add(name)
        self._writes, self._is_loud, self._is_substituted = [], False, False
        self._gradients.clear()
        self._read_body(node, node.body, guarded=guarded)
        if not self._is_loud:
            self.found += self._writes
        self._writes = []
        self._parameters.discard(name)

    def _is_list(self, node: cst.BaseExpression) -> bool:
        """Whether this is all that a group holds."""
        if isinstance(node, cst.Name):
            return node.value in self._lists
        path = dotted(node)
        return path is not None and any(
            path in (f"{group}['params']", f'{group}["params"]') for group in self._groups
        )

    def _is_gradient(self, node: cst.BaseExpression) -> bool:
        if isinstance(node, cst.Name):
            return node.value in self._gradients
        path = dotted(node)
        return (
            path is not None
            and path.partition(".")[0] in self._parameters
            and (path.partition(".")[2] in ("grad", "grad.data"))
        )

    def _mentions_gradient(self, node: cst.CSTNode) -> bool:
        return any(
            isinstance(each, (cst.Name, cst.Attribute)) and self._is_gradient(each)
            for each in walk(node)
        )

    def _read_line(
        self,
        statement: cst.CSTNode,
        line: Sequence[cst.BaseSmallStatement],
        *,
        guarded: bool,
    ) -> bool:
        for small in line:
            if isinstance(small, cst.Assert) and self._mentions_gradient(small):
                guarded = True
            if guarded:
                continue
            if isinstance(small, cst.Assign) and self._is_about_names(small):
                continue
            if self._mentions_gradient(small) and not self._is_substituted:
                self._is_loud = True
            self._note_writes(small, statement)
        return guarded

    def _is_about_names(self, node: cst.Assign) -> bool:
        """Give names to lists and gradients; whether that is all that an assignment does."""
        target, value = node.targets[0].target, node.value
        if isinstance(value, cst.IfExp) and self._is_gradient_or_zeros(value):
            self._is_substituted = True
        elif self._is_gradient(target) and not isinstance(target, cst.Name):
            return True
        elif not self._is_gradient(value) and not self._is_list(value):
            return False
        if isinstance(target, cst.Name):
            names = self._lists if self._is_list(value) else self._gradients
            names.add(target.value)
        return True

    def _is_gradient_or_zeros(self, node: cst.IfExp) -> bool:
        asked = question(node.test, self._parameters, self._gradients)
        return asked in (Question.IS_THERE, Question.IS_MISSING)

    def _note_writes(self, small: cst.BaseSmallStatement, statement: cst.CSTNode) -> None:
        for each in walk(small):
            written = self._scaled(each)
            if written is None:
                continue
            update = Update(each, statement, written)
            if written in self._parameters:
                self._writes.append(update)
            else:
                self.found.append(update)

    def _scaled(self, node: cst.CSTNode) -> str | None:
        """The parameter that an expression scales by something other than a gradient."""
        if isinstance(node, cst.AugAssign) and isinstance(node.operator, cst.MultiplyAssign):
            return self._parameter(node.target) if self._is_free(node.value) else None
        if not isinstance(node, cst.Call) or not all(self._is_free(each) for each in node.args):
            return None
        if dotted(node.func) == "torch._foreach_mul_" and node.args:
            first = node.args[0].value
            return dotted(first) if self._is_list(first) else None
        if isinstance(node.func, cst.Attribute) and node.func.attr.value == "mul_":
            return self._parameter(node.func.value)
        return None

    def _is_free(self, node: cst.CSTNode) -> bool:
        return not self._mentions_gradient(node)

    def _parameter(self, node: cst.BaseExpression) -> str | None:
        path = dotted(node)
        if path is None:
            return None
        name = path.removesuffix(".data")
        return name if name in self._parameters else None


def _leaves(body: cst.BaseSuite) -> bool:
    last = body.body[-1] if body.body else None
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1]
    return isinstance(last, _LEAVES)
