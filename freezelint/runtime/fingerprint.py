"""Has this tensor changed? Told from its bits, on its own device, without a copy of it.

A digest is one 64-bit number. The bytes are read as 64-bit words; each word is
multiplied by an odd number of its own (so that a change of one word always shows,
and words that trade places show too), the products are added up in rows, and the
rows are folded and weighted again. NaN, -0.0 and padding between numbers are bits
like any others.

What it cannot see: an even number of changes in one row of 511 words (in a small
tensor: in all of it) that all consist of nothing but a flip of a word's highest bit.
Eight-byte numbers have their sign there, so their words are folded first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WORDS = {"cpu": 1 << 19}
_WORDS_ELSEWHERE = 1 << 22
"""Words per piece: what a processor's cache takes, and what keeps a GPU busy."""

_FEW = 1 << 14
"""Words up to which one operation over all is cheaper than rows."""

_ROW = 511
_NEXT_PIECE = 0x9E3779B97F4A7C15 - (1 << 64)
_SHIFT = 31


class Digester:
    """Computes digests; holds one workspace of fixed size per device."""

    def __init__(self) -> None:
        """Allocate nothing yet."""
        self._workspaces: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def digest(self, tensor: Tensor) -> Tensor | None:
        """Return the digest of a tensor's bits, on its device.

        Args:
            tensor: Of any layout, dtype and shape.

        Returns:
            A 0-dimensional int64 tensor, or None where there are no bits: on the meta
            device and for parameters of lazy modules that have no shape yet.
        """
        if type(tensor) in _PLAIN and has_bits(tensor) and _is_contiguous(tensor):
            # Nearly all are, and there are many: what follows costs more than a small digest.
            return self._of_dense(tensor)
        total: Tensor | None = None
        for piece in dense_pieces(tensor):
            part = self._of_dense(piece)
            total = part if total is None else total.mul(_NEXT_PIECE).add_(part)
        return total

    def digests(self, tensors: Sequence[Tensor]) -> list[int | None]:
        """Return the digests of many tensors, on the host.

        Small ones on the CPU are digested together: each alone takes longer to call than
        to compute.
        """
        small = [number for number, each in enumerate(tensors) if _is_small(each)]
        found: list[int | None] = [None] * len(tensors)
        for batch in _batches(small, tensors):
            for number, digest in zip(batch, self._of_small(batch, tensors), strict=True):
                found[number] = digest
        together = set(small)
        others = [number for number in range(len(tensors)) if number not in together]
        digests = read([self.digest(tensors[number]) for number in others])
        for number, value in zip(others, digests, strict=True):
            found[number] = value
        return found

    def _of_small(self, batch: Sequence[int], tensors: Sequence[Tensor]) -> list[int]:
        """What :meth:`digest` gives for each of some small tensors."""
        words, weights = self._workspace(torch.device("cpu"))
        pieces = [tensors[number].view(-1).view(torch.int64) for number in batch]
        lengths = [piece.numel() for piece in pieces]
        scratch = words[: sum(lengths)]
        torch.cat(pieces, out=scratch)
        heads = {length: weights[:length] for length in set(lengths)}
        scratch.mul_(torch.cat([heads[length] for length in lengths]))
        counts = torch.tensor(lengths, device="cpu")
        sums = scratch.cumsum(0)[counts.cumsum(0) - 1]
        sums[1:] -= sums[:-1].clone()
        digests: list[int] = sums.add_(8 * counts).tolist()
        return digests

    def _of_dense(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        size = tensor.element_size()
        start = int(tensor.storage_offset()) * size
        count = int(tensor.numel()) * size
        words, weights = self._workspace(tensor.device)
        whole, tail = divmod(count, 8)
        if tail == 0 and whole <= _FEW:
            piece = self._words_at(start, whole, storage, words)
            if size < 8 and tensor.device.type == "cpu":
                return torch.dot(piece, weights[:whole]).add_(count)
            return _mixed(piece, words, weights, fold=size >= 8).add_(count)
        total: Tensor | None = None
        if tail:
            few = _typed(storage, torch.uint8, start + count - tail, tail, tensor.device)
            total = (few.to(torch.int64) * weights[:tail]).sum()
        for first in range(0, whole, words.numel()):
            length = min(whole - first, words.numel())
            piece = self._words_at(start + 8 * first, length, storage, words)
            part = _mixed(piece, words, weights, fold=size >= 8)
            total = part if total is None else total.mul_(_NEXT_PIECE).add_(part)
        assert total is not None
        return total.add_(count)

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
            count = _WORDS.get(device.type, _WORDS_ELSEWHERE)
            generator = torch.Generator("cpu").manual_seed(0x5EED)
            weights = torch.randint(
                -(1 << 62), 1 << 62, (count,), generator=generator, device="cpu"
            )
            weights = weights.bitwise_or_(1).to(device)
            known = torch.empty_like(weights), weights
            self._workspaces[device] = known
        return known


_SMALL = 1 << 12
"""Words up to which tensors are digested together."""

_NARROW = frozenset({torch.float32, torch.float16, torch.bfloat16, torch.int32})


def _is_small(tensor: Tensor) -> bool:
    """Whether it is plain, on the CPU, and made of a few whole words of narrow numbers."""
    if type(tensor) not in _PLAIN or tensor.dtype not in _NARROW:
        return False
    size = tensor.numel() * tensor.element_size()
    return (
        0 < size <= 8 * _SMALL
        and size % 8 == 0
        and tensor.is_cpu
        and _is_contiguous(tensor)
        and int(tensor.storage_offset()) * tensor.element_size() % 8 == 0
    )


def _batches(numbers: Sequence[int], tensors: Sequence[Tensor]) -> Iterator[list[int]]:
    """Split small tensors into groups that fit the workspace."""
    batch: list[int] = []
    left = _WORDS["cpu"]
    for number in numbers:
        words = tensors[number].numel() * tensors[number].element_size() // 8
        if words > left:
            yield batch
            batch, left = [], _WORDS["cpu"]
        batch.append(number)
        left -= words
    if batch:
        yield batch


_PLAIN = (Tensor, torch.nn.Parameter)


def _is_contiguous(tensor: Tensor) -> bool:
    return tensor.layout is torch.strided and not tensor.is_nested and tensor.is_contiguous()


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


def _mixed(piece: Tensor, words: Tensor, weights: Tensor, *, fold: bool) -> Tensor:
    count = piece.numel()
    scratch = words[:count]
    if fold:
        torch.bitwise_right_shift(piece, _SHIFT, out=scratch)
        scratch.bitwise_xor_(piece).mul_(weights[:count])
    else:
        torch.mul(piece, weights[:count], out=scratch)
    rows = 0 if count <= _FEW else count // _ROW
    if rows == 0:
        return scratch.sum()
    sums = scratch[: rows * _ROW].view(rows, _ROW).sum(1)
    sums.bitwise_xor_(sums >> _SHIFT).mul_(weights[:rows])
    return sums.sum().add_(scratch[rows * _ROW :].sum())


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
        for name in names:
            yield from dense_pieces(getattr(tensor, name))
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
