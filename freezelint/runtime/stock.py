"""The inventory under a contract: roles, digests, and what changes when a model is rebuilt."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from freezelint.runtime.changes import changed, replaced
from freezelint.runtime.contract import ContractError, Role
from freezelint.runtime.distributed import peers_of
from freezelint.runtime.inventory import Entry, Inventory, noticed
from freezelint.runtime.modes import ModeWatch
from freezelint.runtime.promises import broken_promises
from freezelint.runtime.quiet import quietly
from freezelint.runtime.readings import Readings
from freezelint.runtime.samples import Samples
from freezelint.runtime.shards import is_shared_out
from freezelint.runtime.structure import parameters_of
from freezelint.runtime.whole_digests import whole_digests

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import nn

    from freezelint.runtime.contract import Contract
    from freezelint.runtime.distributed import Agreement
    from freezelint.runtime.manifest import Manifest
    from freezelint.runtime.violations import Violation
    from freezelint.runtime.whole_digests import Whole


class Stock:
    """Every entry with its role and its digest from the beginning."""

    def __init__(self, models: Mapping[str, nn.Module], contract: Contract, *, exact: bool) -> None:
        """Take stock.

        Raises:
            ContractError: if the contract cannot be read for these models.
        """
        self._contract = contract
        self.readings = Readings()
        self.modes = ModeWatch()
        self.inventory = Inventory(models)
        contract.assign(self.inventory.entries)
        self._sort()
        self._digest(self.inventory.entries)
        with quietly():
            self.samples = Samples([*self.frozen, *self.with_rows], exact=exact)

    def _sort(self) -> None:
        entries = self.inventory.entries
        self.frozen = [entry for entry in entries if entry.role is Role.FROZEN]
        self.with_rows = [
            entry for entry in entries if entry.rows is not None and entry.role is not Role.FROZEN
        ]
        self.by_identity = self.inventory.by_identity()
        self.modes.look_at(self.inventory)

    def _digest(self, entries: Iterable[Entry]) -> None:
        wanted = [each for each in entries if each.role is not Role.FREE or each.rows is not None]
        for entry, _, digest in self.readings.now(wanted):
            entry.digest = entry.first_digest = digest
        with_rows = [entry for entry in wanted if entry.rows is not None]
        for entry, whole in zip(with_rows, self.readings.of_all(with_rows), strict=True):
            entry.first_digest = whole

    def broken_promises(
        self,
        agreement: Agreement | None,
        manifest: Manifest | None = None,
        whose: str = "the manifest",
    ) -> Iterable[Violation]:
        """What a manifest, else that of the contract if it has one, says otherwise.

        Of what is shared out among processes, all of them find this out together.
        """
        manifest, entries = manifest or self._contract.manifest, self.inventory.entries
        if manifest is None:
            return ()
        whole: dict[str, Whole] = {}
        if agreement is not None and any(map(is_shared_out, entries)):
            together = peers_of(entries, "compare")
            if together is not None:
                with quietly():
                    whole = whole_digests(entries, together, agreement.timeout)
        return broken_promises(manifest, entries, whole, whose)

    def follow_flags(self) -> bool:
        """Let the flags of now decide what is frozen, from now on; return whether one is another."""
        entries = self.inventory.entries
        flipped = [each for each in entries if each.tensor.requires_grad is not each.requires_grad]
        if not flipped:
            return False
        before = {id(each): each.role for each in entries}
        self._contract.assign_again(entries)
        for entry in flipped:
            entry.requires_grad = entry.tensor.requires_grad
            # How long it should take to move is counted from the beginning only.
            entry.is_alive = True
        self._sort()
        frozen_now = [each for each in self.frozen if before[id(each)] is not Role.FROZEN]
        for entry, _, digest in self.readings.now(frozen_now):
            entry.digest = digest
        noticed(frozen_now)
        with quietly():
            self.samples.add(frozen_now)
        return True

    def held_by(self, optimizer: Any) -> list[Entry]:
        """The entries that an optimizer holds."""
        return [
            self.by_identity[id(each)]
            for _, each in parameters_of(optimizer)
            if id(each) in self.by_identity
        ]

    def have_moved(self, entries: Sequence[Entry]) -> list[bool]:
        """Whether each entry has other bits than at the beginning."""
        return [
            digest != entry.first_digest
            for entry, digest in zip(entries, self.readings.of_all(entries), strict=True)
        ]

    def take_again(self, step: int) -> list[Violation]:
        """Take stock of a model that was rebuilt; return what that did to frozen tensors."""
        before = [(entry.name, entry) for entry in self.inventory.entries]
        by_identity = self.inventory.by_identity()
        renewed = self.inventory.renewed()
        with contextlib.suppress(ContractError):
            self._contract.assign_again(renewed.entries)
        new = []
        for position, entry in enumerate(renewed.entries):
            known = by_identity.get(id(entry.tensor))
            if known is None:
                new.append(entry)
            else:
                # Whatever it is called now, what was promised of it holds.
                known.hang_like(entry)
                renewed.entries[position] = known
        self.inventory = renewed
        self._sort()
        self._digest(new)
        now = {name: entry for entry in renewed.entries for name in entry.names}
        return [
            violation
            for name, known in before
            if id(known.tensor) not in self.by_identity
            for violation in self._lost(known, now.get(name), step)
        ]

    def _lost(self, known: Entry, now: Entry | None, step: int) -> Iterable[Violation]:
        if known.role is not Role.FROZEN:
            return
        if now is None or not known.is_buffer:
            yield replaced(known, now, step)
        elif now.digest != known.digest:
            # Code that computes a buffer anew often binds the result.
            with quietly():
                yield changed(now, None, self.samples, step)
