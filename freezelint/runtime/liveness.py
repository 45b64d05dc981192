"""What should train moves within some steps; if it does not, why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezelint.runtime.causes import Reason, place_of, why_never_stepped, why_not_trained
from freezelint.runtime.contract import Role
from freezelint.runtime.quiet import quietly
from freezelint.runtime.shards import has_none, is_view_of_flat
from freezelint.runtime.violations import Kind, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.runtime.inventory import Entry
    from freezelint.runtime.training import Training

_FEW = 3
"""Steps below which a zero gradient or learning rate may be a beginning: LoRA, warm-up."""

_ROUNDS = 32
"""An optimizer that is not stepped while the others use up their time so often is forgotten."""


class Liveness:
    """Looks after some steps at everything that should have moved by then."""

    def __init__(
        self, training: Training, *, within: int, is_patient: bool, is_inferred: bool
    ) -> None:
        """Take what should move.

        Args:
            training: What is known of it.
            within: Look after so many steps of what holds a parameter, or at the end.
            is_patient: Whether what moves late, or is not used at all, may be meant so.
            is_inferred: Whether flags say what should train, and no pattern does.
        """
        self._training = training
        self._stock = training.stock
        self._steppers = training.steppers
        self._others = training.others
        self._within = within
        self._is_patient = is_patient
        self._is_inferred = is_inferred
        self._due: dict[int, int] = {}

    def is_due(self, optimizer: Any) -> bool:
        """Whether to look now, after a step of this optimizer."""
        steppers = self._steppers
        if steppers.steps == self._within * _ROUNDS:
            return True
        if steppers.taken(optimizer) != self._due.get(id(optimizer), self._within):
            return False
        self._due[id(optimizer)] = due = self._within + steppers.left_out(optimizer)
        return due == steppers.taken(optimizer)

    def _is_over(self, steps: int) -> bool:
        """Whether what holds a parameter stepped often enough; others may step first, or in turn."""
        return steps >= self._within or self._steppers.steps >= self._within * _ROUNDS

    def violations(self, *, is_last: bool) -> Iterator[Violation]:
        """What has not moved yet, with the reason."""
        steps, taken = self._steppers.steps, self._steppers.taken_by_parameter()
        waiting = [
            entry
            for entry in self._stock.inventory.entries
            if entry.role is Role.TRAINABLE
            and not entry.is_alive
            and (is_last or self._is_over(taken.get(id(entry.tensor), steps)))
            and (is_last or not self._others.share(entry))
        ]
        for entry, has_moved in zip(waiting, self._stock.have_moved(waiting), strict=True):
            if has_moved:
                entry.is_alive = True
                continue
            if self._others.share(entry) and has_none(entry.tensor):
                self._others.unmoved[entry.name] = None
                continue
            with quietly():
                reason = self._reason(entry, taken.get(id(entry.tensor), steps))
            if reason is None:
                continue
            violation = Violation(
                Kind.NOT_TRAINED,
                entry.name,
                steps,
                f"{entry.name} should train and has not changed in {steps} steps: {reason.text}",
                cause=reason.cause,
            )
            if self._others.share(entry):
                self._others.unmoved[entry.name] = violation
            else:
                yield violation

    def _reason(self, entry: Entry, steps: int) -> Reason | None:
        if steps == 0 or self._steppers.steps == 0:
            who = "the optimizer that holds it" if self._steppers.steps else "no watched optimizer"
            return why_never_stepped(entry, who)
        place = None
        for optimizer in self._steppers.by_name.values():
            place = place or place_of(optimizer, entry.tensor)
        ran = id(entry.module) in self._stock.modes.ran
        reached = self._training.gradients.have_reached(entry)
        if reached is False and ran and is_view_of_flat(entry):
            # Backward ends at the flat parameter, which may have been reached for others' sake.
            reached = None
        reason = why_not_trained(
            entry,
            place,
            was_reached=reached,
            ran=ran,
            begins_at_leaves=self._training.gradients.begin_at_leaves,
        )
        if not self._is_patient:
            return reason
        is_unused = self._is_inferred and reached is False and not ran
        may_begin_late = steps < _FEW and reached is not False and place is not None
        return None if is_unused or may_begin_late else reason
