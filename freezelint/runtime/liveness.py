"""What should train moves within some steps; if it does not, why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezelint.runtime.causes import Reason, place_of, why_never_stepped, why_not_trained
from freezelint.runtime.contract import Role
from freezelint.runtime.quiet import quietly
from freezelint.runtime.shards import has_none
from freezelint.runtime.violations import Kind, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.runtime.inventory import Entry
    from freezelint.runtime.watching import Watch

_FEW = 3
"""Steps below which a zero gradient or learning rate may be a beginning: LoRA, warm-up."""

_ROUNDS = 32
"""An optimizer that is not stepped while the others use up their time so often is forgotten."""


class Liveness:
    """Looks after some steps at everything that should have moved by then."""

    def __init__(self, within: int, *, is_patient: bool) -> None:
        """Look after ``within`` steps of what holds a parameter, or at the end."""
        self._within = within
        self.is_patient = is_patient
        self._due: dict[int, int] = {}
        self.unmoved: dict[str, Violation | None] = {}
        """What moved in none of the values that this process has of it, others having the rest;
        without a report where it has none of them. It counts if it moved nowhere."""

    def is_due(self, optimizer: Any, watch: Watch) -> bool:
        """Whether to look now, after a step of this optimizer."""
        if watch.steps == self._within * _ROUNDS:
            return True
        if watch.counts.taken(optimizer) != self._due.get(id(optimizer), self._within):
            return False
        self._due[id(optimizer)] = due = self._within + watch.counts.left_out(optimizer)
        return due == watch.counts.taken(optimizer)

    def _is_over(self, steps: int, watch: Watch) -> bool:
        """Whether what holds a parameter stepped often enough; others may step first, or in turn."""
        return steps >= self._within or watch.steps >= self._within * _ROUNDS

    def violations(self, watch: Watch, *, is_last: bool) -> Iterator[Violation]:
        """What has not moved yet, with the reason."""
        taken = watch.counts.by_parameter(watch.optimizers.values())
        waiting = [
            entry
            for entry in watch.stock.inventory.entries
            if entry.role is Role.TRAINABLE
            and not entry.is_alive
            and (is_last or self._is_over(taken.get(id(entry.tensor), watch.steps), watch))
            and (is_last or not watch.is_split(entry))
        ]
        for entry, has_moved in zip(waiting, watch.stock.have_moved(waiting), strict=True):
            if has_moved:
                entry.is_alive = True
                continue
            if watch.is_split(entry) and has_none(entry.tensor):
                self.unmoved[entry.name] = None
                continue
            with quietly():
                reason = self._reason(entry, taken.get(id(entry.tensor), watch.steps), watch)
            if reason is None:
                continue
            violation = Violation(
                Kind.NOT_TRAINED,
                entry.name,
                watch.steps,
                f"{entry.name} should train and has not changed in {watch.steps} steps: "
                f"{reason.text}",
                cause=reason.cause,
            )
            if watch.is_split(entry):
                self.unmoved[entry.name] = violation
            else:
                yield violation

    def _reason(self, entry: Entry, steps: int, watch: Watch) -> Reason | None:
        if watch.steps == 0 or steps == 0:
            who = "the optimizer that holds it" if watch.steps else "no watched optimizer"
            return why_never_stepped(entry, who)
        place = None
        for optimizer in watch.optimizers.values():
            place = place or place_of(optimizer, entry.tensor)
        reached, ran = watch.took_part(entry)
        reason = why_not_trained(
            entry, place, was_reached=reached, ran=ran, begins_at_leaves=watch.begins_at_leaves
        )
        if not self.is_patient:
            return reason
        is_unused = watch.contract.is_inferred and reached is False and not ran
        may_begin_late = steps < _FEW and reached is not False and place is not None
        return None if is_unused or may_begin_late else reason
