"""The rules, one file each, in a folder per family; found by looking, never listed."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from freezelint.rules.rule import Rule


@functools.cache
def all_rules() -> tuple[Rule, ...]:
    """Return one instance of every rule, ordered by code."""
    found: dict[str, Rule] = {}
    for family in pkgutil.iter_modules(__path__):
        if not family.ispkg:
            continue
        package = importlib.import_module(f"{__name__}.{family.name}")
        for module in pkgutil.iter_modules(package.__path__):
            members = vars(importlib.import_module(f"{package.__name__}.{module.name}"))
            for member in members.values():
                if isinstance(member, type) and issubclass(member, Rule) and member is not Rule:
                    found[member.code] = member()
    return tuple(found[code] for code in sorted(found))
