"""Which files can matter at all: a look at their bytes, before anything heavy is loaded.

Two gates follow each other. The coarse one knows a handful of words and keeps
most files of most projects from ever loading the rules. The fine one asks each
rule for its triggers.
"""

from __future__ import annotations

import functools
import heapq
import re
from typing import TYPE_CHECKING

from freezelint.analysis.search import Search, search_for, without_examples
from freezelint.analysis.words import Words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from typing import TypeAlias

    from freezelint.rules.rule import IndexedRule, Rule

    _Condition: TypeAlias = "tuple[Search, ...]"
    """What is searched for; one hit is enough."""

COARSE_WORDS = (
    *(b"grad", b"arameter", b"ptim", b"freeze", b".eval", b".train", b"inference_mode"),
    *(b"Adam", b"SGD", b"step(", b"eval(", b"train(", b"detach()"),
    *(b".frozen", b"type=bool", b"type = bool"),
    *(b"Embedding.from_pretrained", b"EmbeddingBag.from_pretrained"),
    *(b"backward(", b"disable_adapter", b"set_adapter(", b"_Grad"),
    *(b"= [nn.", b"=[nn.", b"append(nn.", b"= [torch.nn.", b"append(torch.nn."),
)
"""No rule can fire without one of these, or the pattern: see :func:`is_covered`."""

COARSE_PATTERN = re.compile(
    b"_g(?:" + b"|".join(b"(?<=re.{%d}_g)" % length for length in range(3, 9)) + b")"
)
"""What misspellings of ``requires_grad`` have in common."""


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

    __slots__ = ("condition", "failed", "rules", "tried")

    def __init__(self, condition: _Condition) -> None:
        self.condition = condition
        self.rules = 0
        self.tried = self.failed = 0

    @property
    def words(self) -> set[str]:
        """The words without which its searches find nothing."""
        return {search.word for search in self.condition}

    @property
    def cost(self) -> int:
        """How long its patterns take, next to the search for a word."""
        return sum(search.cost for search in self.condition)

    @property
    def failing(self) -> float:
        """How likely it is not to hold, as far as was seen."""
        return (self.failed + 1) / (self.tried + 2)


_LEAST_COST = 0.1
"""What a condition costs of which everything is known."""

_FIRST_REORDER = 2
"""Files after which conditions are put into an order; then after four times as many, and so on."""


class Gate:
    """The triggers of some rules, prepared for many files."""

    def __init__(self, rules: Iterable[Rule | IndexedRule]) -> None:
        """Prepare what the rules ask for; what several ask for is looked for once."""
        self._codes: list[str] = []
        asked: dict[_Condition, _Asked] = {}
        for number, rule in enumerate(rules):
            self._codes.append(rule.code)
            for condition in _conditions(rule):
                if condition not in asked:
                    asked[condition] = _Asked(condition)
                asked[condition].rules |= 1 << number
        # Words first: they rule out most, and each pattern has to be compiled once.
        self._asked = sorted(asked.values(), key=lambda each: each.cost)
        self._words: Words | None = None
        self._files = 0
        self._reorder_at = _FIRST_REORDER

    def candidates(self, data: bytes) -> tuple[str, ...]:
        """Return the codes of the rules that could fire on a file with these bytes."""
        if b"\r" in data:
            # So that the end of a line looks the same to every trigger.
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not data.endswith(b"\n"):
            data += b"\n"
        self._files += 1
        if self._files == self._reorder_at:
            if self._words is None:
                self._words = Words(word for each in self._asked for word in each.words)
            self._asked = _Ordering(self._asked, len(self._codes), self._words.known).ordered()
            self._reorder_at *= 4
        # A byte a character, whatever the encoding: words and patterns are of ASCII.
        text = without_examples(data.decode("latin-1"))
        seen = {} if self._words is None else self._words.in_text(text)
        left = self._left(text, seen)
        return tuple(code for number, code in enumerate(self._codes) if left >> number & 1)

    def _left(self, text: str, seen: dict[str, bool]) -> int:
        """The rules of which all conditions hold: those that rule out most are tried first."""
        left = (1 << len(self._codes)) - 1
        for asked in self._asked:
            if not left & asked.rules:
                continue
            asked.tried += 1
            for search in asked.condition:
                # Most words are known not to be there, and a call costs as much as ten looks.
                if seen.get(search.word, True) and search.hits(text, seen):
                    break
            else:
                asked.failed += 1
                left &= ~asked.rules
                if not left:
                    break
        return left


class _Ordering:
    """Puts first what is likely to rule out many rules that those before it did not, cheaply.

    A rule that has probably been ruled out by then counts for little, and a word that was
    looked for before costs nothing.
    """

    def __init__(self, conditions: Sequence[_Asked], rules: int, known: Collection[str]) -> None:
        self._conditions = conditions
        self._alive = [1.0] * rules
        self._rules = [
            [number for number in range(rules) if each.rules >> number & 1] for each in conditions
        ]
        self._known = set(known)
        self._with_word: dict[str, list[int]] = {}
        for number, each in enumerate(conditions):
            for search in each.condition:
                self._with_word.setdefault(search.word, []).append(number)

    def _worth(self, number: int) -> float:
        each = self._conditions[number]
        cost = each.cost + sum(search.word not in self._known for search in each.condition)
        alive = sum(self._alive[rule] for rule in self._rules[number])
        return alive * each.failing / (cost + _LEAST_COST)

    def ordered(self) -> list[_Asked]:
        """Return the conditions in the order in which they are to be tried."""
        waiting = [(-self._worth(number), number) for number in range(len(self._conditions))]
        heapq.heapify(waiting)
        chosen: dict[int, _Asked] = {}
        while waiting:
            value, number = heapq.heappop(waiting)
            if number in chosen:
                continue
            worth = -self._worth(number)
            if worth > value and waiting and worth > waiting[0][0]:
                # Others have ruled out its rules since.
                heapq.heappush(waiting, (worth, number))
                continue
            each = chosen[number] = self._conditions[number]
            for rule in self._rules[number]:
                self._alive[rule] *= 1 - each.failing
            for word in each.words - self._known:
                self._known.add(word)
                for other in self._with_word[word]:
                    if other not in chosen:
                        heapq.heappush(waiting, (-self._worth(other), other))
        return list(chosen.values())


def _conditions(rule: Rule | IndexedRule) -> tuple[_Condition, ...]:
    patterns = (tuple(map(search_for, group)) for group in rule.trigger_patterns)
    return (*map(_words, rule.triggers), *patterns)


@functools.cache
def _words(group: tuple[str, ...]) -> _Condition:
    """Return how to look for any of some words in the fastest way.

    Two that differ in the case of their first letter are looked for without it.
    """
    return tuple(map(_word, dict.fromkeys(_without_case(word, group) for word in group)))


def _without_case(word: str, group: Collection[str]) -> str:
    return word[1:] if word[0].swapcase() + word[1:] in set(group) - {word} else word


@functools.cache
def _word(word: str) -> Search:
    return Search(word)
