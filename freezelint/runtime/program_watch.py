"""Watches a whole program: every model that an optimizer steps, from its first step on."""

from __future__ import annotations

import gc
import os
import weakref
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from freezelint.runtime.contract import Contract
from freezelint.runtime.freeze_map import FreezeMap, freeze_report
from freezelint.runtime.hooks import Hooks
from freezelint.runtime.inventory import Entry
from freezelint.runtime.living_models import models_of, named_models
from freezelint.runtime.names import matches, nearest
from freezelint.runtime.reporting import Reporter
from freezelint.runtime.shared_steps import HooksOnSharedSteps, SharedSteps
from freezelint.runtime.structure import parameters_of
from freezelint.runtime.watching import Watch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from torch import nn
    from typing_extensions import Self

    from freezelint.runtime.violations import Violation


@dataclass(frozen=True)
class Observed:
    """What is left to say of models when nobody watches them any more."""

    models: tuple[str, ...]
    optimizers: tuple[str, ...]
    steps: int
    violations: tuple[Violation, ...]
    freeze_map: FreezeMap


class ProgramWatch:
    """Begins a watch at the first step of every optimizer whose models nobody watches yet."""

    def __init__(
        self, names: Mapping[str, Any], contract: Contract, *, every: int, within: int
    ) -> None:
        """Prepare.

        Args:
            names: The variables of the program, after which models are named.
            contract: What must stay and what must move; what it infers follows the flags.
            every: Look after every so-many-th step.
            within: Steps after which what should train must have moved.
        """
        self.observed: list[Observed] = []
        """What came of the models, in the order in which they were let go."""
        self._watches: list[Watch] = []
        self.without_model: set[str] = set()
        """Kinds of optimizers that stepped tensors which belong to no module."""
        self._names = names
        self._contract = contract
        self._every = every
        self._within = within
        self._steps = SharedSteps()
        self._hooks = Hooks()
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()
        self._tensors: list[str] = []
        self._matched: set[str] = set()
        self._process = os.getpid()
        self.ended_well = True
        """Whether the program did, in this process: otherwise no other one is waited for."""
        self._unheard: list[Observed] = []

    @property
    def is_in_child(self) -> bool:
        """Whether this is a copy in a forked process, which has nothing to say."""
        return os.getpid() != self._process

    def __enter__(self) -> Self:
        """Wait for steps."""
        self._hooks.around_steps((), self._before, self._steps.after)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop watching, and look at everything once more."""
        self._hooks.remove()
        for each in self._watches:
            each.others.are_awaited = self.ended_well
            self._end(each, kind, error, traceback)
        self._watches.clear()

    @property
    def is_first(self) -> bool:
        """Whether this is the one process, or of several the one that speaks for all."""
        return int(os.environ.get("RANK") or 0) == 0

    @property
    def is_spoken_for(self) -> bool:
        """Whether rank 0 says all that this process saw."""
        return not self.is_first and not any(each.violations for each in self._unheard)

    @property
    def idle_patterns(self) -> list[tuple[str, list[str]]]:
        """Patterns that named nothing in any model, each with the nearest names."""
        return [
            (pattern, nearest(pattern, self._tensors))
            for pattern in self._patterns
            if pattern not in self._matched
        ]

    @property
    def _patterns(self) -> list[str]:
        said = self._contract
        return [*said.frozen, *said.trainable, *said.target, *said.statistics]

    def _before(self, optimizer: Any, has_closure: bool) -> bool:
        if self.is_in_child:
            return False
        if optimizer not in self._known:
            self._known.add(optimizer)
            self._begin(optimizer)
        return self._steps.before(optimizer, has_closure)

    def _begin(self, optimizer: Any) -> None:
        """Watch the models of a new optimizer, unless they are watched already."""
        self._let_go()
        watched = {id(each) for watch in self._watches for each in _models_in(watch)}
        models = [
            each
            for each in models_of(tensor for _, tensor in parameters_of(optimizer))
            if id(each) not in watched
        ]
        if not models:
            if not any(watch.stock.held_by(optimizer) for watch in self._watches):
                self.without_model.add(type(optimizer).__name__)
            return
        named = named_models(models, self._names)
        watch = Watch(
            named,
            {},
            self._resolved(named),
            every=self._every,
            within=self._within,
            exact=False,
            reporter=Reporter("collect", "auto"),
            follows_flags=True,
            hooks=HooksOnSharedSteps(self._steps),
        )
        self._watches.append(watch.__enter__())

    def _let_go(self) -> None:
        """End watches of models that nobody but this package holds any more."""
        if not self._watches:
            return
        gc.collect()
        for watch in list(self._watches):
            if _is_forgotten(watch):
                self._watches.remove(watch)
                # In the midst of a training, where others may be elsewhere.
                watch.others.are_awaited = False
                self._end(watch, None, None, None)

    def _end(
        self,
        watch: Watch,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            # What trains may not have come to it, but what is frozen must have stayed.
            watch.check()
        watch.__exit__(kind, error, traceback)
        models, optimizers = dict(watch.stock.inventory.models), dict(watch.optimizers)
        observed = Observed(
            tuple(models),
            tuple(optimizers),
            watch.steps,
            tuple(watch.violations),
            freeze_report(models, optimizers, since=watch),
        )
        self.observed.append(observed)
        if not watch.others.have_heard:
            self._unheard.append(observed)

    def _resolved(self, models: Mapping[str, nn.Module]) -> Contract:
        """The contract as far as it concerns these models.

        Patterns may leave out the variable that holds the model.
        """
        names = [
            f"{prefix}.{name}"
            for prefix, model in models.items()
            for name, _ in (*model.named_parameters(), *model.named_buffers())
        ]
        self._tensors += names

        def spelled(patterns: Sequence[str]) -> list[str]:
            return [each for pattern in patterns for each in self._spelled(pattern, models, names)]

        return Contract(
            frozen=spelled(self._contract.frozen),
            trainable=spelled(self._contract.trainable),
            target=spelled(self._contract.target),
            statistics=spelled(self._contract.statistics),
        )

    def _spelled(
        self, pattern: str, prefixes: Iterable[str], names: Sequence[str]
    ) -> Iterable[str]:
        """A pattern as it names something, or else with the variables in front."""
        for spellings in ([pattern], [f"{prefix}.{pattern}" for prefix in prefixes]):
            fitting = [each for each in spellings if any(matches(each, name) for name in names)]
            if fitting:
                self._matched.add(pattern)
                return fitting
        return ()


def _models_in(watch: Watch) -> Iterator[nn.Module]:
    return iter(watch.stock.inventory.models.values())


def _is_forgotten(watch: Watch) -> bool:
    """Whether nothing refers to the models but what was made to watch them."""
    ours = {id(each) for each in watch.records()}
    return not any(
        id(referrer) not in ours and not isinstance(referrer, (Entry, FrameType))
        for model in _models_in(watch)
        for referrer in gc.get_referrers(model)
    )
