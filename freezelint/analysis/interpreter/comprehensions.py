"""Comprehensions: loops over parameters and modules that give a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter import assignment
from freezelint.analysis.interpreter.conditions import judge
from freezelint.analysis.interpreter.element_tests import ElementTest
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.iteration import consume, element_of, items_of, settle_flags
from freezelint.analysis.interpreter.narrowing import narrow
from freezelint.analysis.predicates import SOME, conjunction
from freezelint.analysis.syntax import dotted, walk
from freezelint.analysis.values import (
    ANY_KEY,
    UNKNOWN,
    Constant,
    ElementsValue,
    Form,
    MappingValue,
    ModuleGroup,
    ModuleValue,
    ParameterName,
    ParameterSequence,
    ParameterValue,
    RangeValue,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.analysis.interpreter.machine import Interpreter


_LOOK_UPS = frozenset({"getattr", "get_submodule"})


def comprehend(run: Interpreter, node: cst.BaseComp) -> Value:
    """Evaluate a comprehension or generator expression."""
    before = dict(run.bindings)
    run.element_names.append(set())
    outer, run.selection = run.selection, run.selection or node
    try:
        iterable = evaluate(run, node.for_in.iter)
        results, complete = _clause(run, node, node.for_in, iterable)
    finally:
        run.element_names.pop()
        run.selection = outer
    _restore_names(run, before)
    is_lazy = isinstance(node, cst.GeneratorExp)
    together = collect(run, results, complete=complete, is_lazy=is_lazy)
    if isinstance(together, ElementsValue) and isinstance(iterable, RangeValue):
        clause = node.for_in
        if not clause.ifs and clause.inner_for_in is None:
            together = together._replace(number=len(iterable.values))
    if isinstance(node, cst.DictComp):
        if isinstance(together, ParameterSequence):
            return together._replace(form=Form.TABLE)
        return _as_mapping(together)
    is_written_down = isinstance(node.for_in.iter, (cst.Tuple, cst.List))
    if is_lazy and not is_written_down and not isinstance(together, ParameterSequence):
        # What runs such a generator is a sum or a count on the same line.
        consume(run, iterable, node.for_in.iter)
    return together


def _as_mapping(collected: Value) -> Value:
    """What a dict comprehension makes of modules."""
    if isinstance(collected, ElementsValue):
        element = collected.element
        if isinstance(element, SequenceValue):
            if len(element.items) != 2:
                return collected
            element = element.items[1]
        return MappingValue(((ANY_KEY, element),), complete=False)
    if not isinstance(collected, SequenceValue) or not collected.items:
        return collected
    if len(collected.items) == 1 and (alike := _under_any_key(collected.items[0])) is not None:
        return MappingValue(((ANY_KEY, alike),), complete=False)
    pairs = [each.items for each in collected.items if isinstance(each, SequenceValue)]
    if len(pairs) < len(collected.items) or any(len(each) != 2 for each in pairs):
        return collected
    known = tuple((key.value, value) for key, value in pairs if isinstance(key, Constant))
    return MappingValue(known, collected.complete and len(known) == len(pairs))


def _under_any_key(entry: Value) -> Value | None:
    """What stands for all values of a dict; None where its key is known."""
    if not isinstance(entry, SequenceValue) or len(entry.items) != 2:
        return entry
    key, value = entry.items
    return None if isinstance(key, Constant) else value


def _restore_names(run: Interpreter, before: dict[tuple[int, str], Value]) -> None:
    """A comprehension's variables are its own; what it did to modules stays."""
    frame = run.frame.key
    for key in [key for key in run.bindings if key[0] == frame and key not in before]:
        if "." not in key[1]:
            del run.bindings[key]
    for key, value in before.items():
        if key[0] == frame:
            run.bindings[key] = value


def _clause(
    run: Interpreter, node: cst.BaseComp, clause: cst.CompFor, iterable: Value
) -> tuple[list[Value], bool]:
    if not isinstance(node, cst.GeneratorExp):
        iterable = consume(run, iterable, clause.iter)
    items = items_of(run, iterable)
    if items is not None and (
        _makes_text(node) or not all(map(_is_constant, items)) or _looks_up(node, clause, items)
    ):
        results: list[Value] = []
        complete = True
        for item in items:
            found, known = _element(run, node, clause, item)
            results.extend(found)
            complete = complete and known
        return results, complete
    run.element_names[-1].update(each.value for each in _names(clause.target))
    element = element_of(run, iterable)
    results, complete = _element(run, node, clause, element)
    goes_over_parameters = isinstance(iterable, (ParameterSequence, ModuleGroup, ElementsValue))
    known = goes_over_parameters and getattr(iterable, "complete", True)
    return results, complete and known


def _is_constant(value: Value) -> bool:
    return isinstance(value, Constant)


