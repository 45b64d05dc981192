"""Many small tensors are digested in one go, for each alone takes longer to call than to compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from freezelint.runtime.digest_formula import SHIFT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST_WORDS = 1 << 12
"""Words up to which a tensor is small."""

_NARROW = frozenset({torch.float32, torch.float16, torch.bfloat16, torch.int32})
_WIDE = frozenset({torch.float64, torch.int64})
PLAIN = (Tensor, torch.nn.Parameter)


def is_contiguous(tensor: Tensor) -> bool:
    """Whether the elements lie in order and without gaps."""
    return tensor.layout is torch.strided and not tensor.is_nested and tensor.is_contiguous()


class SmallTensors:
    """The small ones among some tensors, and the views that digesting them takes.

    Views are kept as long as each tensor stays where it is: making them costs more than
    the digests.
    """

    def __init__(self, tensors: Sequence[Tensor], weights: Tensor, most: int) -> None:
        """Pick the small ones and prepare.

        Args:
            tensors: Any tensors.
            weights: An odd int64 number for each word of the largest small tensor.
            most: How many words are digested together, at most.
        """
        self._count = len(tensors)
        narrow = [number for number, each in enumerate(tensors) if _is_small(each, _NARROW)]
        wide = [number for number, each in enumerate(tensors) if _is_small(each, _WIDE)]
        self._batches = [
            _Batch(numbers, tensors, weights, fold=fold)
            for group, fold in ((narrow, False), (wide, True))
            for numbers in _batches(group, tensors, most)
        ]
        together = {*narrow, *wide}
        self.others = [number for number in range(self._count) if number not in together]
        """The positions of those that are not small."""

    def are_in(self, tensors: Sequence[Tensor]) -> bool:
        """Whether these tensors have the same small ones at the same positions and addresses."""
        return len(tensors) == self._count and all(each.is_in(tensors) for each in self._batches)

    def digests(self, scratch: Tensor) -> Iterator[tuple[int, int]]:
        """Positions, and what :meth:`Digester.digest` gives for the tensor there."""
        for batch in self._batches:
            yield from zip(batch.numbers, batch.digests(scratch), strict=True)


class _Batch:
    """Small tensors whose words fit the workspace."""

    def __init__(
        self, numbers: list[int], tensors: Sequence[Tensor], weights: Tensor, *, fold: bool
    ) -> None:
        self.numbers = numbers
        self._fold = fold
        self._tensors = [tensors[number] for number in numbers]
        self._places = [_place(each) for each in self._tensors]
        self._words = [each.detach().view(-1).view(torch.int64) for each in self._tensors]
        lengths = [words.numel() for words in self._words]
        self._total = sum(lengths)
        self._weights = torch.cat([weights[:length] for length in lengths])
        counts = torch.tensor(lengths, device="cpu")
        self._lasts = counts.cumsum(0) - 1
        self._bytes = 8 * counts

    def is_in(self, tensors: Sequence[Tensor]) -> bool:
        return all(
            tensors[number] is tensor
            for number, tensor in zip(self.numbers, self._tensors, strict=True)
        ) and self._places == [_place(each) for each in self._tensors]

    def digests(self, scratch: Tensor) -> list[int]:
        mixed = scratch[: self._total]
        torch.cat(self._words, out=mixed)
        if self._fold:
            mixed.bitwise_xor_(mixed >> SHIFT)
        sums = mixed.mul_(self._weights).cumsum(0)[self._lasts]
        sums[1:] -= sums[:-1].clone()
        digests: list[int] = sums.add_(self._bytes).tolist()
        return digests


def _place(tensor: Tensor) -> tuple[int, torch.Size, torch.dtype]:
    return tensor.data_ptr(), tensor.shape, tensor.dtype


def _is_small(tensor: Tensor, dtypes: frozenset[torch.dtype]) -> bool:
    """Whether it is plain, on the CPU, and made of a few whole words of such numbers."""
    if type(tensor) not in PLAIN or tensor.dtype not in dtypes or not tensor.is_cpu:
        return False
    size = tensor.numel() * tensor.element_size()
    return (
        0 < size <= 8 * _MOST_WORDS
        and size % 8 == 0
        and is_contiguous(tensor)
        and int(tensor.storage_offset()) * tensor.element_size() % 8 == 0
    )


def _batches(numbers: Sequence[int], tensors: Sequence[Tensor], most: int) -> Iterator[list[int]]:
    """Split small tensors into groups of so many words at most."""
    batch: list[int] = []
    left = most
    for number in numbers:
        words = tensors[number].numel() * tensors[number].element_size() // 8
        if words > left:
            yield batch
            batch, left = [], most
        batch.append(number)
        left -= words
    if batch:
        yield batch
