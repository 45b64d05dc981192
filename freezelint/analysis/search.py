"""Searches for words and patterns, in bytes or in text."""

from __future__ import annotations

import re
from typing import AnyStr, Generic


class Search(Generic[AnyStr]):
    """Something to look for: a word, or a regular expression and the word it begins with.

    A search for a word is several times as fast as any other. So a pattern is tried
    only where its word stands, and compiled when it first is: most never are.
    """

    __slots__ = ("_compiled", "_pattern", "_word")

    def __init__(self, word: AnyStr, pattern: AnyStr | None = None) -> None:
        """Take a word and, if it is to be a pattern, one that needs the word to match."""
        self._word: AnyStr = word
        self._pattern: AnyStr | None = pattern
        self._compiled: re.Pattern[AnyStr] | None = None

    @property
    def cost(self) -> int:
        """How long it takes, next to the search for a word."""
        return 1 if self._pattern is None else 2

    def hits(self, text: AnyStr, seen: dict[AnyStr, bool]) -> bool:
        """Whether it occurs; ``seen`` holds what is known of the words in this text."""
        has_word = seen.get(self._word)
        if has_word is None:
            has_word = seen[self._word] = self._word in text
        if not has_word or self._pattern is None:
            return has_word
        if self._compiled is None:
            self._compiled = re.compile(self._pattern)
        return self._compiled.search(text) is not None


def attribute_named(name: str) -> str:
    """A regular expression for mentions of an attribute, after a dot or as a string."""
    return rf"\.{name}\b|[\"']{name}[\"']"


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
