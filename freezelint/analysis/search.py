"""Searches for words and patterns in text."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONG_WORD = 5
"""Letters from which on a word is rare enough that few places are left for a pattern."""


_EXAMPLE = r">>> .*(?:\n[ \t]*\.\.\. .*)*"
"""A statement in a docstring, with its lines, after the prompts of an interactive session."""


def without_examples(text: str) -> str:
    """Return a text without the examples in its docstrings; every line stays where it is."""
    if ">>> " not in text:
        return text
    return re.sub(_EXAMPLE, lambda example: "\n" * example[0].count("\n"), text)


_ABOVE, _BELOW = 1500, 800
"""Characters that count as near by."""


class LinePattern(NamedTuple):
    """A regular expression that is tried from the beginning of each line that holds a word.

    For what no literal begins: to look for the word is many times as fast as to try
    the expression at every character.
    """

    word: str
    pattern: str
    unless: str = ""
    """A regular expression for what makes a match harmless, if it stands near by.

    ``{name}`` in it is what the group of that name matched; without it the match counts.
    """


STATEMENT_BEGINS = r"(?<![(\[{,=+*/\\-]\n)(?:[^\n]*[;:])?[ \t]*"
"""A regular expression for the beginning of a line up to a statement.

What follows an open bracket, a comma or an operator at the end of the line above is none.
"""


class Search:
    """Something to look for: a word, or a regular expression and a word that it needs.

    A search for a word is several times as fast as any other. So a pattern is tried
    only where its word stands, and compiled when it first is: most never are.
    """

    __slots__ = ("_by_line", "_compiled", "_pattern", "_unless", "word")

    def __init__(
        self, word: str, pattern: str | None = None, *, by_line: bool = False, unless: str = ""
    ) -> None:
        """Take a word and, if it is to be a pattern, one that needs the word to match."""
        self.word = word
        self._pattern = pattern
        self._compiled: re.Pattern[str] | None = None
        self._by_line = by_line
        self._unless = unless

    @property
    def cost(self) -> int:
        """How long it takes once its word is known, next to the search for a word."""
        if self._pattern is None:
            return 0
        return 2 if len(self.word) > _LONG_WORD else 8

    def hits(self, text: str, seen: dict[str, bool]) -> bool:
        """Whether it occurs; ``seen`` holds what is known of the words in this text."""
        has_word = seen.get(self.word)
        if has_word is None:
            has_word = seen[self.word] = self.word in text
        if not has_word or self._pattern is None:
            return has_word
        if self._compiled is None:
            self._compiled = re.compile(self._pattern)
        if self._by_line:
            return next(self._lines(self._compiled, text), None) is not None
        return self._compiled.search(text) is not None

    def places(self, text: str) -> Iterator[int]:
        """Yield where a pattern matches, once a line; the text is to end with the end of a line."""
        assert self._pattern is not None
        if self.word not in text:
            return
        if self._compiled is None:
            self._compiled = re.compile(self._pattern)
        if self._by_line:
            yield from self._lines(self._compiled, text)
            return
        found = self._compiled.search(text)
        while found is not None:
            yield found.start()
            found = self._compiled.search(text, text.index("\n", found.start()) + 1)

    def _lines(self, compiled: re.Pattern[str], text: str) -> Iterator[int]:
        position = text.find(self.word)
        while position >= 0:
            start = text.rfind("\n", 0, position) + 1
            match = compiled.match(text, start)
            if match is not None and not self._is_harmless(match):
                yield start
            end = text.find("\n", position)
            position = text.find(self.word, end) if end >= 0 else -1

    def _is_harmless(self, match: re.Match[str]) -> bool:
        if not self._unless:
            return False
        unless = self._unless
        if "{name}" in unless:
            name = match["name"]
            if name is None:
                return False
            unless = unless.replace("{name}", name)
        near = match.string[max(0, match.start() - _ABOVE) : match.end() + _BELOW]
        return re.search(unless, near) is not None


class AnyOf:
    """Words, and patterns with a word that they need: whether one of them occurs.

    One expression of many alternatives is tried at every character; words are looked for a
    hundred times as fast, and most texts have none of them.
    """

    __slots__ = ("_patterns", "_words")

    def __init__(self, *alternatives: str | tuple[str, str]) -> None:
        """Take words, and pairs of a word and a pattern."""
        self._words = [each for each in alternatives if isinstance(each, str)]
        self._patterns = [each for each in alternatives if not isinstance(each, str)]

    def occurs_in(self, text: str) -> bool:
        """Whether a text has one of them."""
        for word in self._words:
            if word in text:
                return True
        return any(
            word in text and re.search(pattern, text) is not None
            for word, pattern in self._patterns
        )


def attribute_named(name: str) -> str:
    """A regular expression for mentions of an attribute, after a dot or as a string."""
    return rf"\.{name}\b|[\"']{name}[\"']"


@functools.cache
def search_for(pattern: str | LinePattern) -> Search:
    """Return how to look for a pattern; the same search each time, so it is compiled once."""
    if isinstance(pattern, LinePattern):
        return Search(pattern.word, pattern.pattern, by_line=True, unless=pattern.unless)
    return Search(literal_beginning(pattern), pattern)


def literal_beginning(pattern: str) -> str:
    """Return the text with which everything begins that a regular expression matches."""
    outside = _CLASS.sub("", _ESCAPED.sub("", pattern))
    while outside != (outside := _GROUP.sub("", outside)):
        pass
    if "|" in outside:
        return ""
    beginning = _LITERAL.match(pattern)
    assert beginning is not None
    return beginning[0].replace("\\", "")


_ESCAPED = re.compile(r"\\.")
_CLASS = re.compile(r"\[[^\]]*\]")
_GROUP = re.compile(r"\([^()]*\)")
_LITERAL = re.compile(r"(?:(?:[^\\\[\](){}.*+?^$|]|\\[^\w\s\\])(?![*?{]))*")
"""Characters that stand for themselves and must be there."""
