"""Second names for one module: by plain assignment, or by methods that return the module itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.names import by_use, look_up, uses_of
from freezelint.analysis.knowledge.modules import SAME_MODULE_METHODS
from freezelint.analysis.syntax import dotted
from freezelint.analysis.values import ModuleValue, SequenceValue, Unknown, Value

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.machine import Interpreter


_MOST_ARGUMENTS = 4


def named(run: Interpreter, node: cst.Assign, value: Value) -> Value:
    """Announce that a module gets one more name; return what is assigned.

    What only its new name tells to be a module, the old name holds as well.
    """
    if isinstance(value, ModuleValue):
        _announce(run, node, value)
    elif isinstance(value, SequenceValue) and type(node.value) is cst.Tuple:
        _announce_each(run, node, value)
    elif isinstance(value, Unknown) and type(node.value) is cst.Call:
        return _judged_by_new_name(run, node, value)
    return value


def _announce(run: Interpreter, node: cst.Assign, value: ModuleValue) -> None:
    source = _source(node.value) or _passed_on(run, node.value, value)
    other = None if source is None else dotted(source)
    for target in node.targets:
        name = dotted(target.target)
        if name is not None and other is not None and name != other:
            run.announce(
                events.Aliased(
                    place=run.place(target.target), name=name, other=other, key=value.key
                )
            )
        other = name if other is None else other


def _announce_each(run: Interpreter, node: cst.Assign, value: SequenceValue) -> None:
    """The same for ``first, second = one, other``."""
    names, sources = node.targets[0].target, node.value
    assert isinstance(sources, cst.Tuple)
    if not isinstance(names, cst.Tuple) or len(node.targets) > 1:
        return
    if not len(names.elements) == len(sources.elements) == len(value.items):
        return
    old = {dotted(each.value) for each in names.elements}
    for target, source, item in zip(names.elements, sources.elements, value.items, strict=True):
        name, behind = dotted(target.value), _source(source.value)
        other = None if behind is None else dotted(behind)
        # Where names change places, none of them is the other's second one.
        if isinstance(item, ModuleValue) and None not in (name, other) and other not in old:
            assert name is not None
            assert other is not None
            run.announce(
                events.Aliased(place=run.place(target.value), name=name, other=other, key=item.key)
            )


def _source(node: cst.BaseExpression) -> cst.BaseExpression | None:
    """The name behind calls that return what they are called on."""
    while isinstance(node, cst.Call):
        function = node.func
        if not isinstance(function, cst.Attribute):
            return None
        if function.attr.value not in SAME_MODULE_METHODS:
            return None
        node = function.value
    return node if isinstance(node, (cst.Name, cst.Attribute)) else None


def _passed_on(
    run: Interpreter, node: cst.BaseExpression, value: ModuleValue
) -> cst.BaseExpression | None:
    """The argument that a function returned as it was, or in a shallow copy."""
    if not isinstance(node, cst.Call) or not 0 < len(node.args) < _MOST_ARGUMENTS:
        return None
    for each in node.args:
        name = each.value.value if isinstance(each.value, cst.Name) else dotted(each.value)
        if name is not None and evaluate(run, each.value) == value:
            return each.value
    return None


def _judged_by_new_name(run: Interpreter, node: cst.Assign, value: Value) -> Value:
    source = _source(node.value)
    if not isinstance(source, cst.Name) or len(node.targets) != 1:
        return value
    name = dotted(node.targets[0].target)
    if name is None or not isinstance(look_up(run, source.value), Unknown):
        return value
    made = by_use(run, uses_of(run, name), name)
    if not isinstance(made, ModuleValue):
        return value
    run.bind(source.value, made)
    return made
