"""Whether tensors are taken out of a state dict for nothing but their flags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.syntax import inner_nodes, walk
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezelint.analysis.events import Event
    from freezelint.analysis.index import Index
    from freezelint.analysis.syntax import Chunk, Place

_ASKED = frozenset(
    {"requires_grad", "requires_grad_", "numel", "shape", "size", "dtype", "dim", "ndim"}
)
"""What is set, or asked for a count or a message: neither needs the tensor itself."""

_FILLED = frozenset({"copy_", "fill_", "zero_", "normal_", "uniform_"})
"""What gives a tensor other values, which the parameter shares: its flag has no part in that."""

_TABLE_METHODS = frozenset({"items", "values", "keys"})

_GOING_OVER = frozenset({"list", "tuple", "sorted", "reversed", "iter", "enumerate", "set", "len"})
"""Functions that go over a dict, or over what it holds, and leave it as it is."""


class _Scope(NamedTuple):
    """Where names are looked up: a function with those that called it, or the top level."""

    chunk: Chunk
    file: Index
    stack: tuple[Place, ...]

    @property
    def is_top(self) -> bool:
        return any(self.chunk is each for each, _ in self.file.loose_statements)

    @property
    def modules(self) -> list[cst.Module]:
        """The code in which a name of this scope means the same thing."""
        return [each.module for each in self.file.chunks_of_scope(self.chunk)]

    @property
    def caller(self) -> _Scope:
        """The scope in which this function was called."""
        return self._replace(chunk=self.stack[-1].chunk, stack=self.stack[:-1])


def lost_at(event: Event, node: cst.CSTNode, file: Index) -> Place | None:
    """Where a tensor of a state dict gets a flag for nothing: neither it nor the dict is used.

    Args:
        event: What happened to the tensor.
        node: The tensor, as it is written there.
        file: The file.

    Returns:
        The place of the event, or that of the call which passed the tensors to a function
        that would do its work on parameters; None where tensor or dict may be used.
    """
    scope = _Scope(event.place.chunk, file, event.stack)
    made_in = _made_in(scope, node)
    if made_in is None:
        return None
    return event.place if made_in == scope else scope.stack[len(made_in.stack)]


def is_unnamed(event: Event, node: cst.CSTNode, file: Index) -> bool:
    """Whether a loop variable goes over tensors that are made for the loop, and serves for nothing.

    Args:
        event: What happened to the tensor.
        node: The tensor, as it is written there.
        file: The file.
    """
    chunk = event.place.chunk
    loop = chunk.loop_over(node) if isinstance(node, cst.Name) else None
    if loop is None or not isinstance(node, cst.Name) or not _is_idle(node.value, [loop.body]):
        return False
    source: cst.BaseExpression = loop.iter
    if isinstance(source, cst.Name):
        scope = _Scope(chunk, file, event.stack)
        value = _only_value(scope, source.value) if _is_idle_name(scope, source.value) else None
        source = value or source
    return isinstance(source, cst.BaseComp)


def passed_at(event: Event, node: cst.CSTNode, file: Index) -> tuple[Place, cst.CSTNode] | None:
    """The call that passed a tensor to a function which only sets its flag, and the argument."""
    scope = _Scope(event.place.chunk, file, event.stack)
    if not isinstance(node, cst.Name) or not _is_idle_name(scope, node.value):
        return None
    passed = None if _assigned(scope, node.value) else _passed(scope, node.value)
    return None if passed is None else (event.stack[-1], passed)


def _made_in(scope: _Scope, node: cst.CSTNode) -> _Scope | None:
    """The scope in which the state dict was made that a tensor is of, if neither is used."""
    if isinstance(node, cst.Subscript):
        return _idle_dict(scope, node.value)
    if not isinstance(node, cst.Name):
        return None
    name = node.value
    loop = scope.chunk.loop_over(node)
    if loop is not None:
        return _idle_tensors(scope, loop.iter) if _is_idle(name, [loop.body]) else None
    made = _comprehension_over(scope.chunk, node)
    if made is not None:
        inside = [made.elt, *(each.test for each in made.for_in.ifs)]
        return _idle_tensors(scope, made.for_in.iter) if _is_idle(name, inside) else None
    entry = _only_value(scope, name)
    if isinstance(entry, cst.Subscript) and _is_idle_name(scope, name):
        return _idle_dict(scope, entry.value)
    return None


def is_discarded(place: Place) -> bool:
    """Whether what a call returns goes nowhere, or into a list that goes nowhere."""
    for each in inner_nodes(place.statement):
        if isinstance(each, cst.Expr):
            value = each.value
            if (value.elt if isinstance(value, cst.BaseSimpleComp) else value) is place.node:
                return True
    return False


def _comprehension_over(chunk: Chunk, name: cst.Name) -> cst.BaseSimpleComp | None:
    """The comprehension that assigns a name for this mention of it."""
    for made in inner_nodes(chunk.module):
        if (
            isinstance(made, cst.BaseSimpleComp)
            and made.for_in.inner_for_in is None
            and name.value in _names_in(made.for_in.target)
            and any(each is name for each in walk(made))
        ):
            return made
    return None


def _names_in(target: cst.CSTNode) -> set[str]:
    return {each.value for each in walk(target) if isinstance(each, cst.Name)}


def _idle_tensors(
    scope: _Scope, source: cst.BaseExpression, call: cst.CSTNode | None = None
) -> _Scope | None:
    """Where the dict was made whose tensors are gone over, if it serves for nothing else."""
    if isinstance(source, cst.Name) and _is_idle_name(scope, source.value, call):
        value = _only_value(scope, source.value)
        if value is not None:
            return _idle_tensors(scope, value)
        passed = _passed(scope, source.value)
        caller = scope.stack[-1].node if scope.stack else None
        return None if passed is None else _idle_tensors(scope.caller, passed, caller)
    if isinstance(source, cst.BaseComp):
        return _idle_tensors(scope, source.for_in.iter, call)
    if isinstance(source, cst.Subscript) and isinstance(source.slice[0].slice, cst.Slice):
        return _idle_tensors(scope, source.value, call)
    if not isinstance(source, cst.Call):
        return None
    function = source.func
    if isinstance(function, cst.Attribute):
        is_table = function.attr.value in _TABLE_METHODS
        return _idle_dict(scope, function.value, call) if is_table else None
    given = [each.value for each in source.args]
    if not isinstance(function, cst.Name) or not given:
        return None
    if function.value == "zip":
        tables = [each for each in given if not _hands_out_parameters(each)]
        found = [_idle_tensors(scope, each, call) for each in tables]
        return found[0] if len(found) == 1 else None
    if function.value == "filter" and len(given) == 2:
        return _idle_tensors(scope, given[1], call)
    return _idle_tensors(scope, given[0], call) if function.value in _GOING_OVER else None


def _hands_out_parameters(node: cst.BaseExpression) -> bool:
    function = node.func if isinstance(node, cst.Call) else None
    return isinstance(function, cst.Attribute) and function.attr.value in (
        "parameters",
        "named_parameters",
    )


def _idle_dict(
    scope: _Scope, container: cst.BaseExpression, call: cst.CSTNode | None = None
) -> _Scope | None:
    """Where the dict was made, on the spot or under a name that is used for flags only."""
    if isinstance(container, cst.Call):
        return scope
    if not isinstance(container, cst.Name) or not _is_idle_name(scope, container.value, call):
        return None
    value = _only_value(scope, container.value)
    if isinstance(value, cst.DictComp):
        return _idle_tensors(scope, value.for_in.iter)
    if value is not None:
        return scope if isinstance(value, cst.Call) else None
    passed = _passed(scope, container.value)
    caller = scope.stack[-1].node if scope.stack else None
    return None if passed is None else _idle_dict(scope.caller, passed, caller)


def _only_value(scope: _Scope, name: str) -> cst.BaseExpression | None:
    """What a name is given in its scope, where it is given one thing."""
    values = _assigned(scope, name)
    return values[0] if len(values) == 1 else None


def _assigned(scope: _Scope, name: str) -> list[cst.BaseExpression]:
    """What is assigned to a name in its scope."""
    return [
        each.value
        for module in scope.modules
        for each in inner_nodes(module)
        if isinstance(each, cst.Assign)
        and any(_is_name(target.target, name) for target in each.targets)
    ]


def _passed(scope: _Scope, name: str) -> cst.BaseExpression | None:
    """What a parameter of the function was passed, where its call is in sight."""
    call = scope.stack[-1].node if scope.stack else None
    if not isinstance(call, cst.Call):
        return None
    called = call.func.attr if isinstance(call.func, cst.Attribute) else call.func
    code = next(
        (
            each
            for each in inner_nodes(scope.chunk.module)
            if isinstance(each, cst.FunctionDef) and each.name.value == getattr(called, "value", "")
        ),
        None,
    )
    if code is None:
        return None
    names = [each.name.value for each in code.params.params]
    if names[:1] in (["self"], ["cls"]):
        del names[0]
    for number, argument in enumerate(call.args):
        keyword = argument.keyword
        given = names[number : number + 1] if keyword is None else [keyword.value]
        if given == [name] and not argument.star:
            return argument.value
    return None


def _is_idle_name(scope: _Scope, name: str, call: cst.CSTNode | None = None) -> bool:
    """Whether a name is used for flags only in all of its scope; ``call`` may pass it on."""
    if scope.is_top:
        # A global name may be used in all of the file.
        texts = [each.text for each in scope.file.functions.values()]
        texts += [each.text for each in scope.file.classes.values()]
        if any(_reads_global(text, name) for text in texts):
            return False
    return _is_idle(name, scope.modules, call)


def _reads_global(text: str, name: str) -> bool:
    if re.search(rf"^[ \t]+{name}\s*=(?!=)|\bdef [^\n]*\b{name}\b", text, re.MULTILINE):
        return False
    return re.search(rf"(?<![\w.\"']){name}\b(?!\s*=(?!=))", text) is not None


def _is_idle(name: str, code: Iterable[cst.CSTNode], call: cst.CSTNode | None = None) -> bool:
    """Whether every mention of a name asks for flags, or for what leaves the tensors alone."""
    mentions = harmless = 0
    code = list(code)
    for each in (node for tree in code for node in walk(tree)):
        if isinstance(each, cst.For) and _takes_tensors_of(each, name):
            return False
        if _is_name(each, name):
            mentions += 1
        elif isinstance(each, (cst.Attribute, cst.Arg)):
            # What an attribute or a keyword is called is no mention.
            mentions -= _is_name(
                each.attr if isinstance(each, cst.Attribute) else each.keyword, name
            )
        harmless += sum(_is_name(used, name) for used in _harmless_uses(each, name, call, code))
    return mentions == harmless


def _takes_tensors_of(loop: cst.For, name: str) -> bool:
    """Whether a loop over the values of a dict does more with them than to set and ask flags."""
    method = loop.iter.func if isinstance(loop.iter, cst.Call) else None
    if not isinstance(method, cst.Attribute) or not _is_name(method.value, name):
        return False
    target: cst.CSTNode = loop.target
    if method.attr.value == "items" and isinstance(target, cst.Tuple):
        target = target.elements[-1].value
    elif method.attr.value != "values":
        return False
    return isinstance(target, cst.Name) and not _is_idle(target.value, [loop.body])


def _harmless_uses(
    node: cst.CSTNode, name: str, call: cst.CSTNode | None, code: list[cst.CSTNode]
) -> list[cst.CSTNode]:
    """What stands below a node in a place where it is not put to use."""
    if isinstance(node, cst.Attribute):
        value, attribute = node.value, node.attr.value
        if attribute in _TABLE_METHODS or attribute in _ASKED or attribute in _FILLED:
            return [value.value if isinstance(value, cst.Subscript) else value]
        return []
    if isinstance(node, cst.Call):
        function = node.func
        is_idle = isinstance(function, cst.Name) and function.value in _GOING_OVER
        if _is_name(function, "setattr"):
            return [node.args[0].value] if "requires_grad" in _text(node.args[1].value) else []
        is_copy = (
            isinstance(function, cst.Attribute)
            and function.attr.value == "load_state_dict"
            and len(node.args) < 3
            and not any(_is_name(each.keyword, "assign") for each in node.args)
        )
        return [each.value for each in node.args] if is_idle or is_copy or node is call else []
    if isinstance(node, (cst.For, cst.CompFor)):
        return [node.target, node.iter]
    if isinstance(node, cst.ComparisonTarget):
        return [node.comparator] if isinstance(node.operator, (cst.In, cst.NotIn)) else []
    if isinstance(node, cst.Param):
        return [node.name]
    if isinstance(node, cst.Assign):
        targets: list[cst.CSTNode] = [each.target for each in node.targets]
        given, entry = targets[0], node.value
        if (
            isinstance(entry, cst.Subscript)
            and _is_name(entry.value, name)
            and isinstance(given, cst.Name)
            and given.value != name
            and _is_idle(given.value, code)
        ):
            # An entry gets a name of its own, which serves for nothing else either.
            targets.append(entry.value)
        return targets
    return []


def _text(node: cst.BaseExpression) -> str:
    return node.value if isinstance(node, cst.SimpleString) else ""


def _is_name(node: cst.CSTNode | None, name: str) -> bool:
    return isinstance(node, cst.Name) and node.value == name
