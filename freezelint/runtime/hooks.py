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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    from torch import nn

    OnStep = Callable[[Any], None]
    """Called with the optimizer."""


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

    def around_steps(self, optimizers: Iterable[Any], before: OnStep, after: OnStep) -> None:
        """Be called around every step of every optimizer, and of these that only look like one.

        A step inside another one (a subclass that calls ``super().step()``, a sharded
        optimizer around a plain one) belongs to the outer one.
        """
        running: list[Any] = []

        def enter(optimizer: Any) -> None:
            while running and not _is_on_stack(running[-1]):
                # Its step was left by an exception.
                running.pop()
            if not running:
                before(optimizer)
            running.append(optimizer)

        def leave(optimizer: Any) -> None:
            if running:
                running.pop()
            if not running:
                after(optimizer)

        def before_hook(optimizer: Any, _args: Any, _kwargs: Any) -> None:
            enter(optimizer)

        def after_hook(optimizer: Any, _args: Any, _kwargs: Any) -> None:
            leave(optimizer)

        self._add(register_optimizer_step_pre_hook(before_hook))
        self._add(register_optimizer_step_post_hook(after_hook))
        for optimizer in optimizers:
            if not isinstance(optimizer, Optimizer):
                self._wrap_step(optimizer, enter, leave)

    def _wrap_step(self, optimizer: Any, enter: OnStep, leave: OnStep) -> None:
        step = optimizer.step
        had_own = "step" in vars(optimizer)

        @functools.wraps(step)
        def watched_step(*args: Any, **kwargs: Any) -> Any:
            enter(optimizer)
            result = step(*args, **kwargs)
            leave(optimizer)
            return result

        def restore() -> None:
            if had_own:
                optimizer.step = step
            else:
                del optimizer.step

        optimizer.step = watched_step
        self._installed.callback(restore)

    def before_forward(
        self, models: Iterable[nn.Module], callback: Callable[[nn.Module, Any], None]
    ) -> None:
        """Be called before each of the models runs."""
        for model in models:
            self._add(model.register_forward_pre_hook(callback))

    def around_backward(self, callback: Callable[[Any], Callable[[], None]]) -> None:
        """Be called with the roots of every backward pass; what comes back is called after it."""
        original = torch.autograd.backward
        is_inside = False

        @functools.wraps(original)
        def watched_backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal is_inside
            if is_inside:
                return original(tensors, *args, **kwargs)
            is_inside = True
            try:
                finish = callback(tensors)
                result = original(tensors, *args, **kwargs)
            finally:
                is_inside = False
            finish()
            return result

        def restore() -> None:
            torch.autograd.backward = original

        torch.autograd.backward = watched_backward
        self._installed.callback(restore)

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


def _is_on_stack(optimizer: Any) -> bool:
    """Whether a method of the optimizer is being run."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001
    while frame is not None:
        if frame.f_locals.get("self") is optimizer or frame.f_locals.get("optimizer") is optimizer:
            return True
        frame = frame.f_back
    return False
