"""What an expression is computed from, through the names that the code around it assigns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.syntax import inner_nodes, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.syntax import Place


def is_computed_from(place: Place, path: str) -> bool:
    """Whether an expression mentions a dotted path, or a name that is assigned from it.

    Judged by the text of the function that the expression is in: no statement is told from
    a later one.
    """
    written = re.compile(rf"(?<![\w.]){re.escape(path)}(?!\w)")
    sources = list(_assignments(place))
    names = _names(place.node)
    codes = [place.code]
    grown = True
    while grown:
        grown = False
        for source in list(sources):
            targets, value = source
            if names & targets:
                sources.remove(source)
                names |= _names(value)
                codes.append(place.chunk.code(value))
                grown = True
    return any(written.search(code) for code in codes)


def _assignments(place: Place) -> Iterator[tuple[set[str], cst.CSTNode]]:
    """What is assigned to which names; of a tuple, all to each."""
    for node in inner_nodes(place.chunk.module):
        if isinstance(node, cst.Assign):
            for target in node.targets:
                yield _bound(target.target), node.value
        elif isinstance(node, (cst.AnnAssign, cst.AugAssign, cst.NamedExpr)):
            if node.value is not None:
                yield _bound(node.target), node.value
        elif isinstance(node, cst.For):
            yield _bound(node.target), node.iter


def _bound(target: cst.CSTNode) -> set[str]:
    """The names that a target binds or, as ``x[0] = y`` does, changes."""
    while isinstance(target, cst.Subscript):
        target = target.value
    # Other attributes of the same object are other things.
    return set() if isinstance(target, cst.Attribute) else _names(target)


def _names(node: cst.CSTNode) -> set[str]:
    return {each.value for each in walk(node) if isinstance(each, cst.Name)}
