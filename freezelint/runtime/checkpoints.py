"""Tensors in files, read piece by piece; nothing in a file is executed.

``.safetensors`` is read here: its format is a header and bytes, and no library hands
those out without holding a whole tensor. Everything else goes through
``torch.load(weights_only=True, mmap=True)``.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freezelint.runtime.digest_formula import PIECE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class CheckpointError(ValueError):
    """A file that is no checkpoint, or one that may not be read."""


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a checkpoint, in its logical order."""

    dtype: str
    """As torch calls it, without ``torch.``."""
    shape: tuple[int, ...]
    size: int
    """Bytes per element."""
    read: Callable[[int, int], Iterator[memoryview]]
    """Called with the first byte and an end; yields pieces of ``PIECE_BYTES``, each for a moment."""

    @property
    def bytes_per_row(self) -> int:
        """Bytes of one element along the first dimension."""
        return math.prod(self.shape[1:]) * self.size

    def pieces(self, rows: tuple[int, int] | None = None) -> Iterator[memoryview]:
        """The bytes of the tensor, or of some of its rows."""
        if rows is None:
            return self.read(0, math.prod(self.shape) * self.size)
        return self.read(rows[0] * self.bytes_per_row, rows[1] * self.bytes_per_row)


def open_checkpoint(path: Path) -> list[dict[str, StoredTensor]]:
    """Find the tensors of a checkpoint: a list, since a file may hold several state dicts.

    Args:
        path: A ``.safetensors`` file, the index or the folder of a sharded one, or a file
            that ``torch.save`` wrote.

    Raises:
        CheckpointError: if it cannot be read without executing what it holds.
    """
    if path.is_dir():
        shards = sorted(path.glob("*.safetensors"))
        if not shards:
            raise CheckpointError(f"{path} holds no .safetensors file")
        return [{name: each for shard in shards for name, each in _safetensors(shard).items()}]
    if path.name.endswith(".safetensors.index.json"):
        return [_sharded(path)]
    if path.suffix == ".safetensors":
        return [_safetensors(path)]
    loaded, is_mapped = _loaded(path)
    return list(_state_dicts(loaded, is_mapped=is_mapped, depth=3))


_DTYPES = {
    "F64": ("float64", 8),
    "F32": ("float32", 4),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "F8_E4M3": ("float8_e4m3fn", 1),
    "F8_E5M2": ("float8_e5m2", 1),
    "I64": ("int64", 8),
    "I32": ("int32", 4),
    "I16": ("int16", 2),
    "I8": ("int8", 1),
    "U64": ("uint64", 8),
    "U32": ("uint32", 4),
    "U16": ("uint16", 2),
    "U8": ("uint8", 1),
    "BOOL": ("bool", 1),
    "C64": ("complex64", 8),
}
"""Dtypes of the safetensors format: what torch calls them, and their bytes."""

_LONGEST_HEADER = 100_000_000
"""Bytes; the format allows no longer one."""


def _sharded(index: Path) -> dict[str, StoredTensor]:
    try:
        shards = set(json.loads(index.read_bytes())["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{index} is no index of shards: {error}") from None
    if any(Path(shard).name != shard for shard in shards):
        raise CheckpointError(f"{index} names files outside of its folder")
    return {
        name: each
        for shard in sorted(shards)
        for name, each in _safetensors(index.parent / shard).items()
    }


def _safetensors(path: Path) -> dict[str, StoredTensor]:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _LONGEST_HEADER:
                raise CheckpointError(f"{path} is no safetensors file: its header is too long")
            header = json.loads(file.read(length))
        total = path.stat().st_size - 8 - length
        return {
            name: _stored(path, 8 + length, total, entry)
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path} is no safetensors file: {error}") from None


def _stored(path: Path, data: int, total: int, entry: Mapping[str, Any]) -> StoredTensor:
    dtype, size = _DTYPES.get(entry["dtype"], (str(entry["dtype"]), 1))
    shape = tuple(int(each) for each in entry["shape"])
    begin, end = (int(each) for each in entry["data_offsets"])
    is_known = entry["dtype"] in _DTYPES
    if not 0 <= begin <= end <= total or (is_known and math.prod(shape) * size != end - begin):
        raise ValueError("a tensor lies outside of the file, or has another length than its shape")

    def read(first: int, last: int) -> Iterator[memoryview]:
        return _pieces_of_file(path, data + begin + first, min(last, end - begin) - first)

    return StoredTensor(dtype, shape, size, read)


def _pieces_of_file(path: Path, start: int, count: int) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(min(count, PIECE_BYTES)))
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while count > 0:
            piece = buffer[: min(count, PIECE_BYTES)]
            done = 0
            while done < len(piece):
                got = file.readinto(piece[done:])
                if not got:
                    raise CheckpointError(f"{path} ends early")
                done += got
            yield piece
            count -= len(piece)


