"""Which scopes of a file can matter to which rules, judged by the text in reach."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezelint.analysis.index import ClassDefinition, Definition, Index
    from freezelint.rules.rule import Rule


_EVENTFUL = re.compile(
    r"require\w*_?g|\.eval\(|\.train\(|optim|backward\(|\.step\(|clip_grad"
    r"|=\s*(?:torch\.)?nn\.[A-Z]|add_module|setattr|reset_classifier|deepcopy"
)
"""What a method holds in which something happens that bears on the order of things."""


_BASES = re.compile(r"^class\s+\w+\s*\(([^)]*)\)", re.MULTILINE)
_UNQUOTED_WORD = re.compile(r"(?<![\"'\w])[A-Za-z_]\w*\b(?![\"'])")
"""A word that is no string of its own, as the names in ``__all__`` are."""

_WORD = re.compile(r"\w+")


class Signs(NamedTuple):
    """What was found in some text: trigger words, and groups of patterns of which one matches."""

    words: frozenset[str] = frozenset()
    patterns: frozenset[tuple[str, ...]] = frozenset()

    def joined(self, others: Iterable[Signs]) -> Signs:
        """These signs and those of other texts."""
        found = list(others)
        return Signs(
            self.words.union(*(each.words for each in found)),
            self.patterns.union(*(each.patterns for each in found)),
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
        self._patterns = frozenset(group for rule in rules for group in rule.trigger_patterns)
        self._names = frozenset(index.functions) | frozenset(index.classes)

    def _signs_in(self, text: str) -> Signs:
        text += "\n"
        words = frozenset(word for word in self._words if word in text)
        patterns = frozenset(
            group
            for group in self._patterns
            if any(pattern.search(text) for pattern in _compiled(group))
        )
        return Signs(words, patterns)

    @functools.cached_property
    def _near(self) -> dict[str, Signs]:
        """For each top-level name, the signs in it and in the functions it mentions."""
        return self._spread(frozenset(self._index.functions))

    @functools.cached_property
    def _far(self) -> dict[str, Signs]:
        """For each top-level name, the signs in it and in all that it mentions."""
        return self._spread(self._names)

    @functools.cached_property
    def _own(self) -> dict[str, Signs]:
        own = {name: self._signs_in(each.text) for name, each in self._index.functions.items()}
        for name, each in self._index.classes.items():
            own[name] = self._signs_in(each.text)
        return own

    @functools.cached_property
    def _mentions(self) -> dict[str, frozenset[str]]:
        mentions = {name: each.words & self._names for name, each in self._index.functions.items()}
        for name, each in self._index.classes.items():
            mentions[name] = each.words & self._names
        return mentions

    def _spread(self, through: frozenset[str]) -> dict[str, Signs]:
        signs = dict(self._own)
        changed = True
        while changed:
            changed = False
            for name, mentioned in self._mentions.items():
                others = (mentioned & through) | self._bases_of(name)
                more = signs[name].joined(signs[other] for other in others)
                if more != signs[name]:
                    signs[name] = more
                    changed = True
        return signs

    def _bases_of(self, name: str) -> frozenset[str]:
        """The classes of the file that the header of a class mentions."""
        each = self._index.classes.get(name)
        header = None if each is None else _BASES.search(each.text)
        return frozenset() if header is None else frozenset(_WORD.findall(header[1])) & self._names

    def _firing(self, near: Signs, far: Signs) -> list[Rule]:
        return [rule for rule in self._rules if _meets(near if rule.is_local else far, rule)]

    def of_text(self, text: str) -> bool:
        """Whether loose code may matter, with all that it mentions."""
        mentioned = self._names.intersection(_UNQUOTED_WORD.findall(text))
        own = self._signs_in(text)
        near = own.joined(self._near[name] for name in mentioned if name in self._index.functions)
        return bool(self._firing(near, own.joined(self._far[name] for name in mentioned)))

    def of_name(self, name: str) -> bool:
        """Whether a function or class may matter."""
        return bool(self._firing(self._near[name], self._far[name]))

    def methods(self, definition: ClassDefinition) -> list[Definition]:
        """The methods in which something can happen that a rule looks at."""
        firing = self._firing(self._near[definition.name], self._far[definition.name])
        names = frozenset(definition.methods)
        constructor = definition.methods.get("__init__")
        starts_there = constructor is not None and any(
            rule.trigger_patterns and _meets(self._signs_near(constructor), rule) for rule in firing
        )
        local = [rule for rule in firing if rule.is_local]
        follows_order = len(local) < len(firing) or starts_there
        eventful = {
            name
            for name, each in definition.methods.items()
            if (follows_order and _EVENTFUL.search(each.text))
            or (local and self._meets_any(self._signs_near(each), local))
        }
        return [
            method
            for name, method in definition.methods.items()
            if name in eventful or method.words & names & eventful
        ]

    @staticmethod
    def _meets_any(signs: Signs, rules: Sequence[Rule]) -> bool:
        return any(_meets(signs, rule) for rule in rules)

    def _signs_near(self, method: Definition) -> Signs:
        functions = method.words & frozenset(self._index.functions)
        return self._signs_in(method.text).joined(self._near[name] for name in functions)


def _meets(signs: Signs, rule: Rule) -> bool:
    return signs.patterns.issuperset(rule.trigger_patterns) and all(
        any(word in signs.words for word in group) for group in rule.triggers
    )
