"""Arguments: what a call passes, and under which names the function gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter import annotated_names
from freezelint.analysis.interpreter.classes import some_object
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.iteration import items_of
from freezelint.analysis.interpreter.literals import value_of
from freezelint.analysis.interpreter.names import defined_by_file, judge_instance
from freezelint.analysis.syntax import dotted
from freezelint.analysis.values import (
    UNKNOWN,
    ClassValue,
    Constant,
    FunctionValue,
    LibraryInstance,
    LibraryValue,
    MappingValue,
    SequenceValue,
    TypedValue,
    Unknown,
    Value,
)
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.interpreter.machine import Interpreter


class Arguments(NamedTuple):
    """What a call passes."""

    positional: tuple[Value, ...]
    keywords: dict[str, Value]
    nodes: tuple[cst.BaseExpression, ...]
    keyword_nodes: dict[str, cst.BaseExpression]
    complete: bool
    """False when ``*args`` or ``**kwargs`` pass something unknown."""

    @property
    def all(self) -> tuple[Value, ...]:
        """Every value that is passed."""
        return (*self.positional, *self.keywords.values())

    def get(self, position: int, name: str) -> Value | None:
        """An argument by position or keyword; None when it is not passed."""
        if name in self.keywords:
            return self.keywords[name]
        return self.positional[position] if position < len(self.positional) else None

    def node(self, position: int, name: str) -> cst.BaseExpression | None:
        """The expression of an argument."""
        if name in self.keyword_nodes:
            return self.keyword_nodes[name]
        return self.nodes[position] if position < len(self.nodes) else None

    def without_first(self) -> Arguments:
        """What is left when the first positional argument is taken away."""
        return self._replace(positional=self.positional[1:], nodes=self.nodes[1:])

    def followed_by(self, more: Arguments) -> Arguments:
        """These arguments and those of a later call, whose keywords count where both have one."""
        return Arguments(
            self.positional + more.positional,
            self.keywords | more.keywords,
            self.nodes + more.nodes if len(self.nodes) == len(self.positional) else (),
            self.keyword_nodes | more.keyword_nodes,
            self.complete and more.complete,
        )


def passing(*values: Value) -> Arguments:
    """Arguments that no expression stands for."""
    return Arguments(values, {}, (), {}, complete=True)


def evaluate_arguments(run: Interpreter, node: cst.Call) -> Arguments:
    """Evaluate what a call passes."""
    positional: list[Value] = []
    nodes: list[cst.BaseExpression] = []
    keywords: dict[str, Value] = {}
    keyword_nodes: dict[str, cst.BaseExpression] = {}
    complete = True
    for argument in node.args:
        value = evaluate(run, argument.value)
        if argument.star == "*":
            items = items_of(run, value)
            if items is None:
                complete = False
                items = (value,)
            positional.extend(items)
            nodes.extend([argument.value] * len(items))
        elif argument.star == "**":
            if isinstance(value, MappingValue):
                keywords.update({str(key): each for key, each in value.items})
                complete = complete and value.complete
            else:
                complete = False
        elif argument.keyword is not None:
            keywords[argument.keyword.value] = value
            keyword_nodes[argument.keyword.value] = argument.value
        else:
            positional.append(value)
            nodes.append(argument.value)
    return Arguments(tuple(positional), keywords, tuple(nodes), keyword_nodes, complete)


def bind_parameters(
    run: Interpreter,
    frame: int,
    function: FunctionValue,
    parameters: cst.Parameters,
    arguments: Arguments,
) -> None:
    """Bind what is passed to the names of a function's parameters."""
    positional = list(arguments.positional)
    if function.receiver is not None:
        positional.insert(0, function.receiver)
    named = [*parameters.posonly_params, *parameters.params]
    for number, parameter in enumerate(named):
        name = parameter.name.value
        if number < len(positional):
            value = positional[number]
        else:
            value = _by_keyword(run, function, parameter, arguments)
        run.bindings[frame, name] = value
    for parameter in parameters.kwonly_params:
        run.bindings[frame, parameter.name.value] = _by_keyword(run, function, parameter, arguments)
    if isinstance(parameters.star_arg, cst.Param):
        rest = tuple(positional[len(named) :])
        run.bindings[frame, parameters.star_arg.name.value] = SequenceValue(
            rest, complete=arguments.complete
        )
    if parameters.star_kwarg is not None:
        taken = {each.name.value for each in (*named, *parameters.kwonly_params)}
        others = [pair for pair in arguments.keywords.items() if pair[0] not in taken]
        run.bindings[frame, parameters.star_kwarg.name.value] = MappingValue(
            tuple(others), complete=arguments.complete
        )


def passed_names(
    function: FunctionValue, parameters: cst.Parameters, arguments: Arguments
) -> Iterator[tuple[str, str]]:
    """For parameters, the dotted names that are passed for them."""
    for name, node in _given_nodes(function, parameters, arguments):
        path = dotted(node)
        # What an object's own methods make of its attributes is seen under other names.
        if path is not None and "[" not in path and path.partition(".")[0] != "self":
            yield name, path