def _loaded(path: Path) -> tuple[Any, bool]:
    """What is in a file, and whether its tensors lie in the file, mapped into memory."""
    try:
        import torch
    except ModuleNotFoundError:
        raise CheckpointError(
            f"{path} needs PyTorch to be read: pip install 'freezelint[runtime]'"
        ) from None
    try:
        with warnings.catch_warnings():
            # Old releases warn of their own use of what they are about to remove.
            warnings.filterwarnings("ignore", message="TypedStorage is deprecated")
            return _load(torch, path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None
    except Exception as error:
        # Whatever a damaged or hostile file makes torch raise.
        reason = str(error).partition("\n")[0]
        raise CheckpointError(
            f"{path} cannot be loaded without executing what it holds: {reason}"
        ) from error


def _load(torch: Any, path: Path) -> tuple[Any, bool]:
    try:
        return torch.load(str(path), map_location="cpu", weights_only=True, mmap=True), True
    except RuntimeError:
        # Written in the old format, which cannot be mapped into memory.
        return torch.load(str(path), map_location="cpu", weights_only=True), False


def _state_dicts(value: Any, *, is_mapped: bool, depth: int) -> Iterator[dict[str, StoredTensor]]:
    """All dicts with tensors in them, the outermost first."""
    import torch

    if not isinstance(value, dict):
        return
    tensors = {
        str(name): _of_tensor(each, is_mapped=is_mapped)
        for name, each in value.items()
        if isinstance(each, torch.Tensor) and each.layout is torch.strided
    }
    if tensors:
        yield tensors
    if depth:
        for each in value.values():
            yield from _state_dicts(each, is_mapped=is_mapped, depth=depth - 1)


def _of_tensor(tensor: Any, *, is_mapped: bool) -> StoredTensor:
    def read(first: int, last: int) -> Iterator[memoryview]:
        import torch

        # One tensor at a time is held where its memory is not in the order of its elements.
        whole = tensor.detach().contiguous()
        flat = whole.view(-1).view(torch.uint8)
        for at in range(first, last, PIECE_BYTES):
            piece = flat[at : min(at + PIECE_BYTES, last)]
            yield memoryview(piece.numpy())
            if is_mapped and whole.data_ptr() == tensor.data_ptr():
                _forget_pages(piece.data_ptr(), len(piece))

    dtype = str(tensor.dtype).removeprefix("torch.")
    return StoredTensor(dtype, tuple(tensor.shape), tensor.element_size(), read)


_DONT_NEED = 4
"""``MADV_DONTNEED`` on Linux."""


def _forget_pages(address: int, count: int) -> None:
    """Let go of what was read from a mapped file, which otherwise counts as this process's."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes
    import mmap

    page = mmap.PAGESIZE
    first = -(-address // page) * page
    last = (address + count) // page * page
    if last > first:
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).madvise(
                ctypes.c_void_p(first), ctypes.c_size_t(last - first), _DONT_NEED
            )
