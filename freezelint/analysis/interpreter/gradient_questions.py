"""Conditions that ask whether a parameter has a gradient."""

from __future__ import annotations

import enum

import libcst as cst

from freezelint.analysis.syntax import dotted, walk


class Question(enum.Enum):
    """What a condition says of a gradient where it holds."""

    IS_MISSING = "is missing"
    IS_THERE = "is there"
    UNCLEAR = "unclear"
    """It has to do with gradients, in another way."""


def question(
    test: cst.BaseExpression, parameters: set[str], gradients: set[str]
) -> Question | None:
    """What a condition asks about the gradients of some names; None when nothing.

    Args:
        test: The condition.
        parameters: Names of parameters.
        gradients: Names of their gradients.
    """
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        inner = question(test.expression, parameters, gradients)
        if inner is Question.IS_THERE:
            return Question.IS_MISSING
        return Question.IS_THERE if inner is Question.IS_MISSING else inner
    if isinstance(test, cst.BooleanOperation):
        return _of_both(test, parameters, gradients)
    path = dotted(test)
    if path is not None and any(path == f"{each}.requires_grad" for each in parameters):
        return Question.IS_THERE
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        compared = test.comparisons[0]
        if _is_gradient(test.left, parameters, gradients) and _is_none(compared.comparator):
            if isinstance(compared.operator, (cst.Is, cst.Equal)):
                return Question.IS_MISSING
            if isinstance(compared.operator, (cst.IsNot, cst.NotEqual)):
                return Question.IS_THERE
    if _touches(test, gradients) or _passes(test, parameters):
        return Question.UNCLEAR
    return None


def _of_both(
    test: cst.BooleanOperation, parameters: set[str], gradients: set[str]
) -> Question | None:
    sides = {
        question(test.left, parameters, gradients),
        question(test.right, parameters, gradients),
    }
    if sides == {None}:
        return None
    # What is certain of one side holds for "and" where it holds, for "or" where it does not.
    if isinstance(test.operator, cst.And) and sides <= {None, Question.IS_THERE}:
        return Question.IS_THERE
    if isinstance(test.operator, cst.Or) and sides <= {None, Question.IS_MISSING}:
        return Question.IS_MISSING
    return Question.UNCLEAR


def _is_gradient(node: cst.BaseExpression, parameters: set[str], gradients: set[str]) -> bool:
    path = dotted(node)
    return path in gradients or any(path == f"{each}.grad" for each in parameters)


def _is_none(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"


def _touches(test: cst.BaseExpression, gradients: set[str]) -> bool:
    return any(
        (isinstance(each, cst.Name) and (each.value in gradients or each.value == "hasattr"))
        or (isinstance(each, cst.Attribute) and "grad" in each.attr.value)
        for each in walk(test)
    )


def _passes(test: cst.BaseExpression, parameters: set[str]) -> bool:
    """Whether a condition passes a parameter to what may look at its gradient, or looks it up."""
    passed = (
        each.value if isinstance(each, cst.Arg) else each.left
        for each in walk(test)
        if isinstance(each, (cst.Arg, cst.Comparison))
    )
    return any(isinstance(each, cst.Name) and each.value in parameters for each in passed)