def passed_nodes(
    function: FunctionValue, parameters: cst.Parameters, arguments: Arguments
) -> Iterator[tuple[str, cst.BaseExpression]]:
    """For parameters, what is written in the call for them."""
    yield from _given_nodes(function, parameters, arguments)
    positions = len(parameters.posonly_params) + len(parameters.params)
    for parameter in parameters.kwonly_params:
        # Beyond every position that it could be taken for.
        node = arguments.node(positions + len(arguments.positional), parameter.name.value)
        if node is not None:
            yield parameter.name.value, node


def _given_nodes(
    function: FunctionValue, parameters: cst.Parameters, arguments: Arguments
) -> Iterator[tuple[str, cst.BaseExpression]]:
    """The same for those that may be given by position; a receiver is not written there."""
    skipped = 0 if function.receiver is None else 1
    given = (*parameters.posonly_params, *parameters.params)[skipped:]
    for number, parameter in enumerate(given):
        node = arguments.node(number, parameter.name.value)
        if node is not None:
            yield parameter.name.value, node


def _by_keyword(
    run: Interpreter, function: FunctionValue, parameter: cst.Param, arguments: Arguments
) -> Value:
    name = parameter.name.value
    if name in arguments.keywords:
        return arguments.keywords[name]
    if parameter.default is None:
        return UNKNOWN
    if arguments.complete:
        return _default(run, function, parameter.default)
    if isinstance(parameter.default, (cst.Name, cst.Attribute)):
        return _kind_of(_default(run, function, parameter.default))
    if isinstance(parameter.default, cst.Float):
        # A rate or a decay is another number, if anything is passed at all.
        return TypedValue("float", Constant(parameter.default.evaluated_value))
    return UNKNOWN


def _kind_of(default: Value) -> Value:
    """What may be passed in the place of a default: another class of optimizers for one."""
    from freezelint.analysis.interpreter.command_line import as_defaults
    from freezelint.analysis.interpreter.library_calls import is_optimizer

    if isinstance(default, MappingValue):
        return as_defaults(default)
    if not isinstance(default, LibraryValue) or not is_optimizer(default.name):
        return UNKNOWN
    return LibraryValue(f"{default.name.rpartition('.')[0]}.Chosen")


def _default(run: Interpreter, function: FunctionValue, node: cst.BaseExpression) -> Value:
    """Defaults are evaluated where the function is defined; only what lasts is taken.

    Of an object of a class of the file, the class is known.
    """
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Name):
        definition = run.index.classes.get(node.func.value)
        return UNKNOWN if definition is None else some_object(run, ClassValue(definition))
    if isinstance(node, cst.Name):
        if node.value in ("True", "False", "None"):
            return Constant({"True": True, "False": False, "None": None}[node.value])
        return _outer_name(run, function, node.value)
    if isinstance(node, (cst.SimpleString, cst.Integer, cst.Float)):
        return Constant(node.evaluated_value)
    if isinstance(node, (cst.Tuple, cst.List, cst.Set)):
        if any(isinstance(each, cst.StarredElement) for each in node.elements):
            return UNKNOWN
        return SequenceValue(tuple(_default(run, function, each.value) for each in node.elements))
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus):
        number = _default(run, function, node.expression)
        is_number = isinstance(number, Constant) and isinstance(number.value, (int, float))
        return Constant(-number.value) if is_number else UNKNOWN  # type: ignore[union-attr]
    if isinstance(node, cst.Attribute):
        package = _default(run, function, node.value)
        if isinstance(package, LibraryValue):
            return LibraryValue(f"{package.name}.{node.attr.value}")
    return UNKNOWN


def _outer_name(run: Interpreter, function: FunctionValue, name: str) -> Value:
    """What a name that a default mentions holds around the function."""
    value = run.bindings.get((function.frame, name))
    if value is not None:
        return value if isinstance(value, _LASTING) else UNKNOWN
    defined = defined_by_file(run, name)
    if defined is not None:
        return UNKNOWN if isinstance(defined, FunctionValue) else defined
    constant = run.index.constants.get(name)
    return UNKNOWN if constant is None else value_of(run, constant)


_LASTING = (Constant, SequenceValue, MappingValue, LibraryValue)
"""Values that are at a call what they were where the function was defined."""


def annotate_parameters(run: Interpreter, parameters: cst.Parameters) -> None:
    """Let annotations tell what unknown arguments are."""
    for parameter in (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params):
        key = (run.frame.key, parameter.name.value)
        value = run.bindings.get(key, UNKNOWN)
        if isinstance(value, LibraryInstance):
            judge_instance(run, value, run.frame.uses_of(parameter.name.value))
        if parameter.annotation is not None and isinstance(value, Unknown):
            run.bindings[key] = annotated_names.by_annotation(
                run, value, parameter.annotation.annotation, parameter.name
            )
