"""Everything that is hooked into torch during a watch, put in and taken out together."""

from __future__ import annotations

import contextlib
import functools
import sys
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from freezelint.records import NamedTuple
from freezelint.runtime.backward import around_backward

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    from torch import nn

    OnStep = Callable[[Any], None]
    """Called with the optimizer."""

    BeforeStep = Callable[[Any, bool], bool | None]
    """Called with the optimizer, and whether the step itself computes the gradients: in a closure."""


_MAY_LOSE_HOOKS = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 3)
"""Before, a call of ``torch.compile`` takes the step hooks out of all of torch's optimizers."""


class Hooks:
    """Installs hooks; :meth:`remove` leaves nothing behind."""

    def __init__(self) -> None:
        """Install nothing yet."""
        self._installed = contextlib.ExitStack()
        self._listening: Any = None

    def remove(self) -> None:
        """Take everything out again, in reverse order."""
        self.stop_listening()
        self._installed.close()

    def around_steps(self, optimizers: Iterable[Any], before: BeforeStep, after: OnStep) -> None:
        """Be called around every step of every optimizer, and of these that only look like one.

        A step inside another one (a subclass that calls ``super().step()``, a sharded
        optimizer around a plain one) belongs to the outer one, unless ``before`` returns
        False for that: then it is of no interest, and ``after`` is not called.
        """
        running: list[_Running] = []

        def forget_those_that_raised() -> None:
            while running and not is_on_stack(running[-1].frame):
                running.pop()

        def enter(optimizer: Any, frame: FrameType, has_closure: bool) -> None:
            forget_those_that_raised()
            if running or before(optimizer, has_closure) is not False:
                running.append(_Running(optimizer, frame))

        def leave(optimizer: Any) -> None:
            forget_those_that_raised()
            if running and running[-1].optimizer is optimizer:
                running.pop()
                if not running:
                    after(optimizer)

        def before_hook(optimizer: Any, args: Any, kwargs: Any) -> None:
            # Torch hands the optimizer over among the arguments.
            enter(optimizer, sys._getframe(1), _has_closure(args[1:], kwargs))  # noqa: SLF001

        def after_hook(optimizer: Any, _args: Any, _kwargs: Any) -> None:
            leave(optimizer)

        self._add(register_optimizer_step_pre_hook(before_hook))
        self._add(register_optimizer_step_post_hook(after_hook))
        for optimizer in optimizers:
            if _MAY_LOSE_HOOKS or not isinstance(optimizer, Optimizer):
                self._wrap_step(optimizer, enter, leave)

    def _wrap_step(
        self, optimizer: Any, enter: Callable[[Any, FrameType, bool], None], leave: OnStep
    ) -> None:
        watched = vars(optimizer).get("step")
        if not hasattr(watched, "watchers"):
            watched = optimizer.step = _watched_step(optimizer)
        watchers: list[Any] = watched.watchers
        watcher = enter, leave
        watchers.append(watcher)

        def restore() -> None:
            watchers.remove(watcher)
            if not watchers and vars(optimizer).get("step") is watched:
                del optimizer.step
                if watched.was_its_own:
                    optimizer.step = watched.__wrapped__

        self._installed.callback(restore)

    def before_forward(
        self, models: Iterable[nn.Module], callback: Callable[[nn.Module, Any, Any], None]
    ) -> None:
        """Be called before each of the models runs, with all that it is given."""
        for model in models:
            hook = _OfThisModelOnly(callback)
            self._add(model.register_forward_pre_hook(hook, with_kwargs=True))

    def around_backward(self, callback: Callable[[Any], Callable[[], None]]) -> None:
        """Be called with the roots of every backward pass; what comes back is called after it."""
        self._installed.callback(around_backward(callback))

    def listen(self, callback: Callable[[nn.Module, Any], None]) -> None:
        """Be called before every module runs, until told to stop."""
        if self._listening is None:
            self._listening = register_module_forward_pre_hook(callback)

    def stop_listening(self) -> None:
        """Be called no more."""
        if self._listening is not None:
            self._listening.remove()
            self._listening = None

    def _add(self, handle: Any) -> None:
        self._installed.callback(handle.remove)


def _watched_step(optimizer: Any) -> Any:
    """The step of something that looks like an optimizer, with watchers around it."""
    step = optimizer.step

    @functools.wraps(step)
    def watched_step(*args: Any, **kwargs: Any) -> Any:
        watchers = [*watched_step.watchers]  # type: ignore[attr-defined]
        for enter, _ in watchers:
            enter(optimizer, sys._getframe(), _has_closure(args, kwargs))  # noqa: SLF001
        result = step(*args, **kwargs)
        for _, leave in watchers:
            leave(optimizer)
        return result

    watched_step.watchers = []  # type: ignore[attr-defined]
    watched_step.was_its_own = "step" in vars(optimizer)  # type: ignore[attr-defined]
    return watched_step


def _has_closure(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return callable(args[0] if args else kwargs.get("closure"))


class _OfThisModelOnly:
    """A hook that copies of the model, and files that it is saved to, do not take along."""

    def __init__(self, callback: Callable[[nn.Module, Any, Any], None]) -> None:
        self._callback = callback

    def __call__(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        self._callback(module, args, kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        # Something that takes any arguments, does nothing, and is there without this package.
        return getattr, (contextlib.nullcontext(), "__exit__")


class _Running(NamedTuple):
    """A step that was begun."""

    optimizer: Any
    frame: FrameType
    """What runs it, until it ends in whatever way."""


def is_on_stack(wanted: FrameType) -> bool:
    """Whether a call goes on."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None:
        if frame is wanted:
            return True
        frame = frame.f_back
    return False
