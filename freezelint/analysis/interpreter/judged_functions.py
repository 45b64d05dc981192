"""Functions that say yes or no to an element: what they return, whichever way they come to it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter import assignment
from freezelint.analysis.interpreter.arguments import bind_parameters
from freezelint.analysis.interpreter.element_tests import (
    UNDECIDED,
    ElementTest,
    Verdict,
    both,
    either,
    is_element,
)
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.following import code_of
from freezelint.analysis.interpreter.iteration import consume, element_of, items_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.values import FunctionValue

    Step = cst.CSTNode | Callable[[], None]

_MOST_STEPS = 200
"""Statements, each counted once for every way that leads to it."""


class _Unread(Exception):
    """The function does something that is not followed here."""


def judge_function(run: Interpreter, function: FunctionValue, arguments: Arguments) -> Verdict:
    """What a function says of the element that it is passed, or its name; None where it is passed none."""
    code = code_of(function)
    if code is None or not any(is_element(run, each) for each in arguments.all):
        return None
    if code in run.active:
        return None
    run.active.append(code)
    try:
        with inside(run, function, code, arguments):
            if isinstance(code, cst.Lambda):
                return _judged(run, code.body)
            return _Ways(run).after(_lines(code.body))
    except _Unread:
        return None
    finally:
        run.active.pop()


@contextlib.contextmanager
def inside(
    run: Interpreter,
    function: FunctionValue,
    code: cst.FunctionDef | cst.Lambda,
    arguments: Arguments,
) -> Iterator[None]:
    """Stand in a function that is called with an element, as if it were written where the call is."""
    outer, statement = run.frame, run.statement
    frame = run.new_frame(function.chunk, run.frames[function.frame], code)
    frame.receiver, frame.owner = function.receiver, function.owner
    bind_parameters(run, frame.key, function, code.params, arguments)
    run.frame = frame
    if isinstance(code, cst.FunctionDef):
        run.statement = code
    elif function.chunk is not outer.chunk:
        run.statement = None
    run.element_names.append({parameter.name.value for parameter in code.params.params})
    try:
        yield
    finally:
        run.element_names.pop()
        run.frame, run.statement = outer, statement


class _Ways:
    """Goes through the statements of a function along each way that an element may take."""

    def __init__(self, run: Interpreter) -> None:
        self._run = run
        self._steps = 0

    def after(self, steps: Sequence[Step]) -> Verdict:
        """What is returned from a point on, behind which these steps lie."""
        for number, step in enumerate(steps):
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise _Unread
            rest = steps[number + 1 :]
            if isinstance(step, cst.SimpleStatementLine):
                for small in step.body:
                    if isinstance(small, cst.Return):
                        return False if small.value is None else _judged(self._run, small.value)
                    self._do(small)
            elif isinstance(step, cst.If):
                return self._either_way(step, rest)
            elif isinstance(step, cst.For):
                return self.after([*self._turns(step), *rest])
            elif isinstance(step, cst.CSTNode):
                raise _Unread
            else:
                step()
        return False

    def _do(self, small: cst.BaseSmallStatement) -> None:
        if isinstance(small, cst.Assign) and len(small.targets) == 1:
            target = small.targets[0].target
            if isinstance(target, cst.Name):
                assignment.assign(self._run, target, evaluate(self._run, small.value), small.value)
                self._run.element_names[-1].add(target.value)
                return
        is_text = isinstance(small, cst.Expr) and isinstance(small.value, cst.SimpleString)
        if not is_text and not isinstance(small, cst.Pass):
            raise _Unread

    def _either_way(self, node: cst.If, rest: Sequence[Step]) -> Verdict:
        test = _judged(self._run, node.test)
        other = node.orelse
        passed = [other] if isinstance(other, cst.If) else _lines(other.body) if other else []
        ways = [_lines(node.body), passed]
        if isinstance(test, bool):
            return self.after([*ways[0 if test else 1], *rest])
        before = dict(self._run.bindings)
        yes = self.after([*ways[0], *rest])
        self._run.bindings = before
        no = self.after([*ways[1], *rest])
        if yes == no:
            return yes
        return _disjunction(_conjunction(test, yes), _conjunction(_negation(test), no))

    def _turns(self, node: cst.For) -> Iterator[Step]:
        """The body, once for each item, or once for all of them."""
        run = self._run
        once = consume(run, evaluate(run, node.iter), node.iter)
        items = items_of(run, once)
        for item in (element_of(run, once),) if items is None else items:
            yield lambda item=item: assignment.assign(run, node.target, item, node.iter)  # type: ignore[misc]
            yield from _lines(node.body)


def _lines(body: cst.BaseSuite) -> list[Step]:
    if isinstance(body, cst.SimpleStatementSuite):
        return [cst.SimpleStatementLine(body.body)]
    return list(body.body)


def _judged(run: Interpreter, node: cst.BaseExpression) -> bool | ElementTest:
    from freezelint.analysis.interpreter.conditions import judge

    verdict = judge(run, node)
    return UNDECIDED if verdict is None else verdict


def _conjunction(one: Verdict, other: Verdict) -> Verdict:
    if one is False or other is False:
        return False
    if isinstance(one, ElementTest) and isinstance(other, ElementTest):
        return both(one, other)
    return other if one is True else one


def _disjunction(one: Verdict, other: Verdict) -> Verdict:
    if one is True or other is True:
        return True
    if isinstance(one, ElementTest) and isinstance(other, ElementTest):
        return either(one, other)
    return other if one is False else one


def _negation(verdict: bool | ElementTest) -> Verdict:
    return verdict.negation if isinstance(verdict, ElementTest) else not verdict
