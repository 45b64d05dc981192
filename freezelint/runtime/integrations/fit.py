"""What the integrations share: one watch per training, opened and closed by the framework."""

from __future__ import annotations

import functools
import sys
import warnings
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

import torch
from torch import nn

from freezelint.runtime.integrations.call_hooks import CallHooks
from freezelint.runtime.manifest import Manifest, ManifestError
from freezelint.runtime.violations import FreezeWarning
from freezelint.runtime.watching import watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

    from typing_extensions import Unpack

    from freezelint.runtime.contract import Contract
    from freezelint.runtime.integrations.call_hooks import RunningCall
    from freezelint.runtime.reporting import Locate, OnViolation
    from freezelint.runtime.violations import Kind, Violation
    from freezelint.runtime.watching import Watch

MANIFEST = "freezelint.json"
"""The file in a checkpoint's folder that says what was promised of it."""


class WatchOptions(TypedDict, total=False):
    """The options of :func:`freezelint.runtime.watch`."""

    frozen: Sequence[str]
    trainable: Sequence[str]
    target: Sequence[str]
    statistics: Sequence[str]
    frozen_rows: Mapping[str, slice] | None
    contract: Contract | None
    every: int
    within: int
    on_violation: OnViolation
    locate: Locate
    exact: bool
    follows_flags: bool
    timeout: float


class FitWatch:
    """Holds the watch of the training that goes on, and what was seen in the last one."""

    def __init__(self, options: WatchOptions, only_warn_of: Sequence[Kind] = ()) -> None:
        """Take the options of all trainings to come, and what is to stop none of them.

        Raises:
            TypeError, ValueError: if they are none of :func:`watch`.
        """
        # Made and thrown away, so that a wrong option is told where it was written.
        watch(nn.Module(), **options)
        self._options = options
        self._only_warn_of = only_warn_of
        self._watch: Watch | None = None
        self._violations: list[Violation] = []
        self._steps = 0
        self._manifest: Manifest | None = None
        self._call: RunningCall | None = None
        self._when_forgotten: Any = None

    @property
    def has_patterns(self) -> bool:
        """Whether patterns or a contract decide what must stay, not flags."""
        names = ("contract", "frozen", "trainable", "target")
        return any(self._options.get(name) for name in names)

    @property
    def is_open(self) -> bool:
        """Whether a training is watched."""
        return self._watch is not None

    @property
    def violations(self) -> list[Violation]:
        """What was seen in this training, or else in the last one."""
        return self._violations

    @property
    def steps(self) -> int:
        """Steps of this training, or else of the last one."""
        return self._steps if self._watch is None else self._watch.steps

    def begin(
        self,
        *subjects: Any,
        earlier: Manifest | None = None,
        call: RunningCall | None = None,
        run_as: Sequence[nn.Module] = (),
        follows_flags: bool | None = None,
    ) -> None:
        """Watch a training that begins.

        Args:
            *subjects: Models and optimizers, as for :func:`watch`.
            earlier: What a checkpoint says that was promised, and was restored from it.
            run_as: What is called in place of the models, if anything is.
            call: That within which the training goes on, if nothing tells when it fails.
            follows_flags: Instead of what the options say.

        Raises:
            ContractError: when a pattern matches nothing or two contradict.
            FreezeViolated: if violations stop the training, and there is one already.
        """
        __tracebackhide__ = True
        self.abandon()
        options = self._options
        if follows_flags is not None:
            options = {**options, "follows_flags": follows_flags}
        opened = watch(*subjects, **options)
        if run_as:
            opened.run_as(*run_as)
        opened.only_warn_of(*self._only_warn_of)
        give_up = functools.partial(_give_up, opened)
        if call is not None:
            opened.hook_with(CallHooks(call, give_up))
        self._watch, self._call, self._manifest = opened, call, None
        self._violations = opened.violations
        # Torch holds the hooks, and they hold the watch, but nobody there holds this.
        self._when_forgotten = weakref.finalize(self, _once_no_step_runs, give_up)
        self._when_forgotten.atexit = False
        try:
            opened.__enter__()
            if earlier is not None:
                opened.compare(earlier, "the checkpoint's manifest")
            opened.look_at_membership()
        except BaseException as error:
            self.abandon(error)
            raise

    def end(self) -> None:
        """Look at everything once more, and report what never moved.

        Raises:
            FreezeViolated: if violations stop the training, and there are new ones.
        """
        __tracebackhide__ = True
        opened = self._let_go()
        if opened is not None:
            self._manifest = opened.manifest()
            opened.__exit__(None, None, None)

    def abandon(self, error: BaseException | None = None) -> None:
        """Stop watching a training that ended early, with nothing more said about it."""
        opened = self._let_go()
        if opened is not None:
            _give_up(opened, error)

    def _let_go(self) -> Watch | None:
        opened, self._watch, self._call = self._watch, None, None
        if opened is not None:
            self._when_forgotten.detach()
            self._steps = opened.steps
        return opened

    def manifest(self) -> Manifest | None:
        """What is promised in this training, or was at the end of the last one."""
        return self._manifest if self._watch is None else self._watch.manifest()

    def save_manifest(self, folder: Path) -> None:
        """Write what is promised into the folder of a checkpoint."""
        manifest = self.manifest()
        if manifest is not None:
            manifest.save(folder / MANIFEST)


class FreezeWatchBase:
    """What every ``FreezeWatch`` takes, and what it tells, whatever the framework."""

    _only_warns_of: ClassVar[tuple[Kind, ...]] = ()
    """What stops no training, since the framework brings it about."""

    def __init__(self, **options: Unpack[WatchOptions]) -> None:
        """Take the options of :func:`freezelint.runtime.watch`.

        Raises:
            TypeError: if an option is unknown, or patterns and a contract are given.
            ValueError: if an option has a value that it cannot have.
        """
        self._fit = FitWatch(options, self._only_warns_of)

    @property
    def violations(self) -> list[Violation]:
        """What was seen in this training, or else in the last one."""
        return self._fit.violations

    @property
    def steps(self) -> int:
        """Steps that the optimizers took in this training, or else in the last one."""
        return self._fit.steps


def manifest_in(folder: Path) -> Manifest | None:
    """What a checkpoint says that was promised, if it says anything that can be read."""
    if not (folder / MANIFEST).is_file():
        return None
    try:
        return Manifest.load(folder / MANIFEST)
    except (ManifestError, OSError) as error:
        warn_of(error)
        return None


def warn_of(error: Exception) -> None:
    """Say that a checkpoint is resumed without being compared."""
    text = f"{error}: what was frozen in this checkpoint is not compared"
    warnings.warn(text, FreezeWarning, stacklevel=2)


class _Again:
    """Refers to itself, so that it lives until the next collection."""

    def __init__(self) -> None:
        self.itself = self


def _once_no_step_runs(action: Callable[[], object]) -> None:
    """Do something now, or after the step that is on the stack, whose hooks torch is at."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None:
        if frame.f_code.co_filename == _STEPS:
            weakref.finalize(_Again(), _once_no_step_runs, action).atexit = False
            return
        frame = frame.f_back
    action()


_STEPS = torch.optim.Optimizer.register_step_pre_hook.__code__.co_filename
"""The file from which all optimizers of torch are stepped."""


def _give_up(opened: Watch, error: BaseException | None = None) -> None:
    error = error or RuntimeError("the training ended early")
    opened.__exit__(type(error), error, error.__traceback__)
