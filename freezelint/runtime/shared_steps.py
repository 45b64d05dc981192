"""One look-out for steps that several watches share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezelint.runtime.hooks import Hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from freezelint.runtime.hooks import BeforeStep, OnStep


class SharedSteps:
    """Passes every step on to all that ask for it, also to those that begin to during a step.

    Torch's own hooks cannot be added to while they run.
    """

    def __init__(self) -> None:
        """Nobody asks yet."""
        self._asking: list[tuple[BeforeStep, OnStep]] = []
        self._concerned: list[OnStep] = []

    def ask(self, before: BeforeStep, after: OnStep) -> Callable[[], None]:
        """Be called around every step; call what comes back to end that."""
        asking = before, after
        self._asking.append(asking)
        return lambda: self._asking.remove(asking)

    def before(self, optimizer: Any, has_closure: bool) -> bool:
        """Say that a step begins; return whether anybody cares."""
        self._concerned = [
            after
            for before, after in list(self._asking)
            if before(optimizer, has_closure) is not False
        ]
        return bool(self._concerned)

    def after(self, optimizer: Any) -> None:
        """Say that it is over."""
        for each in self._concerned:
            each(optimizer)


class HooksOnSharedSteps(Hooks):
    """Hooks that hear of steps from there."""

    def __init__(self, steps: SharedSteps) -> None:
        """Install nothing yet."""
        super().__init__()
        self._steps = steps

    def around_steps(
        self,
        optimizers: Iterable[Any],
        before: BeforeStep,
        after: OnStep,
    ) -> None:
        """Be called around every step that is passed on."""
        self._installed.callback(self._steps.ask(before, after))
