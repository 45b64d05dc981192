"""What the ``step`` of an optimizer does to parameters that have no gradient.

Read from the code, not run: the groups of an optimizer and the gradients in them are known to
nobody here, and all that matters is what comes before the question whether there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.gradient_questions import Question, question
from freezelint.analysis.interpreter.parameter_writes import Names
from freezelint.analysis.syntax import dotted, walk
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Protocol

    from freezelint.analysis.syntax import Chunk

    class Find(Protocol):
        """Finds a method or a function."""

        def __call__(self, name: str, *, is_method: bool) -> tuple[cst.FunctionDef, Chunk] | None:
            """Look for it by name."""


_DEEPEST_CALL = 3
"""Calls of methods of the class that are read in each other."""

_LEAVES = (cst.Continue, cst.Return, cst.Raise, cst.Break)


class Update(NamedTuple):
    """A write to a parameter that happens without a gradient."""

    chunk: Chunk
    node: cst.CSTNode
    statement: cst.CSTNode
    parameter: str
    how: str
    """``scales``, ``moves``, or ``takes zeros for a missing gradient of``."""


def updates_without_gradient(step: cst.FunctionDef, chunk: Chunk, find: Find) -> list[Update]:
    """The writes in a ``step`` that certainly reach parameters whose gradient is missing.

    Args:
        step: The method.
        chunk: The lines that it is in.
        find: Finds other methods of its class and functions of the file, by name, and where
            they are.
    """
    reader = _Reader(chunk, find)
    if isinstance(step.body, cst.IndentedBlock):
        reader.read(step.body.body, guarded=False)
    return list(dict.fromkeys(reader.found))


class _Reader:
    """Goes through a ``step`` in order; keeps what its names stand for."""

    def __init__(self, chunk: Chunk, find: Find) -> None:
        self.found: list[Update] = []
        self._chunk = chunk
        self._find = find
        self._depth = 0
        self._names = Names()
        self._writes: list[Update] = []
        self._substitute: tuple[Chunk, cst.CSTNode, cst.CSTNode] | None = None
        """Where what takes the place of a missing gradient is, and the statement that it is in."""
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
        if self._names.mentions_number(node.test):
            # It may pick those that have one.
            return True
        # What stands in for a missing gradient is always there.
        gradients = set() if self._substitute else self._names.gradients
        asked = question(node.test, self._names.parameters, gradients)
        if asked is Question.UNCLEAR:
            return True
        if self._names.asks_for_state(node.test):
            # Only what had a gradient before has a state.
            self._read_body(node, node.body, guarded=True)
            self._read_else(node.orelse, guarded=True)
            return guarded
        is_there, is_missing = guarded, guarded
        if asked is Question.IS_MISSING:
            self._read_body(node, node.body, guarded=guarded)
            if _leaves(node.body):
                is_missing = True
            elif not guarded and self._substitute is None:
                self._substitute = self._substitutes(node.body)
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

    def _substitutes(self, body: cst.BaseSuite) -> tuple[Chunk, cst.CSTNode, cst.CSTNode] | None:
        """The assignment that gives a missing gradient a value, and its statement."""
        for statement in body.body:
            for each in walk(statement):
                if isinstance(each, cst.AssignTarget) and self._names.is_gradient(each.target):
                    return self._chunk, statement, statement
        return None

    def _read_for(self, node: cst.For, *, guarded: bool) -> None:
        source = node.iter
        target: cst.BaseExpression = node.target
        if isinstance(source, cst.Call) and dotted(source.func) == "enumerate" and source.args:
            source = source.args[0].value
            if isinstance(target, cst.Tuple) and len(target.elements) == 2:
                target = target.elements[1].value
        name = target.value if isinstance(target, cst.Name) else None
        if name is not None and dotted(source) == "self.param_groups":
            self._names.groups.add(name)
            self._read_body(node, node.body, guarded=guarded)
        elif name is not None and self._names.is_list(source):
            self._read_elements(node, name, self._names.parameters, guarded=guarded)
        elif name is not None and self._names.counts_list(source):
            self._read_elements(node, name, self._names.numbers, guarded=guarded)
        else:
            self._read_body(node, node.body, guarded=guarded)

    def _read_elements(self, node: cst.For, name: str, kind: set[str], *, guarded: bool) -> None:
        before = set(self._names.parameters)
        kind.add(name)
        self._writes, self._is_loud, self._substitute = [], False, None
        self._names.gradients.clear()
        self._names.states.clear()
        self._read_body(node, node.body, guarded=guarded)
        if not self._is_loud:
            self.found += self._writes
        self._writes = []
        self._names.numbers.discard(name)
        self._names.parameters = before - {name}

    def _read_line(
        self,
        statement: cst.CSTNode,
        line: Sequence[cst.BaseSmallStatement],
        *,
        guarded: bool,
    ) -> bool:
        for small in line:
            if isinstance(small, cst.Assert) and self._names.mentions_gradient(small):
                guarded = True
            if guarded:
                continue
            if isinstance(small, cst.Assign) and self._is_about_names(small):
                continue
            if self._read_calls(small):
                continue
            if self._names.mentions_gradient(small) and not self._substitute:
                self._is_loud = True
            self._names.note(small)
            self._note_writes(small, statement)
        return guarded

    def _read_calls(self, small: cst.BaseSmallStatement) -> bool:
        """Read a method of the class that is called with parameters or groups, if this does that."""
        call = small.value if isinstance(small, (cst.Expr, cst.Assign)) else None
        if not isinstance(call, cst.Call) or self._depth == _DEEPEST_CALL:
            return False
        receiver, _, name = (dotted(call.func) or "").rpartition(".")
        found = self._find(name, is_method=receiver == "self") if receiver in ("", "self") else None
        if found is None:
            return False
        code, chunk = found
        inside = self._passed(code, call, skipped=1 if receiver else 0)
        goes_over_all = bool(receiver) and any(
            dotted(each) == "self.param_groups" for each in walk(code.body)
        )
        if not (inside.parameters or inside.groups or inside.lists or goes_over_all):
            return False
        outside = self._names, self._chunk
        self._names, self._chunk = inside, chunk
        self._depth += 1
        self._read_body(code, code.body, guarded=False)
        self._depth -= 1
        self._names, self._chunk = outside
        return True

    def _passed(self, code: cst.FunctionDef, call: cst.Call, skipped: int) -> Names:
        """What the parameters of a method stand for, by what each is passed."""
        inside = Names()
        names = [each.name.value for each in code.params.params][skipped:]
        for number, argument in enumerate(call.args):
            if argument.star:
                break
            name = argument.keyword.value if argument.keyword is not None else None
            if name is None and number < len(names):
                name = names[number]
            kind = self._names.kind_of(argument.value)
            if name is not None and kind is not None:
                getattr(inside, kind).add(name)
        return inside

    def _is_about_names(self, node: cst.Assign) -> bool:
        """Give names to lists and gradients; whether that is all that an assignment does."""
        target, value = node.targets[0].target, node.value
        if isinstance(value, cst.IfExp) and self._is_gradient_or_zeros(value):
            self._substitute = self._substitute or (self._chunk, value, node)
        elif self._names.is_gradient(target) and not isinstance(target, cst.Name):
            return True
        elif isinstance(target, cst.Name) and self._names.is_element(value):
            self._names.parameters.add(target.value)
            return True
        elif not self._names.is_gradient(value) and not self._names.is_list(value):
            return False
        if isinstance(target, cst.Name):
            names = self._names.lists if self._names.is_list(value) else self._names.gradients
            names.add(target.value)
        return True

    def _is_gradient_or_zeros(self, node: cst.IfExp) -> bool:
        asked = question(node.test, self._names.parameters, self._names.gradients)
        return asked in (Question.IS_THERE, Question.IS_MISSING)

    def _note_writes(self, small: cst.BaseSmallStatement, statement: cst.CSTNode) -> None:
        for each in walk(small):
            written = self._names.written(each, is_substituted=self._substitute is not None)
            if written is None:
                continue
            name, how = written
            update = Update(self._chunk, each, statement, name, how)
            if self._substitute is not None:
                how = "takes zeros for a missing gradient of"
                update = Update(*self._substitute, name, how)
            if name in self._names.parameters:
                self._writes.append(update)
            else:
                self.found.append(update)


def _leaves(body: cst.BaseSuite) -> bool:
    last = body.body[-1] if body.body else None
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1]
    return isinstance(last, _LEAVES)
