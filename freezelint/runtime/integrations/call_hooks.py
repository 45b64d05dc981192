"""Hooks that fall silent with the call in which they were installed, however that ends."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from freezelint.runtime.hooks import Hooks, is_on_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    from torch import nn

    from freezelint.runtime.hooks import BeforeStep, OnStep


class RunningCall:
    """A call that goes on; keep it alive only where the call may keep it alive."""

    def __init__(self, frame: FrameType) -> None:
        """Take the frame of a call on this thread's stack."""
        self._frame = frame
        self._thread = threading.get_ident()

    def is_over(self) -> bool:
        """Whether it has returned or raised; other threads than its own cannot tell."""
        return threading.get_ident() == self._thread and not is_on_stack(self._frame)


class CallHooks(Hooks):
    """Hooks for a framework that does not say when a training fails.

    What its hooks see after the call is not of that training. They hold the call weakly: its
    frame holds the model and everything else.
    """

    def __init__(self, call: RunningCall, when_over: Callable[[], object]) -> None:
        """Install nothing yet; ``when_over`` removes these hooks."""
        super().__init__()
        self._call = weakref.ref(call)
        self._when_over = when_over

    def _is_over(self) -> bool:
        call = self._call()
        return call is None or call.is_over()

    def around_steps(self, optimizers: Iterable[Any], before: BeforeStep, after: OnStep) -> None:
        """Be called around every step within the call."""

        def before_within(optimizer: Any, has_closure: bool) -> bool | None:
            # Torch's hooks on steps cannot be removed while they run.
            return False if self._is_over() else before(optimizer, has_closure)

        super().around_steps(optimizers, before_within, after)

    def before_forward(
        self, models: Iterable[nn.Module], callback: Callable[[nn.Module, Any, Any], None]
    ) -> None:
        """Be called before each of the models runs within the call."""

        def within(module: nn.Module, args: Any, kwargs: Any) -> None:
            if self._is_over():
                self._when_over()
            else:
                callback(module, args, kwargs)

        super().before_forward(models, within)

    def around_backward(self, callback: Callable[[Any], Callable[[], None]]) -> None:
        """Be called with the roots of every backward pass within the call."""
        super().around_backward(lambda roots: _nothing if self._is_over() else callback(roots))

    def listen(self, callback: Callable[[nn.Module, Any], None]) -> None:
        """Be called before every module that runs within the call."""

        def within(module: nn.Module, args: Any) -> None:
            if self._is_over():
                self._when_over()
            else:
                callback(module, args)

        super().listen(within)


def _nothing() -> None:
    pass
