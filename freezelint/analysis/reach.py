"""What a piece of code may run, judged by the names in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezelint.analysis.definitions import ClassDefinition, Definition
    from freezelint.analysis.index import Index


def bases_of(index: Index, definition: ClassDefinition) -> list[str]:
    """The classes and functions of the file that the header of a class mentions."""
    names = definition.names_in_header
    return [name for name in names if name in index.classes or name in index.functions]


def is_for_lightning(index: Index, definition: ClassDefinition) -> bool:
    """Whether the header of a class names a LightningModule, which has an order of calls."""
    return any(
        index.imports.get(name, name).endswith("LightningModule")
        for name in definition.names_in_header
    )


def family_of(index: Index, definition: ClassDefinition) -> list[ClassDefinition]:
    """A class and those of the file that it inherits from."""
    family = [definition]
    for each in family:
        for name in bases_of(index, each):
            base = index.classes.get(name)
            if base is not None and base not in family:
                family.append(base)
    return family


def inherited_anew(index: Index, definition: ClassDefinition) -> dict[str, Definition]:
    """The methods of bases in the file that do another thing for a class that derives from them.

    They call what the class has of its own, or work on what its constructor made. Frameworks
    call those of their modules by themselves.
    """
    family = family_of(index, definition)
    if len(family) == 1 or any(is_for_lightning(index, each) for each in family):
        return {}
    inherited: dict[str, Definition] = {}
    for base in family[1:]:
        for name, method in base.methods.items():
            if name not in definition.methods and name != "__init__":
                inherited.setdefault(name, method)
    if "__init__" in definition.methods:
        return inherited
    own = set(definition.methods)
    found: dict[str, Definition] = {}
    while True:
        more = {
            name: method
            for name, method in inherited.items()
            if name not in found and method.names_of_own & own
        }
        if not more:
            return found
        found.update(more)
        own |= more.keys()


def reach_of(
    index: Index, start: Iterable[Definition], family: Iterable[ClassDefinition]
) -> set[Definition]:
    """The functions and methods that some methods of a class may run, themselves included.

    Args:
        index: The file.
        start: The methods to begin with.
        family: Their class and its bases, which call each other's methods on ``self``.
    """
    own = list(family)
    others: list[ClassDefinition] = []
    reached = set(start)
    new = reached
    words: set[str] = set()
    methods: set[str] = set()
    while new:
        words.update(*(each.words for each in new))
        methods.update(*(each.names_of_own if each.owner in own else each.words for each in new))
        new = {index.functions[name] for name in index.functions.keys() & words}
        for name in index.classes.keys() & words:
            each = index.classes[name]
            if each not in own and each not in others:
                others += (base for base in family_of(index, each) if base not in own)
                new |= {method for name, method in each.methods.items() if _runs_unseen(name)}
        for classes, called in ((own, methods), (others, words)):
            for each in classes:
                new |= {method for name, method in each.methods.items() if name in called}
        new -= reached
        reached |= new
    return reached


def _runs_unseen(method: str) -> bool:
    """Whether a method of an instance runs without being named: by making, calling, indexing it."""
    return method == "forward" or method.startswith("__")
