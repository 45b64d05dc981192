"""Digests on their way to the host: at once from the CPU, when they are there from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from freezelint.records import NamedTuple
from freezelint.runtime.fingerprint import Digester, read
from freezelint.runtime.quiet import quietly

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from freezelint.runtime.inventory import Entry


class Reading(NamedTuple):
    """The digest of one entry."""

    entry: Entry
    tensor: Tensor
    """The tensor that was read; another one may hang there by now."""
    digest: int | None


class _Pending(NamedTuple):
    entries: list[Entry]
    tensors: list[Tensor]
    host: Tensor
    arrived: torch.cuda.Event


class Readings:
    """Asks for digests and hands them out once they are known."""

    def __init__(self) -> None:
        """Nothing was asked for yet."""
        self._digester = Digester()
        self._pending: list[_Pending] = []

    def now(self, entries: Sequence[Entry]) -> list[Reading]:
        """Digest entries and wait for the results."""
        with quietly():
            digests = self._digester.digests([entry.watched for entry in entries])
        return [
            Reading(entry, entry.tensor, digest)
            for entry, digest in zip(entries, digests, strict=True)
        ]

    def of_all(self, entries: Sequence[Entry]) -> list[int | None]:
        """Digest the whole tensors of entries, whatever rows are promised."""
        with quietly():
            return self._digester.digests([entry.tensor for entry in entries])

    def digest_of(self, tensor: Tensor) -> int | None:
        """The digest of a lone tensor."""
        with quietly():
            return read([self._digester.digest(tensor)])[0]

    def ask(self, entries: Sequence[Entry]) -> list[Reading]:
        """Digest entries; return what is known at once, and keep the rest for :meth:`arrived`."""
        near = [entry for entry in entries if entry.tensor.device.type != "cuda"]
        far = [entry for entry in entries if entry.tensor.device.type == "cuda"]
        by_device: dict[torch.device, list[Entry]] = {}
        for entry in far:
            by_device.setdefault(entry.tensor.device, []).append(entry)
        for device, group in by_device.items():
            self._send_off(device, group)
        return self.now(near) if near else []

    def _send_off(self, device: torch.device, entries: list[Entry]) -> None:
        with quietly(), torch.cuda.device(device):
            digests = [self._digester.digest(entry.watched) for entry in entries]
            known = [
                (entry, digest)
                for entry, digest in zip(entries, digests, strict=True)
                if digest is not None
            ]
            if not known:
                return
            host = torch.empty(len(known), dtype=torch.int64, device="cpu", pin_memory=True)
            host.copy_(torch.stack([digest for _, digest in known]), non_blocking=True)
            arrived = torch.cuda.Event()
            arrived.record()
        group = [entry for entry, _ in known]
        self._pending.append(_Pending(group, [entry.tensor for entry in group], host, arrived))

    def arrived(self) -> list[Reading]:
        """What was asked for and is known by now; never waits."""
        if not self._pending:
            return []
        done: list[_Pending] = []
        waiting: list[_Pending] = []
        for each in self._pending:
            (done if each.arrived.query() else waiting).append(each)
        self._pending = waiting
        return [
            Reading(*row)
            for each in done
            for row in zip(each.entries, each.tensors, each.host.tolist(), strict=True)
        ]
