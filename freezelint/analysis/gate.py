"""Which files can matter at all: a look at their bytes, before anything heavy is loaded.

Two gates follow each other. The coarse one knows a handful of words and keeps
most files of most projects from ever loading the rules. The fine one asks each
rule for its triggers.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from freezelint.analysis.search import Search, literal_beginning

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from freezelint.rules.rule import Rule

    _Condition: TypeAlias = "tuple[Search[bytes], ...]"
    """What is searched for; one hit is enough."""

COARSE_WORDS = (
    *(b"grad", b"arameter", b"optim", b"freeze", b".eval", b".train", b"inference_mode"),
    *(b"Optim", b"Adam", b"SGD", b"step(", b"eval(", b"train(", b"detach()"),
    *(b".frozen", b"type=bool", b"type = bool"),
    *(b"Embedding.from_pretrained", b"EmbeddingBag.from_pretrained"),
    *(b"backward(", b"disable_adapter"),
)
"""No rule can fire without one of these, or the pattern: see :func:`is_covered`."""

COARSE_PATTERN = re.compile(
    b"_g(?:" + b"|".join(b"(?<=re.{%d}_g)" % length for length in range(3, 9)) + b")"
)
"""What misspellings of ``requires_grad`` have in common."""

_ALIKE = 3
"""Words that share so many bytes at their beginning are looked for together."""


def may_matter(data: bytes) -> bool:
    """Return whether any rule could fire on a file with these bytes."""
    for word in COARSE_WORDS:
        # Spelled out, since a generator costs more here than the searches.
        if word in data:
            return True
    return COARSE_PATTERN.search(data) is not None


def is_covered(triggers: Sequence[Sequence[str]]) -> bool:
    """Return whether the coarse gate lets every file pass that meets these triggers."""
    return any(all(may_matter(word.encode()) for word in group) for group in triggers)


class Gate:
    """The triggers of some rules, prepared for many files."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Prepare what the rules ask for; what several ask for is looked for once."""
        self._conditions = [(rule.code, _conditions(rule)) for rule in rules]

    def candidates(self, data: bytes) -> tuple[str, ...]:
        """Return the codes of the rules that could fire on a file with these bytes."""
        if b"\r" in data:
            # So that the end of a line looks the same to every trigger.
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not data.endswith(b"\n"):
            data += b"\n"
        seen: dict[bytes, bool] = {}
        known: dict[_Condition, bool] = {}

        def holds(condition: _Condition) -> bool:
            if condition not in known:
                known[condition] = any(search.hits(data, seen) for search in condition)
            return known[condition]

        return tuple(code for code, conditions in self._conditions if all(map(holds, conditions)))


def _conditions(rule: Rule) -> tuple[_Condition, ...]:
    groups = [tuple(word.encode() for word in group) for group in rule.triggers]
    words = tuple(word for group in rule.triggers for word in group)
    patterns = (
        tuple(_search(pattern, words) for pattern in group) for group in rule.trigger_patterns
    )
    return (*map(_words, groups), *patterns)


@functools.cache
def _search(pattern: str, words: tuple[str, ...]) -> Search[bytes]:
    beginning = literal_beginning(pattern)
    # Whether the file holds a word of the rule is known by the time its patterns are tried.
    known = [word for word in words if word in beginning]
    return Search(max(known, key=len, default=beginning).encode(), pattern.encode())


@functools.cache
def _words(group: tuple[bytes, ...]) -> _Condition:
    """Return how to look for any of some words in the fastest way.

    Several that begin alike are looked for together.
    """
    families: dict[bytes, list[bytes]] = {}
    for word in group:
        families.setdefault(word[:_ALIKE], []).append(word)
    return tuple(
        Search(words[0]) if len(words) == 1 else Search(beginning, b"|".join(map(re.escape, words)))
        for beginning, words in families.items()
    )
