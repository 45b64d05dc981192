"""Edits that rules propose: LibCST makes the new code, all around it stays as it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.syntax import Place, dotted, inner_nodes
from freezelint.findings import Edit, Fix

if TYPE_CHECKING:
    from collections.abc import Collection

    from freezelint.analysis.index import Index


def replacement(place: Place, old: cst.CSTNode, new: cst.CSTNode) -> Edit:
    """Put a node in the place of one that stands in the chunk of ``place``."""
    if isinstance(new, cst.BaseExpression):
        # The parentheses around an expression are no part of its span, and stay.
        new = new.with_changes(lpar=(), rpar=())
    return Edit(place.chunk.span(old, place.statement), place.chunk.module.code_for_node(new))


def fixed(title: str, *edits: Edit | None, is_safe: bool) -> Fix | None:
    """Make a fix of edits, if each of them could be made."""
    made = tuple(each for each in edits if each is not None)
    return Fix(title, made, is_safe) if made and len(made) == len(edits) else None


def assignment_to(place: Place) -> cst.Assign | None:
    """The plain assignment whose only target is the node of ``place``."""
    if not isinstance(place.statement, cst.SimpleStatementLine):
        return None
    for small in place.statement.body:
        if not isinstance(small, cst.Assign) or len(small.targets) != 1:
            continue
        if small.targets[0].target is place.node:
            return small
    return None


def expression_statement(place: Place) -> cst.Expr | None:
    """The statement that is nothing but the node of ``place``."""
    if not isinstance(place.statement, cst.SimpleStatementLine):
        return None
    for small in place.statement.body:
        if isinstance(small, cst.Expr) and small.value is place.node:
            return small
    return None


def as_method_call(
    place: Place,
    method: str,
    argument: str | None = None,
    receiver: cst.BaseExpression | None = None,
) -> Edit | None:
    """Turn ``receiver.attribute = value`` into a call of a method with that value, or another."""
    assignment = assignment_to(place)
    if assignment is None or not isinstance(place.node, cst.Attribute):
        return None
    given = assignment.value if argument is None else cst.parse_expression(argument)
    if isinstance(given, cst.Tuple) and not given.lpar:
        return None
    return replacement(place, assignment, call(receiver or place.node.value, method, given))


def call(receiver: cst.BaseExpression, method: str, *arguments: cst.BaseExpression) -> cst.Call:
    """``receiver.method(arguments)``."""
    function = cst.Attribute(receiver, cst.Name(method))
    return cst.Call(function, [cst.Arg(each) for each in arguments])


def attribute_renamed(place: Place, node: cst.CSTNode, name: str) -> Edit | None:
    """Write another attribute's name in ``receiver.attribute``, wherever it stands."""
    if not isinstance(node, cst.Attribute):
        return None
    return replacement(place, node.attr, cst.Name(name))


def comparison_assigned(place: Place) -> Edit | None:
    """Turn the statement ``left == right`` into ``left = right``."""
    statement = expression_statement(place)
    if statement is None or not isinstance(statement.value, cst.Comparison):
        return None
    comparison = statement.value
    if len(comparison.comparisons) != 1 or not isinstance(comparison.left, cst.Attribute):
        return None
    target = cst.AssignTarget(comparison.left)
    return replacement(place, statement, cst.Assign([target], comparison.comparisons[0].comparator))


def with_keyword(node: cst.Call, name: str, value: cst.BaseExpression) -> cst.Call:
    """The call with one keyword argument more, at its end."""
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    added = cst.Arg(value, keyword=cst.Name(name), equal=equal)
    if not node.args:
        return node.with_changes(args=[added])
    *others, last = node.args
    if isinstance(last.comma, cst.Comma):
        # One argument a line, with a comma behind the last: as before, one line more.
        return node.with_changes(
            args=[
                *others,
                last.with_changes(comma=_between(node, last)),
                added.with_changes(comma=last.comma),
            ]
        )
    after = last.whitespace_after_arg
    return node.with_changes(
        args=[
            *others,
            last.with_changes(
                comma=_between(node, last), whitespace_after_arg=cst.SimpleWhitespace("")
            ),
            added.with_changes(whitespace_after_arg=after),
        ]
    )


def _between(node: cst.Call, last: cst.Arg) -> cst.Comma:
    """A comma with the space that the call has between its arguments."""
    commas = [each.comma for each in node.args[:-1] if isinstance(each.comma, cst.Comma)]
    if commas:
        return commas[-1]
    if isinstance(last.comma, cst.Comma) and isinstance(
        node.whitespace_before_args, cst.ParenthesizedWhitespace
    ):
        return cst.Comma(whitespace_after=node.whitespace_before_args)
    return cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))


def keyword_renamed(place: Place, node: cst.CSTNode | None, old: str, new: str) -> Edit | None:
    """Write another name in front of an argument."""
    for each in node.args if isinstance(node, cst.Call) else ():
        if each.keyword is not None and each.keyword.value == old:
            return replacement(place, each.keyword, cst.Name(new))
    return None


