"""Loops: over parameters, over a few known things, or over anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter import assignment
from freezelint.analysis.interpreter.batches import note_batches
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.flow import Flow
from freezelint.analysis.interpreter.iteration import (
    consume,
    element_of,
    items_of,
    narrow_to_some,
)
from freezelint.analysis.interpreter.joining import join
from freezelint.analysis.interpreter.turns import arms_of
from freezelint.analysis.syntax import assigned_names, walk
from freezelint.analysis.values import (
    Constant,
    ElementsValue,
    MappingValue,
    ModuleGroup,
    ModuleValue,
    ParameterSequence,
    ParameterValue,
    RangeValue,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezelint.analysis.events import Path
    from freezelint.analysis.interpreter.frames import Bindings
    from freezelint.analysis.interpreter.machine import Interpreter

    Body = Callable[[Interpreter, cst.BaseSuite], Flow]

DEEPEST_REPETITION = 2
"""Loops nested deeper than this run their body once."""

# Compared by identity: isinstance is slow on LibCST's types, and these see every node of a body.
_LOOPS = frozenset({cst.For, cst.While})


def run_for(run: Interpreter, node: cst.For, body: Body) -> Flow:
    """Run a ``for`` loop over whatever it iterates over."""
    iterable = evaluate(run, node.iter)
    once = consume(run, _left_open(run, node, iterable), node.iter)
    items = items_of(run, once)
    if items is not None and _worth_unrolling(once, items, node):
        return _unroll(run, node, items, body)
    element = element_of(run, once)
    if _goes_over_elements(once):
        if _may_end_early(run, node.body):
            element = _of_the_first(run, element)
        return _over_elements(run, node, element, body)

    def iteration() -> Flow:
        assignment.assign(run, node.target, element, node.iter)
        note_batches(run, node)
        return body(run, node.body)

    return repeat(run, iteration, lambda: _other_rounds(run, node))


def _left_open(run: Interpreter, node: cst.For, iterable: Value) -> Value:
    """What a loop goes over; an iterator with a name is not used up where it may stop early.

    Who goes over that again gets what is left.
    """
    if not isinstance(iterable, ParameterSequence) or iterable.iterator is None:
        return iterable
    has_name = isinstance(node.iter, (cst.Name, cst.Attribute))
    is_left = has_name and _may_end_early(run, node.body)
    return iterable._replace(iterator=None) if is_left else iterable


def _other_rounds(run: Interpreter, node: cst.For) -> Path:
    """What has been true of a round that another one follows: it was not the last."""
    last = _last_number(run, node)
    turns: list[tuple[int, int]] = []
    if last is not None:
        for each in walk(node.body):
            if isinstance(each, cst.If) and _says_last(run, each, last):
                turns += arms_of(run, each.test)[1]
    return tuple(turns)


def _last_number(run: Interpreter, node: cst.For) -> tuple[str, str] | None:
    """The variable of ``for number in range(stop)``, and the code of ``stop``."""
    call, target = node.iter, node.target
    if not isinstance(call, cst.Call) or not isinstance(target, cst.Name):
        return None
    if not isinstance(call.func, cst.Name) or call.func.value != "range" or len(call.args) > 2:
        return None
    return target.value, _code(run, call.args[-1].value)


def _says_last(run: Interpreter, node: cst.If, last: tuple[str, str]) -> bool:
    """Whether a condition picks the last round."""
    number, stop = last
    code = _code(run, node.test)
    return code in (f"{number}=={stop}-1", f"{number}+1=={stop}") or (
        stop.endswith("+1") and code == f"{number}=={stop[:-2]}"
    )


def _code(run: Interpreter, node: cst.BaseExpression) -> str:
    """Code without its spaces and brackets, so that it looks the same wherever it is written."""
    return re.sub(r"[\s()]", "", run.place(node).code)


def _goes_over_elements(value: Value) -> bool:
    if isinstance(value, ElementsValue):
        element = value.element
        items = element.items if isinstance(element, SequenceValue) else (element,)
        return any(
            isinstance(each, (ParameterValue, ModuleValue)) or _nested(each) for each in items
        )
    return isinstance(value, (ParameterSequence, ModuleGroup, ModuleValue))


def _may_end_early(run: Interpreter, body: cst.BaseSuite) -> bool:
    """Whether a ``break`` or ``return`` may keep a loop from reaching its last elements."""
    nodes = list(walk(body))
    if not any(type(each) in (cst.Break, cst.Return) for each in nodes):
        return False
    skipped = {
        id(inner)
        for each in nodes
        if type(each) is cst.If and _never_holds(run, each.test)
        for inner in walk(each.body)
    }
    nodes = [each for each in nodes if id(each) not in skipped]
    in_other_loops = {
        id(each)
        for loop in nodes
        if type(loop) in _LOOPS
        for each in walk(loop.body)  # type: ignore[attr-defined]
        if type(each) is cst.Break
    }
    return any(
        type(each) is cst.Return or (type(each) is cst.Break and id(each) not in in_other_loops)
        for each in nodes
    )


def _never_holds(run: Interpreter, test: cst.BaseExpression) -> bool:
    """Whether a condition asks for an option that nobody chose: ``last is not None and ...``."""
    if isinstance(test, cst.BooleanOperation) and isinstance(test.operator, cst.And):
        return _never_holds(run, test.left)
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        compared = test.comparisons[0]
        is_asked = isinstance(compared.operator, cst.IsNot) and (
            isinstance(compared.comparator, cst.Name) and compared.comparator.value == "None"
        )
        if not is_asked:
            return False
        test = test.left
    return isinstance(test, cst.Name) and evaluate(run, test) == Constant(None)


def _of_the_first(run: Interpreter, element: Value) -> Value:
    if isinstance(element, SequenceValue):
        items = tuple(_of_the_first(run, each) for each in element.items)
        return element._replace(items=items)
    if isinstance(element, (ParameterValue, ModuleValue)):
        return narrow_to_some(run, element)
    return element


def _nested(value: Value) -> bool:
    return isinstance(value, SequenceValue) and any(
        isinstance(each, (ParameterValue, ModuleValue)) for each in value.items
    )


def _worth_unrolling(value: Value, items: tuple[Value, ...], node: cst.For) -> bool:
    """Numbers and strings matter only where they choose an attribute or an element."""
    if isinstance(value, RangeValue) or all(isinstance(each, Constant) for each in items):
        names = {each.value for each in walk(node.target) if isinstance(each, cst.Name)}
        return isinstance(value, MappingValue) or any(
            isinstance(each, cst.Name) and each.value in names
            for chosen in walk(node.body)
            if isinstance(chosen, (cst.FormattedString, cst.Subscript, cst.Call, cst.Comparison))
            for each in walk(chosen)
        )
    return any(not isinstance(each, Constant) for each in items)


def _unroll(run: Interpreter, node: cst.For, items: tuple[Value, ...], body: Body) -> Flow:
    for item in items:
        flow = _contained(run, lambda item=item: _bind_and_run(run, node, item, body))  # type: ignore[misc]
        if flow is Flow.RETURN:
            return flow
        if flow is Flow.BREAK:
            break
    return Flow.NEXT


def _bind_and_run(run: Interpreter, node: cst.For, item: Value, body: Body) -> Flow:
    assignment.assign(run, node.target, item, node.iter)
    return body(run, node.body)


def _over_elements(run: Interpreter, node: cst.For, element: Value, body: Body) -> Flow:
    """One run of the body stands for all elements; conditions on them only narrow."""
    names = {each.value for each in walk(node.target) if isinstance(each, cst.Name)}
    run.element_names.append(names | assigned_names(node.body))
    path, unpicked = run.path, run.unpicked
    try:
        flow = _contained(run, lambda: _bind_and_run(run, node, element, body))
    finally:
        run.element_names.pop()
        run.unpicked = unpicked
    # Whether some element led to a return, the others do not.
    run.path = path
    return flow if flow is Flow.RETURN and not run.element_names else Flow.NEXT


def _contained(
    run: Interpreter, iteration: Callable[[], Flow], broken: list[Bindings] | None = None
) -> Flow:
    """Run one iteration; states that left it early are joined in.

    Those that left the loop are added to ``broken`` instead: no other iteration meets them.
    """
    run.loop_exits.append([])
    path = run.path
    flow = iteration()
    left: list[Bindings] = []
    for how, state in run.loop_exits.pop():
        (broken if how is Flow.BREAK and broken is not None else left).append(state)
    states = [run.bindings, *left] if flow is Flow.NEXT else left
    if states:
        run.bindings = join(run, states)
    if flow is not Flow.RETURN:
        run.path = path
    return flow


_EVENTFUL = (
    events.FlagWritten,
    events.ModeSet,
    events.OptimizerBuilt,
    events.Stepped,
    events.BackwardRan,
    events.IteratorConsumed,
    events.SubmoduleReplaced,
    events.NameRebound,
)


def _is_eventful(run: Interpreter, since: int) -> bool:
    """Whether the first iteration did anything that could matter to the second."""
    return any(isinstance(event, _EVENTFUL) for event in run.trace.events[since:])


def repeat(
    run: Interpreter, iteration: Callable[[], Flow], passed: Callable[[], Path] = tuple
) -> Flow:
    """Run a loop body twice: what the first time left behind meets the second.

    ``passed`` finds out which turns the first time took if there is a second.
    """
    outer_loops, outer_repeated, path = run.loops, run.repeated, run.path
    times = 2 if len(run.loops) < DEEPEST_REPETITION else 1
    run.loops = (*outer_loops, run.points.new())
    flow = Flow.NEXT
    start = run.trace.now
    broken: list[Bindings] = []
    for number in range(times):
        if number > 0 and not _is_eventful(run, start):
            break
        run.repeated = outer_repeated or number > 0
        if number > 0:
            run.path = (*path, *passed())
        flow = _contained(run, iteration, broken)
        if flow in (Flow.RETURN, Flow.BREAK):
            break
    if broken:
        run.bindings = join(run, [run.bindings, *broken])
    run.loops, run.repeated = outer_loops, outer_repeated
    if flow is not Flow.RETURN:
        run.path = path
    # A loop may run no time at all, so what follows it is reached anyway.
    return Flow.NEXT
