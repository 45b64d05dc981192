"""What each kind of expression evaluates to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libcst as cst

from freezelint.analysis.interpreter import texts
from freezelint.analysis.interpreter.frames import is_module_use, is_optimizer_use
from freezelint.analysis.interpreter.graphs import (
    compared,
    hand_out,
    lone_parameter,
    replace,
    take_up,
)
from freezelint.analysis.interpreter.iteration import element_of, items_of
from freezelint.analysis.interpreter.joining import join_values
from freezelint.analysis.interpreter.names import by_use, judge_by_use, look_up, uses_of
from freezelint.analysis.interpreter.operators import _is_number, added, arithmetic, bitwise
from freezelint.analysis.predicates import SOME, conjunction
from freezelint.analysis.syntax import dotted
from freezelint.analysis.values import (
    UNKNOWN,
    BoundMethod,
    ChoiceValue,
    ComparisonValue,
    Constant,
    Counted,
    ElementsValue,
    FunctionValue,
    MappingValue,
    ModuleGroup,
    ModuleValue,
    ParameterValue,
    SequenceValue,
    TensorValue,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezelint.analysis.interpreter.machine import Interpreter


def evaluate(run: Interpreter, node: cst.BaseExpression) -> Value:
    """Evaluate an expression, with all that its evaluation causes."""
    handler = _HANDLERS.get(type(node))
    return UNKNOWN if handler is None else handler(run, node)


_CARRIERS = frozenset(
    {TensorValue, ParameterValue, BoundMethod, SequenceValue, MappingValue, ElementsValue}
)
"""What a name may hold that has the output of a module in it."""


def _name(run: Interpreter, node: cst.Name) -> Value:
    if node.value in ("True", "False", "None"):
        return Constant({"True": True, "False": False, "None": None}[node.value])
    if node.value == "__name__":
        return Constant("__main__")
    value = look_up(run, node.value)
    if type(value) in _CARRIERS:
        hand_out(run, (value,))
    return value


def _attribute(run: Interpreter, node: cst.Attribute) -> Value:
    from freezelint.analysis.interpreter.attributes import read_attribute

    receiver = evaluate(run, node.value)
    value = by_path(run, read_attribute(run, receiver, node.attr.value, node), node)
    if type(value) in _CARRIERS and type(receiver) not in _CARRIERS:
        hand_out(run, (value,))
    return value


def by_path(run: Interpreter, value: Value, node: cst.BaseExpression) -> Value:
    """Let the uses of a dotted name decide what a value that is not certain is."""
    if isinstance(value, ModuleValue):
        if run.proven(value) is None and (path := dotted(node)) is not None:
            return _settled_by_use(run, value, path)
        return value
    if not isinstance(value, Unknown) or (path := dotted(node)) is None:
        return value
    known = run.bindings.get((run.frame.key, path))
    if known is not None and not isinstance(known, Unknown):
        return known
    return judge_by_use(run, run.frame, path)


def _settled_by_use(run: Interpreter, value: ModuleValue, path: str) -> Value:
    methods = uses_of(run, path)
    if is_module_use(methods):
        run.prove(value)
    elif is_optimizer_use(methods):
        module = run.objects.module(value.key)
        made = by_use(run, methods, path)
        if module.parent is not None and module.attribute is not None:
            run.bindings[module.parent, module.attribute] = made
        return made
    return value


def _string(run: Interpreter, node: cst.SimpleString | cst.ConcatenatedString) -> Value:
    text = node.value if isinstance(node, cst.SimpleString) else ""
    if text[:1] in ("'", '"') and "\\" not in text:
        # Most strings by far; LibCST would send each through Python's parser.
        quotes = 3 if text[:3] in ('"""', "'''") else 1
        return Constant(text[quotes:-quotes])
    value = node.evaluated_value
    return UNKNOWN if value is None else Constant(value)


def _formatted_string(run: Interpreter, node: cst.FormattedString) -> Value:
    text: str | None = ""
    counted: Counted | None = None
    for part in node.parts:
        if isinstance(part, cst.FormattedStringText):
            text = None if text is None else text + part.value
            continue
        assert isinstance(part, cst.FormattedStringExpression)
        # What is written into the text happens, even if the text is not known any more.
        value = evaluate(run, part.expression)
        take_up(run, (value,))
        if isinstance(value, Counted) and counted is None and text is not None and not value.before:
            counted, text = value._replace(before=text), ""
            continue
        is_known = isinstance(value, Constant) and not part.format_spec and not part.conversion
        text = text + str(value.value) if is_known and text is not None else None  # type: ignore[union-attr]
    if text is None:
        return UNKNOWN
    return Constant(text) if counted is None else counted._replace(after=text)


