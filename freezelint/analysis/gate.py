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
    *(b"backward(", b"disable_adapter", b"_Grad"),
    *(b"= [nn.", b"=[nn.", b"append(nn.", b"= [torch.nn.", b"append(torch.nn."),
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


class _Asked:
    """A condition, the rules that need it (one bit each), and how often it held so far."""

    __slots__ = ("condition", "cost", "failed", "rules", "tried")

    def __init__(self, condition: _Condition) -> None:
        self.condition = condition
        self.rules = 0
        self.tried = self.failed = 0
        self.cost = sum(search.cost for search in condition)

    @property
    def worth(self) -> float:
        """How many rules one search for it rules out, as far as was seen."""
        return self.rules.bit_count() * (self.failed + 1) / (self.tried + 2) / self.cost


_FILES_PER_ORDER = 32
"""Files after which conditions are put into another order: those of one project are alike."""


class Gate:
    """The triggers of some rules, prepared for many files."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Prepare what the rules ask for; what several ask for is looked for once."""
        self._codes: list[str] = []
        asked: dict[_Condition, _Asked] = {}
        for number, rule in enumerate(rules):
            self._codes.append(rule.code)
            for condition in _conditions(rule):
                if condition not in asked:
                    asked[condition] = _Asked(condition)
                asked[condition].rules |= 1 << number
        self._asked = list(asked.values())
        self._files = 0

    def candidates(self, data: bytes) -> tuple[str, ...]:
        """Return the codes of the rules that could fire on a file with these bytes."""
        if b"\r" in data:
            # So that the end of a line looks the same to every trigger.
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not data.endswith(b"\n"):
            data += b"\n"
        if self._files % _FILES_PER_ORDER == 0:
            self._asked.sort(key=lambda each: -each.worth)
        self._files += 1
        left = self._left(data)
        return tuple(code for number, code in enumerate(self._codes) if left >> number & 1)

    def _left(self, data: bytes) -> int:
        """The rules of which all conditions hold: those that rule out most are tried first."""
        seen: dict[bytes, bool] = {}
        left = (1 << len(self._codes)) - 1
        for asked in self._asked:
            if not left & asked.rules:
                continue
            asked.tried += 1
            for search in asked.condition:
                if search.hits(data, seen):
                    break
            else:
                asked.failed += 1
                left &= ~asked.rules
                if not left:
                    break
        return left


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
