"""The engine: takes stock, looks after every step, and says what broke the contract."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from freezelint.runtime import structure
from freezelint.runtime.causes import is_from_torch
from freezelint.runtime.changes import (
    Stepper,
    about_to_move,
    changed,
    switched_off,
    switched_on,
)
from freezelint.runtime.contract import Contract
from freezelint.runtime.distributed import agreement_of
from freezelint.runtime.gradients import GradientWatch, is_result, leaves_below
from freezelint.runtime.hooks import Hooks
from freezelint.runtime.inventory import noticed
from freezelint.runtime.liveness import Liveness
from freezelint.runtime.modes import is_compiled
from freezelint.runtime.peers import TIMEOUT
from freezelint.runtime.promises import manifest_of
from freezelint.runtime.quiet import quietly
from freezelint.runtime.relayout import is_the_same_elsewhere
from freezelint.runtime.reporting import Locate, OnViolation, Reporter
from freezelint.runtime.shards import is_shared_out, is_view_of_flat
from freezelint.runtime.step_counts import StepCounts
from freezelint.runtime.stock import Stock
from freezelint.runtime.structure import nothing_trainable, parameters_of
from freezelint.runtime.subjects import subjects_of
from freezelint.runtime.violations import FreezeViolated, FreezeWarning

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType

    from torch import nn
    from typing_extensions import Self

    from freezelint.runtime.distributed import Agreement
    from freezelint.runtime.inventory import Entry
    from freezelint.runtime.manifest import Manifest
    from freezelint.runtime.readings import Reading
    from freezelint.runtime.violations import Kind, Violation

TURNS = 16
"""Steps within which every frozen tensor is digested once."""

FEW = 16
"""Tensors that are digested in every step, whatever their number is."""

LISTENED = 2
"""Steps at the beginning, and of every sixteen, in which all that runs is listened to."""


def watch(
    *subjects: Any,
    frozen: Sequence[str] = (),
    trainable: Sequence[str] = (),
    target: Sequence[str] = (),
    statistics: Sequence[str] = (),
    frozen_rows: Mapping[str, slice] | None = None,
    contract: Contract | None = None,
    every: int = 1,
    within: int = 10,
    on_violation: OnViolation = "raise",
    locate: Locate = "auto",
    exact: bool = False,
    follows_flags: bool = False,
    timeout: float = TIMEOUT,
) -> Watch:
    """Watch models and their optimizers while they train.

    Args:
        *subjects: Models and optimizers, or lists and dicts of them. The names of several
            models begin with their key, or with the name of their class. Without optimizers,
            those count that step what the models hold (before torch 2.3 not after a call of
            ``torch.compile``, which takes their hooks out: hand them over).
        frozen: Patterns of what must stay; see :class:`Contract`.
        trainable: Patterns of what must move.
        target: Patterns of what moves by its owner's hand, never by an optimizer.
        statistics: Patterns of buffers that may move.
        frozen_rows: By pattern, rows that must stay of a parameter whose others train.
        contract: All of these in one object, instead.
        every: Look after every so-many-th step.
        within: Steps after which what should train must have moved.
        on_violation: ``"raise"`` stops the training at the step, ``"warn"`` warns, and
            ``"collect"`` only fills ``violations``.
        locate: Which line wrote to a frozen tensor. ``"auto"`` looks for it during the step
            after a violation (unless that stopped the training), ``"always"`` during every
            step, which takes several times as long.
        exact: Keep a copy of everything that must stay, to say exactly how much changed.
        follows_flags: Without patterns: a flag that is switched during the training is a new
            promise, as in gradual unfreezing, and not a broken one.
        timeout: Seconds that each of several processes waits for the others on leaving. They
            tell each other what they saw, through the store of ``torch.distributed``, and
            raise together: at the first step after the next backward pass, or on leaving.

    Returns:
        A context manager that gives itself; ``violations`` lists what was seen.

    Raises:
        ContractError: on entry, when a pattern matches nothing or two contradict.
        FreezeViolated: with ``on_violation="raise"``, at the step, or on leaving.
    """
    if contract is None:
        contract = Contract(frozen, trainable, target, statistics, frozen_rows or {})
    elif frozen or trainable or target or statistics or frozen_rows:
        raise TypeError("hand over patterns or a contract, not both")
    if follows_flags and not contract.is_inferred:
        raise TypeError("follows_flags is for a contract without patterns: flags decide, or they")
    models, optimizers = subjects_of(subjects)
    return Watch(
        models,
        optimizers,
        contract,
        every=every,
        within=within,
        exact=exact,
        reporter=Reporter(on_violation, locate),
        follows_flags=follows_flags,
        timeout=timeout,
    )


class Watch:
    """A training under watch; made by :func:`watch`."""

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        optimizers: Mapping[str, Any],
        contract: Contract,
        *,
        every: int,
        within: int,
        exact: bool,
        reporter: Reporter,
        is_patient: bool = True,
        follows_flags: bool = False,
        hooks: Hooks | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """Take what is to be watched; nothing is touched before the watch is entered.

        ``is_patient`` lets a training of a few steps begin late: with a zero gradient, as
        LoRA does, or a learning rate of 0, as warm-up does. With ``follows_flags`` a flag that
        is switched is a new promise (a schedule) and not a broken one.
        """
        if every < 1 or within < 1:
            raise ValueError("every and within count steps: they are at least 1")
        self.contract = contract
        self.optimizers = dict(optimizers)
        """The optimizers that were given, or else those that stepped what is watched."""
        self.steps = 0
        """Steps that these took."""
        self.counts = StepCounts()
        """The same, of each of them."""
        self._are_given = bool(optimizers)
        self._models = dict(models)
        self._run_as: Sequence[nn.Module] = [*self._models.values()]
        self._every = every
        self._exact = exact
        self._reporter = reporter
        self._timeout = timeout
        self._agreement: Agreement | None = None
        self.awaits_others = True
        """Whether to wait on leaving, where there are several processes."""
        self.is_heard = False
        """Whether rank 0 knows what this saw, in another process."""
        self._hooks = hooks or Hooks()
        self._follows_flags = follows_flags and contract.is_inferred
        self._liveness = Liveness(within, is_patient=is_patient)
        self._stepping: Stepper | None = None
        self._in_closure: Stepper | None = None
        self._last: Stepper | None = None
        self._backward_passes = 0
        self._has_losses = False
        self._knows_membership = False

    @property
    def violations(self) -> list[Violation]:
        """What was seen so far, in the order in which it was."""
        return self._reporter.violations

    def records(self) -> Iterable[object]:
        """The collections in which this holds the models that it watches."""
        inventory = self.stock.inventory
        owners = (entry.owners for entry in inventory.entries)
        modes = self.stock.modes.records()
        held = (self._models, self._run_as, inventory.models, inventory.modules)
        return (*held, *owners, *modes)

    # -- entering and leaving ------------------------------------------------

    def hook_with(self, hooks: Hooks) -> None:
        """Install everything by these; before the watch is entered."""
        self._hooks = hooks

    def run_as(self, *wrappers: nn.Module) -> None:
        """Say what is called in place of the models, such as what a compiler made of them."""
        self._run_as = wrappers

    def only_warn_of(self, *kinds: Kind) -> None:
        """Let violations of these kinds not stop the training."""
        self._reporter.only_warned_of = frozenset(kinds)

    def __enter__(self) -> Self:
        """Take stock of everything and begin to watch."""
        __tracebackhide__ = True
        try:
            self._begin()
        except BaseException:
            self._hooks.remove()
            raise
        return self

    def _begin(self) -> None:
        __tracebackhide__ = True
        self.stock = Stock(self._models, self.contract, exact=self._exact)
        self._agreement = agreement_of(self.stock.inventory.entries, self._timeout)
        self._reporter.agreement = self._agreement
        self._gradients = GradientWatch(self.stock.readings)
        self._reporter.report(self.stock.broken_promises(self._agreement))
        self._reporter.report(structure.aliases(self.stock.inventory))
        self._reporter.report(structure.stray_attributes(self.stock.inventory, 0))
        self._hooks.around_steps(self.optimizers.values(), self._before_step, self._after_step)
        self._hooks.before_forward(self._run_as, self._before_forward)
        self._hooks.around_backward(self._around_backward)
        self._has_compiled_model = any(map(is_compiled, self._run_as))
        self._listen()
        self._reporter.start_locating(self.stock.frozen, 0)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop watching; if the training ended well, look at everything once more."""
        __tracebackhide__ = True
        self._reporter.stop_locating()
        self._hooks.remove()
        try:
            if error is None:
                self._look_at_everything()
                self._reporter.report(self._last_words())
        except BaseException as raised:
            error = raised
            raise
        finally:
            if self._agreement is not None:
                self._part(self._agreement, error)

    def _part(self, agreement: Agreement, error: BaseException | None) -> None:
        """Tell the other processes what was seen, and hear what they saw."""
        __tracebackhide__ = True
        is_last = error is not None or agreement.is_called_off or not self.awaits_others
        agreement.leave(self.violations, self._liveness.unmoved, error, is_last=is_last)
        if agreement.is_called_off or not self.awaits_others:
            return
        if error is None:
            closing = agreement.close(self.violations)
            self.is_heard = closing.is_complete and agreement.rank != 0
            for each in closing.complaints:
                warnings.warn(each, FreezeWarning, stacklevel=3)
            self._reporter.report_together(closing.violations)
        elif isinstance(error, Exception) and self._reporter.raises:
            # Whatever came of it, such as a lost connection: this was first.
            try:
                self._reporter.report_together(agreement.reported())
            except FreezeViolated as violated:
                raise violated from error

    def check(self) -> list[Violation]:
        """Digest everything that must stay now, and return all that was seen so far."""
        __tracebackhide__ = True
        self._look_at_everything()
        return self.violations

    def look_at_membership(self) -> None:
        """Say, once and before it costs a training, what will train in vain."""
        __tracebackhide__ = True
        if self._knows_membership:
            return
        self._knows_membership = True
        self._reporter.report(nothing_trainable(self.stock.inventory, self.steps))
        if not self._follows_flags:
            self._reporter.report(self._membership_of_given())

    def manifest(self) -> Manifest:
        """What is promised, with the bits of now."""
        return manifest_of([*self.stock.frozen, *self.stock.with_rows], {})

    def compare(self, manifest: Manifest, whose: str) -> None:
        """Report what is not as an earlier manifest has it; ``whose`` says where that is from."""
        __tracebackhide__ = True
        self._reporter.report(self.stock.broken_promises(self._agreement, manifest, whose))

    def _look_at_everything(self) -> None:
        __tracebackhide__ = True
        readings = self.stock.readings
        self._glance(self._unwatched())
        self._compare(readings.arrived(), None)
        self._compare(readings.now(self.stock.frozen), None)
        self._compare(readings.now(self.stock.with_rows), self._last)
        self._reporter.report(structure.stray_attributes(self.stock.inventory, self.steps))
        self._reporter.report(self.stock.modes.violations(self.steps))

    def _last_words(self) -> Iterable[Violation]:
        if self.steps == 0:
            if self.contract.is_inferred or self.contract.trainable:
                yield from nothing_trainable(self.stock.inventory, 0)
        else:
            yield from self._membership()
            yield from self._unowned_gradients()
        if self.steps or self._backward_passes > LISTENED or not self._liveness.is_patient:
            yield from self._liveness.violations(self, is_last=True)

    # -- around steps --------------------------------------------------------

    def _before_step(self, optimizer: Any, has_closure: bool) -> bool:
        __tracebackhide__ = True
        held = self.stock.held_by(optimizer)
        is_known = any(each is optimizer for each in self.optimizers.values())
        if not held and not is_known:
            self._gradients.clear_all_in(each for _, each in parameters_of(optimizer))
            return False
        self._stepping, self._in_closure = self._stepper(optimizer), None
        if (self.steps + 1) % self._every == 0:
            self._look_before_step(held, self._stepping, has_closure)
        return True

    def _look_before_step(self, held: Sequence[Entry], stepper: Stepper, has_closure: bool) -> None:
        __tracebackhide__ = True
        optimizer = stepper.optimizer
        if self._agreement is not None:
            self._agree(self._agreement, held)
        if self._follows_flags and self.stock.follow_flags():
            self._reporter.report(self._membership_of_given())
        self._glance(self._unwatched())
        if not is_from_torch(optimizer):
            # It may write without a gradient, so what was written before must be known.
            self._compare(self.stock.readings.ask(self._due_in(self.steps + 1)), None)
        # Not right after the step, since some put rows back by hand after it.
        self._compare(self.stock.readings.ask(self.stock.with_rows), self._last)
        if has_closure:
            # There gradients are dropped and computed anew: what counts is there after backward.
            self._in_closure = stepper
        else:
            self._reporter.report(about_to_move(held, stepper, self.steps))
        if not self._follows_flags:
            self._reporter.report(switched_off(held, stepper, self.steps))
        if self._has_compiled_model:
            self.stock.modes.take_for_running()
        self._reporter.report(self.stock.modes.violations(self.steps))
        self.look_at_membership()

    def _agree(self, agreement: Agreement, held: Sequence[Entry]) -> None:
        """Compare with the other processes, and raise if it is time for all to do so."""
        __tracebackhide__ = True
        self._reporter.report(agreement.differences(self.stock.inventory.entries, self.steps))
        if self._reporter.raises and agreement.is_time_to_raise(held):
            self._reporter.report_together(agreement.reported())

    def is_split(self, entry: Entry) -> bool:
        """Whether other processes watch the rest of a tensor."""
        return self._agreement is not None and is_shared_out(entry)

    def _after_step(self, optimizer: Any) -> None:
        __tracebackhide__ = True
        stepper, self._stepping, self._in_closure = self._stepping, None, None
        if stepper is None or stepper.optimizer is not optimizer:
            return
        self._last = stepper
        self.steps += 1
        self._reporter.stop_locating()
        if self.steps % self._every == 0:
            self._glance(stepper)
            self._compare(self.stock.readings.arrived(), None)
            self._compare(self.stock.readings.ask(self._due_in(self.steps)), stepper)
            self._reporter.report(self._unowned_gradients())
        self.counts.note(optimizer)
        if self._liveness.is_due(optimizer, self):
            self._reporter.report(self._liveness.violations(self, is_last=False))
        if self.steps >= LISTENED:
            if self.steps % TURNS == 0:
                self._listen()
            else:
                self._hooks.stop_listening()
        self._reporter.start_locating([*self.stock.frozen, *self.stock.with_rows], self.steps)

    def _unwatched(self) -> Stepper | None:
        """Who stepped since the last look, if any step was passed over."""
        return self._last if self.steps % self._every else None

    def _listen(self) -> None:
        # A compiled model warns of hooks on all modules, and may not run them.
        if not self._has_compiled_model:
            self._hooks.listen(self.stock.modes.note)

    def _due_in(self, step: int) -> list[Entry]:
        """Those of the frozen tensors whose turn a step is: a few in each, so that none waits."""
        turns = max(min(len(self.stock.frozen) // FEW, TURNS), 1)
        return self.stock.frozen[(step // self._every) % turns :: turns]

    def _before_forward(self, _model: nn.Module, *arguments: Any) -> None:
        __tracebackhide__ = True
        if self._looks_at_graph():
            self._gradients.clear_all_in(arguments)
        self._look_at_flags()

    def _around_backward(self, roots: Any) -> Any:
        self._backward_passes += 1
        if self._agreement is not None:
            self._agreement.note_backward()
        if not self._looks_at_graph():
            return self._after_backward
        roots = roots if isinstance(roots, (list, tuple)) else (roots,)
        self._has_losses |= any(map(is_result, roots))
        leaves = leaves_below(roots)

        def after() -> None:
            __tracebackhide__ = True
            self._gradients.note(leaves, self.stock.inventory, self._owned())
            self._after_backward()

        return after

    def _after_backward(self) -> None:
        __tracebackhide__ = True
        stepper = self._in_closure
        if stepper is not None:
            held = self.stock.held_by(stepper.optimizer)
            self._reporter.report(about_to_move(held, stepper, self.steps))

    def _looks_at_graph(self) -> bool:
        return self._backward_passes <= LISTENED or self._backward_passes % TURNS < LISTENED

    # -- looking -------------------------------------------------------------

    def _glance(self, stepper: Stepper | None) -> None:
        """Look at what costs next to nothing; digest what that makes suspicious."""
        __tracebackhide__ = True
        is_rebuilt = not self.stock.inventory.has_same_tree() or any(
            entry.holder.get(entry.attribute) is not entry.tensor
            for entry in self.stock.inventory.entries
        )
        if is_rebuilt:
            self._knows_membership = False
            self._reporter.report(self.stock.take_again(self.steps))
        self._look_at_flags()
        suspicious = noticed(self.stock.frozen)
        if suspicious:
            self._compare(self.stock.readings.ask(suspicious), stepper)

    def _look_at_flags(self) -> None:
        __tracebackhide__ = True
        if self._follows_flags:
            return
        flipped = [
            entry
            for entry in self.stock.frozen
            if entry.tensor.requires_grad and not entry.requires_grad
        ]
        if not flipped:
            return
        held = {id(each) for one in self.optimizers.values() for _, each in parameters_of(one)}
        self._reporter.report(
            switched_on(entry, self.steps, is_held=not self._are_given or id(entry.tensor) in held)
            for entry in flipped
        )

    def _compare(self, readings: Iterable[Reading], stepper: Stepper | None) -> None:
        __tracebackhide__ = True
        found = []
        for entry, tensor, digest in readings:
            if digest == entry.digest or tensor is not entry.tensor:
                continue
            # It has none before a lazy module gets its parameters, or meta its data.
            if entry.digest is not None:
                with quietly():
                    if is_the_same_elsewhere(entry, self.stock.readings):
                        if entry.first_digest == entry.digest:
                            entry.first_digest = digest
                    else:
                        found.append(changed(entry, stepper, self.stock.samples, self.steps))
            entry.digest = digest
        self._reporter.report(found)

    # -- who holds what ------------------------------------------------------

    def _stepper(self, optimizer: Any) -> Stepper:
        for name, each in self.optimizers.items():
            if each is optimizer:
                return Stepper(name, optimizer)
        name = type(optimizer).__name__
        if name in self.optimizers:
            name = f"{name}{len(self.optimizers) + 1}"
        self.optimizers[name] = optimizer
        return Stepper(name, optimizer)

    def _membership_of_given(self) -> Iterable[Violation]:
        return self._membership() if self._are_given else ()

    def _membership(self) -> Iterable[Violation]:
        inventory = self.stock.inventory
        yield from structure.not_optimized(inventory, self.optimizers.values(), self.steps)
        if self._are_given:
            yield from structure.orphans(inventory, self.optimizers, self.steps)

    def _unowned_gradients(self) -> Iterable[Violation]:
        return self._gradients.violations(self.stock.inventory, self._owned, self.steps)

    def _owned(self) -> set[int]:
        return self.stock.owned(self.optimizers.values())

    @property
    def begins_at_leaves(self) -> bool:
        """Whether each backward pass begins at a tensor that nothing led to, and ends there."""
        return self._backward_passes > 0 and not self._has_losses

    def took_part(self, entry: Entry) -> tuple[bool | None, bool]:
        """Whether backward reached a parameter (None if nobody looked), and its module ran."""
        reached = None
        if self._backward_passes:
            # What a checkpoint recomputes is in no graph, but gets its gradient all the same.
            has_gradient = entry.tensor.grad is not None
            reached = has_gradient or id(entry.tensor) in self._gradients.reached
            if not reached and id(entry.module) in self.stock.modes.ran and is_view_of_flat(entry):
                # Backward ends at the flat parameter, which may have been reached for others' sake.
                reached = None
        return reached, id(entry.module) in self.stock.modes.ran
