"""What the hooks call: around every step and backward pass, and before what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezelint.runtime.structure import parameters_of
from freezelint.runtime.turns import LISTENED, TURNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import nn

    from freezelint.runtime.changes import Stepper
    from freezelint.runtime.hooks import Hooks
    from freezelint.runtime.inspection import Inspection
    from freezelint.runtime.liveness import Liveness
    from freezelint.runtime.training import Training


class Callbacks:
    """Follows a training, and has everything looked at when it is time."""

    def __init__(
        self,
        training: Training,
        inspection: Inspection,
        liveness: Liveness,
        *,
        every: int,
        is_compiled: bool,
    ) -> None:
        """Take who looks.

        Args:
            training: What is followed.
            inspection: Looks around steps.
            liveness: Looks after some steps at what should have moved by then.
            every: Look after every so-many-th step.
            is_compiled: Whether a compiler runs a model, which then cannot be listened to.
        """
        self._training = training
        self._stock = training.stock
        self._steppers = training.steppers
        self._gradients = training.gradients
        self._reporter = training.reporter
        self._inspection = inspection
        self._liveness = liveness
        self._every = every
        self._is_compiled = is_compiled
        self._stepping: Stepper | None = None
        """Whose step goes on."""
        self._in_closure: Stepper | None = None
        """The same, if it computes the gradients itself."""

    def install(self, hooks: Hooks, models: Iterable[nn.Module]) -> None:
        """Be called by these hooks from now on."""
        self._hooks = hooks
        hooks.around_steps(self._steppers.by_name.values(), self._before_step, self._after_step)
        hooks.before_forward(models, self._before_forward)
        hooks.around_backward(self._around_backward)
        self._listen()

    def _before_step(self, optimizer: Any, has_closure: bool) -> bool:
        __tracebackhide__ = True
        held = self._stock.held_by(optimizer)
        if not held and not self._steppers.knows(optimizer):
            self._gradients.clear_all_in(each for _, each in parameters_of(optimizer))
            return False
        self._stepping, self._in_closure = self._steppers.named(optimizer), None
        if (self._steppers.steps + 1) % self._every == 0:
            self._in_closure = self._stepping if has_closure else None
            self._inspection.before_step(self._stepping, held, has_closure=has_closure)
        return True

    def _after_step(self, optimizer: Any) -> None:
        __tracebackhide__ = True
        stepper, self._stepping, self._in_closure = self._stepping, None, None
        if stepper is None or stepper.optimizer is not optimizer:
            return
        self._reporter.stop_locating()
        self._steppers.note(stepper)
        steps = self._steppers.steps
        if steps % self._every == 0:
            self._inspection.after_step(stepper)
        if self._liveness.is_due(optimizer):
            self._reporter.report(self._liveness.violations(is_last=False))
        if steps % TURNS == 0:
            self._listen()
        elif steps >= LISTENED:
            self._hooks.stop_listening()
        self._reporter.start_locating([*self._stock.frozen, *self._stock.with_rows], steps)

    def _listen(self) -> None:
        # A compiled model warns of hooks on all modules, and may not run them.
        if not self._is_compiled:
            self._hooks.listen(self._stock.modes.note)

    def _before_forward(self, _model: nn.Module, *arguments: Any) -> None:
        __tracebackhide__ = True
        if self._gradients.is_looking:
            self._gradients.clear_all_in(arguments)
        self._inspection.look_at_flags()

    def _around_backward(self, roots: Any) -> Callable[[], None]:
        self._training.others.note_backward()
        leaves = self._gradients.begin_pass(roots)

        def after() -> None:
            __tracebackhide__ = True
            if leaves:
                owned = self._training.owned()
                self._gradients.note(leaves, self._stock.inventory, owned)
            stepper = self._in_closure
            if stepper is not None:
                held = self._stock.held_by(stepper.optimizer)
                self._inspection.look_at_gradients(stepper, held)

        return after
