"""``match``: the case that a subject meets, and the names that its pattern binds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.attributes import read_attribute
from freezelint.analysis.interpreter.branches import branch
from freezelint.analysis.interpreter.called_conditions import judge_isinstance
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.flow import Flow
from freezelint.analysis.interpreter.narrowing import narrowed_to_kind
from freezelint.analysis.interpreter.turns import arms_of_case
from freezelint.analysis.syntax import walk
from freezelint.analysis.values import UNKNOWN, Constant, ModuleValue, ParameterValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezelint.analysis.events import Path
    from freezelint.analysis.interpreter.branches import Body
    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.values import Value


def run_match(run: Interpreter, node: cst.Match, body: Body) -> Flow:
    """Run the case that the subject meets, or each that it may meet."""
    subject = evaluate(run, node.subject)
    arms: list[Callable[[], Flow]] = []
    turns: list[Path] = []
    before: Path = ()
    exhaustive = False
    for case in node.cases:
        verdict = _judge_case(run, node.subject, subject, case)
        if verdict is False:
            continue
        arms.append(lambda case=case: _run_case(run, node.subject, subject, case, body))  # type: ignore[misc]
        taken, passed = ((), ()) if verdict else arms_of_case(run, node.subject, case)
        turns.append((*before, *taken))
        before = (*before, *passed)
        if verdict:
            exhaustive = True
            break
    if not exhaustive:
        arms.append(lambda: Flow.NEXT)
        turns.append(before)
    return arms[0]() if len(arms) == 1 else branch(run, arms, turns)


def _judge_case(
    run: Interpreter, tested: cst.BaseExpression, subject: Value, case: cst.MatchCase
) -> bool | None:
    """Whether the subject meets a case; None where that is not known."""
    verdict = _judge_pattern(run, tested, subject, case.pattern)
    return None if verdict and case.guard is not None else verdict


def _judge_pattern(
    run: Interpreter, tested: cst.BaseExpression, subject: Value, pattern: cst.MatchPattern
) -> bool | None:
    if isinstance(pattern, cst.MatchAs):
        inner = pattern.pattern
        return True if inner is None else _judge_pattern(run, tested, subject, inner)
    if isinstance(pattern, cst.MatchOr):
        verdicts = {_judge_pattern(run, tested, subject, each.pattern) for each in pattern.patterns}
        return True if True in verdicts else (None if None in verdicts else False)
    if isinstance(pattern, cst.MatchValue) and isinstance(subject, Constant):
        value = evaluate(run, pattern.value)
        return value == subject if isinstance(value, Constant) else None
    if isinstance(pattern, cst.MatchClass):
        found = judge_isinstance(run, tested, tested, pattern.cls)
        is_plain = not pattern.patterns and not pattern.kwds
        return found if found is False or (found is True and is_plain) else None
    is_one_thing = isinstance(subject, (ModuleValue, ParameterValue))
    return False if is_one_thing and isinstance(pattern, _OTHER_THINGS) else None


_OTHER_THINGS = (cst.MatchList, cst.MatchTuple, cst.MatchMapping, cst.MatchSingleton)
"""Patterns that no module or parameter meets."""


def _run_case(
    run: Interpreter,
    tested: cst.BaseExpression,
    subject: Value,
    case: cst.MatchCase,
    body: Body,
) -> Flow:
    """Run the block of a case, with what its pattern says of the subject."""
    pattern = case.pattern
    before = None
    narrowing = None
    if isinstance(pattern, cst.MatchClass) and isinstance(tested, cst.Name):
        narrowing = narrowed_to_kind(run, tested, pattern.cls)
    if narrowing is not None:
        binding, subject = narrowing
        before = run.bindings.get(binding)
        run.bindings[binding] = subject
    _bind_names(run, subject, pattern)
    flow = body(run, case.body)
    if narrowing is not None and before is not None:
        run.bindings[narrowing[0]] = before
    return flow


def _bind_names(run: Interpreter, subject: Value, pattern: cst.MatchPattern) -> None:
    """Give the names in a pattern what they stand for, as far as that is known."""
    for each in walk(pattern):
        name = getattr(each, "name", None)
        if isinstance(each, (cst.MatchAs, cst.MatchStar)) and isinstance(name, cst.Name):
            run.bind(name.value, UNKNOWN)
    if isinstance(pattern, cst.MatchAs) and pattern.name is not None:
        run.bind(pattern.name.value, subject)
    for each in pattern.kwds if isinstance(pattern, cst.MatchClass) else ():
        inner = each.pattern
        if isinstance(inner, cst.MatchAs) and inner.pattern is None and inner.name is not None:
            run.bind(inner.name.value, read_attribute(run, subject, each.key.value, each.key))
