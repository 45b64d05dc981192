"""One finding in a program that runs: is it reached, and does what its rule claims happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezelint.judgement.found import Found
from freezelint.judgement.measures import MEASURES, Measurement, parameters_in
from freezelint.judgement.memory import Digests
from freezelint.judgement.observation import Observation
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import FrameType

    from torch import nn

    from freezelint.judgement.markers import Moment
    from freezelint.program_findings import Expected

_AT_ONCE = ("moves", "drifts", "wastes", "differs")
"""What is so from the first time on that it is seen."""

_AT_THE_END = ("dead", "cut")
"""What is not so from the first time on that the contrary is seen."""

_EVERY_STEP = 4
"""Steps that are all looked at; after that, only every power of two."""

_CALLS = 3
"""Calls of a module that are compared with those of a copy."""

_LARGEST_COPY = 1 << 28
"""Bytes of a module above which no copy of it is made."""


class Shown(NamedTuple):
    """What was seen."""

    remark: str
    step: int | None = None
    """How many steps the program had taken; None if only the end shows it."""
    is_exact: bool = True
    """Whether it had not happened a step before."""


class Candidate:
    """Follows one finding until its consequence is seen or the program ends.

    Tensors are held as long as it is undecided, models not: of several models that a program
    makes one after the other, the first one decides.
    """

    def __init__(self, expected: Expected) -> None:
        """Nothing has happened yet."""
        self.expected = expected
        self.is_reached = False
        self.shown: Shown | None = None
        self._found: Found | None = None
        if expected.finding.about is not None:
            self._found = Found(expected.finding.about)
        self._observations: list[Observation] = []
        self._over: list[str] = []
        """What speaks against consequences that can come no more."""

    @property
    def is_observed(self) -> bool:
        """Whether the tensors that it is about were found, and training went on."""
        return bool(self._observations or self._over or self.shown)

    @property
    def is_named(self) -> bool:
        """Whether the finding names its tensors."""
        return self.expected.finding.about is not None

    def passed(self, moment: Moment, frame: FrameType) -> None:
        """Note that the program is at one of the finding's statements."""
        if moment.is_finding:
            self.is_reached = True
        if self._found is not None and not self.is_observed and moment.is_near:
            self._found.look(frame)

    # -- moments -------------------------------------------------------------

    def begin(self) -> None:
        """Look from now on if the finding was reached: the next thing that happens is training."""
        if not self.is_reached or self._found is None or self.is_observed:
            return
        if not self._found.settle():
            return
        for consequence in self.expected.consequences:
            if consequence in MEASURES and (consequence != "differs" or self._may_run_twice()):
                observation = Observation(self._found, consequence, Digests())
                if observation.begin():
                    self._observations.append(observation)
        self._found.let_go()

    def before_step(self, optimizer: Any, step: int) -> None:
        """Look at what was written since the last step, and at what this one may move."""
        self.begin()
        steps = self._observations[0].steps if self._observations else 0
        looks = _is_looked_at(steps + 1)
        if looks and steps and not self._counts_steps_only():
            self._look(step - 1, is_exact=_is_looked_at(steps))
        for each in self._observations:
            each.before_step(optimizer, looks=looks)
            if looks and self._counts_steps_only():
                each.remember()

    def after_step(self, step: int) -> None:
        """Look at what the step moved."""
        if self._observations and _is_looked_at(self._observations[0].steps):
            self._look(step)

    def after_backward(self) -> None:
        """Look at which gradients arrived."""
        for each in self._observations:
            each.after_backward(looks=_is_looked_at(each.steps + 1))

    def _look(self, step: int, *, is_exact: bool = True) -> None:
        for each in list(self._observations):
            measured = MEASURES[each.consequence](each)
            if each.consequence in _AT_ONCE and measured.is_shown and not _needs_the_end(each):
                self._settle(Shown(measured.in_short, step, is_exact))
                return
            is_over = each.consequence in _AT_THE_END and not measured.is_shown
            if is_over:
                self._over.append(_said(measured))
                self._observations.remove(each)
            elif each.outputs is not None and _was_compared(each):
                each.end()

    def _settle(self, shown: Shown) -> None:
        self.shown = shown
        self.let_go()

    def let_go(self) -> None:
        """Look no more, and hold nothing of the program."""
        for each in self._observations:
            each.end()
        self._observations = []
        self._found = None

    # -- the end -------------------------------------------------------------

    def conclude(self, stepped: Collection[int]) -> str:
        """Look for the last time; return why nothing is shown, where nothing is.

        Args:
            stepped: Identities of all parameters that optimizers stepped.
        """
        said = "; ".join(self._over[:1])
        for each in self._observations:
            measured = MEASURES[each.consequence](each)
            why_not = _why_not(each, measured, stepped)
            if why_not is None:
                self._settle(Shown(measured.in_short))
                return ""
            said = said or why_not
        self.let_go()
        return said

    def _may_run_twice(self) -> bool:
        """Whether a copy of its modules is cheap, and does nothing but compute when it runs."""
        assert self._found is not None
        size = sum(each.tensor.nbytes for each in self._found.tensors().values())
        return size <= _LARGEST_COPY and all(
            type(inner).__module__.startswith("torch.nn.modules.") and not _has_hooks(inner)
            for module in self._found.modules().values()
            for inner in module.modules()
        )

    def _counts_steps_only(self) -> bool:
        about = self.expected.finding.about
        return about is not None and about.by_step


def _has_hooks(module: nn.Module) -> bool:
    kept = vars(module)
    return bool(kept.get("_forward_hooks") or kept.get("_forward_pre_hooks"))


def _is_looked_at(step: int) -> bool:
    return step <= _EVERY_STEP or step & (step - 1) == 0


def _needs_the_end(seen: Observation) -> bool:
    """Whether gradients may yet turn out not to have been in vain."""
    return seen.consequence == "wastes" and not seen.held


def _said(measured: Measurement) -> str:
    return (*measured.sentences, measured.trouble or "")[0]


def _was_compared(seen: Observation) -> bool:
    assert seen.outputs is not None
    return any(each.times >= _CALLS for each in seen.outputs.compared.values())


def _why_not(seen: Observation, measured: Measurement, stepped: Collection[int]) -> str | None:
    """Why the end shows nothing; None if it shows what is claimed."""
    if not seen.steps and not seen.passes:
        return "nothing was trained after it"
    if seen.consequence == "cut" and not seen.passes:
        return "no backward pass came after it"
    if seen.consequence != "cut" and not seen.steps:
        return "no optimizer took a step after it"
    if not measured.is_shown or measured.trouble is not None:
        return _said(measured)
    if seen.consequence == "dead" and _would_train(seen, stepped):
        return "it did not move, but has a gradient and an optimizer: is the learning rate 0?"
    return None if seen.consequence not in ("moves", "drifts") else "it changed after the last step"


def _would_train(seen: Observation, stepped: Collection[int]) -> bool:
    """Whether an optimizer has all that it needs to move something that it did not."""
    return any(
        each.tensor.requires_grad and each.name in seen.gradients and id(each.tensor) in stepped
        for each in parameters_in(seen)
    )
