"""How much did it change? A few values of every tensor, kept in a store of fixed size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from freezelint.records import NamedTuple
from freezelint.runtime.fingerprint import has_bits, is_dense
from freezelint.runtime.shards import own_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.runtime.inventory import Entry

STORE = 1 << 17
"""Values kept of all tensors together, unless every value is to be kept."""


class Change(NamedTuple):
    """How a tensor differs from what it was."""

    changed: int
    compared: int
    total: int
    largest: float | None
    """Largest absolute difference; None for what cannot be subtracted."""

    def __str__(self) -> str:
        """As it is said in a message."""
        of = f"{self.compared:,}"
        if self.compared < self.total:
            of = f"{of} sampled (of {self.total:,})"
        text = f"{self.changed:,} of {of} values changed"
        return text if self.largest is None else f"{text}, by up to {self.largest:.1e}"


class Samples:
    """Values of tensors as they were when the contract began."""

    def __init__(self, entries: Sequence[Entry], *, exact: bool) -> None:
        """Keep some values of each entry; with ``exact`` all of them, at the cost of a copy."""
        self._kept: dict[str, tuple[int, Tensor]] = {}
        self._left = STORE
        self._exact = exact
        self.add(entries)

    def add(self, entries: Sequence[Entry]) -> None:
        """Keep some values of further entries, or those of now of known ones."""
        by_size = sorted(
            entries, key=lambda each: own_values(each.watched).numel() if _is_plain(each) else 0
        )
        for position, entry in enumerate(by_size):
            if not _is_plain(entry):
                continue
            share = max(self._left // (len(by_size) - position), 1)
            flat = _flat(own_values(entry.watched))
            step = 1 if self._exact else max(-(-flat.numel() // share), 1)
            kept = flat[::step].clone()
            _, replaced = self._kept.pop(entry.name, (step, kept[:0]))
            self._left = max(self._left - kept.numel() + replaced.numel(), 0)
            self._kept[entry.name] = (step, kept)

    def change_of(self, entry: Entry) -> Change | None:
        """Compare an entry with what was kept of it; None where nothing can be compared."""
        known = self._kept.get(entry.name)
        if known is None or not _is_plain(entry):
            return None
        step, before = known
        flat = _flat(own_values(entry.watched))
        now = flat[::step]
        if now.shape != before.shape or now.dtype != before.dtype or now.device != before.device:
            return None
        differs = _bits(now) != _bits(before)
        largest: float | None = None
        if differs.any() and (now.is_floating_point() or now.is_complex()):
            wide = torch.complex128 if now.is_complex() else torch.float64
            largest = float((now.to(wide) - before.to(wide)).abs().max())
        return Change(int(differs.sum()), now.numel(), flat.numel(), largest)


def _is_plain(entry: Entry) -> bool:
    if not has_bits(entry.tensor):
        return False
    tensor = own_values(entry.tensor)
    if tensor.layout is not torch.strided or tensor.is_quantized:
        return False
    if tensor.is_nested or hasattr(tensor, "__tensor_flatten__"):
        return False
    if tensor.is_conj() or tensor.is_neg():
        return False
    return is_dense(own_values(entry.watched))


def _flat(tensor: Tensor) -> Tensor:
    """All elements in the order of memory, without a copy."""
    return tensor.detach().as_strided((tensor.numel(),), (1,), tensor.storage_offset())


_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _bits(tensor: Tensor) -> Tensor:
    if tensor.is_complex():
        return torch.view_as_real(tensor).view(_BITS[tensor.element_size() // 2])
    return tensor.view(_BITS[tensor.element_size()])
