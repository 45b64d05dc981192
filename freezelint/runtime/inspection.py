"""Looks at what is watched, and says what broke the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.runtime import structure
from freezelint.runtime.causes import is_from_torch
from freezelint.runtime.changes import about_to_move, changed, switched_off, switched_on
from freezelint.runtime.inventory import noticed
from freezelint.runtime.quiet import quietly
from freezelint.runtime.relayout import is_the_same_elsewhere
from freezelint.runtime.turns import whose_turn_it_is

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezelint.runtime.changes import Stepper
    from freezelint.runtime.inventory import Entry
    from freezelint.runtime.readings import Reading
    from freezelint.runtime.training import Training
    from freezelint.runtime.violations import Violation


class Inspection:
    """Looks at one training, and reports what it sees; the callbacks say when."""

    def __init__(
        self, training: Training, *, every: int, follows_flags: bool, is_compiled: bool
    ) -> None:
        """Take what is looked at.

        Args:
            training: What is known of it.
            every: Look after every so-many-th step.
            follows_flags: Whether a flag that is switched is a new promise.
            is_compiled: Whether a compiler runs a model, which then cannot be listened to.
        """
        self._training = training
        self._stock = training.stock
        self._steppers = training.steppers
        self._reporter = training.reporter
        self._every = every
        self._follows_flags = follows_flags
        self._is_compiled = is_compiled
        self._knows_membership = False

    # -- at its time ---------------------------------------------------------

    def begin(self) -> None:
        """Look at what can be wrong before anything runs."""
        __tracebackhide__ = True
        self._reporter.report(structure.aliases(self._stock.inventory))
        self._reporter.report(structure.stray_attributes(self._stock.inventory, 0))

    def before_step(self, stepper: Stepper, held: Sequence[Entry], *, has_closure: bool) -> None:
        """Look at what a step must find, and is about to do.

        Args:
            stepper: Who steps.
            held: What it holds of the models.
            has_closure: Whether the step computes the gradients itself.
        """
        __tracebackhide__ = True
        stock, steps = self._stock, self._steppers.steps
        self._training.others.stand_at_step(stock.inventory.entries, held, steps)
        if self._follows_flags and stock.follow_flags():
            self._reporter.report(self._membership_of_given())
        self._glance(self._unwatched())
        if not is_from_torch(stepper.optimizer):
            # It may write without a gradient, so what was written before must be known.
            self._compare(stock.readings.ask(self._due_in(steps + 1)), None)
        # Not right after the step, since some put rows back by hand after it.
        self._compare(stock.readings.ask(stock.with_rows), self._steppers.last)
        if not has_closure:
            # A closure drops gradients and computes them anew: what counts is there after backward.
            self.look_at_gradients(stepper, held)
        if not self._follows_flags:
            self._reporter.report(switched_off(held, stepper, steps))
        if self._is_compiled:
            stock.modes.take_for_running()
        self._reporter.report(stock.modes.violations(steps))
        self.look_at_membership()

    def look_at_gradients(self, stepper: Stepper, held: Sequence[Entry]) -> None:
        """Look at what a step will apply, once all gradients are there."""
        __tracebackhide__ = True
        self._reporter.report(about_to_move(held, stepper, self._steppers.steps))

    def after_step(self, stepper: Stepper) -> None:
        """Look at what a step did."""
        __tracebackhide__ = True
        readings = self._stock.readings
        self._glance(stepper)
        self._compare(readings.arrived(), None)
        self._compare(readings.ask(self._due_in(self._steppers.steps)), stepper)
        self._reporter.report(self._unowned_gradients())

    def look_at_flags(self) -> None:
        """Look for what was frozen and takes gradients again."""
        __tracebackhide__ = True
        if self._follows_flags:
            return
        flipped = [
            entry
            for entry in self._stock.frozen
            if entry.tensor.requires_grad and not entry.requires_grad
        ]
        if not flipped:
            return
        held, are_given = self._steppers.held(), self._steppers.are_given
        self._reporter.report(
            switched_on(
                entry, self._steppers.steps, is_held=not are_given or id(entry.tensor) in held
            )
            for entry in flipped
        )

    def look_at_everything(self) -> None:
        """Digest all that must stay, and wait for it."""
        __tracebackhide__ = True
        stock, steps = self._stock, self._steppers.steps
        self._glance(self._unwatched())
        self._compare(stock.readings.arrived(), None)
        self._compare(stock.readings.now(stock.frozen), None)
        self._compare(stock.readings.now(stock.with_rows), self._steppers.last)
        self._reporter.report(structure.stray_attributes(stock.inventory, steps))
        self._reporter.report(stock.modes.violations(steps))

    def look_at_membership(self) -> None:
        """Say, once and before it costs a training, what will train in vain."""
        __tracebackhide__ = True
        if self._knows_membership:
            return
        self._knows_membership = True
        steps = self._steppers.steps
        self._reporter.report(structure.nothing_trainable(self._stock.inventory, steps))
        if not self._follows_flags:
            self._reporter.report(self._membership_of_given())

    def in_vain(self) -> Iterable[Violation]:
        """What trained in vain, after the last step."""
        yield from self._membership()
        yield from self._unowned_gradients()

    # -- looking -------------------------------------------------------------

    def _unwatched(self) -> Stepper | None:
        """Who stepped since the last look, if any step was passed over."""
        return self._steppers.last if self._steppers.steps % self._every else None

    def _due_in(self, step: int) -> Sequence[Entry]:
        return whose_turn_it_is(self._stock.frozen, step // self._every)

    def _glance(self, stepper: Stepper | None) -> None:
        """Look at what costs next to nothing; digest what that makes suspicious."""
        __tracebackhide__ = True
        inventory = self._stock.inventory
        is_rebuilt = not inventory.has_same_tree() or any(
            entry.holder.get(entry.attribute) is not entry.tensor for entry in inventory.entries
        )
        if is_rebuilt:
            self._knows_membership = False
            self._reporter.report(self._stock.take_again(self._steppers.steps))
        self.look_at_flags()
        suspicious = noticed(self._stock.frozen)
        if suspicious:
            self._compare(self._stock.readings.ask(suspicious), stepper)

    def _compare(self, readings: Iterable[Reading], stepper: Stepper | None) -> None:
        """Report what has other bits than before; ``stepper`` is who may have written them."""
        __tracebackhide__ = True
        found = []
        for entry, tensor, digest in readings:
            if digest == entry.digest or tensor is not entry.tensor:
                continue
            # It has none before a lazy module gets its parameters, or meta its data.
            if entry.digest is not None:
                with quietly():
                    if is_the_same_elsewhere(entry, self._stock.readings):
                        if entry.first_digest == entry.digest:
                            entry.first_digest = digest
                    else:
                        steps = self._steppers.steps
                        found.append(changed(entry, stepper, self._stock.samples, steps))
            entry.digest = digest
        self._reporter.report(found)

    # -- who holds what ------------------------------------------------------

    def _membership_of_given(self) -> Iterable[Violation]:
        return self._membership() if self._steppers.are_given else ()

    def _membership(self) -> Iterable[Violation]:
        inventory, optimizers = self._stock.inventory, self._steppers.by_name
        yield from structure.not_optimized(inventory, optimizers.values(), self._steppers.steps)
        if self._steppers.are_given:
            yield from structure.orphans(inventory, optimizers, self._steppers.steps)

    def _unowned_gradients(self) -> Iterable[Violation]:
        training = self._training
        return training.gradients.violations(
            self._stock.inventory, training.owned, self._steppers.steps
        )
