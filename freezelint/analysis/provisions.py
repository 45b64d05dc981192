"""Whether code provides for a test of names that no name passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import libcst as cst

from freezelint.analysis.syntax import assigned_names, dotted, inner_nodes, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.events import Event
    from freezelint.analysis.index import Index
    from freezelint.analysis.syntax import Place

Block = TypeVar("Block", cst.FunctionDef, cst.For, cst.If)

_FREEZING = ("requires_grad", "named_parameters", "named_modules", "named_children")


def is_provided_for(event: Event, test: Place, texts: tuple[str, ...], file: Index) -> bool:
    """Whether nobody need wonder that a test finds nothing.

    It stands in a function that goes down a model by calling itself, so that it is for another
    level; or behind a question whether there is such a name; or it is counted what passed, and
    something else is done if nothing has.

    Args:
        event: The write that the test decides about.
        test: Where the test stands.
        texts: What the names are tested for.
        file: The file.
    """
    return (
        _calls_itself(test)
        or _is_asked_before(test, texts)
        or _is_answer_put_to_use(event)
        or _is_counted(test, file)
    )


def _calls_itself(place: Place) -> bool:
    """Whether a function calls itself, in whose body a place is."""
    for code in _around(place, cst.FunctionDef):
        names = (code.name.value, f"self.{code.name.value}", f"cls.{code.name.value}")
        if any(
            isinstance(each, cst.Call) and dotted(each.func) in names
            for each in inner_nodes(code.body)
        ):
            return True
    return False


def _is_asked_before(place: Place, texts: tuple[str, ...]) -> bool:
    """Whether a condition around the loop is about one of the texts, as ``hasattr`` is."""
    loops = list(_around(place, cst.For))
    for branch in _around(place, cst.If):
        is_inside = any(any(each is branch for each in walk(loop.body)) for loop in loops)
        if not is_inside and any(
            isinstance(each, cst.SimpleString) and each.evaluated_value in texts
            for each in walk(branch.test)
        ):
            return True
    return False


def _is_answer_put_to_use(event: Event) -> bool:
    """Whether what a helper returns decides what is done next."""
    for place in event.stack:
        statement = place.statement
        tests: list[cst.CSTNode] = []
        if isinstance(statement, (cst.If, cst.While)):
            tests.append(statement.test)
        tests += (each for each in walk(statement) if isinstance(each, cst.BooleanOperation))
        if any(each is place.node for test in tests for each in walk(test)):
            return True
    return False


def _is_counted(place: Place, file: Index) -> bool:
    """Whether a name that is assigned where the test holds decides about another freeze."""
    statement = place.statement
    counted: set[str] = set()
    for branch in _around(place, cst.If) if not isinstance(statement, cst.If) else [statement]:
        counted |= assigned_names(branch.body)
    if not counted:
        return False
    return any(
        isinstance(each, cst.If)
        and each is not statement
        and any(isinstance(name, cst.Name) and name.value in counted for name in walk(each.test))
        and any(word in chunk.module.code_for_node(each.body) for word in _FREEZING)
        for chunk in file.chunks_of_scope(place.chunk)
        for each in inner_nodes(chunk.module)
    )


def _around(place: Place, kind: type[Block]) -> Iterator[Block]:
    """The functions, loops or branches in whose body a place is."""
    for each in inner_nodes(place.chunk.module):
        if isinstance(each, kind) and any(inner is place.node for inner in walk(each.body)):
            yield each
