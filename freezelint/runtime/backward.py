"""Callbacks around every backward pass: one patch, in place while anybody wants it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    Around = Callable[[Any], Callable[[], None]]
    """Called with the roots; what it returns is called after the pass."""

_callbacks: list[Around] = []
"""Of all watches, which may end in another order than they began."""

_inside: list[Any] = []
"""The roots of the pass that goes on; passes within it recompute a checkpoint."""


def around_backward(callback: Around) -> Callable[[], None]:
    """Have something called around every backward pass; return what puts an end to that."""
    if not _callbacks:
        torch.autograd.backward = _watched(torch.autograd.backward)
    _callbacks.append(callback)

    def remove() -> None:
        _callbacks.remove(callback)
        # What somebody else put over it stays, and this passes all calls on.
        if not _callbacks and getattr(torch.autograd.backward, "is_watched", False):
            torch.autograd.backward = torch.autograd.backward.__wrapped__  # type: ignore[attr-defined]

    return remove


def _watched(original: Any) -> Any:
    @functools.wraps(original)
    def watched_backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
        if _inside:
            return original(tensors, *args, **kwargs)
        _inside.append(tensors)
        try:
            after = [callback(tensors) for callback in _callbacks]
            result = original(tensors, *args, **kwargs)
        finally:
            _inside.clear()
        for finish in after:
            finish()
        return result

    watched_backward.is_watched = True  # type: ignore[attr-defined]
    return watched_backward
