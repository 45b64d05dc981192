"""The optimizers that step what is watched: which, how often, and which steps moved nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from freezelint.runtime.changes import Stepper
from freezelint.runtime.quiet import quietly
from freezelint.runtime.structure import parameters_of

if TYPE_CHECKING:
    from collections.abc import Mapping


class Steppers:
    """Names the optimizers, and counts the steps that it is told of.

    A gradient scaler leaves out the steps whose gradients are infinite or NaN. Of fused
    optimizers it calls the step all the same, and that decides on the device; how many were
    left out is counted there, so that nobody has to wait.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        """Take the optimizers that were handed over, if any were."""
        self.by_name = dict(given)
        """Those that were given, or else those that stepped what is watched."""
        self.are_given = bool(given)
        self.steps = 0
        """Steps that all of them took."""
        self.last: Stepper | None = None
        """Who took the last one."""
        self._taken: dict[int, int] = {}
        self._left_out: dict[int, Tensor] = {}

    def knows(self, optimizer: Any) -> bool:
        """Whether it was given, or stepped before."""
        return any(each is optimizer for each in self.by_name.values())

    def named(self, optimizer: Any) -> Stepper:
        """An optimizer with its name; a new one is named after its class."""
        for name, each in self.by_name.items():
            if each is optimizer:
                return Stepper(name, optimizer)
        name = type(optimizer).__name__
        if name in self.by_name:
            name = f"{name}{len(self.by_name) + 1}"
        self.by_name[name] = optimizer
        return Stepper(name, optimizer)

    def held(self) -> set[int]:
        """Identities of all that they hold."""
        return {id(each) for one in self.by_name.values() for _, each in parameters_of(one)}

    def note(self, stepper: Stepper) -> None:
        """Take in a step that has just ended."""
        self.last = stepper
        self.steps += 1
        optimizer = stepper.optimizer
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

    def taken_by_parameter(self) -> dict[int, int]:
        """How often what holds it really stepped, by the identity of every parameter."""
        steps: dict[int, int] = {}
        for optimizer in self.by_name.values():
            real = self.taken(optimizer) - self.left_out(optimizer)
            for _, each in parameters_of(optimizer):
                steps[id(each)] = steps.get(id(each), 0) + real
        return steps
