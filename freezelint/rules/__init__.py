"""The rules, one file each, in a folder per family; found by looking.

To load all of them takes as long as to check a file, so what decides which of them are
needed is kept in an index, which ``tools/index_rules.py`` writes.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil

from freezelint.rules.rule import IndexedRule, Rule


@functools.cache
def all_rules() -> tuple[Rule, ...]:
    """Return one instance of every rule, ordered by code."""
    found: dict[str, Rule] = {}
    for family in pkgutil.iter_modules(__path__):
        if not family.ispkg:
            continue
        package = importlib.import_module(f"{__name__}.{family.name}")
        for module in pkgutil.iter_modules(package.__path__):
            for rule in _rules_in(f"{family.name}.{module.name}"):
                found[rule.code] = rule
    return tuple(found[code] for code in sorted(found))


def indexed_rules() -> tuple[IndexedRule, ...]:
    """Return what must be known of every rule before it is loaded, ordered by code."""
    from freezelint.rules.index import RULES

    return RULES


@functools.cache
def load_rule(code: str) -> Rule:
    """Return the rule with a code, and load no other."""
    (module,) = (each.module for each in indexed_rules() if each.code == code)
    (rule,) = (each for each in _rules_in(module) if each.code == code)
    return rule


@functools.cache
def _rules_in(module: str) -> tuple[Rule, ...]:
    members = vars(importlib.import_module(f"{__name__}.{module}")).values()
    return tuple(
        member()
        for member in members
        if isinstance(member, type) and issubclass(member, Rule) and member is not Rule
    )
