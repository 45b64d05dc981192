"""How often each optimizer stepped, and how many of these steps moved nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from freezelint.runtime.quiet import quietly
from freezelint.runtime.structure import parameters_of

if TYPE_CHECKING:
    from collections.abc import Iterable


class StepCounts:
    """Counts the steps of the optimizers that it is told of.

    A gradient scaler leaves out the steps whose gradients are infinite or NaN. Of fused
    optimizers it calls the step all the same, and that decides on the device; how many were
    left out is counted there, so that nobody has to wait.
    """

    def __init__(self) -> None:
        """Nobody stepped yet."""
        self._taken: dict[int, int] = {}
        self._left_out: dict[int, Tensor] = {}

    def note(self, optimizer: Any) -> None:
        """Take in a step that has just ended."""
        self._taken[id(optimizer)] = self.taken(optimizer) + 1
        found = getattr(optimizer, "found_inf", None)
        if isinstance(found, Tensor):
            with quietly():
                left_out = found.detach().gt(0).long().sum().clamp(max=1)
                before = self._left_out.get(id(optimizer))
                self._left_out[id(optimizer)] = left_out if before is None else before + left_out

    def taken(self, optimizer: Any) -> int:
        """How often its step was called."""
        return self._taken.get(id(optimizer), 0)

    def left_out(self, optimizer: Any) -> int:
        """How many of these were left out inside of it. Waits for the device."""
        left_out = self._left_out.get(id(optimizer))
        return 0 if left_out is None else int(left_out)

    def by_parameter(self, optimizers: Iterable[Any]) -> dict[int, int]:
        """How often what holds it really stepped, by the identity of every parameter."""
        steps: dict[int, int] = {}
        for optimizer in optimizers:
            real = self.taken(optimizer) - self.left_out(optimizer)
            for _, each in parameters_of(optimizer):
                steps[id(each)] = steps.get(id(each), 0) + real
        return steps
