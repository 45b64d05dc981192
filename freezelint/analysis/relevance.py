"""Which scopes of a file can matter to which rules, judged by the text in reach."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

from freezelint.analysis.reach import bases_of, family_of, reach_of
from freezelint.analysis.search import Search, literal_beginning

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezelint.analysis.definitions import ClassDefinition, Definition
    from freezelint.analysis.index import Index
    from freezelint.rules.rule import Rule


_EVENTFUL = re.compile(
    r"require\w*_?[gG]|\.eval\(|\.train\(|optim|backward\(|\.step\(|clip_grad"
    r"|=\s*(?:torch\.)?nn\.[A-Z]|add_module|setattr|reset_classifier|deepcopy"
    r"|_peft_model|_adapter\(|merge_and_unload|kbit_training|mark_only_lora|PeftModel"
    r"|zip\(self\.[\w.]+parameters\(|load_state_dict\(self\."
)
"""What a method holds in which something happens that bears on the order of things."""


_UNQUOTED_WORD = re.compile(r"(?<![\"'\w])[A-Za-z_]\w*\b(?![\"'])")
"""A word that is no string of its own, as the names in ``__all__`` are."""

_WRITES_FLAG = re.compile(r"require\w*_?[gG]")

_FRAMEWORK_HOOKS = frozenset({"configure_optimizers", "training_step"})


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
def _search(pattern: str) -> Search[str]:
    return Search(literal_beginning(pattern), pattern)


class Relevance:
    """Looks for the triggers of rules in a scope and in everything it may call by name."""

    def __init__(self, index: Index, rules: Sequence[Rule]) -> None:
        """Take the file's index and the rules that are to be checked."""
        self._index = index
        self._rules = rules
        self._words = frozenset(word for rule in rules for group in rule.triggers for word in group)
        self._patterns = frozenset(group for rule in rules for group in rule.trigger_patterns)
        self._names = frozenset(index.functions) | frozenset(index.classes)
        self._signs: dict[Definition, Signs] = {}
        packages = {name.partition(".")[0] for name in index.imports.values()}
        self._packages = self._words & packages
        """Trigger words that every scope meets: what is imported is used under other names."""

    def _signs_in(self, text: str) -> Signs:
        text += "\n"
        seen = {word: word in text or word in self._packages for word in self._words}
        words = frozenset(word for word, is_there in seen.items() if is_there)
        patterns = frozenset(
            group
            for group in self._patterns
            if any(_search(pattern).hits(text, seen) for pattern in group)
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
        reached = {
            name: (mentioned & through) | self._bases_of(name)
            for name, mentioned in self._mentions.items()
        }
        reached = {name: others for name, others in reached.items() if others}
        changed = True
        while changed:
            changed = False
            for name, others in reached.items():
                more = signs[name].joined(signs[other] for other in others)
                if more != signs[name]:
                    signs[name] = more
                    changed = True
        return signs

    def _bases_of(self, name: str) -> frozenset[str]:
        each = self._index.classes.get(name)
        return frozenset() if each is None else frozenset(bases_of(self._index, each))

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
        return bool(self._rules_for(name))

    def _rules_for(self, name: str) -> list[Rule]:
        return self._firing(self._near[name], self._far[name])

    def methods(self, definition: ClassDefinition) -> list[Definition] | None:
        """The methods of a class that are worth running; None when no rule may fire in any.

        Those in which a rule may fire, and those that write a flag: a flag counts wherever
        it is written, since what one method freezes, no other forgets to.
        """
        rules = self._rules_for(definition.name)
        if not rules:
            return None
        eventful = self._eventful_methods(definition, rules)
        completing = self._completing(definition, eventful, rules)
        forward = definition.methods.get("forward") if self._is_enough(definition, rules) else None
        if eventful and not completing and forward is None:
            return None
        kept = [
            method
            for method in eventful
            if method in completing or _WRITES_FLAG.search(method.text)
        ]
        return kept if forward is None or forward in kept else [*kept, forward]

    def _is_enough(self, definition: ClassDefinition, rules: Sequence[Rule]) -> bool:
        if _FRAMEWORK_HOOKS.intersection(definition.methods):
            return False
        own = self._own[definition.name]
        return any(rule.reads_classes and _meets(own, rule) for rule in rules)

    def _completing(
        self, definition: ClassDefinition, methods: Sequence[Definition], rules: Sequence[Rule]
    ) -> set[Definition]:
        """Those methods that may run all that some rule looks for.

        Methods are run apart, each after the constructor; only frameworks have an order for them.
        """
        if _FRAMEWORK_HOOKS.intersection(definition.methods):
            return set(methods)
        family = family_of(self._index, definition)
        constructors = [each.methods["__init__"] for each in family if "__init__" in each.methods]
        before = reach_of(self._index, constructors[:1], family)
        return {
            method
            for method in methods
            if self._meets_any(
                self._signs_of(before | reach_of(self._index, [method], family)), rules
            )
        }

    def _signs_of(self, definitions: Iterable[Definition]) -> Signs:
        for each in definitions:
            if each not in self._signs:
                self._signs[each] = self._signs_in(each.text)
        return Signs().joined(self._signs[each] for each in definitions)

    def _eventful_methods(
        self, definition: ClassDefinition, firing: Sequence[Rule]
    ) -> list[Definition]:
        """The methods in which something can happen that a rule looks at."""
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
