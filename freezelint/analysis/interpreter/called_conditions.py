"""Conditions that call something: of a name, a type or an attribute."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.events import KindsTested
from freezelint.analysis.interpreter.arguments import evaluate_arguments
from freezelint.analysis.interpreter.element_tests import UNDECIDED, ElementTest, Verdict, name_test
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.names import look_up
from freezelint.analysis.knowledge.layers import BATCH_NORMS
from freezelint.analysis.knowledge.modules import STRONG_MODULE_EVIDENCE
from freezelint.analysis.normalization import BATCH_NORM_CLASSES
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import PATTERNS, TypeTest
from freezelint.analysis.syntax import dotted
from freezelint.analysis.values import (
    FIRST_STEP,
    BuiltinValue,
    ClassNameValue,
    Constant,
    Form,
    FunctionValue,
    LibraryInstance,
    LibraryValue,
    ModuleValue,
    ParameterName,
    ParameterSequence,
    ParameterValue,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.analysis.interpreter.machine import Interpreter


_FINDS = ("startswith", "endswith", "__contains__")

_FOUND = (("!=", -1), (">", -1), (">=", 0))
_NOT_FOUND = (("==", -1), ("<", 0))
"""Comparisons of the place where a text was found."""


def judge_call(run: Interpreter, node: cst.Call) -> Verdict:
    """What a call means as a condition; None when it has to be evaluated for that."""
    from freezelint.analysis.interpreter.conditions import judge

    function = node.func
    arguments = [each.value for each in node.args]
    if isinstance(function, cst.Name) and isinstance(look_up(run, function.value), BuiltinValue):
        if function.value == "any" and len(arguments) == 1:
            return _judge_any(run, arguments[0])
        if function.value == "bool" and len(arguments) == 1:
            return judge(run, arguments[0])
        if function.value == "isinstance" and len(arguments) == 2:
            return judge_isinstance(run, node, arguments[0], arguments[1])
        if function.value == "hasattr" and len(arguments) == 2:
            return _judge_hasattr(run, arguments[0], arguments[1])
    if arguments and run.element_names and dotted(function) is not None:
        called = evaluate(run, function)
        if isinstance(called, FunctionValue):
            from freezelint.analysis.interpreter.judged_functions import judge_function

            return judge_function(run, called, evaluate_arguments(run, node))
    if isinstance(function, cst.Attribute) and arguments:
        receiver = evaluate(run, function.value)
        if isinstance(receiver, ClassNameValue) and function.attr.value in _FINDS:
            return judge_class_name(run, receiver, "in", evaluate(run, arguments[0]), node)
        if (
            isinstance(receiver, ParameterName)
            and receiver.loop != FIRST_STEP
            and function.attr.value in ("startswith", "endswith")
        ):
            texts = evaluate(run, arguments[0])
            return name_test(run, function.attr.value, texts, node)
        if run.element_names and isinstance(receiver, (LibraryValue, LibraryInstance)):
            return _judge_pattern(run, receiver, function.attr.value, node)
    return None


def _judge_pattern(
    run: Interpreter, receiver: LibraryValue | LibraryInstance, name: str, node: cst.Call
) -> Verdict:
    """``re.match(PATTERN, name)``, or a method of what ``re.compile`` made."""
    if name not in PATTERNS or receiver.name not in ("re", "re.compile"):
        return None
    passed = evaluate_arguments(run, node).positional
    if isinstance(receiver, LibraryInstance):
        passed = (*receiver.arguments, *passed)
    if len(passed) != 2 or not isinstance(passed[1], ParameterName):
        return None
    pattern = passed[0]
    if passed[1].loop == FIRST_STEP or not isinstance(pattern, Constant):
        return UNDECIDED
    try:
        re.compile(str(pattern.value))
    except re.error:
        return UNDECIDED
    return name_test(run, name, pattern, node)


def _judge_hasattr(
    run: Interpreter, tested: cst.BaseExpression, name: cst.BaseExpression
) -> bool | None:
    """Only modules have ``parameters`` and the like; parameters certainly have not."""
    attribute = evaluate(run, name)
    if not isinstance(attribute, Constant) or attribute.value not in STRONG_MODULE_EVIDENCE:
        return None
    value = evaluate(run, tested)
    if isinstance(value, ParameterValue):
        return bool(attribute.value == "requires_grad_")
    return True if run.proven(value) is not None else None


def _judge_any(run: Interpreter, node: cst.BaseExpression) -> Verdict:
    """``any(text in name for text in TEXTS)`` with known texts."""
    if isinstance(node, cst.Call):
        return _judge_any_of_mapped(run, node)
    if not isinstance(node, (cst.GeneratorExp, cst.ListComp)):
        return None
    test, clause = node.elt, node.for_in
    if clause.inner_for_in is not None or clause.ifs or not isinstance(clause.target, cst.Name):
        return None
    variable = clause.target.value
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        comparison = test.comparisons[0]
        if isinstance(comparison.operator, cst.In):
            name = evaluate(run, comparison.comparator)
            if isinstance(name, ParameterName) and name.loop != FIRST_STEP:
                texts = _texts(run, test.left, clause)
                return name_test(run, "contains", texts, node)
    if (
        isinstance(test, cst.Call)
        and isinstance(test.func, cst.Attribute)
        and test.func.attr.value in ("startswith", "endswith")
        and len(test.args) == 1
        and not _is_name(test.func.value, variable)
    ):
        name = evaluate(run, test.func.value)
        if isinstance(name, ParameterName) and name.loop != FIRST_STEP:
            texts = _texts(run, test.args[0].value, clause)
            return name_test(run, test.func.attr.value, texts, node)
    return None


def _judge_any_of_mapped(run: Interpreter, node: cst.Call) -> Verdict:
    """``any(map(name.startswith, TEXTS))``."""
    if not isinstance(node.func, cst.Name) or node.func.value != "map" or len(node.args) != 2:
        return None
    method, texts = (each.value for each in node.args)
    if not isinstance(method, cst.Attribute):
        return None
    name, kind = evaluate(run, method.value), method.attr.value
    if kind == "__contains__":
        kind = "contains"
    if not isinstance(name, ParameterName) or name.loop == FIRST_STEP:
        return None
    if kind not in ("startswith", "endswith", "contains"):
        return None
    return name_test(run, kind, evaluate(run, texts), node)


def _texts(run: Interpreter, text: cst.BaseExpression, clause: cst.CompFor) -> Value:
    """Each of the texts that are tested: what is gone over, or what is made of it."""
    assert isinstance(clause.target, cst.Name)
    if _is_name(text, clause.target.value):
        return evaluate(run, clause.iter)
    return evaluate(run, cst.ListComp(elt=text, for_in=clause))


def _is_name(node: cst.BaseExpression, name: str) -> bool:
    return isinstance(node, cst.Name) and node.value == name


def judge_isinstance(
    run: Interpreter,
    node: cst.BaseExpression,
    tested: cst.BaseExpression,
    classes: cst.BaseExpression,
) -> Verdict:
    """``isinstance(tested, classes)``; None where nothing is known of it."""
    value = evaluate(run, tested)
    wanted = evaluate(run, classes)
    names = wanted.items if isinstance(wanted, SequenceValue) else (wanted,)
    builtin = {each.name for each in names if isinstance(each, BuiltinValue)}
    if builtin and len(builtin) == len(names):
        return _is_builtin(value, builtin)
    if isinstance(value, (ParameterValue, ParameterSequence)):
        return False if wanted == LibraryValue("torch.nn.Module") else None
    if not isinstance(value, ModuleValue):
        return None
    module = run.objects.module(value.key)
    if not all(isinstance(each, LibraryValue) for each in names):
        return UNDECIDED if module.origin is Origin.ELEMENT else None
    texts = tuple(each.name for each in names if isinstance(each, LibraryValue))
    if "torch.nn.Module" in texts and module.is_module:
        return True
    if module.origin is Origin.ELEMENT:
        run.announce(KindsTested(place=run.place(node), kinds=texts))
        return ElementTest((TypeTest(texts),), (TypeTest(texts, negated=True),))
    if module.library is not None and module.library.startswith("torch.nn."):
        return True if module.library in texts else None
    return None


def judge_class_name(
    run: Interpreter, name: ClassNameValue, operator: str, other: Value, node: cst.CSTNode
) -> Verdict:
    """``"BatchNorm" in type(module).__name__``, and its like: only BatchNorm is known by name."""
    is_wanted = operator not in ("not in", "!=", "is not")
    texts: tuple[Value, ...] = (other,)
    if name.text is not None:
        # What `find` returns says whether the text is there.
        number = other.value if isinstance(other, Constant) else None
        if (operator, number) in _FOUND:
            is_wanted = True
        elif (operator, number) in _NOT_FOUND:
            is_wanted = False
        else:
            return UNDECIDED
        operator, texts = "in", (Constant(name.text),)
    elif isinstance(other, SequenceValue) and other.complete and operator in ("in", "not in"):
        operator, texts = "==", other.items
    if run.objects.module(name.module).origin is not Origin.ELEMENT:
        return None
    picked = _classes_named(operator, texts)
    if not picked:
        return UNDECIDED
    run.announce(KindsTested(place=run.place(node), kinds=picked))
    test = ElementTest((TypeTest(picked),), (TypeTest(picked, negated=True),))
    return test if is_wanted else test.negation


def _classes_named(operator: str, texts: Sequence[Value]) -> tuple[str, ...]:
    """The classes of torch whose names these texts are, or are in; none if others may be too."""
    picked: list[str] = []
    for each in texts:
        text = each.value if isinstance(each, Constant) else None
        if not isinstance(text, str) or "batchnorm" not in text.lower():
            return ()
        is_part = operator in ("in", "not in")
        if is_part and text.lower() == "batchnorm":
            return tuple(f"torch.nn.{kind}" for kind in sorted(BATCH_NORM_CLASSES))
        picked += (
            f"torch.nn.{kind}"
            for kind in sorted(BATCH_NORMS)
            if text == kind or (is_part and (text in kind or text in kind.lower()))
        )
    return tuple(picked)


def judge_type(run: Interpreter, node: cst.Comparison) -> Verdict:
    """``type(module) is nn.BatchNorm2d``, and its like; None for any other comparison."""
    if not isinstance(node.left, cst.Call) or len(node.comparisons) != 1:
        return None
    function, arguments = node.left.func, node.left.args
    if not isinstance(function, cst.Name) or function.value != "type" or len(arguments) != 1:
        return None
    comparison = node.comparisons[0]
    is_negated = isinstance(comparison.operator, (cst.IsNot, cst.NotEqual, cst.NotIn))
    verdict = judge_isinstance(run, node, arguments[0].value, comparison.comparator)
    if isinstance(verdict, ElementTest):
        return verdict.negation if is_negated else verdict
    return verdict is not is_negated if isinstance(verdict, bool) else None


def _is_collected(value: SequenceValue | ParameterSequence) -> bool:
    """Whether this is a list or its like, and nothing that can be gone over once only."""
    if isinstance(value, ParameterSequence):
        return value.form is Form.COLLECTION
    return isinstance(value, SequenceValue)


def _is_builtin(value: Value, names: set[str]) -> bool | None:
    """``isinstance(value, (list, tuple))``, where what the value is is known."""
    if isinstance(value, (SequenceValue, ParameterSequence)):
        return bool(names & {"list", "tuple", "set"}) if _is_collected(value) else None
    if isinstance(value, (ModuleValue, ParameterValue)):
        return False
    if isinstance(value, Constant):
        return type(value.value).__name__ in names
    return None
