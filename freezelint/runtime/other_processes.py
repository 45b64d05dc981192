"""One watch among those of the same training in other processes, if there are any."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from freezelint.runtime.distributed import agreement_of
from freezelint.runtime.shards import is_shared_out
from freezelint.runtime.violations import FreezeViolated, FreezeWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.runtime.distributed import Agreement
    from freezelint.runtime.inventory import Entry
    from freezelint.runtime.reporting import Reporter
    from freezelint.runtime.violations import Violation


class OtherProcesses:
    """Compares with them, raises when they do, and tells them what was seen here."""

    def __init__(self, reporter: Reporter, timeout: float) -> None:
        """Take what reports, and how many seconds they are waited for on leaving."""
        self.are_awaited = True
        """Whether to wait for them on leaving."""
        self.have_heard = False
        """Whether this is another process than rank 0, and that knows what this one saw."""
        self.agreement: Agreement | None = None
        """None without other processes, and before these were met."""
        self.unmoved: dict[str, Violation | None] = {}
        """What moved in none of the values that this process has of it, others having the rest;
        without a report where it has none of them. It counts if it moved nowhere."""
        self._reporter = reporter
        self._timeout = timeout

    def meet(self, entries: Sequence[Entry]) -> None:
        """Find those that watch the same tensors."""
        self.agreement = self._reporter.agreement = agreement_of(entries, self._timeout)

    def share(self, entry: Entry) -> bool:
        """Whether they watch the rest of a tensor."""
        return self.agreement is not None and is_shared_out(entry)

    def note_backward(self) -> None:
        """Take in that a backward pass brings the processes together."""
        if self.agreement is not None:
            self.agreement.note_backward()

    def stand_at_step(self, entries: Sequence[Entry], held: Sequence[Entry], step: int) -> None:
        """Compare with them before a step of what is held; raise if it is time for all to do so.

        Raises:
            FreezeViolated: if violations stop the training, and there are some anywhere.
        """
        __tracebackhide__ = True
        if self.agreement is None:
            return
        self._reporter.report(self.agreement.differences(entries, step))
        if self._reporter.raises and self.agreement.is_time_to_raise(held):
            self._reporter.report_together(self.agreement.reported())

    def part(self, error: BaseException | None) -> None:
        """Tell them what was seen, and hear what they saw.

        Args:
            error: What ended the training, if anything did.

        Raises:
            FreezeViolated: if violations stop the training, and there were some anywhere.
        """
        __tracebackhide__ = True
        agreement = self.agreement
        if agreement is None:
            return
        seen = self._reporter.violations
        is_last = error is not None or agreement.is_called_off or not self.are_awaited
        agreement.leave(seen, self.unmoved, error, is_last=is_last)
        if agreement.is_called_off or not self.are_awaited:
            return
        if error is None:
            closing = agreement.close(seen)
            self.have_heard = closing.is_complete and agreement.rank != 0
            for each in closing.complaints:
                warnings.warn(each, FreezeWarning, stacklevel=3)
            self._reporter.report_together(closing.violations)
        elif isinstance(error, Exception) and self._reporter.raises:
            # Whatever came of it, such as a lost connection: this was first.
            try:
                self._reporter.report_together(agreement.reported())
            except FreezeViolated as violated:
                raise violated from error
