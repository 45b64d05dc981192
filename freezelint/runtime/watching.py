"""A watch: takes stock on entering, has everything looked at, and has the last word on leaving."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezelint.runtime.callbacks import Callbacks
from freezelint.runtime.contract import Contract
from freezelint.runtime.gradients import GradientWatch
from freezelint.runtime.hooks import Hooks
from freezelint.runtime.inspection import Inspection
from freezelint.runtime.liveness import Liveness
from freezelint.runtime.modes import runs_compiled
from freezelint.runtime.other_processes import OtherProcesses
from freezelint.runtime.peers import TIMEOUT
from freezelint.runtime.promises import manifest_of
from freezelint.runtime.reporting import Locate, OnViolation, Reporter
from freezelint.runtime.steppers import Steppers
from freezelint.runtime.stock import Stock
from freezelint.runtime.structure import nothing_trainable
from freezelint.runtime.subjects import subjects_of
from freezelint.runtime.training import Training
from freezelint.runtime.turns import LISTENED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType

    from torch import nn
    from typing_extensions import Self

    from freezelint.runtime.manifest import Manifest
    from freezelint.runtime.violations import Kind, Violation


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
        self.others = OtherProcesses(reporter, timeout)
        """The same watch in other processes, if there are several."""
        self._steppers = Steppers(optimizers)
        self._models = dict(models)
        self._run_as: Sequence[nn.Module] = [*self._models.values()]
        self._every = every
        self._within = within
        self._is_patient = is_patient
        self._exact = exact
        self._follows_flags = follows_flags and contract.is_inferred
        self._reporter = reporter
        self._hooks = hooks or Hooks()

    @property
    def steps(self) -> int:
        """Steps that the optimizers took."""
        return self._steppers.steps

    @property
    def optimizers(self) -> Mapping[str, Any]:
        """The optimizers that were given, or else those that stepped what is watched."""
        return self._steppers.by_name

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
        self.others.meet(self.stock.inventory.entries)
        self._gradients = GradientWatch(self.stock.readings)
        training = Training(
            self.stock, self._steppers, self._gradients, self.others, self._reporter
        )
        is_compiled = any(map(runs_compiled, self._run_as))
        self._inspection = Inspection(
            training,
            every=self._every,
            follows_flags=self._follows_flags,
            is_compiled=is_compiled,
        )
        self._liveness = Liveness(
            training,
            within=self._within,
            is_patient=self._is_patient,
            is_inferred=self.contract.is_inferred,
        )
        self._reporter.report(self.stock.broken_promises(self.others.agreement))
        self._inspection.begin()
        callbacks = Callbacks(
            training,
            self._inspection,
            self._liveness,
            every=self._every,
            is_compiled=is_compiled,
        )
        callbacks.install(self._hooks, self._run_as)
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
                self._inspection.look_at_everything()
                self._reporter.report(self._last_words())
        except BaseException as raised:
            error = raised
            raise
        finally:
            self.others.part(error)

    def _last_words(self) -> Iterable[Violation]:
        if self.steps:
            yield from self._inspection.in_vain()
        elif self.contract.is_inferred or self.contract.trainable:
            yield from nothing_trainable(self.stock.inventory, 0)
        if self.steps or self._gradients.passes > LISTENED or not self._is_patient:
            yield from self._liveness.violations(is_last=True)

    # -- asking --------------------------------------------------------------

    def check(self) -> list[Violation]:
        """Digest everything that must stay now, and return all that was seen so far."""
        __tracebackhide__ = True
        self._inspection.look_at_everything()
        return self.violations

    def look_at_membership(self) -> None:
        """Say, once and before it costs a training, what will train in vain."""
        __tracebackhide__ = True
        self._inspection.look_at_membership()

    def manifest(self) -> Manifest:
        """What is promised, with the bits of now."""
        return manifest_of([*self.stock.frozen, *self.stock.with_rows], {})

    def compare(self, manifest: Manifest, whose: str) -> None:
        """Report what is not as an earlier manifest has it; ``whose`` says where that is from."""
        __tracebackhide__ = True
        self._reporter.report(self.stock.broken_promises(self.others.agreement, manifest, whose))
