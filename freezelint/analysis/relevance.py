"""Which scopes of a file can matter to which rules, judged by the text in reach."""

from __future__ import annotations

import functools
import itertools
import re
from operator import or_
from typing import TYPE_CHECKING, Protocol

from freezelint.analysis.reach import (
    bases_of,
    family_of,
    inherited_anew,
    is_for_lightning,
    reach_of,
)
from freezelint.analysis.search import AnyOf
from freezelint.analysis.signs import Signs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezelint.analysis.definitions import ClassDefinition, Definition
    from freezelint.analysis.index import Index
    from freezelint.rules.rule import Rule


_WRITES_FLAG = AnyOf(("require", r"require\w?_?[gG](?!pu)\w*(?:\s*=(?!=)|\s*\(|[\"'])"))
"""What sets a flag under its name or a misspelled one; decorators of tests ask for a GPU."""

_EVENTFUL = AnyOf(
    *(".eval(", ".train(", "optim", "backward(", ".step(", "clip_grad", "add_module", "setattr"),
    *("reset_classifier", "deepcopy", "_peft_model", "_adapter(", "merge_and_unload"),
    *("kbit_training", "mark_only_lora", "PeftModel", "load_state_dict(self."),
    ("require", r"require\w?_?[gG](?!pu)"),
    ("nn.", r"nn\.[A-Z](?:(?<== nn\..)|(?<==nn\..)|(?<== torch\.nn\..)|(?<==torch\.nn\..))"),
    ("zip(self.", r"zip\(self\.[\w.]+parameters\("),
)
"""What a method holds in which something happens that bears on the order of things."""


_UNQUOTED_WORD = re.compile(r"(?<![\"'\w])[A-Za-z_]\w*\b(?![\"'])")
"""A word that is no string of its own, as the names in ``__all__`` are."""


class _Scope(Protocol):
    """A function, class or method: lines of the file."""

    @property
    def lines(self) -> tuple[int, int]: ...


