"""How the models of a library are nested, down to the names of their parameters.

``tools/module_trees.py`` writes such tables: each make of a submodule is one entry, which
refers to the entries of what it holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.knowledge.layers import LayerKind

Entry: TypeAlias = "list[Any]"
"""``[kinds, own parameters, submodules]``, cut off behind the last that is not empty."""


class Trees:
    """The entries of one table; a tree is the number of its topmost entry."""

    def __init__(self, entries: list[Entry]) -> None:
        """Take the entries as they stand in the table."""
        self._entries = entries
        self._kinds: dict[int, frozenset[str]] = {}
        self._names: dict[int, tuple[str, ...]] = {}

    def own_parameters(self, tree: int) -> tuple[str, ...]:
        """Names of the parameters that the topmost module owns itself."""
        entry = self._entries[tree]
        return tuple(entry[1].split()) if len(entry) > 1 else ()

    def submodules(self, tree: int) -> dict[str, int | None]:
        """The trees of what hangs directly below, by name; None where nothing does."""
        entry = self._entries[tree]
        held = entry[2] if len(entry) > 2 else {}
        if isinstance(held, list):
            return {str(number): each for number, each in enumerate(held)}
        return dict(held)

    def below(self, tree: int, path: str) -> int | None:
        """The tree at the end of a dotted path; None where there is no module."""
        found: int | None = tree
        for step in filter(None, path.split(".")):
            if found is None:
                return None
            found = self.submodules(found).get(step)
        return found

    def parameter_names(self, tree: int) -> tuple[str, ...]:
        """Dotted names of all parameters, in the order of ``named_parameters()``."""
        known = self._names.get(tree)
        if known is None:
            known = self._names[tree] = tuple(self._all_names(tree))
        return known

    def _all_names(self, tree: int) -> Iterator[str]:
        yield from self.own_parameters(tree)
        for name, each in self.submodules(tree).items():
            if each is not None:
                for below in self.parameter_names(each):
                    yield f"{name}.{below}"

    def holds(self, tree: int, kind: LayerKind) -> bool:
        """Whether a layer of a kind is in a tree."""
        return kind.value in self._kinds_in(tree)

    def _kinds_in(self, tree: int) -> frozenset[str]:
        known = self._kinds.get(tree)
        if known is None:
            entry = self._entries[tree]
            found = frozenset(entry[0] if entry else "")
            inside = [each for each in self.submodules(tree).values() if each is not None]
            known = self._kinds[tree] = found.union(*map(self._kinds_in, inside))
        return known
