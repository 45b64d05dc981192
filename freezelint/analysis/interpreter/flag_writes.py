"""Writes of `requires_grad`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter.iteration import narrowed
from freezelint.analysis.interpreter.somewhere import note_doubt, note_doubtful_write
from freezelint.analysis.trace import compatible
from freezelint.analysis.values import (
    ComparisonValue,
    Constant,
    Counted,
    FlagValue,
    ModuleValue,
    ParameterValue,
    Part,
    TensorValue,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezelint.analysis.events import Path
    from freezelint.analysis.interpreter.machine import Interpreter


def write_flag_of(
    run: Interpreter, receiver: Value, value: Value, node: cst.CSTNode, source: cst.CSTNode
) -> None:
    """``receiver.requires_grad = value``, whatever the receiver is."""
    if isinstance(receiver, ParameterValue):
        write_computed_flag(run, receiver, value, node, source)
    elif isinstance(receiver, ModuleValue) and not run.proven(receiver):
        # Perhaps a parameter, perhaps a module on which this does nothing.
        parts = run.parts_of(receiver.key)
        run.announce(
            events.FlagWritten(
                place=run.place(node),
                parts=parts,
                value=None,
                label=run.objects.label(receiver.key),
                certain=False,
            )
        )
    elif isinstance(receiver, TensorValue) and value != Constant(False):
        make_leaf(run, receiver, node.value if isinstance(node, cst.Attribute) else None)
    elif isinstance(receiver, Unknown):
        target = node.value if isinstance(node, cst.Attribute) else first_argument(node)
        if target is not None:
            note_doubtful_write(run, target, value, node)


def first_argument(node: cst.CSTNode) -> cst.BaseExpression | None:
    """Of what ``setattr(...)`` sets an attribute."""
    return node.args[0].value if isinstance(node, cst.Call) and node.args else None


def make_leaf(run: Interpreter, tensor: TensorValue, source: cst.CSTNode | None) -> TensorValue:
    """Let a tensor require a gradient; what is computed from it has a graph from here on."""
    run.trace.makes_leaves = True
    leaf = tensor._replace(
        cut_from=None, how="requires_grad", made=run.trace.now - 1, is_traced=False
    )
    if isinstance(source, cst.Name):
        run.bind(source.value, leaf)
    return leaf


def write_computed_flag(
    run: Interpreter, receiver: Value, value: Value, node: cst.CSTNode, source: cst.CSTNode | None
) -> None:
    """Set the flag to the value of an expression, which may differ from element to element."""
    from freezelint.analysis.interpreter.conditions import judge
    from freezelint.analysis.interpreter.element_tests import ElementTest
    from freezelint.analysis.interpreter.turns import arms_of

    if isinstance(value, Constant):
        write_flag(run, receiver, value.value if isinstance(value.value, bool) else None, node)
        return
    if isinstance(value, FlagValue) and isinstance(source, cst.Name):
        # What it was when the name took it, which may be long ago.
        write_flag(run, receiver, None, node)
        return
    verdict = judge(run, source) if isinstance(source, cst.BaseExpression) else None
    if isinstance(verdict, ElementTest) and isinstance(receiver, (ParameterValue, ModuleValue)):
        picked = narrowed(receiver, verdict.when_true, run)
        if picked is receiver and verdict.when_true and verdict.when_false:
            # One that stands for several: some are switched on, and the others off.
            write_flag(run, receiver, None, node)
            return
        write_flag(run, picked, True, node)
        write_flag(run, narrowed(receiver, verdict.when_false, run), False, node)
    elif verdict is None and isinstance(value, Unknown) and isinstance(source, cst.BaseExpression):
        _write_optional_flag(run, receiver, node, source)
    elif _is_of_a_counter(value) and isinstance(source, cst.BaseExpression) and verdict is None:
        _write_in_turns(run, receiver, node, zip((True, False), arms_of(run, source), strict=True))
    else:
        write_flag(run, receiver, verdict if isinstance(verdict, bool) else None, node)


def _write_optional_flag(
    run: Interpreter, receiver: Value, node: cst.CSTNode, source: cst.BaseExpression
) -> None:
    """Set the flag to an option: True in the runs that have it, False in all others."""
    from freezelint.analysis.interpreter.optional_flags import arms_of_option

    arms = list(arms_of_option(run, source))
    if not arms:
        write_flag(run, receiver, None, node)
    _write_in_turns(run, receiver, node, arms)


def _write_in_turns(
    run: Interpreter, receiver: Value, node: cst.CSTNode, arms: Iterable[tuple[bool, Path]]
) -> None:
    """Set the flag to each of several values, on the way on which it has that value."""
    path = run.path
    for flag, arm in arms:
        if compatible(path, arm):
            run.path = (*path, *(each for each in arm if each not in path))
            write_flag(run, receiver, flag, node)
    run.path = path


def _is_of_a_counter(value: Value) -> bool:
    """Whether a value says how far the rounds of a loop are: False in some and True in others."""
    return isinstance(value, ComparisonValue) and isinstance(value.left, Counted)


def write_flag(
    run: Interpreter,
    receiver: Value,
    flag: bool | None,
    node: cst.CSTNode,
    *,
    certain: bool = True,
) -> None:
    """Really set ``requires_grad`` of a module's or an element's parameters."""
    if isinstance(receiver, ParameterValue):
        named = receiver.parts
    elif isinstance(receiver, ModuleValue):
        named = (Part(receiver.key),)
    else:
        return
    if run.unpicked and any(_is_unpicked(run, part.key) for part in named):
        flag = None
    parts = tuple(each for part in named for each in run.parts_of(part.key, part.predicate))
    if not parts:
        return
    labels = dict.fromkeys(run.objects.label(part.key) for part in named)
    label = ", ".join(labels) if run.objects.module(parts[0].key).is_module else next(iter(labels))
    place = run.place(node)
    run.announce(
        events.FlagWritten(place=place, parts=parts, value=flag, label=label, certain=certain)
    )
    if flag is not False and not run.guesses.isdisjoint(part.key for part in parts):
        note_doubt(run, label, node)


def _is_unpicked(run: Interpreter, key: int) -> bool:
    """Whether a module, or what it is in, stands for several of which only some are meant."""
    return not run.unpicked.isdisjoint(run.objects.holders(key, run.trace.now))
