"""Says what was seen, once each, and finds out which line did it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal, get_args

from freezelint.runtime.locate import WriterMode, can_enter, is_on_top
from freezelint.runtime.violations import FreezeViolated, FreezeWarning, Kind, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezelint.runtime.distributed import Agreement
    from freezelint.runtime.inventory import Entry
    from freezelint.runtime.violations import Writer

OnViolation = Literal["raise", "warn", "collect"]
Locate = Literal["auto", "always", "never"]

_WRITTEN = frozenset({Kind.FROZEN_CHANGED, Kind.BUFFER_CHANGED, Kind.ROWS_CHANGED})


class Reporter:
    """Collects violations, raises or warns, and watches over who writes."""

    def __init__(self, on_violation: OnViolation, locate: Locate) -> None:
        """Take how violations are reported and whether their writers are looked for."""
        _refuse_unknown("on_violation", on_violation, get_args(OnViolation))
        _refuse_unknown("locate", locate, get_args(Locate))
        self.violations: list[Violation] = []
        self.only_warned_of: frozenset[Kind] = frozenset()
        """What does not stop a training, since whoever runs it has no say in it."""
        self._on_violation = on_violation
        self._locate = locate
        self.agreement: Agreement | None = None
        """With other processes, about when to raise."""
        self._said: set[tuple[Kind, str | None, str | None]] = set()
        self._mode: WriterMode | None = None
        self._entered: WriterMode | None = None
        self._writers: dict[str, Writer] = {}

    def report(self, found: Iterable[Violation]) -> None:
        """Report what was not said before: each kind once of a tensor.

        Raises:
            FreezeViolated: if violations stop the training.
        """
        __tracebackhide__ = True
        new = []
        for violation in found:
            # What concerns no one tensor is said once of each optimizer.
            about = violation.optimizer if violation.tensor is None else None
            key = (violation.kind, violation.tensor, about)
            if key not in self._said:
                self._said.add(key)
                new.append(self._located(violation))
        if not new:
            return
        self.violations += new
        stops = self._on_violation == "raise"
        stopping = tuple(each for each in new if stops and each.kind not in self.only_warned_of)
        if stopping:
            if self.agreement is None or self.agreement.is_called_off:
                raise FreezeViolated(stopping)
            self.agreement.tell(stopping)
            new = [each for each in new if each not in stopping]
        if self._on_violation != "collect":
            for violation in new:
                warnings.warn(str(violation), FreezeWarning, stacklevel=2)

    @property
    def raises(self) -> bool:
        """Whether violations stop the training."""
        return self._on_violation == "raise"

    def report_together(self, found: Sequence[Violation]) -> None:
        """Report what was seen in all processes, here too: it takes the place of what was known.

        Raises:
            FreezeViolated: if there is anything, and violations stop the training.
        """
        __tracebackhide__ = True
        own = {(each.kind, each.tensor, each.optimizer, each.group) for each in self.violations}
        self.violations[:] = found
        if found and self.raises:
            raise FreezeViolated(tuple(found))
        if self._on_violation == "warn":
            for each in found:
                if (each.kind, each.tensor, each.optimizer, each.group) not in own:
                    warnings.warn(str(each), FreezeWarning, stacklevel=2)

    def start_locating(self, entries: Sequence[Entry], step: int) -> None:
        """Watch who writes during the next step, to what was just seen to change."""
        if self._locate == "never":
            return
        unlocated = {
            each.tensor
            for each in self.violations
            if each.kind in _WRITTEN and each.writer is None and each.step >= step - 1
        }
        wanted = [entry for entry in entries if self._locate == "always" or entry.name in unlocated]
        if wanted and self._mode is None and can_enter():
            self._mode = self._entered = WriterMode(wanted)
            self._mode.__enter__()  # type: ignore[no-untyped-call]

    def stop_locating(self) -> None:
        """Stop watching, and complete the reports with what was found."""
        mode, self._mode = self._mode, None
        if mode is not None:
            self._writers.update(mode.stopped())
            self.violations[:] = [self._located(each) for each in self.violations]
        if self._entered is not None and is_on_top(self._entered):
            # Otherwise the program is in a mode of its own, which must be left first.
            self._entered.__exit__(None, None, None)  # type: ignore[no-untyped-call]
            self._entered = None

    def _located(self, violation: Violation) -> Violation:
        if violation.writer is not None or violation.kind not in _WRITTEN:
            return violation
        return violation._replace(writer=self._writers.get(violation.tensor or ""))


def _refuse_unknown(option: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{option} is one of {', '.join(map(repr, known))}, not {value!r}")
