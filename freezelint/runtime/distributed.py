"""Watches in several processes: what they tell each other, and how all of them stop together.

A process that raises on its own leaves the others waiting in their next collective. So a
violation is written down first, and all raise at the next optimizer step that follows a
backward pass: by then each has taken part in the collectives of that pass, and those came
after the note. No collective is added, and nobody waits but when a watch is left.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import torch.distributed as dist

from freezelint.records import NamedTuple
from freezelint.runtime.contract import Role
from freezelint.runtime.peers import Peers
from freezelint.runtime.shards import first_alike, is_shared_out
from freezelint.runtime.told import merged, moved_nowhere, plain, violation_of
from freezelint.runtime.violations import Kind, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from freezelint.runtime.inventory import Entry

_begun: dict[str, int] = defaultdict(int)
"""How often this process has begun to watch the same tensors, or to save what is promised of them."""

_NEWEST = -1
"""In place of the number of a watch: where rank 0 notes which one it began last."""

_REPORTS = 64
"""Reports of other processes that are read before raising."""


def peers_of(entries: Sequence[Entry], purpose: str) -> Peers | None:
    """The processes that do the same with the same tensors; None where there is but one."""
    store = _store()
    if store is None:
        return None
    names = "\n".join(sorted(name for entry in entries for name in entry.names))
    topic = f"{purpose}/{hashlib.sha256(names.encode()).hexdigest()[:16]}"
    number = _begun[topic]
    _begun[topic] += 1
    return Peers(store, dist.get_rank(), dist.get_world_size(), topic, number)


def agreement_of(entries: Sequence[Entry], timeout: float) -> Agreement | None:
    """Agree with the other processes that watch the same tensors, if there are any."""
    peers = peers_of(entries, "watch")
    if peers is None:
        return None
    agreement = Agreement(peers, entries, timeout)
    agreement.enter()
    return agreement


def _store() -> Any:
    """Where the processes met, if there are several."""
    if not dist.is_available() or not dist.is_initialized() or dist.get_world_size() < 2:
        return None
    if dist.get_backend() == "fake":
        return None
    return dist.distributed_c10d._get_default_store()  # noqa: SLF001


class Closing(NamedTuple):
    """What came of a watch in all processes."""

    violations: list[Violation]
    is_complete: bool
    """Whether rank 0 knows what this process saw."""
    complaints: list[str]
    """Who did not answer, or left with an error."""


class Agreement:
    """One watch, and those of the same tensors in the other processes."""

    def __init__(self, peers: Peers, entries: Sequence[Entry], timeout: float) -> None:
        """Take who the others are, what all watch, and how long they are waited for on leaving."""
        self.rank = peers.rank
        self.peers = peers
        self.timeout = timeout
        self._passes = 0
        """Backward passes since the last check."""
        self._checks = 0
        """How often the processes stood at the same step, for what they know."""
        self._is_compared = False
        self._is_aligned = False
        self._is_called_off = False
        self._told: list[Violation] = []
        self._leaders = {
            entry.name: leader for entry in entries if (leader := first_alike(entry)) is not None
        }
        """Of what a wrapper keeps alike on several ranks, by name, the first of them."""
        self._promised = {
            entry.name: [entry.requires_grad, _digest_of(entry)]
            for entry in entries
            if self._leaders.get(entry.name) == self.rank
        }

    # -- beginning -----------------------------------------------------------

    def enter(self) -> None:
        """Write down that this process watches, and what the others' copies must be like."""
        self.peers.write(f"entered/{self.rank}", self._promised)
        if self.rank == 0:
            self.peers.at(_NEWEST).write("number", self.peers.number)

    def _align(self) -> None:
        """Take this for the watch that rank 0 is in: one of the two may have begun others alone.

        To be done when collectives have brought the processes to the same place.
        """
        newest = self.peers.at(_NEWEST)
        if self._is_aligned or self.rank == 0 or not newest.has("number"):
            return
        self._is_aligned = True
        number = newest.read("number")
        if number != self.peers.number and not self.peers.at(number).has("left/0"):
            self.peers = self.peers.at(number)
            _begun[self.peers.topic] = number + 1
            self.enter()
            told, self._told = self._told, []
            if told:
                self.tell(told)

    def differences(self, entries: Sequence[Entry], step: int) -> list[Violation]:
        """What is not here as on the first rank that has it; looked at once, when that is known."""
        if self._is_compared or not self._passes:
            return []
        self._align()
        by_leader: dict[int, list[Entry]] = defaultdict(list)
        for entry in entries:
            leader = self._leaders.get(entry.name, self.rank)
            if leader != self.rank:
                by_leader[leader].append(entry)
        if not all(self.peers.has(f"entered/{leader}") for leader in by_leader):
            return []
        self._is_compared = True
        return [
            violation
            for leader, group in by_leader.items()
            for violation in self._differing(group, leader, step)
        ]

    def _differing(self, entries: Sequence[Entry], leader: int, step: int) -> Iterator[Violation]:
        promised = self.peers.read(f"entered/{leader}")
        here, there = f"rank {self.rank}", f"rank {leader}"
        for entry in entries:
            requires_grad, digest = promised.get(entry.name, (entry.requires_grad, None))
            if requires_grad != entry.requires_grad:
                trains, frozen = (there, here) if requires_grad else (here, there)
                text = f"it takes gradients on {trains} and is frozen on {frozen}"
            elif digest is not None and digest != _digest_of(entry) is not None:
                text = f"it is frozen, and on {here} it never had the values that it has on {there}"
            else:
                continue
            yield Violation(Kind.RANKS_DIFFER, entry.name, step, f"{entry.name} differs: {text}")

    # -- stopping together ---------------------------------------------------

    def note_backward(self) -> None:
        """Take in that a backward pass brings the processes together."""
        self._passes += 1

    def tell(self, violations: Sequence[Violation]) -> None:
        """Write down what this process saw; all will raise, and none before the others can."""
        self._told += violations
        number = self.peers.count("reports")
        self.peers.write(f"report/{number}", plain(violations, self.rank))
        if number == 1:
            # A pass that is over already may not have brought the others to this point.
            self.peers.write("stop", self._checks + (2 if self._passes else 1))

    def is_time_to_raise(self, held: Iterable[Entry]) -> bool:
        """Whether all processes raise now; to be asked when a step of what is held begins."""
        if self._is_called_off or not self._passes:
            return False
        if self._leaders and not any(entry.name in self._leaders for entry in held):
            # Its gradients come from this process alone: the others may be elsewhere.
            return False
        self._passes = 0
        self._checks += 1
        if self.peers.has("stop"):
            self._is_called_off = self._checks >= int(self.peers.read("stop"))
        return self._is_called_off

    @property
    def is_called_off(self) -> bool:
        """Whether all have raised, and each is on its own again."""
        return self._is_called_off

    def reported(self) -> list[Violation]:
        """All that any process has written down so far."""
        found = []
        for number in range(1, _REPORTS + 1):
            if not self.peers.has(f"report/{number}"):
                break
            found += [violation_of(each) for each in self.peers.read(f"report/{number}")]
        return merged(found)

    # -- leaving -------------------------------------------------------------

    def leave(
        self,
        violations: Sequence[Violation],
        unmoved: Mapping[str, Violation | None],
        error: BaseException | None,
        *,
        is_last: bool,
    ) -> None:
        """Write down that this process watches no more, and what it saw.

        Args:
            violations: All that was seen.
            unmoved: What should train, is shared out, and did not move here, by name; without
                a report where this process has nothing of it.
            error: What ended the training.
            is_last: Whether this process will not wait for what the others saw.
        """
        note = {
            "violations": plain(violations, self.rank),
            "unmoved": {
                name: None if each is None else plain([each], self.rank)[0]
                for name, each in unmoved.items()
            },
            "error": None if error is None else f"{type(error).__name__}: {error}",
            "reads": not is_last,
        }
        self.peers.write(f"left/{self.rank}", note)
        if is_last and self.rank == 0:
            self.peers.write("verdict/0", {**note, "heard": [0]})

    def close(self, own: Sequence[Violation]) -> Closing:
        """Wait for what all the others saw; rank 0 puts it together.

        Nobody waits for a process that never began to watch, or longer than the timeout.

        Args:
            own: What this process saw, which is what is known if nobody answers.
        """
        if self.rank != 0:
            return self._verdict_of_first(own)
        entered = [each for each in self.peers.others if self.peers.has(f"entered/{each}")]
        everyone = [0, *entered]
        left = self.peers.awaited("left", everyone, self.timeout)
        complaints = [_silence(each, self.timeout) for each in entered if each not in left]
        complaints += [
            _failure(rank, note["error"]) for rank, note in left.items() if note["error"]
        ]
        found = [violation_of(each) for note in left.values() for each in note["violations"]]
        if len(left) == 1 + len(self.peers.others):
            found += moved_nowhere([note["unmoved"] for note in left.values()])
        found = merged(found)
        verdict = {"violations": plain(found, 0), "error": None, "heard": sorted(left)}
        self.peers.write("verdict/0", verdict)
        # The notes may go with this process, so it stays until those who wait have read the verdict.
        readers = [rank for rank, note in left.items() if rank != 0 and note["reads"]]
        self.peers.awaited("read", readers, self.timeout)
        return Closing(found, True, complaints)

    def _verdict_of_first(self, seen: Sequence[Violation]) -> Closing:
        own = [each._replace(ranks=each.ranks or (self.rank,)) for each in seen]
        if not self.peers.has("entered/0"):
            return Closing(own, False, [])
        verdict = self.peers.awaited("verdict", [0], self.timeout)
        if not verdict:
            return Closing(own, False, [_silence(0, self.timeout)])
        self.peers.write(f"read/{self.rank}", True)
        error = verdict[0]["error"]
        theirs = [violation_of(each) for each in verdict[0]["violations"]]
        # Rank 0 may have been done before this process began, or have waited in vain.
        is_complete = self.rank in verdict[0]["heard"]
        return Closing(merged([*own, *theirs]), is_complete, [_failure(0, error)] if error else [])


def _silence(rank: int, seconds: float) -> str:
    return (
        f"rank {rank} did not answer within {seconds:g} s: it is gone or still at work, and what "
        "it saw is not known here"
    )


def _failure(rank: int, error: str) -> str:
    return f"rank {rank} left its watch with {error}"


def _digest_of(entry: Entry) -> int | None:
    """The digest of a frozen tensor of which others have copies."""
    is_copy = entry.role is Role.FROZEN and entry.rows is None and not is_shared_out(entry)
    return entry.digest if is_copy else None
