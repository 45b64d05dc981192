"""Looking without being seen: by autograd, by modes that the program is under."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import torch
from torch.utils._python_dispatch import _disable_current_modes

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Compute on tensors without a graph, and outside of modes that count or fake operations."""
    with (
        torch.inference_mode(False),
        torch.no_grad(),
        _disable_current_modes(),
        torch._C.DisableTorchFunctionSubclass(),  # noqa: SLF001
    ):
        yield
