"""What each kind of statement does to the state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter import (
    aliasing,
    annotated_names,
    assignment,
    branches,
    graphs,
    loops,
)
from freezelint.analysis.interpreter.adapted_methods import leave_context
from freezelint.analysis.interpreter.conditions import judge, judge_constants
from freezelint.analysis.interpreter.decorated import around
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.flow import Flow
from freezelint.analysis.interpreter.generators import run_in_context, run_in_own_context
from freezelint.analysis.interpreter.names import absolute, look_up
from freezelint.analysis.interpreter.optimizers import note_edited_groups
from freezelint.analysis.interpreter.submodules import remove_child
from freezelint.analysis.interpreter.turns import keep_meaning
from freezelint.analysis.knowledge.calls import GRAD_SWITCHES, INFERENCE_SWITCHES
from freezelint.analysis.syntax import dotted
from freezelint.analysis.values import (
    UNKNOWN,
    BuiltinValue,
    ComparisonValue,
    Constant,
    FunctionValue,
    InstanceValue,
    LibraryInstance,
    LibraryValue,
    ModuleValue,
    ParameterSequence,
    ParameterValue,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezelint.analysis.interpreter.machine import Interpreter


_ERROR_EXPECTATIONS = frozenset(
    {"raises", "assertRaises", "assertRaisesRegex", "assertRaisesRegexp", "suppress"}
)
"""Contexts of pytest, unittest and contextlib in which an error is meant to be raised."""


def run_block(run: Interpreter, statements: Sequence[cst.CSTNode]) -> Flow:
    """Run statements in order until one leaves the block."""
    for statement in statements:
        flow = run_statement(run, statement)
        if flow is not Flow.NEXT:
            return flow
    return Flow.NEXT


def run_statement(run: Interpreter, node: cst.CSTNode) -> Flow:
    """Run one statement."""
    if isinstance(node, cst.SimpleStatementLine):
        run.statement = node
        return _run_small(run, node.body)
    run.budget.spend()
    run.statement = node
    handler = _COMPOUND.get(type(node))
    return Flow.NEXT if handler is None else handler(run, node)


def _run_small(run: Interpreter, statements: Sequence[cst.BaseSmallStatement]) -> Flow:
    for small in statements:
        run.budget.spend()
        flow = _SMALL.get(type(small), _ignore)(run, small)
        if flow is not Flow.NEXT:
            return flow
    return Flow.NEXT


def run_body(run: Interpreter, body: cst.BaseSuite) -> Flow:
    """Run an indented block, or the statements after a colon."""
    # Compared by identity: isinstance is slow on LibCST's types.
    if type(body) is cst.SimpleStatementSuite:
        return _run_small(run, body.body)
    return run_block(run, body.body)


def _ignore(run: Interpreter, node: cst.CSTNode) -> Flow:
    return Flow.NEXT


def _expression(run: Interpreter, node: cst.Expr) -> Flow:
    value = evaluate(run, node.value)
    if isinstance(node.value, cst.Call) and _ends_the_program(run, node.value):
        return Flow.RETURN
    if isinstance(value, ParameterValue):
        graphs.take_up(run, (value,))
    if isinstance(value, LibraryInstance) and value.name == "torch.set_grad_enabled":
        # Called as a function, it lasts until the next call.
        _switch_gradients(run, value)
    if not isinstance(node.value, (cst.SimpleString, cst.Ellipsis)):
        place = run.place(node.value)
        run.announce(
            events.ExpressionDiscarded(
                place=place,
                value=value,
                expression=node.value,
                is_last=run.index.is_displayed(place),
            )
        )
    return Flow.NEXT


def _ends_the_program(run: Interpreter, node: cst.Call) -> bool:
    name = dotted(node.func)
    if name in ("exit", "quit"):
        return isinstance(look_up(run, name), (BuiltinValue, Unknown))
    if name is None or not name.endswith("exit"):
        return False
    function = evaluate(run, node.func)
    return isinstance(function, LibraryValue) and function.name in ("sys.exit", "os._exit")


def _assign(run: Interpreter, node: cst.Assign) -> Flow:
    value = aliasing.named(run, node, evaluate(run, node.value))
    graphs.store(run, [each.target for each in node.targets], value)
    for target in node.targets:
        if isinstance(target.target, cst.Name):
            name = target.target.value
            key = (run.frame.key, name)
            assignment.announce_rebinding(run, name, key, value, target.target)
        assignment.assign(run, target.target, value, node.value)
        keep_meaning(run, target.target, value, node.value)
    return Flow.NEXT


def _annotated_assign(run: Interpreter, node: cst.AnnAssign) -> Flow:
    value = UNKNOWN if node.value is None else evaluate(run, node.value)
    value = annotated_names.by_annotation(run, value, node.annotation.annotation, node.target)
    if node.value is not None:
        graphs.store(run, [node.target], value)
        assignment.assign(run, node.target, value, node.value)
    return Flow.NEXT


def _return(run: Interpreter, node: cst.Return) -> Flow:
    value: Value = Constant(None) if node.value is None else evaluate(run, node.value)
    if run.grad_enabled is False:
        graphs.lose_sight(run, value)
    run.frame.returns.append(value)
    run.frame.exits.append(dict(run.bindings))
    return Flow.RETURN


def _raise(run: Interpreter, node: cst.Raise) -> Flow:
    return Flow.RETURN


def _leave_loop(flow: Flow) -> Callable[[Interpreter, cst.CSTNode], Flow]:
    def leave(run: Interpreter, node: cst.CSTNode) -> Flow:
        if run.loop_exits:
            run.loop_exits[-1].append((flow, dict(run.bindings)))
        return flow

    return leave


def _import(run: Interpreter, node: cst.Import) -> Flow:
    for alias in node.names:
        name = alias.evaluated_name
        bound = alias.evaluated_alias
        if bound is None:
            bound = name = name.partition(".")[0]
        run.bind(bound, LibraryValue(name))
    return Flow.NEXT


def _import_from(run: Interpreter, node: cst.ImportFrom) -> Flow:
    if isinstance(node.names, cst.ImportStar):
        return Flow.NEXT
    module = "" if node.module is None else _dotted_name(node.module)
    package = "." * len(node.relative) + module
    for alias in node.names:
        bound = alias.evaluated_alias or alias.evaluated_name
        run.bind(bound, LibraryValue(absolute(run, f"{package}.{alias.evaluated_name}")))
    return Flow.NEXT


def _dotted_name(node: cst.BaseExpression) -> str:
    if isinstance(node, cst.Attribute):
        return f"{_dotted_name(node.value)}.{node.attr.value}"
    assert isinstance(node, cst.Name)
    return node.value


def _assert(run: Interpreter, node: cst.Assert) -> Flow:
    return Flow.RETURN if judge(run, node.test) is False else Flow.NEXT


def _delete(run: Interpreter, node: cst.Del) -> Flow:
    targets: list[cst.BaseExpression] = [node.target]
    if isinstance(node.target, cst.Tuple):
        targets = [each.value for each in node.target.elements]
    for target in targets:
        if isinstance(target, cst.Name):
            run.bindings.pop((run.frame.key, target.value), None)
        elif isinstance(target, (cst.Attribute, cst.Subscript)):
            if isinstance(target, cst.Subscript):
                note_edited_groups(run, target)
            owner = evaluate(run, target.value)
            if isinstance(owner, ModuleValue):
                remove_child(run, owner, evaluate(run, target))
            elif isinstance(owner, ParameterSequence) and isinstance(target.value, cst.Name):
                # Which are left of the list is not known.
                run.bind(target.value.value, UNKNOWN)
    return Flow.NEXT


def _if(run: Interpreter, node: cst.If) -> Flow:
    return branches.run_if(run, node, run_body)


def _try(run: Interpreter, node: cst.Try | cst.TryStar) -> Flow:
    return branches.run_try(run, node, run_body)


def _match(run: Interpreter, node: cst.Match) -> Flow:
    from freezelint.analysis.interpreter.matching import run_match

    return run_match(run, node, run_body)


def _for(run: Interpreter, node: cst.For) -> Flow:
    flow = loops.run_for(run, node, run_body)
    if node.orelse is not None and flow is Flow.NEXT:
        return run_body(run, node.orelse.body)
    return flow


def _while(run: Interpreter, node: cst.While) -> Flow:
    judge(run, node.test)
    return loops.repeat(run, lambda: run_body(run, node.body))


def _with(run: Interpreter, node: cst.With) -> Flow:
    return _enter(run, node, node.items)


def _enter(run: Interpreter, node: cst.With, items: Sequence[cst.WithItem]) -> Flow:
    """Run the block of a ``with`` in these contexts, one in the other."""
    before = run.grad_enabled, run.is_inference, run.attempt
    flow = _enter_first(run, node, items)
    run.grad_enabled, run.is_inference, run.attempt = before
    return flow


def _enter_first(run: Interpreter, node: cst.With, items: Sequence[cst.WithItem]) -> Flow:
    if not items:
        return run_body(run, node.body)
    item, *others = items

    def inside(value: Value) -> Flow:
        if item.asname is not None:
            assignment.assign(run, item.asname.name, value, item.item)
        return _enter(run, node, others)

    flow = run_in_context(run, item.item, inside)
    if flow is not None:
        return flow
    context = evaluate(run, item.item)
    run.announce(
        events.ContextEntered(place=run.place(item.item), value=context, expression=item.item)
    )
    if _expects_error(item.item):
        run.attempt = 0
    if isinstance(context, InstanceValue):
        return run_in_own_context(run, context, item.item, inside)
    if not isinstance(context, LibraryInstance):
        return inside(UNKNOWN)
    before = run.grad_enabled, run.is_inference, run.attempt
    _switch_gradients(run, context)
    flow = inside(UNKNOWN)
    run.grad_enabled, run.is_inference, run.attempt = before
    run.statement = node
    leave_context(run, context, item.item)
    return flow


def _expects_error(context: cst.BaseExpression) -> bool:
    name = dotted(context.func) if isinstance(context, cst.Call) else None
    return name is not None and name.rpartition(".")[2] in _ERROR_EXPECTATIONS


def _switch_gradients(run: Interpreter, context: LibraryInstance) -> None:
    """What a context turns on or off for the code inside."""
    mode = context.arguments[0] if context.arguments else Constant(True)
    if isinstance(mode, ComparisonValue):
        mode = Constant(judge_constants(*mode))
    chosen = mode.value if isinstance(mode, Constant) and isinstance(mode.value, bool) else None
    if context.name in INFERENCE_SWITCHES:
        run.is_inference = chosen is True
        run.grad_enabled = None if chosen is None else not chosen
    elif context.name in GRAD_SWITCHES:
        run.grad_enabled = GRAD_SWITCHES[context.name]
    elif context.name.endswith("set_grad_enabled"):
        run.grad_enabled = chosen if context.arguments else None


def _define_function(run: Interpreter, node: cst.FunctionDef) -> Flow:
    chunk = run.frame.chunk
    assert chunk is not None
    function = FunctionValue(None, chunk, node, run.frame.key)
    wrapper = around(run, function, node, node) if node.decorators else None
    run.bind(node.name.value, function if wrapper is None else wrapper)
    return Flow.NEXT


def _augmented_assign(run: Interpreter, node: cst.AugAssign) -> Flow:
    assignment.augmented(run, node)
    return Flow.NEXT


_SMALL: dict[type[cst.CSTNode], Callable[[Interpreter, Any], Flow]] = {
    cst.Expr: _expression,
    cst.Assign: _assign,
    cst.AnnAssign: _annotated_assign,
    cst.AugAssign: _augmented_assign,
    cst.Return: _return,
    cst.Raise: _raise,
    cst.Break: _leave_loop(Flow.BREAK),
    cst.Continue: _leave_loop(Flow.CONTINUE),
    cst.Import: _import,
    cst.ImportFrom: _import_from,
    cst.Assert: _assert,
    cst.Del: _delete,
}

_COMPOUND: dict[type[cst.CSTNode], Callable[[Interpreter, Any], Flow]] = {
    cst.If: _if,
    cst.For: _for,
    cst.While: _while,
    cst.With: _with,
    cst.Try: _try,
    cst.TryStar: _try,
    cst.Match: _match,
    cst.FunctionDef: _define_function,
}