def keyword_added(place: Place, name: str, value: str) -> Edit | None:
    """Pass an argument by keyword in the call at a place, or another value for it."""
    node = place.node
    if not isinstance(node, cst.Call) or any(each.star == "**" for each in node.args):
        return None
    given = argument_of(node, name)
    new = cst.parse_expression(value)
    if given is not None:
        return replacement(place, given, new)
    return replacement(place, node, with_keyword(node, name, new))


def argument_of(
    node: cst.CSTNode | None, name: str, position: int | None = None
) -> cst.BaseExpression | None:
    """The argument of a call that is passed by a name, or at a position."""
    if not isinstance(node, cst.Call):
        return None
    for index, each in enumerate(node.args):
        if each.star:
            return None
        if each.keyword is None and index == position:
            return each.value
        if each.keyword is not None and each.keyword.value == name:
            return each.value
    return None


def called_on(node: cst.CSTNode | None, methods: Collection[str]) -> cst.BaseExpression | None:
    """What one of some methods is called on, without arguments."""
    if not isinstance(node, cst.Call) or node.args or not isinstance(node.func, cst.Attribute):
        return None
    return node.func.value if node.func.attr.value in methods else None


def literal_replaced(place: Place, node: cst.CSTNode | None, value: str) -> Edit | None:
    """Write another value where a literal stands."""
    is_none = isinstance(node, cst.Name) and node.value == "None"
    if is_none or isinstance(node, (cst.Integer, cst.Float, cst.SimpleString)):
        assert node is not None
        return replacement(place, node, cst.parse_expression(value))
    return None


def class_also_tested(place: Place, also: str) -> Edit | None:
    """Let the one ``isinstance`` test of what a method is called on accept one more class.

    Args:
        place: The call of the method.
        also: The name of the class, from where the tested one is.
    """
    receiver = getattr(getattr(place.node, "func", None), "value", None)
    if not isinstance(receiver, cst.Name):
        return None
    tests = [
        each
        for each in inner_nodes(place.chunk.module)
        if isinstance(each, cst.Call)
        and dotted(each.func) == "isinstance"
        and len(each.args) == 2
        and dotted(each.args[0].value) == receiver.value
    ]
    if len(tests) != 1:
        return None
    tested = tests[0].args[1].value
    classes = (
        [each.value for each in tested.elements] if isinstance(tested, cst.Tuple) else [tested]
    )
    names = [dotted(each) or "" for each in classes]
    home = names[0].rpartition(".")[0]
    if not home:
        return None
    return Edit(
        place.chunk.span(tests[0].args[1], place.statement),
        f"({', '.join(place.chunk.code(each) for each in classes)}, {home}.{also})",
    )


def unwrapped(place: Place, node: cst.CSTNode | None, name: str) -> Edit | None:
    """Leave out the attribute or method at the end of an expression."""
    inner = node.func if isinstance(node, cst.Call) else node
    if not isinstance(inner, cst.Attribute) or inner.attr.value != name:
        return None
    assert node is not None
    return replacement(place, node, inner.value)


def called(place: Place, node: cst.CSTNode, *arguments: str) -> Edit | None:
    """Add the parentheses of a call."""
    if not isinstance(node, (cst.Name, cst.Attribute)):
        return None
    return replacement(
        place, node, cst.Call(node, [cst.Arg(cst.parse_expression(each)) for each in arguments])
    )


def wrapped(place: Place, node: cst.CSTNode, function: str) -> Edit | None:
    """Put a call around an expression."""
    if not isinstance(node, cst.BaseExpression):
        return None
    if isinstance(node, cst.GeneratorExp):
        # Its own parentheses become those of the call.
        span = place.chunk.span(node, place.statement)
        before = span.column - 1
        if place.chunk.line(span.line)[before - 1 : before] != "(":
            return None
        return Edit(span._replace(column=before, end_line=span.line, end_column=before), function)
    whole = cst.Call(cst.parse_expression(function), [cst.Arg(node)])
    return replacement(place, node, whole)


def assigned_value(place: Place) -> cst.BaseExpression | None:
    """The value of the plain assignment that a place stands in."""
    if not isinstance(place.statement, cst.SimpleStatementLine) or len(place.statement.body) != 1:
        return None
    small = place.statement.body[0]
    return small.value if isinstance(small, cst.Assign) and len(small.targets) == 1 else None


def only_value_of(file: Index, near: Place, name: str) -> Place | None:
    """Where a name is given its value, if that scope gives it one in one place only."""
    found: list[Place] = []
    for chunk in file.chunks_of_scope(near.chunk):
        if not chunk.mentions(name):
            continue
        for each in inner_nodes(chunk.module):
            if isinstance(each, cst.Assign) and name in map(dotted, _targets(each)):
                if len(each.targets) > 1:
                    return None
                found.append(Place(chunk, each.value, each))
    return found[0] if len(found) == 1 else None


def _targets(assignment: cst.Assign) -> list[cst.BaseAssignTargetExpression]:
    return [each.target for each in assignment.targets]


def as_other_assignment(place: Place, attribute: str, value: str) -> Edit | None:
    """Assign another value to another attribute of the same receiver."""
    assignment = assignment_to(place)
    if assignment is None or not isinstance(place.node, cst.Attribute):
        return None
    target = cst.AssignTarget(place.node.with_changes(attr=cst.Name(attribute)))
    return replacement(place, assignment, cst.Assign([target], cst.parse_expression(value)))
