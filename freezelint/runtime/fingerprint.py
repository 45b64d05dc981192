"""Has this tensor changed? Told from its bits, on its own device, without a copy of it.

A digest is one 64-bit number. The bytes are read as 64-bit words in rows; each word is
multiplied by an odd number that belongs to its column (so that a change of one word
always shows), the products of a row are added up, and the sums are folded and weighted
by an odd number of their row (so that words that trade places show too). NaN, -0.0 and
padding between numbers are bits like any others.

What it cannot see: an even number of changes in one row of 511 words (in a small
tensor: in all of it) that all consist of nothing but a flip of a word's highest bit.
Eight-byte numbers have their sign there, so their words are folded first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from freezelint.runtime.digest_formula import (
    FEW,
    NEXT_PIECE,
    PIECE,
    PIECE_BYTES,
    ROW,
    SHIFT,
    weights,
)
from freezelint.runtime.small_tensors import PLAIN, SmallTensors, is_contiguous

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SCRATCH_WORDS = {"cpu": 1 << 19}
_SCRATCH_WORDS_ELSEWHERE = PIECE
"""Words per workspace: what a processor's cache takes, and what keeps a GPU busy."""


class Digester:
    """Computes digests; holds one workspace of fixed size per device."""

    def __init__(self) -> None:
        """Allocate nothing yet."""
        self._workspaces: dict[torch.device, tuple[Tensor, Tensor]] = {}
        self._small: SmallTensors | None = None

    def digest(self, tensor: Tensor) -> Tensor | None:
        """Return the digest of a tensor's bits, on its device.

        Args:
            tensor: Of any layout, dtype and shape.

        Returns:
            A 0-dimensional int64 tensor, or None where there are no bits: on the meta
            device and for parameters of lazy modules that have no shape yet.
        """
        if type(tensor) in PLAIN and has_bits(tensor) and is_contiguous(tensor):
            # Nearly all are, and there are many: what follows costs more than a small digest.
            return self._of_dense(tensor)
        total: Tensor | None = None
        for piece in dense_pieces(tensor):
            part = self._of_dense(piece)
            total = part if total is None else total.mul(NEXT_PIECE).add_(part)
        return total

    def digests(self, tensors: Sequence[Tensor]) -> list[int | None]:
        """Return the digests of many tensors, on the host.

        Small ones on the CPU are digested together, faster when the same are asked for again.
        """
        words, weights = self._workspace(torch.device("cpu"))
        if self._small is None or not self._small.are_in(tensors):
            self._small = SmallTensors(tensors, weights, words.numel())
        found: list[int | None] = [None] * len(tensors)
        for number, small in self._small.digests(words):
            found[number] = small
        others = self._small.others
        digests = read([self.digest(tensors[number]) for number in others])
        for number, value in zip(others, digests, strict=True):
            found[number] = value
        return found

    def _of_dense(self, tensor: Tensor) -> Tensor:
        storage, size = tensor.untyped_storage(), tensor.element_size()
        start, count = int(tensor.storage_offset()) * size, int(tensor.numel()) * size
        total = self._of_piece(storage, start, min(count, PIECE_BYTES), size, tensor.device)
        for first in range(PIECE_BYTES, count, PIECE_BYTES):
            length = min(count - first, PIECE_BYTES)
            part = self._of_piece(storage, start + first, length, size, tensor.device)
            total.mul_(NEXT_PIECE).add_(part)
        return total.add_(count)

    def _of_piece(
        self, storage: torch.UntypedStorage, start: int, count: int, size: int, device: torch.device
    ) -> Tensor:
        words, weights = self._workspace(device)
        whole, tail = divmod(count, 8)
        fold = size >= 8
        if whole <= FEW:
            piece = self._words_at(start, whole, storage, words)
            total = _weighted(piece, words, weights, fold=fold)
        else:
            total = self._in_rows(start, whole, storage, words, weights, fold=fold)
        if tail:
            few = _typed(storage, torch.uint8, start + count - tail, tail, device)
            total.mul_(NEXT_PIECE).add_((few.to(torch.int64) * weights[:tail]).sum())
        return total

    def _in_rows(
        self,
        start: int,
        length: int,
        storage: torch.UntypedStorage,
        words: Tensor,
        weights: Tensor,
        *,
        fold: bool,
    ) -> Tensor:
        """One number for many words: each row's sum, mixed and weighted, and the rest."""
        in_rows = length // ROW * ROW
        in_place = words.is_cpu and start % 8 == 0 and not fold
        most = in_rows if in_place else words.numel() // ROW * ROW
        parts = []
        for first in range(0, in_rows, most or 1):
            count = min(most, in_rows - first)
            rows = self._words_at(start + 8 * first, count, storage, words).view(-1, ROW)
            parts.append(_row_sums(rows, words, weights[:ROW], fold=fold))
        rest = self._words_at(start + 8 * in_rows, length - in_rows, storage, words)
        total = _weighted(rest, words, weights, fold=fold)
        if parts:
            sums = torch.cat(parts) if len(parts) > 1 else parts[0]
            sums.bitwise_xor_(sums >> SHIFT).mul_(weights[: len(sums)])
            total.add_(sums.sum())
        return total

    @staticmethod
    def _words_at(start: int, length: int, storage: torch.UntypedStorage, words: Tensor) -> Tensor:
        """Words that begin where a tensor does: the same ones wherever it lies."""
        if start % 8 == 0:
            return _typed(storage, torch.int64, start // 8, length, words.device)
        piece = words[:length]
        piece.view(torch.uint8).copy_(_typed(storage, torch.uint8, start, 8 * length, words.device))
        return piece

    def _workspace(self, device: torch.device) -> tuple[Tensor, Tensor]:
        known = self._workspaces.get(device)
        if known is None:
            count = _SCRATCH_WORDS.get(device.type, _SCRATCH_WORDS_ELSEWHERE)
            words = torch.empty(count, dtype=torch.int64, device=device)
            known = words, torch.tensor(weights(), dtype=torch.int64, device=device)
            self._workspaces[device] = known
        return known


def read(digests: Sequence[Tensor | None]) -> list[int | None]:
    """Bring digests to the host: one transfer per device."""
    by_device: dict[torch.device, list[int]] = {}
    for number, each in enumerate(digests):
        if each is not None:
            by_device.setdefault(each.device, []).append(number)
    found: list[int | None] = [None] * len(digests)
    for numbers in by_device.values():
        values = torch.stack([digests[number] for number in numbers]).tolist()  # type: ignore[misc]
        for number, value in zip(numbers, values, strict=True):
            found[number] = value
    return found


def _row_sums(rows: Tensor, words: Tensor, weights: Tensor, *, fold: bool) -> Tensor:
    if rows.is_cpu and not fold:
        # One pass over the memory, and no copy of it.
        return torch.mv(rows, weights)
    scratch = words[: rows.numel()].view(rows.shape)
    _mix(rows, scratch, weights, fold=fold)
    return scratch.sum(1)


def _weighted(piece: Tensor, words: Tensor, weights: Tensor, *, fold: bool) -> Tensor:
    """The sum of some words, each times a number of its own."""
    if piece.is_cpu and not fold:
        return torch.dot(piece, weights[: piece.numel()])
    scratch = words[: piece.numel()]
    _mix(piece, scratch, weights[: piece.numel()], fold=fold)
    return scratch.sum()


def _mix(piece: Tensor, scratch: Tensor, weights: Tensor, *, fold: bool) -> None:
    """Write words times their weights; those with a sign on top are folded first."""
    if fold:
        torch.bitwise_right_shift(piece, SHIFT, out=scratch)
        scratch.bitwise_xor_(piece).mul_(weights)
    else:
        torch.mul(piece, weights, out=scratch)


def _typed(
    storage: torch.UntypedStorage, dtype: torch.dtype, offset: int, count: int, device: torch.device
) -> Tensor:
    """Some of a storage as a flat tensor that shares its memory."""
    return torch.empty(0, dtype=dtype, device=device).set_(storage, offset, (count,))  # type: ignore[call-overload, no-any-return]


def has_bits(tensor: Tensor) -> bool:
    """Whether there is anything to compare: not on meta, not before a lazy module's first call."""
    return tensor.device.type != "meta" and not is_lazy(tensor)


def dense_pieces(tensor: Tensor) -> Iterator[Tensor]:
    """Split a tensor of any kind into dense ones that hold its bits, sharing memory if possible.

    A dense piece fills a stretch of its storage without gaps, in whatever order.
    """
    if not has_bits(tensor):
        return
    if hasattr(tensor, "__tensor_flatten__"):
        names, _ = tensor.__tensor_flatten__()
        for inner in (getattr(tensor, name) for name in names):
            # Beside tensors, there may be what says where they lie: a mesh of devices.
            if isinstance(inner, Tensor):
                yield from dense_pieces(inner)
    elif tensor.layout in _MEMBERS:
        for member in _MEMBERS[tensor.layout]:
            yield from dense_pieces(getattr(tensor, member)())
    elif tensor.layout is not torch.strided:
        yield from dense_pieces(tensor.to_dense())
    elif tensor.is_nested:
        for each in tensor.unbind():
            yield from dense_pieces(each)
    elif is_dense(tensor):
        yield tensor.detach()
    else:
        yield from _gathered(tensor.detach())


_MEMBERS = {
    torch.sparse_coo: ("_indices", "_values"),
    torch.sparse_csr: ("crow_indices", "col_indices", "values"),
    torch.sparse_bsr: ("crow_indices", "col_indices", "values"),
    torch.sparse_csc: ("ccol_indices", "row_indices", "values"),
    torch.sparse_bsc: ("ccol_indices", "row_indices", "values"),
}
"""What sparse tensors are made of."""

_GATHERED_BYTES = 1 << 21


def _gathered(tensor: Tensor) -> Iterator[Tensor]:
    """Pieces of a tensor with gaps or repetitions, copied a little at a time."""
    for dimension, stride in enumerate(tensor.stride()):
        if stride == 0 and tensor.shape[dimension] > 1:
            # All of them are one and the same.
            yield from dense_pieces(tensor.narrow(dimension, 0, 1))
            return
    length = tensor.shape[0]
    per_row = max(tensor.numel() // length, 1) * tensor.element_size()
    if per_row > _GATHERED_BYTES and tensor.dim() > 1:
        for row in tensor.unbind(0):
            yield from dense_pieces(row)
        return
    rows = max(_GATHERED_BYTES // per_row, 1)
    for first in range(0, length, rows):
        yield tensor[first : first + rows].contiguous()


def is_dense(tensor: Tensor) -> bool:
    """Whether the elements fill a stretch of storage without gaps or overlap."""
    if tensor.is_contiguous():
        return True
    expected = 1
    for stride, length in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if length == 1:
            continue
        if stride != expected:
            return False
        expected *= length
    return True
