"""What the annotation of a name says about its value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.classes import is_module_class, some_object
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.knowledge.modules import MODULE_BASES, PARAMETER_CLASSES
from freezelint.analysis.predicates import SOME
from freezelint.analysis.syntax import dotted
from freezelint.analysis.values import (
    ClassValue,
    Form,
    LibraryValue,
    ModuleGroup,
    ModuleValue,
    OptimizerValue,
    ParameterSequence,
    Part,
    TensorValue,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.machine import Interpreter


def by_annotation(
    run: Interpreter, value: Value, annotation: cst.BaseExpression, name: cst.CSTNode
) -> Value:
    """Let ``x: nn.Module`` and its like tell what an unknown value is."""
    if not isinstance(value, Unknown):
        return value
    if isinstance(annotation, cst.BinaryOperation):
        left = by_annotation(run, value, annotation.left, name)
        if _is_none(annotation.right):
            return left
        return by_annotation(run, _of_some_kind(run, left), annotation.right, name)
    if isinstance(annotation, cst.SimpleString):
        written = annotation.raw_value
        named = cst.parse_expression(written) if re.fullmatch(_DOTTED, written) else None
        return value if named is None else by_annotation(run, value, named, name)
    if isinstance(annotation, cst.Subscript):
        return _by_generic(run, value, annotation, name)
    return _by_class(run, value, evaluate(run, annotation), name)


def _by_class(run: Interpreter, value: Value, kind: Value, name: cst.CSTNode) -> Value:
    """What is known of an instance of a class, or of one that derives from it."""
    label = dotted(name)
    if isinstance(kind, ClassValue):
        if is_module_class(run, kind):
            from freezelint.analysis.interpreter.instances import given_instance

            return given_instance(run, kind, name, label)
        return some_object(run, kind)
    if isinstance(kind, LibraryValue):
        if _is_published_model(kind.name):
            given = run.given_module(label)
            given.library = kind.name
            return ModuleValue(given.key)
        if kind.name in MODULE_BASES or _is_layer(kind.name):
            return ModuleValue(run.given_module(label).key)
        if kind.name in ("torch.optim.Optimizer", "torch.optim.optimizer.Optimizer"):
            return OptimizerValue((run.objects.new_optimizer("").key,))
        if kind.name in ("torch.Tensor", "torch.FloatTensor"):
            return TensorValue()
    return value


def _by_generic(
    run: Interpreter, value: Value, annotation: cst.Subscript, name: cst.CSTNode
) -> Value:
    """``Optional[nn.Module]``, which is a module where it is used as one, or ``list[nn.Module]``."""
    kind = (dotted(annotation.value) or "").rpartition(".")[2]
    inner = annotation.slice[0].slice
    if len(annotation.slice) != 1 or not isinstance(inner, cst.Index):
        return value
    if kind == "Optional":
        return by_annotation(run, value, inner.value, name)
    if kind not in _COLLECTIONS:
        return value
    element = _of_some_kind(run, by_annotation(run, value, inner.value, name))
    if isinstance(element, ModuleValue):
        return ModuleGroup(element.key, (SOME,))
    parameter = evaluate(run, inner.value)
    if isinstance(parameter, LibraryValue) and parameter.name in PARAMETER_CLASSES:
        given = run.given_module(dotted(name))
        return ParameterSequence((Part(given.key, (SOME,)),), Form.COLLECTION, complete=False)
    return value


def _is_none(annotation: cst.BaseExpression) -> bool:
    return isinstance(annotation, cst.Name) and annotation.value == "None"


def _of_some_kind(run: Interpreter, value: Value) -> Value:
    """The same module, but of which class it is nobody knows."""
    if not isinstance(value, ModuleValue):
        return value
    module = run.objects.module(value.key)
    return value if module.owner_class is None else ModuleValue(run.given_module(module.label).key)


_DOTTED = r"\w+(?:\.\w+)*"


_COLLECTIONS = frozenset({"List", "list", "Sequence", "Iterable", "Collection"})


def _is_published_model(name: str) -> bool:
    last = name.rpartition(".")[2]
    return name.startswith("transformers.") and last.endswith(("Model", "LMHeadModel"))


def _is_layer(name: str) -> bool:
    last = name.rpartition(".")[2]
    return name.startswith("torch.nn.") and last[:1].isupper() and last != "Parameter"
