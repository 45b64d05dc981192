"""What tensors held at a moment, and how they differ from it later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from freezelint.judgement.tensors import has_values, own_values
from freezelint.records import NamedTuple
from freezelint.runtime.fingerprint import Digester, has_bits
from freezelint.runtime.quiet import quietly

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

SAMPLED = 1 << 12
"""Values of a tensor that :class:`Digests` keeps, to say by how much it changed."""


class Change(NamedTuple):
    """How much a tensor changed."""

    name: str
    changed: int
    compared: int
    largest: float
    """Infinite for what became another tensor, of another shape or type."""

    def __str__(self) -> str:
        """Which, how many of its values, by how much."""
        if self.largest == float("inf"):
            return f"{self.name}: another tensor stands here"
        amount = f"{self.changed:,} of {self.compared:,} values changed"
        return f"{self.name}: {amount}, max {self.largest:.1e}"


class Memory(Protocol):
    """Keeps what is needed to see a change."""

    def keep(self, tensors: Mapping[str, Tensor]) -> None:
        """Remember what the tensors hold now, by name, and forget what was kept before."""

    def changes(self, tensors: Mapping[str, Tensor]) -> dict[str, Change]:
        """How those that have other bits now differ from what was kept under their names."""


class Copies:
    """Copies of all values: exact, and as large as the tensors."""

    def __init__(self) -> None:
        """Nothing is kept yet."""
        self._kept: dict[str, Tensor] = {}

    def keep(self, tensors: Mapping[str, Tensor]) -> None:
        """Copy all values."""
        with quietly():
            self._kept = {name: own_values(each).clone() for name, each in tensors.items()}

    def changes(self, tensors: Mapping[str, Tensor]) -> dict[str, Change]:
        """Compare all values."""
        found = {}
        with quietly():
            for name, each in tensors.items():
                if has_values(each):
                    change = _change(name, self._kept[name], own_values(each))
                    if change is not None:
                        found[name] = change
        return found


class Digests:
    """A digest of all bits, and a few values, for a program that others pay for."""

    def __init__(self) -> None:
        """Nothing is kept yet."""
        self._digester = Digester()
        self._digests: dict[str, int | None] = {}
        self._samples: dict[str, Tensor] = {}

    def keep(self, tensors: Mapping[str, Tensor]) -> None:
        """Digest all, and copy a few values of each."""
        self._digests = self._digested(tensors)
        with quietly():
            self._samples = {name: _sample(tensors[name]).clone() for name in self._digests}

    def changes(self, tensors: Mapping[str, Tensor]) -> dict[str, Change]:
        """Compare the digests, and of what differs the values that were kept."""
        kept = {name: each for name, each in tensors.items() if name in self._digests}
        now = self._digested(kept)
        found = {}
        with quietly():
            for name, digest in now.items():
                if digest != self._digests[name]:
                    sample = self._samples[name]
                    change = _change(name, sample, _sample(kept[name]))
                    if change is not None or len(sample) < kept[name].numel():
                        found[name] = change or Change(name, 0, len(sample), 0.0)
        return found

    def _digested(self, tensors: Mapping[str, Tensor]) -> dict[str, int | None]:
        there = {
            name: each for name, each in tensors.items() if has_bits(each) and has_values(each)
        }
        with quietly():
            digests = self._digester.digests([own_values(each) for each in there.values()])
        return dict(zip(there, digests, strict=True))


def _sample(tensor: Tensor) -> Tensor:
    flat = own_values(tensor).reshape(-1)
    return flat[:: max(-(-flat.numel() // SAMPLED), 1)]


def _change(name: str, before: Tensor, now: Tensor) -> Change | None:
    if before.shape != now.shape or before.dtype != now.dtype:
        return Change(name, now.numel(), now.numel(), float("inf"))
    now = now.to(before.device)
    if now.is_floating_point() and now.element_size() == 1:
        # Little can be done with the smallest numbers as they are.
        now, before = now.float(), before.float()
    is_same = torch.isclose(now, before, rtol=0, atol=0, equal_nan=True)
    if is_same.all():
        return None
    wide = torch.complex128 if now.is_complex() else torch.float64
    largest = float((now.to(wide) - before.to(wide)).abs().max())
    return Change(name, int((~is_same).sum()), now.numel(), largest)
