"""What a project calls its own functions and classes that cannot be followed.

They come from the settings: whoever lists ``ours.freezing.lock`` among the freezers
says that it freezes the modules it is given.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from typing import TypeAlias

    from freezelint.analysis.search import LinePattern
    from freezelint.rules.rule import IndexedRule, Rule

    _Words: TypeAlias = "tuple[tuple[str, ...], ...]"
    _Patterns: TypeAlias = "tuple[tuple[str | LinePattern, ...], ...]"

Role = Literal["freezers", "unfreezers", "optimizers", "modules"]


class ProjectNames(NamedTuple):
    """Dotted names by what stands behind them; the last parts of a name are enough."""

    freezers: tuple[str, ...] = ()
    unfreezers: tuple[str, ...] = ()
    optimizers: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()

    def role_of(self, name: str) -> Role | None:
        """Return what the project says of a dotted name."""
        roles: tuple[Role, ...] = ("freezers", "unfreezers", "optimizers", "modules")
        for role in roles:
            if any(f".{name}".endswith(f".{each}") for each in getattr(self, role)):
                return role
        return None

    def are_in(self, text: str) -> bool:
        """Return whether a text mentions any of these names."""
        words = {word for names in self for word in _last_parts(names)}
        return bool(words) and any(word in text for word in words)

    def with_triggers(self, rule: Rule) -> Rule:
        """Return a rule that these names trigger where those do that they stand for."""
        if not self.are_signs:
            return rule
        import copy

        changed = copy.copy(rule)
        triggers, patterns = self._triggers_of(rule)
        changed.__dict__.update(triggers=triggers, trigger_patterns=patterns)
        return changed

    def with_indexed_triggers(self, rule: IndexedRule) -> IndexedRule:
        """Return what is known of a rule before it is loaded, with these names among it."""
        if not self.are_signs:
            return rule
        triggers, patterns = self._triggers_of(rule)
        return rule._replace(triggers=triggers, trigger_patterns=patterns)

    @property
    def are_signs(self) -> bool:
        """Whether a file may matter because it mentions one of them."""
        return bool(self.freezers or self.unfreezers or self.optimizers)

    def _triggers_of(self, rule: Rule | IndexedRule) -> tuple[_Words, _Patterns]:
        flags = _last_parts((*self.freezers, *self.unfreezers))
        optimizers = _last_parts(self.optimizers)
        words = ((*each, *_added(each, flags, optimizers)) for each in rule.triggers)
        patterns = (
            (*each, *(rf"{re.escape(name)}\(" for name in _added(each, flags, optimizers)))
            for each in rule.trigger_patterns
        )
        return tuple(words), tuple(patterns)


NO_NAMES = ProjectNames()


def _last_parts(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.rpartition(".")[2] for each in names))


def _added(
    group: tuple[str | LinePattern, ...], flags: tuple[str, ...], optimizers: tuple[str, ...]
) -> tuple[str, ...]:
    """The names that do what the signs of a group stand for."""
    texts = [each if isinstance(each, str) else each.pattern for each in group]
    about_flags = any("requires_grad" in each for each in texts)
    about_optimizers = any("optim" in each for each in texts)
    return (*(flags if about_flags else ()), *(optimizers if about_optimizers else ()))