class Relevance:
    """Looks for the triggers of rules in a scope and in everything it may call by name."""

    def __init__(self, index: Index, rules: Sequence[Rule]) -> None:
        """Take the file's index and the rules that are to be checked."""
        self._index = index
        self._rules = rules
        packages = {name.partition(".")[0] for name in index.imports.values()}
        # What is imported is used under other names.
        self._signs = Signs(rules, index.text, frozenset(packages))
        self._needs = {rule: self._signs.needs_of(rule) for rule in rules}
        self._names = frozenset(index.functions) | frozenset(index.classes)
        self._found: dict[_Scope, int] = {}

    def _signs_in(self, scope: _Scope) -> int:
        signs = self._found.get(scope)
        if signs is None:
            signs = self._found[scope] = self._signs.between(*scope.lines)
        return signs

    @functools.cached_property
    def _near(self) -> dict[str, int]:
        """For each top-level name, the signs in it and in the functions it mentions."""
        return self._spread(frozenset(self._index.functions))

    @functools.cached_property
    def _far(self) -> dict[str, int]:
        """For each top-level name, the signs in it and in all that it mentions."""
        return self._spread(self._names)

    @functools.cached_property
    def _own(self) -> dict[str, int]:
        scopes: dict[str, _Scope] = {**self._index.functions, **self._index.classes}
        return {name: self._signs_in(each) for name, each in scopes.items()}

    @functools.cached_property
    def _mentions(self) -> dict[str, frozenset[str]]:
        mentions = {name: each.words & self._names for name, each in self._index.functions.items()}
        for name, each in self._index.classes.items():
            mentions[name] = each.words & self._names
        return mentions

    def _spread(self, through: frozenset[str]) -> dict[str, int]:
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
                more = functools.reduce(or_, (signs[other] for other in others), signs[name])
                if more != signs[name]:
                    signs[name] = more
                    changed = True
        return signs

    def _bases_of(self, name: str) -> frozenset[str]:
        each = self._index.classes.get(name)
        return frozenset() if each is None else frozenset(bases_of(self._index, each))

    def _firing(self, near: int, far: int) -> list[Rule]:
        return [rule for rule in self._rules if self._meets(near if rule.is_local else far, rule)]

    def _meets(self, signs: int, rule: Rule) -> bool:
        return self._needs[rule].are_met(signs)

    def _meets_any(self, signs: int, rules: Sequence[Rule]) -> bool:
        return any(self._needs[rule].are_met(signs) for rule in rules)

    def of_loose_statements(self) -> bool:
        """Whether the code outside of functions and classes may matter, with all it mentions."""
        text = self._index.loose_text
        mentioned = self._names.intersection(_UNQUOTED_WORD.findall(text))
        near = functools.reduce(or_, itertools.starmap(self._signs.between, self._index.loose), 0)
        far = near
        for name in mentioned:
            far |= self._far[name]
            if name in self._index.functions:
                near |= self._near[name]
        return bool(self._firing(near, far))

    def of_function(self, name: str) -> bool:
        """Whether a function may matter."""
        rules = self._rules_for(name)
        return bool(rules) and (
            any(rule.is_local for rule in rules) or self._does_something(name, set())
        )

    def _does_something(self, name: str, asked: set[str]) -> bool:
        """Whether a function, or one that it calls, does what bears on the order of things.

        To name a class in an annotation is to do nothing, but to call what it does is.
        """
        function = self._index.functions[name]
        if self._is_eventful(function.text):
            return True
        asked.add(name)
        body = function.words_of_body
        for other in function.words & self._index.classes.keys():
            methods = self._index.classes[other].methods
            called = (methods[each] for each in body & methods.keys())
            if other in body or any(self._is_eventful(each.text) for each in called):
                return True
        return any(
            self._does_something(other, asked)
            for other in (body & self._index.functions.keys()) - asked
        )

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
            if method in completing or self._may_write_flags(method.text)
        ]
        return kept if forward is None or forward in kept else [*kept, forward]

    def _may_write_flags(self, text: str) -> bool:
        return _WRITES_FLAG.occurs_in(text) or self._index.names.are_in(text)

    def _is_eventful(self, text: str) -> bool:
        return _EVENTFUL.occurs_in(text) or self._index.names.are_in(text)

    def _is_enough(self, definition: ClassDefinition, rules: Sequence[Rule]) -> bool:
        if is_for_lightning(self._index, definition):
            return False
        own = self._own[definition.name]
        return any(rule.reads_classes and self._meets(own, rule) for rule in rules)

    def _completing(
        self, definition: ClassDefinition, methods: Sequence[Definition], rules: Sequence[Rule]
    ) -> set[Definition]:
        """Those methods that may run all that some rule looks for.

        Methods are run apart, each after the constructor; only frameworks have an order for them.
        """
        family = family_of(self._index, definition)
        if any(is_for_lightning(self._index, each) for each in family):
            return set(methods)
        constructors = [each.methods["__init__"] for each in family if "__init__" in each.methods]
        before = reach_of(self._index, constructors[:1], family)
        return {
            method
            for method in methods
            if self._meets_any(
                self._signs_of(before | reach_of(self._index, [method], family)), rules
            )
        }

    def _signs_of(self, definitions: Iterable[Definition]) -> int:
        return functools.reduce(or_, map(self._signs_in, definitions), 0)

    def _eventful_methods(
        self, definition: ClassDefinition, firing: Sequence[Rule]
    ) -> list[Definition]:
        """The methods in which something can happen that a rule looks at."""
        constructor = definition.methods.get("__init__")
        starts_there = constructor is not None and any(
            rule.trigger_patterns and self._meets(self._signs_near(constructor), rule)
            for rule in firing
        )
        local = [rule for rule in firing if rule.is_local]
        follows_order = len(local) < len(firing) or starts_there
        methods = {**definition.methods, **inherited_anew(self._index, definition)}
        eventful = {
            name
            for name, each in methods.items()
            if (follows_order and self._is_eventful(each.text))
            or (local and self._meets_any(self._signs_near(each), local))
        }
        return [
            method
            for name, method in methods.items()
            if name in eventful or method.names_of_own & eventful
        ]

    def _signs_near(self, method: Definition) -> int:
        functions = method.words & self._index.functions.keys()
        return functools.reduce(
            or_, (self._near[name] for name in functions), self._signs_in(method)
        )
