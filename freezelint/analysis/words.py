"""Many words looked for in one pass over a text.

One search for a word is fast, and forty are not: so from some files on all words go
into one automaton, which `ahocorasick_rs <https://github.com/G-Research/ahocorasick_rs>`_
runs in a third of a nanosecond a byte and word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_SHORTEST = 3
"""Letters below which a word is too frequent to be worth a note of each time it occurs."""

_EVERYWHERE = frozenset(
    {"def ", "self.", "in ", "if ", " in ", "name ", " for ", "= [", "= {", "= ("}
)


class Words:
    """The words that are looked for, all at once."""

    def __init__(self, words: Iterable[str]) -> None:
        """Prepare them; those that occur everywhere are left to who asks for them."""
        import ahocorasick_rs

        self._words = sorted(
            word for word in set(words) if len(word) >= _SHORTEST and word not in _EVERYWHERE
        )
        self._none = dict.fromkeys(self._words, False)
        self._automaton = ahocorasick_rs.BytesAhoCorasick(
            [word.encode() for word in self._words],
            implementation=ahocorasick_rs.Implementation.DFA,
        )

    @property
    def known(self) -> Collection[str]:
        """The words of which every look tells whether they occur."""
        return self._none.keys()

    def in_text(self, text: str) -> dict[str, bool]:
        """Return of each word whether it occurs in a text of one byte a character."""
        data = text.encode("latin-1")
        found = self._automaton.find_matches_as_indexes(data, overlapping=True)
        words = self._words
        seen = self._none.copy()
        for number in {each[0] for each in found}:
            seen[words[number]] = True
        return seen
