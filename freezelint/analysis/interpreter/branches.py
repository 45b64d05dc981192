"""Branches: each arm is run from the same state, and what is left of them is joined."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.conditions import judge
from freezelint.analysis.interpreter.element_tests import ElementTest
from freezelint.analysis.interpreter.flow import Flow
from freezelint.analysis.interpreter.joining import join
from freezelint.analysis.interpreter.narrowing import narrow, narrowed_by_type, refined
from freezelint.analysis.interpreter.turns import arms_of
from freezelint.analysis.trace import compatible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezelint.analysis.events import Path
    from freezelint.analysis.interpreter.frames import Bindings
    from freezelint.analysis.interpreter.machine import Interpreter

    Body = Callable[[Interpreter, cst.BaseSuite], Flow]


def run_if(run: Interpreter, node: cst.If, body: Body) -> Flow:
    """Run the arms of a condition that may be taken."""
    run.statement = node
    verdict = judge(run, node.test)
    if verdict is True:
        return body(run, node.body)
    if verdict is False:
        return _else(run, node.orelse, body)
    if isinstance(verdict, ElementTest) and narrowed_by_type(run, node.test) is None:
        return _select_elements(run, node, verdict, body)
    arms = [lambda: _then(run, node, body), lambda: _else(run, node.orelse, body)]
    return branch(run, arms, arms_of(run, node.test))


def _then(run: Interpreter, node: cst.If, body: Body) -> Flow:
    narrowing = narrowed_by_type(run, node.test)
    if narrowing is None:
        return body(run, node.body)
    binding, value = narrowing
    before = run.bindings.get(binding)
    run.bindings[binding] = value
    flow = body(run, node.body)
    if before is not None:
        run.bindings[binding] = before
    else:
        run.bindings.pop(binding, None)
    return flow


def _else(run: Interpreter, node: cst.If | cst.Else | None, body: Body) -> Flow:
    if node is None:
        return Flow.NEXT
    if isinstance(node, cst.If):
        return run_if(run, node, body)
    return body(run, node.body)


def _select_elements(run: Interpreter, node: cst.If, test: ElementTest, body: Body) -> Flow:
    """Both arms run, each for the elements that its side of the test picks."""
    before = dict(run.bindings)
    with refined(run, test.when_true):
        first = body(run, node.body)
    after_first = run.bindings
    run.bindings = dict(after_first) if first is Flow.NEXT else before
    with refined(run, test.when_false):
        second = _else(run, node.orelse, body)
    if first is Flow.NEXT and second is Flow.NEXT:
        return Flow.NEXT
    if first is not Flow.NEXT and second is not Flow.NEXT:
        return min(first, second)
    # The elements of the arm that left are gone for the rest of this block.
    narrow(run, test.when_false if first is not Flow.NEXT else test.when_true)
    return Flow.NEXT


def branch(
    run: Interpreter, arms: Sequence[Callable[[], Flow]], turns: Sequence[Path] | None = None
) -> Flow:
    """Run each arm from the same state and join what is left.

    ``turns`` says what each arm adds to the path; an arm that the path so far
    rules out is not run.
    """
    if turns is None:
        point = run.points.new()
        turns = [((point, number),) for number in range(len(arms))]
    possible = [number for number, turn in enumerate(turns) if compatible(run.path, turn)]
    if len(possible) == 1:
        return arms[possible[0]]()
    path, start = run.path, run.bindings
    open_states: list[Bindings] = []
    open_arms: list[int] = []
    flows: list[Flow] = []
    for number, arm in enumerate(arms):
        run.path = (*path, *turns[number])
        run.bindings = dict(start)
        flow = arm()
        flows.append(flow)
        if flow is Flow.NEXT:
            open_states.append(run.bindings)
            open_arms.append(number)
    if not open_states:
        run.path = path
        return min(flows)
    run.path = (*path, *turns[open_arms[0]]) if len(open_arms) == 1 < len(arms) else path
    run.bindings = join(run, open_states)
    return Flow.NEXT


def run_try(run: Interpreter, node: cst.Try | cst.TryStar, body: Body) -> Flow:
    """Run the block, or one of its handlers after some of it, and what comes last."""
    start = dict(run.bindings)

    def usual() -> Flow:
        outer = run.attempt
        if node.handlers and _is_short(node.body):
            run.attempt = run.frame.key
        flow = body(run, node.body)
        run.attempt = outer
        if flow is Flow.NEXT and node.orelse is not None:
            return body(run, node.orelse.body)
        return flow

    def handled(handler: cst.ExceptHandler | cst.ExceptStarHandler) -> Callable[[], Flow]:
        def run_handler() -> Flow:
            run.bindings = join(run, [dict(start), run.bindings])
            outer, run.is_handling = run.is_handling, True
            try:
                return body(run, handler.body)
            finally:
                run.is_handling = outer

        return run_handler

    flow = branch(run, [usual, *(handled(each) for each in node.handlers)])
    if node.finalbody is not None:
        final = body(run, node.finalbody.body)
        return max(flow, final)
    return flow


def _is_short(body: cst.BaseSuite) -> bool:
    """Whether a block is a line or two, so that the handler is about these."""
    lines = body.body
    return len(lines) <= 2 and all(isinstance(each, cst.SimpleStatementLine) for each in lines)
