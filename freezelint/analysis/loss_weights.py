"""Classes that learn how much each of several losses counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freezelint.analysis.definitions import ClassDefinition

_LEARNED = r"\bself\.(\w+)\s*=\s*(?:torch\.)?nn\.Parameter(?:List|Dict)?\("

_PAIRED = r"\bfor ([\w, ()]+) in (?:zip\()?([^\n:\]]+)"

_WEIGHS = (
    r"\bexp\(\s*-\s*(?:[\d.]+\s*\*\s*)?PARAMETER\s*\)",
    r"\(\s*-\s*PARAMETER\s*\)\.exp\(\)",
    r"\blog(?:1p)?\(\s*(?:1 \+ )?PARAMETER",
    r"PARAMETER(?:\.\w+\(\))?\.log\(",
)
"""How a loss is weighed by the logarithm of a variance, or divided by a deviation."""


def weighs_losses(definition: ClassDefinition) -> bool:
    """Whether a class weighs losses by what it learns of their uncertainty, judged by its text.

    The logarithm of a variance scales a loss by ``exp(-s)`` and is added to it, or a deviation
    divides it and its logarithm is added: at a fixed value neither says anything.
    """
    constructor, forward = definition.methods.get("__init__"), definition.methods.get("forward")
    if constructor is None or forward is None or "requires_grad" in constructor.text:
        return False
    return any(
        re.search(way.replace("PARAMETER", alias), forward.text)
        for name in re.findall(_LEARNED, constructor.text)
        for alias in _aliases(name, forward.text)
        for way in _WEIGHS
    )


def _aliases(name: str, text: str) -> list[str]:
    """What stands for a parameter of ``self`` in the text of a method, as patterns."""
    own = rf"\bself\.{name}(?:\[[^\]]*\])?"
    found = [own] if re.search(own, text) else []
    found += [rf"\b{each}" for each in re.findall(rf"\b(\w+) = {own}", text)]
    for targets, sources in re.findall(_PAIRED, text):
        columns = zip(targets.split(","), sources.split(","), strict=False)
        found += [
            rf"\b{target.strip(' ()')}\b"
            for target, source in columns
            if re.search(rf"\bself\.{name}\b", source)
        ]
    return found
