"""The other processes of a training, reached through the store that they met at.

A store holds small texts under keys, and no process waits for another one there unless it
asks to. Collectives would have to be called by all in the same order: the program's own are
in their way, and one process that is gone makes the others wait for minutes.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

TIMEOUT = 30.0
"""Seconds after which a process that is left alone says so."""

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.1
"""Seconds between two looks for an answer."""


class NoAnswer(RuntimeError):
    """Another process did not do its part in time."""


class Peers:
    """The processes of one training, which leave notes for each other under a common name."""

    def __init__(self, store: Any, rank: int, size: int, topic: str, number: int) -> None:
        """Write nothing yet.

        Args:
            store: A store of ``torch.distributed``.
            rank: Of this process.
            size: How many processes there are.
            topic: What notes are about, the same in all of them.
            number: How often it was their topic before.
        """
        self._store = store
        self._size = size
        self.topic = topic
        self.number = number
        self.rank = rank
        self.others = [each for each in range(size) if each != rank]

    def at(self, number: int) -> Peers:
        """The same processes, with the notes of another time."""
        return Peers(self._store, self.rank, self._size, self.topic, number)

    def write(self, key: str, note: Any) -> None:
        """Leave a note; it is there for the others when this returns."""
        with contextlib.suppress(RuntimeError):
            # Without a store there is nobody to read it.
            self._store.set(self._named(key), json.dumps(note))
        # A note is sent without an answer, and what is asked on the same line comes after it.
        self.has(key)

    def has(self, key: str) -> bool:
        """Whether there is a note; this asks once and does not wait for one."""
        try:
            return bool(self._store.check([self._named(key)]))
        except RuntimeError:
            # The store is gone with the process that kept it, and its notes are, too.
            return False

    def read(self, key: str) -> Any:
        """A note that is there."""
        return json.loads(self._store.get(self._named(key)))

    def count(self, key: str) -> int:
        """Count up, over all processes, and return the count; 0 if nobody counts any more."""
        try:
            return int(self._store.add(self._named(key), 1))
        except RuntimeError:
            return 0

    def awaited(self, key: str, ranks: Iterable[int], seconds: float) -> dict[int, Any]:
        """Read the notes of several ranks; of those only that come within some seconds."""
        deadline = time.monotonic() + seconds
        missing = list(ranks)
        found: dict[int, Any] = {}
        pause = _FIRST_PAUSE
        while missing:
            for each in missing:
                # The store may go between the question and the answer.
                with contextlib.suppress(RuntimeError):
                    if self.has(f"{key}/{each}"):
                        found[each] = self.read(f"{key}/{each}")
            missing = [each for each in missing if each not in found]
            if not missing or time.monotonic() > deadline:
                break
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return found

    def refuse_silence(
        self, ranks: Iterable[int], notes: Iterable[int], seconds: float, help_: str
    ) -> None:
        """Complain of ranks that left no note.

        Raises:
            NoAnswer: if there are any.
        """
        silent = sorted(set(ranks).difference(notes))
        if silent:
            names = ", ".join(map(str, silent))
            word = "rank" if len(silent) == 1 else "ranks"
            raise NoAnswer(f"{word} {names} did not answer within {seconds:g} s: {help_}")

    def _named(self, key: str) -> str:
        return f"freezelint/{self.topic}/{self.number}/{key}"