def _integer(run: Interpreter, node: cst.Integer) -> Value:
    # LibCST would send each number through Python's parser.
    return Constant(int(node.value.replace("_", ""), 0))


def _float(run: Interpreter, node: cst.Float) -> Value:
    return Constant(float(node.value.replace("_", "")))


def _unary(run: Interpreter, node: cst.UnaryOperation) -> Value:
    if isinstance(node.operator, cst.Not):
        from freezelint.analysis.interpreter.conditions import judge

        verdict = judge(run, node.expression)
        return Constant(not verdict) if isinstance(verdict, bool) else UNKNOWN
    value = evaluate(run, node.expression)
    is_number = isinstance(value, Constant) and isinstance(value.value, (int, float))
    if isinstance(node.operator, cst.Minus) and is_number:
        return Constant(-value.value)  # type: ignore[union-attr]
    if isinstance(value, ComparisonValue):
        return compared(run, value) or UNKNOWN
    if lone_parameter(run, value) is not None:
        return arithmetic(run, value, UNKNOWN)
    return value if isinstance(value, TensorValue) else UNKNOWN


def _boolean(run: Interpreter, node: cst.BooleanOperation) -> Value:
    left, right = evaluate(run, node.left), evaluate(run, node.right)
    if isinstance(left, Constant):
        takes_right = bool(left.value) == isinstance(node.operator, cst.And)
        return right if takes_right else left
    return UNKNOWN


_OPERATORS: dict[type[cst.BaseCompOp], str] = {
    cst.Equal: "==",
    cst.NotEqual: "!=",
    cst.Is: "is",
    cst.IsNot: "is not",
    cst.In: "in",
    cst.NotIn: "not in",
    cst.LessThan: "<",
    cst.LessThanEqual: "<=",
    cst.GreaterThan: ">",
    cst.GreaterThanEqual: ">=",
}


def _comparison(run: Interpreter, node: cst.Comparison) -> Value:
    left = evaluate(run, node.left)
    if len(node.comparisons) != 1:
        for each in node.comparisons:
            evaluate(run, each.comparator)
        return UNKNOWN
    comparison = node.comparisons[0]
    right = evaluate(run, comparison.comparator)
    take_up(run, (left, right))
    return ComparisonValue(left, _OPERATORS.get(type(comparison.operator), "?"), right)


def _conditional(run: Interpreter, node: cst.IfExp) -> Value:
    from freezelint.analysis.interpreter.conditions import judge
    from freezelint.analysis.interpreter.turns import arms_of
    from freezelint.analysis.trace import compatible

    verdict = judge(run, node.test)
    if verdict is True:
        return evaluate(run, node.body)
    if verdict is False:
        return evaluate(run, node.orelse)
    path, (taken, passed) = run.path, arms_of(run, node.test)
    if not compatible(path, passed):
        return evaluate(run, node.body)
    if not compatible(path, taken):
        return evaluate(run, node.orelse)
    run.path = (*path, *taken)
    first = evaluate(run, node.body)
    run.path = (*path, *passed)
    second = evaluate(run, node.orelse)
    run.path = path
    joined = join_values(run, first, second)
    replace(run, (first, second), joined)
    if isinstance(joined, Unknown) and isinstance(first, Constant) and isinstance(second, Constant):
        return ChoiceValue((first, second))
    return joined


def _lambda(run: Interpreter, node: cst.Lambda) -> Value:
    assert run.frame.chunk is not None
    return FunctionValue(None, run.frame.chunk, node, run.frame.key)


def _collection(run: Interpreter, node: cst.List | cst.Tuple | cst.Set) -> Value:
    from freezelint.analysis.interpreter.concatenation import concatenated

    items: list[Value] = []
    spread: list[Value] = []
    for element in node.elements:
        value = evaluate(run, element.value)
        if not isinstance(element, cst.StarredElement):
            items.append(value)
            continue
        known = items_of(run, value)
        if known is not None:
            items.extend(known)
        elif isinstance(value, (ModuleValue, ModuleGroup)) and (
            isinstance(each := element_of(run, value), ModuleValue)
        ):
            # One that stands for each of them.
            items.append(each)
        else:
            spread.append(value)
    if not spread:
        return SequenceValue(tuple(items))
    result: Value = SequenceValue(tuple(items))
    for value in spread:
        result = concatenated(run, result, value, node)
    return result


