"""Which scopes of a file can matter to which rules, judged by the text in reach."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezelint.analysis.index import ClassDefinition, Definition, Index
    from freezelint.rules.rule import Rule


class Signs(NamedTuple):
    """What was found in some text: trigger words, and rules of which a pattern matches."""

    words: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()

    def joined(self, others: Iterable[Signs]) -> Signs:
        """These signs and those of other texts."""
        found = list(others)
        return Signs(
            self.words.union(*(each.words for each in found)),
            self.codes.union(*(each.codes for each in found)),
        )


@functools.cache
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


class Relevance:
    """Looks for the triggers of rules in a scope and in everything it may call by name."""

    def __init__(self, index: Index, rules: Sequence[Rule]) -> None:
        """Take the file's index and the rules that are to be checked."""
        self._index = index
        self._rules = rules
        self._words = frozenset(word for rule in rules for group in rule.triggers for word in group)
        self._names = frozenset(index.functions) | frozenset(index.classes)

    def _signs_in(self, text: str) -> Signs:
        text += "\n"
        words = frozenset(word for word in self._words if word in text)
        codes = frozenset(
            rule.code
            for rule in self._rules
            if any(pattern.search(text) for pattern in _compiled(rule.trigger_patterns))
        )
        return Signs(words, codes)

    @functools.cached_property
    def _reach(self) -> dict[str, Signs]:
        """For each top-level name, the signs in it and in what it mentions."""
        signs: dict[str, Signs] = {}
        mentions: dict[str, frozenset[str]] = {}
        for name, function in self._index.functions.items():
            signs[name] = self._signs_in(function.text)
            mentions[name] = function.words & self._names
        for name, each in self._index.classes.items():
            methods = tuple(each.methods.values())
            signs[name] = Signs().joined(self._signs_in(method.text) for method in methods)
            mentioned = frozenset().union(*(method.words for method in methods))
            mentions[name] = (mentioned | frozenset(each.bases)) & self._names
        changed = True
        while changed:
            changed = False
            for name, others in mentions.items():
                more = signs[name].joined(signs[other] for other in others)
                if more != signs[name]:
                    signs[name] = more
                    changed = True
        return signs

    def _fires(self, signs: Signs) -> bool:
        return any(
            (not rule.trigger_patterns or rule.code in signs.codes)
            and all(any(word in signs.words for word in group) for group in rule.triggers)
            for rule in self._rules
        )

    def of_text(self, text: str) -> bool:
        """Whether loose code may matter, with all that it mentions."""
        mentioned = (self._reach[name] for name in self._names if name in text)
        return self._fires(self._signs_in(text).joined(mentioned))

    def of_function(self, definition: Definition) -> bool:
        """Whether a function may matter."""
        return self._fires(self._reach[definition.name])

    def of_class(self, definition: ClassDefinition) -> bool:
        """Whether a class may matter."""
        return self._fires(self._reach[definition.name])

    def methods(self, definition: ClassDefinition) -> Iterable[Definition]:
        """The methods in which something can happen that a rule looks at."""
        names = frozenset(definition.methods)
        signs = {name: self._signs_in(each.text) for name, each in definition.methods.items()}
        reach = {
            name: signs[name].joined(signs[other] for other in each.words & names)
            for name, each in definition.methods.items()
        }
        for name, method in definition.methods.items():
            if reach[name].words or reach[name].codes:
                yield method
