"""Who wrote it: the operation and the line of the user's code, for the length of one step.

A dispatch mode sees every operation on tensors, which makes steps several times as
long. It is blind to writes that are none (NumPy views, ``p.data = ...``), to other
threads and to compiled optimizers.
"""

from __future__ import annotations

import linecache
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack

from freezelint.runtime.violations import Writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

    from freezelint.runtime.inventory import Entry

_LIBRARIES = tuple(str(Path(module.__file__).parent) for module in (torch,) if module.__file__)
_OWN = str(Path(__file__).parent)

_LOOPS = ("accelerate", "lightning", "pytorch_lightning", "transformers.trainer")
"""Modules that call the user's code and step optimizers, and say nothing of where the mistake is."""

_WRITES_UNMARKED = ("native_batch_norm", "cudnn_batch_norm", "c10d", "_batch_norm_with_update")
"""Operations that write to arguments although their schema does not say so."""


class WriterMode(TorchDispatchMode):
    """Remembers the last write to each of some tensors."""

    supports_higher_order_operators = True

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Watch the storages of these entries."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._names = {
            entry.tensor.untyped_storage().data_ptr(): entry.name
            for entry in entries
            if entry.pointer
        }
        self._writers: dict[str, Writer] = {}

    def stopped(self) -> dict[str, Writer]:
        """Watch no more, and return who wrote, by the name of the tensor."""
        self._names.clear()
        return self._writers

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and note what it wrote to."""
        result = func(*args, **(kwargs or {}))
        if self._names:
            for tensor in _written(func, args, kwargs or {}):
                name = self._names.get(_storage_of(tensor))
                if name is not None:
                    self._writers[name] = _writer(str(func))
        return result


def can_enter() -> bool:
    """Whether a mode can be entered now and left later: only below no other one."""
    return not _get_current_dispatch_mode_stack()


def is_on_top(mode: TorchDispatchMode) -> bool:
    """Whether the mode is the innermost one, so that leaving it leaves no other."""
    stack = _get_current_dispatch_mode_stack()
    return bool(stack) and stack[-1] is mode


def _written(func: Any, args: Any, kwargs: Any) -> Iterator[Tensor]:
    name = str(func)
    everything = "backward" not in name and any(part in name for part in _WRITES_UNMARKED)
    schema = getattr(func, "_schema", None)
    if schema is None:
        # Of a condition, a loop, attention by a function: it does not say what it writes.
        return
    for position, argument in enumerate(schema.arguments):
        alias = argument.alias_info
        if not everything and (alias is None or not alias.is_write):
            continue
        value = args[position] if position < len(args) else kwargs.get(argument.name)
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from (each for each in value if isinstance(each, Tensor))


def _storage_of(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):
        return 0


def _writer(operation: str) -> Writer:
    frame = _users_frame(sys._getframe(2))  # noqa: SLF001
    path, line = frame.f_code.co_filename, frame.f_lineno
    code = linecache.getline(path, line).strip()
    return Writer(path, line, frame.f_code.co_name, code, operation)


def _users_frame(frame: FrameType) -> FrameType:
    """The innermost frame outside of torch, of training loops and of this package."""
    others = (*_LIBRARIES, *_loops(), _OWN, "<")
    current: FrameType | None = frame
    while current is not None:
        if not current.f_code.co_filename.startswith(others):
            return current
        current = current.f_back
    return frame


def _loops() -> Iterator[str]:
    """Where those of the known training loops lie that are loaded."""
    for name in _LOOPS:
        path = getattr(sys.modules.get(name), "__file__", None)
        if path is not None:
            yield path.removesuffix("__init__.py")