def _dictionary(run: Interpreter, node: cst.Dict) -> Value:
    items: list[tuple[Any, Value]] = []
    complete = True
    for element in node.elements:
        if isinstance(element, cst.DictElement):
            key = evaluate(run, element.key)
            value = evaluate(run, element.value)
            if isinstance(key, Constant):
                items.append((key.value, value))
            else:
                complete = False
        else:
            spread = evaluate(run, element.value)
            if isinstance(spread, MappingValue):
                items.extend(spread.items)
            complete = complete and isinstance(spread, MappingValue) and spread.complete
    return MappingValue(tuple(items), complete)


def _is_text(value: Value) -> bool:
    return isinstance(value, Constant) and isinstance(value.value, str)


def _binary(run: Interpreter, node: cst.BinaryOperation) -> Value:
    from freezelint.analysis.interpreter.concatenation import as_parameters, concatenated
    from freezelint.analysis.interpreter.gradients import complement, is_gradient, product

    left, right = evaluate(run, node.left), evaluate(run, node.right)
    if isinstance(node.operator, cst.Add):
        if _is_number(left) and _is_number(right):
            return Constant(left.value + right.value)  # type: ignore[union-attr]
        if isinstance(right, Counted):
            return texts.before_number(left, right)
        if isinstance(left, Counted) and _is_text(right):
            return texts.with_text_behind(left, right.value)  # type: ignore[union-attr]
        together = concatenated(run, left, right, node)
        return added(run, left, right) if isinstance(together, Unknown) else together
    if isinstance(node.operator, cst.Subtract):
        if _is_number(left) and _is_number(right):
            return Constant(left.value - right.value)  # type: ignore[union-attr]
        if _is_number(left) and (rest := complement(right)) is not None:
            return rest
        kept = as_parameters(run, left, node)
        if kept is not None:
            parts = tuple(
                part._replace(predicate=conjunction(part.predicate, (SOME,))) for part in kept.parts
            )
            return kept._replace(parts=parts)
    if isinstance(node.operator, cst.Modulo) and isinstance(left, Constant):
        return texts.with_percent(left.value, right)
    if isinstance(node.operator, cst.Multiply) and (is_gradient(left) or is_gradient(right)):
        return product(left, right)
    if isinstance(node.operator, (cst.BitAnd, cst.BitOr, cst.BitXor)):
        return bitwise(run, left, right, node)
    return arithmetic(run, left, right)


def _subscript(run: Interpreter, node: cst.Subscript) -> Value:
    from freezelint.analysis.interpreter.subscripts import read_subscript

    return read_subscript(run, node)


def _named(run: Interpreter, node: cst.NamedExpr) -> Value:
    from freezelint.analysis.interpreter.assignment import assign

    value = evaluate(run, node.value)
    assign(run, node.target, value, node.value)
    return value


def _await(run: Interpreter, node: cst.Await) -> Value:
    return evaluate(run, node.expression)


def _yield(run: Interpreter, node: cst.Yield) -> Value:
    from freezelint.analysis.interpreter.generators import run_yield

    given = node.value.item if isinstance(node.value, cst.From) else node.value
    value = Constant(None) if given is None else evaluate(run, given)
    return run_yield(run, node, value)


def _call(run: Interpreter, node: cst.Call) -> Value:
    from freezelint.analysis.interpreter.calls import call

    return call(run, node)


def _comprehension(run: Interpreter, node: cst.BaseComp) -> Value:
    from freezelint.analysis.interpreter.comprehensions import comprehend

    return comprehend(run, node)


_HANDLERS: dict[type[cst.CSTNode], Callable[[Interpreter, Any], Value]] = {
    cst.Name: _name,
    cst.Attribute: _attribute,
    cst.Call: _call,
    cst.SimpleString: _string,
    cst.ConcatenatedString: _string,
    cst.FormattedString: _formatted_string,
    cst.Integer: _integer,
    cst.Float: _float,
    cst.UnaryOperation: _unary,
    cst.BooleanOperation: _boolean,
    cst.Comparison: _comparison,
    cst.IfExp: _conditional,
    cst.Lambda: _lambda,
    cst.List: _collection,
    cst.Tuple: _collection,
    cst.Set: _collection,
    cst.Dict: _dictionary,
    cst.BinaryOperation: _binary,
    cst.Subscript: _subscript,
    cst.NamedExpr: _named,
    cst.Await: _await,
    cst.Yield: _yield,
    cst.ListComp: _comprehension,
    cst.SetComp: _comprehension,
    cst.GeneratorExp: _comprehension,
    cst.DictComp: _comprehension,
}