def _looks_up(node: cst.BaseComp, clause: cst.CompFor, items: Sequence[Value]) -> bool:
    """Whether each of several texts is the key or the name of something, as in ``models[key]``."""
    if not isinstance(node, cst.BaseSimpleComp) or not isinstance(clause.target, cst.Name):
        return False
    if not all(isinstance(each, Constant) and isinstance(each.value, str) for each in items):
        return False
    name = clause.target.value
    sources = [node.elt] if clause.inner_for_in is None else [node.elt, clause.inner_for_in.iter]
    return any(
        isinstance(looked_up, cst.Name) and looked_up.value == name
        for source in sources
        for each in walk(source)
        for looked_up in _keys_in(each)
    )


def _keys_in(node: cst.CSTNode) -> list[cst.BaseExpression]:
    """What something is looked up by: in a container, or as an attribute."""
    if isinstance(node, cst.Index):
        return [node.value]
    if isinstance(node, cst.Call) and (dotted(node.func) or "").rpartition(".")[2] in _LOOK_UPS:
        return [each.value for each in node.args]
    return []


def _makes_text(node: cst.BaseComp) -> bool:
    """Whether each element makes a text of its own, by which others may be picked."""
    if not isinstance(node, cst.BaseSimpleComp):
        return False
    made = node.elt
    if isinstance(made, cst.BinaryOperation):
        return any(map(_is_text, (made.left, made.right)))
    if isinstance(made, cst.Call) and isinstance(made.func, cst.Attribute):
        made = made.func.value
    return _is_text(made)


def _is_text(node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.BinaryOperation):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, (cst.FormattedString, cst.SimpleString))


def _names(target: cst.CSTNode) -> list[cst.Name]:
    return [each for each in walk(target) if isinstance(each, cst.Name)]


def _element(
    run: Interpreter, node: cst.BaseComp, clause: cst.CompFor, element: Value
) -> tuple[list[Value], bool]:
    assignment.assign(run, clause.target, element, clause.iter)
    for condition in clause.ifs:
        verdict = judge(run, condition.test)
        if verdict is False:
            return [], True
        if isinstance(verdict, ElementTest):
            narrow(run, verdict.when_true)
        elif verdict is None:
            narrow(run, (SOME,))
    if clause.inner_for_in is not None:
        inner = clause.inner_for_in
        return _clause(run, node, inner, evaluate(run, inner.iter))
    if isinstance(node, cst.DictComp):
        key, value = evaluate(run, node.key), evaluate(run, node.value)
        stands_for_all = (
            (isinstance(value, ParameterValue) and not isinstance(key, ParameterName))
            or (isinstance(value, ModuleValue) and not isinstance(key, Constant))
            or isinstance(value, MappingValue)
        )
        return [value if stands_for_all else SequenceValue((key, value))], True
    assert isinstance(node, cst.BaseSimpleComp)
    return [evaluate(run, node.elt)], True


def collect(run: Interpreter, results: list[Value], *, complete: bool, is_lazy: bool) -> Value:
    """What values that were found one by one make together."""
    parameters = [_parameter_in(each) for each in results]
    if results and all(each is not None for each in parameters):
        parts = tuple(part for each in parameters if each is not None for part in each.parts)
        parts = tuple(dict.fromkeys(parts))
        named = all(map(_has_name, results))
        if not named and all(isinstance(each, SequenceValue) for each in results):
            # Pairs with something else than their names, such as a name with a prefix.
            pair = SequenceValue((UNKNOWN, ParameterValue(parts, is_element=True)))
            return ElementsValue(pair, run.objects.new_key() if is_lazy else None)
        if is_lazy:
            key = run.objects.new_key()
            return ParameterSequence(parts, Form.ITERATOR, named, complete, iterator=key)
        return ParameterSequence(settle_flags(run, parts), Form.COLLECTION, named, complete)
    if len(results) == 1 and isinstance(results[0], MappingValue):
        return SequenceValue(tuple(results), complete=complete)
    if len(results) == 1 and isinstance(results[0], ModuleValue):
        module = run.objects.module(results[0].key)
        if module.parent is not None and run.objects.parts_of(module.key)[0].key != module.key:
            return ModuleGroup(module.parent, conjunction(module.predicate, ()))
    if len(results) == 1 and not complete:
        return ElementsValue(results[0])
    return SequenceValue(tuple(results), complete=complete)


def _has_name(value: Value) -> bool:
    return isinstance(value, SequenceValue) and value.items[0] == ParameterName(0)


def _parameter_in(value: Value) -> ParameterValue | None:
    if isinstance(value, ParameterValue):
        return value
    if isinstance(value, SequenceValue) and len(value.items) == 2:
        second = value.items[1]
        return second if isinstance(second, ParameterValue) else None
    return None
