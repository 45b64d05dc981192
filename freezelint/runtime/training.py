"""A training as it is watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from freezelint.runtime.gradients import GradientWatch
    from freezelint.runtime.other_processes import OtherProcesses
    from freezelint.runtime.reporting import Reporter
    from freezelint.runtime.steppers import Steppers
    from freezelint.runtime.stock import Stock


class Training(NamedTuple):
    """Everything that a watch knows of a training, from entering to leaving it."""

    stock: Stock
    """What the models hold, and what was promised of it."""
    steppers: Steppers
    """Who steps it."""
    gradients: GradientWatch
    """Where gradients arrived."""
    others: OtherProcesses
    """Who else watches it."""
    reporter: Reporter
    """Who is told what was seen."""

    def owned(self) -> set[int]:
        """Identities of all tensors that a watched model has or an optimizer holds."""
        return {*self.stock.by_identity, *self.steppers.held()}
