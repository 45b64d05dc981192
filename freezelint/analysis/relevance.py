"""Which scopes of a file can matter to which rules, judged by the words in reach."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezelint.analysis.index import ClassDefinition, Definition, Index
    from freezelint.rules.rule import Rule


class Relevance:
    """Finds trigger words in a scope and in everything it may call by name."""

    def __init__(self, index: Index, rules: Sequence[Rule]) -> None:
        """Take the file's index and the rules that are to be checked."""
        self._index = index
        self._rules = rules
        self._words = frozenset(
            word for rule in rules for group in rule.triggers for word in group
        )
        self._names = frozenset(index.functions) | frozenset(index.classes)
        self._own: dict[str, frozenset[str]] = {}

    def _words_in(self, text: str) -> frozenset[str]:
        return frozenset(word for word in self._words if word in text)

    @functools.cached_property
    def _reach(self) -> dict[str, frozenset[str]]:
        """For each top-level name, the trigger words in it and in what it mentions."""
        own: dict[str, frozenset[str]] = {}
        mentions: dict[str, frozenset[str]] = {}
        for name, function in self._index.functions.items():
            own[name] = self._words_in(function.text)
            mentions[name] = function.words & self._names
        for name, each in self._index.classes.items():
            methods = tuple(each.methods.values())
            own[name] = frozenset().union(*(self._words_in(method.text) for method in methods))
            mentioned = frozenset().union(*(method.words for method in methods))
            mentions[name] = (mentioned | frozenset(each.bases)) & self._names
        changed = True
        while changed:
            changed = False
            for name, others in mentions.items():
                more = own[name].union(*(own[other] for other in others))
                if more != own[name]:
                    own[name] = more
                    changed = True
        return own

    def _fires(self, words: frozenset[str]) -> bool:
        return any(
            all(any(word in words for word in group) for group in rule.triggers)
            for rule in self._rules
        )

    def of_text(self, text: str) -> bool:
        """Whether loose code may matter, with all that it mentions."""
        words = self._words_in(text)
        for name in self._names:
            if self._reach[name] and name in text:
                words |= self._reach[name]
        return self._fires(words)

    def of_function(self, definition: Definition) -> bool:
        """Whether a function may matter."""
        return self._fires(self._reach[definition.name])

    def of_class(self, definition: ClassDefinition) -> bool:
        """Whether a class may matter."""
        return self._fires(self._reach[definition.name])

    def methods(self, definition: ClassDefinition) -> Iterable[Definition]:
        """The methods in which something can happen that a rule looks at."""
        names = frozenset(definition.methods)
        own = {name: self._words_in(each.text) for name, each in definition.methods.items()}
        for name, method in definition.methods.items():
            if own[name] or any(own[other] for other in method.words & names):
                yield method
