"""Where in a file the triggers of rules stand, found in one pass over its text."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from freezelint.analysis.search import search_for, without_examples
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freezelint.analysis.search import LinePattern
    from freezelint.rules.rule import Rule


class Needs(NamedTuple):
    """What a rule asks for: of each of these sets of signs, one at least."""

    groups: tuple[int, ...]

    def are_met(self, signs: int) -> bool:
        """Whether some signs are enough."""
        return all(signs & group for group in self.groups)


class Signs:
    """The triggers of some rules, numbered: what stands in some lines is a set of bits.

    A trigger that reaches over several lines counts where it begins.
    """

    def __init__(self, rules: Sequence[Rule], text: str, imported: frozenset[str]) -> None:
        """Look for the triggers of the rules.

        Args:
            rules: The rules.
            text: The text of the file.
            imported: Words that stand everywhere.
        """
        self._words: dict[str, int] = {}
        self._patterns: dict[tuple[str | LinePattern, ...], int] = {}
        bits = (1 << number for number in itertools.count())
        for rule in rules:
            for word in itertools.chain.from_iterable(rule.triggers):
                if word not in self._words:
                    self._words[word] = next(bits)
            for group in rule.trigger_patterns:
                if group not in self._patterns:
                    self._patterns[group] = next(bits)
        self._everywhere = sum(bit for word, bit in self._words.items() if word in imported)
        marks = self._marks(without_examples(text) + "\n")
        self._lines = sorted(marks)
        self._bits = [marks[line] for line in self._lines]

    def needs_of(self, rule: Rule) -> Needs:
        """What is to be found for a rule to fire."""
        words = (sum({self._words[word] for word in group}) for group in rule.triggers)
        return Needs((*words, *(self._patterns[group] for group in rule.trigger_patterns)))

    def between(self, first: int, last: int) -> int:
        """What stands in some lines, counted from 1."""
        signs = self._everywhere
        lines = self._lines
        for bits in self._bits[bisect_left(lines, first) : bisect_right(lines, last)]:
            signs |= bits
        return signs

    def _marks(self, text: str) -> dict[int, int]:
        """For each line on which a trigger begins, those that do."""
        starts = [0, *itertools.accumulate(len(line) + 1 for line in text.split("\n"))]
        marks: dict[int, int] = {}
        for place, bit in self._places(text):
            line = bisect_right(starts, place)
            marks[line] = marks.get(line, 0) | bit
        return marks

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        for word, bit in self._words.items():
            place = text.find(word)
            while place >= 0:
                yield place, bit
                place = text.find(word, text.find("\n", place))
        for group, bit in self._patterns.items():
            for search in map(search_for, group):
                for place in search.places(text):
                    yield place, bit
