"""What a piece of code may run, judged by the names in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezelint.analysis.definitions import ClassDefinition, Definition
    from freezelint.analysis.index import Index

_BASES = re.compile(r"^class\s+\w+\s*\(([^)]*)\)", re.MULTILINE)
_WORD = re.compile(r"\w+")


def bases_of(index: Index, definition: ClassDefinition) -> list[str]:
    """The classes and functions of the file that the header of a class mentions."""
    header = _BASES.search(definition.text)
    names = [] if header is None else _WORD.findall(header[1])
    return [name for name in names if name in index.classes or name in index.functions]


def family_of(index: Index, definition: ClassDefinition) -> list[ClassDefinition]:
    """A class and those of the file that it inherits from."""
    family = [definition]
    for each in family:
        for name in bases_of(index, each):
            base = index.classes.get(name)
            if base is not None and base not in family:
                family.append(base)
    return family


def reach_of(
    index: Index, start: Iterable[Definition], family: Iterable[ClassDefinition]
) -> set[Definition]:
    """The functions and methods that some methods of a class may run, themselves included.

    Args:
        index: The file.
        start: The methods to begin with.
        family: Their class and its bases: methods of these are reached by name.
    """
    reached = set(start)
    words: set[str] = set().union(*(each.words for each in reached))
    classes = list(family)
    while True:
        new = {each for name, each in index.functions.items() if name in words}
        for name, each in index.classes.items():
            if name in words and each not in classes:
                classes += family_of(index, each)
                new |= {method for name, method in each.methods.items() if _runs_unseen(name)}
        for each in classes:
            new |= {method for name, method in each.methods.items() if name in words}
        new -= reached
        if not new:
            return reached
        reached |= new
        words.update(*(each.words for each in new))


def _runs_unseen(method: str) -> bool:
    """Whether a method of an instance runs without being named: by making, calling, indexing it."""
    return method == "forward" or method.startswith("__")
