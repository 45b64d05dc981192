"""Which submodules compute with the output of another, judged by the text of a forward pass."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.definitions import ClassDefinition

_COMPUTES = r"(?:\.(?:forward|get_intermediate|extract|encode)\w*)?\("
_CALL = rf"\bself\.(\w+)(?:\[[^\]\n]*\])?{_COMPUTES}"
_ASSIGNED = r"(?s)\s*((?:\w+\s*,\s*)*\w+)\s*(?::[^=\n]+)?=(?!=)(.*)"
_WORD = r"[A-Za-z_]\w*"
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")


def fed_by(definition: ClassDefinition, attribute: str) -> frozenset[str]:
    """Attributes of a class that its ``forward`` calls on what another one gave.

    Args:
        definition: The class.
        attribute: What computes first. A method that returns what it computes is as good.
    """
    sources = {attribute} | {
        name
        for name, method in definition.methods.items()
        if name not in ("forward", "__init__")
        and re.search(rf"\bself\.{re.escape(attribute)}{_COMPUTES}", method.text)
    }
    forward = definition.methods.get("forward")
    if forward is None:
        return frozenset()
    carriers: set[str] = set()
    fed: set[str] = set()
    for line in _logical_lines(forward.text):
        for name, inner in _calls(line):
            if name not in sources and _carries(inner, sources, carriers):
                fed |= _behind(definition, name)
        assigned = re.match(_ASSIGNED, line)
        if assigned is None:
            continue
        names = set(re.findall(_WORD, assigned[1]))
        if _carries(assigned[2], sources, carriers):
            carriers |= names
        else:
            carriers -= names
    return frozenset(fed)


def _behind(definition: ClassDefinition, name: str) -> frozenset[str]:
    """The attribute itself; of a method, those that it calls."""
    method = definition.methods.get(name)
    return frozenset({name}) if method is None else method.attributes_called


def _carries(text: str, sources: set[str], carriers: set[str]) -> bool:
    if any(call[1] in sources for call in re.finditer(_CALL, text)):
        return True
    return not carriers.isdisjoint(re.findall(_WORD, text))


def _calls(line: str) -> Iterator[tuple[str, str]]:
    """What is called on ``self``, and with what."""
    for call in re.finditer(_CALL, line):
        depth, end = 1, call.end()
        while end < len(line) and depth:
            depth += (line[end] in _OPENING) - (line[end] in _CLOSING)
            end += 1
        yield call[1], line[call.end() : end - 1]


def _logical_lines(text: str) -> Iterator[str]:
    """Lines, joined while a bracket is open; strings and comments are taken for code."""
    joined, depth = "", 0
    for line in text.split("\n"):
        joined += line + "\n"
        depth += sum(map(line.count, _OPENING)) - sum(map(line.count, _CLOSING))
        if depth <= 0:
            yield joined
            joined, depth = "", 0
    yield joined
