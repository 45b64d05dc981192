"""What each kind of statement does to the state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter import assignment, loops
from freezelint.analysis.interpreter.branching import arms_of
from freezelint.analysis.interpreter.conditions import (
    judge,
    narrow,
    narrowed_by_type,
    refined,
)
from freezelint.analysis.interpreter.element_tests import ElementTest
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.machine import Flow
from freezelint.analysis.interpreter.submodules import forget_length
from freezelint.analysis.knowledge.torch import GRAD_SWITCHES
from freezelint.analysis.syntax import dotted
from freezelint.analysis.trace import compatible
from freezelint.analysis.values import (
    UNKNOWN,
    BuiltinValue,
    Constant,
    FunctionValue,
    LibraryInstance,
    LibraryValue,
    ModuleValue,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezelint.analysis.events import Path
    from freezelint.analysis.interpreter.frames import Bindings
    from freezelint.analysis.interpreter.machine import Interpreter


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
    run.spend()
    run.statement = node
    handler = _COMPOUND.get(type(node))
    return Flow.NEXT if handler is None else handler(run, node)


def _run_small(run: Interpreter, statements: Sequence[cst.BaseSmallStatement]) -> Flow:
    for small in statements:
        run.spend()
        flow = _SMALL.get(type(small), _ignore)(run, small)
        if flow is not Flow.NEXT:
            return flow
    return Flow.NEXT


def run_body(run: Interpreter, body: cst.BaseSuite) -> Flow:
    """Run an indented block, or the statements after a colon."""
    if isinstance(body, cst.SimpleStatementSuite):
        return _run_small(run, body.body)
    return run_block(run, body.body)


def _ignore(run: Interpreter, node: cst.CSTNode) -> Flow:
    return Flow.NEXT


def _expression(run: Interpreter, node: cst.Expr) -> Flow:
    value = evaluate(run, node.value)
    if isinstance(node.value, cst.Call) and _ends_the_program(run, node.value):
        return Flow.RETURN
    if not isinstance(node.value, (cst.SimpleString, cst.Ellipsis)):
        run.announce(
            events.ExpressionDiscarded(
                place=run.place(node.value), value=value, expression=node.value
            )
        )
    return Flow.NEXT


def _ends_the_program(run: Interpreter, node: cst.Call) -> bool:
    name = dotted(node.func)
    if name in ("exit", "quit"):
        return isinstance(run.look_up(name), (BuiltinValue, Unknown))
    if name is None or not name.endswith("exit"):
        return False
    function = evaluate(run, node.func)
    return isinstance(function, LibraryValue) and function.name in ("sys.exit", "os._exit")


def _assign(run: Interpreter, node: cst.Assign) -> Flow:
    value = evaluate(run, node.value)
    for target in node.targets:
        if isinstance(target.target, cst.Name):
            name = target.target.value
            key = (run.frame.key, name)
            assignment.announce_rebinding(run, name, key, value, target.target)
        assignment.assign(run, target.target, value, node.value)
    return Flow.NEXT


def _annotated_assign(run: Interpreter, node: cst.AnnAssign) -> Flow:
    value = UNKNOWN if node.value is None else evaluate(run, node.value)
    value = assignment.by_annotation(run, value, node.annotation.annotation, node.target)
    if node.value is not None:
        assignment.assign(run, node.target, value, node.value)
    return Flow.NEXT


def _return(run: Interpreter, node: cst.Return) -> Flow:
    value: Value = Constant(None) if node.value is None else evaluate(run, node.value)
    run.frame.returns.append(value)
    run.frame.exits.append(dict(run.bindings))
    return Flow.RETURN


def _raise(run: Interpreter, node: cst.Raise) -> Flow:
    return Flow.RETURN


def _leave_loop(flow: Flow) -> Callable[[Interpreter, cst.CSTNode], Flow]:
    def leave(run: Interpreter, node: cst.CSTNode) -> Flow:
        if run.loop_exits:
            run.loop_exits[-1].append(dict(run.bindings))
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
        run.bind(bound, LibraryValue(run.absolute(f"{package}.{alias.evaluated_name}")))
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
        elif isinstance(target, cst.Subscript):
            container = evaluate(run, target.value)
            if isinstance(container, ModuleValue):
                forget_length(run, container.key)
    return Flow.NEXT


def _if(run: Interpreter, node: cst.If) -> Flow:
    run.statement = node
    verdict = judge(run, node.test)
    if verdict is True:
        return run_body(run, node.body)
    if verdict is False:
        return _else(run, node.orelse)
    if isinstance(verdict, ElementTest) and narrowed_by_type(run, node.test) is None:
        return _select_elements(run, node, verdict)
    arms = [lambda: _then(run, node), lambda: _else(run, node.orelse)]
    return _branch(run, arms, arms_of(run, node.test))


def _then(run: Interpreter, node: cst.If) -> Flow:
    narrowing = narrowed_by_type(run, node.test)
    if narrowing is None:
        return run_body(run, node.body)
    binding, value = narrowing
    before = run.bindings.get(binding)
    run.bindings[binding] = value
    flow = run_body(run, node.body)
    if before is not None:
        run.bindings[binding] = before
    else:
        run.bindings.pop(binding, None)
    return flow


def _else(run: Interpreter, node: cst.If | cst.Else | None) -> Flow:
    if node is None:
        return Flow.NEXT
    if isinstance(node, cst.If):
        return _if(run, node)
    return run_body(run, node.body)


def _select_elements(run: Interpreter, node: cst.If, test: ElementTest) -> Flow:
    """Both arms run, each for the elements that its side of the test picks."""
    before = dict(run.bindings)
    with refined(run, test.when_true):
        first = run_body(run, node.body)
    after_first = run.bindings
    run.bindings = dict(after_first) if first is Flow.NEXT else before
    with refined(run, test.when_false):
        second = _else(run, node.orelse)
    if first is Flow.NEXT and second is Flow.NEXT:
        return Flow.NEXT
    if first is not Flow.NEXT and second is not Flow.NEXT:
        return min(first, second)
    # The elements of the arm that left are gone for the rest of this block.
    narrow(run, test.when_false if first is not Flow.NEXT else test.when_true)
    return Flow.NEXT


def _branch(
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
    run.bindings = run.join(open_states)
    return Flow.NEXT


def _for(run: Interpreter, node: cst.For) -> Flow:
    flow = loops.run_for(run, node, run_body)
    if node.orelse is not None and flow is Flow.NEXT:
        return run_body(run, node.orelse.body)
    return flow


def _while(run: Interpreter, node: cst.While) -> Flow:
    judge(run, node.test)
    return loops.repeat(run, lambda: run_body(run, node.body))


def _with(run: Interpreter, node: cst.With) -> Flow:
    grad_before = run.grad_enabled
    for item in node.items:
        value = evaluate(run, item.item)
        run.announce(
            events.ContextEntered(place=run.place(item.item), value=value, expression=item.item)
        )
        if isinstance(value, LibraryInstance):
            run.grad_enabled = _grad_inside(value, run.grad_enabled)
        if item.asname is not None:
            assignment.assign(run, item.asname.name, UNKNOWN, item.item)
    flow = run_body(run, node.body)
    run.grad_enabled = grad_before
    return flow


def _grad_inside(context: LibraryInstance, outside: bool | None) -> bool | None:
    if context.name in GRAD_SWITCHES:
        return GRAD_SWITCHES[context.name]
    if context.name.endswith("set_grad_enabled"):
        mode = context.arguments[0] if context.arguments else UNKNOWN
        return mode.value if isinstance(mode, Constant) and isinstance(mode.value, bool) else None
    return outside


def _try(run: Interpreter, node: cst.Try | cst.TryStar) -> Flow:
    start = dict(run.bindings)

    def usual() -> Flow:
        flow = run_body(run, node.body)
        if flow is Flow.NEXT and node.orelse is not None:
            return run_body(run, node.orelse.body)
        return flow

    def handled(handler: cst.ExceptHandler | cst.ExceptStarHandler) -> Callable[[], Flow]:
        def run_handler() -> Flow:
            run.bindings = run.join([dict(start), run.bindings])
            outer, run.is_handling = run.is_handling, True
            try:
                return run_body(run, handler.body)
            finally:
                run.is_handling = outer

        return run_handler

    flow = _branch(run, [usual, *(handled(each) for each in node.handlers)])
    if node.finalbody is not None:
        final = run_body(run, node.finalbody.body)
        return max(flow, final)
    return flow


def _match(run: Interpreter, node: cst.Match) -> Flow:
    subject = evaluate(run, node.subject)
    arms: list[Callable[[], Flow]] = []
    exhaustive = False
    for case in node.cases:
        literal = _literal_pattern(run, case.pattern)
        if literal is not None and isinstance(subject, Constant):
            if literal == subject:
                return run_body(run, case.body)
            continue
        if isinstance(case.pattern, cst.MatchAs) and case.pattern.pattern is None:
            exhaustive = case.guard is None
        arms.append(lambda body=case.body: run_body(run, body))  # type: ignore[misc]
    if not exhaustive:
        arms.append(lambda: Flow.NEXT)
    return _branch(run, arms)


def _literal_pattern(run: Interpreter, pattern: cst.MatchPattern) -> Constant | None:
    if isinstance(pattern, cst.MatchValue):
        value = evaluate(run, pattern.value)
        return value if isinstance(value, Constant) else None
    return None


def _define_function(run: Interpreter, node: cst.FunctionDef) -> Flow:
    chunk = run.frame.chunk
    assert chunk is not None
    run.bind(node.name.value, FunctionValue(None, chunk, node, run.frame.key))
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
