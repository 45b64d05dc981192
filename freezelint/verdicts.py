"""What a run of a program showed of the findings in it: plain data, no torch, no libcst."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from freezelint.findings import Finding, Problem


class Verdict(enum.Enum):
    """What became of a finding."""

    CONFIRMED = "confirmed"
    """What its rule claims happened, to the tensors that it is about."""
    NOT_CONFIRMED = "not confirmed"
    """Its line ran, and the run did not show what is claimed."""
    NOT_REACHED = "not reached"
    """Its line never ran."""


class Judged(NamedTuple):
    """A finding, and what the run showed of it."""

    finding: Finding
    verdict: Verdict
    remark: str = ""
    """What was seen, or why nothing was; in few words, ``moved by 3.1e-03``."""
    step: int | None = None
    """How many steps the program's optimizers had taken when it was seen, if it was in one."""
    is_exact: bool = True
    """Whether it had not happened a step before: a long training is not looked at all the time."""

    def __str__(self) -> str:
        """In one line: ``confirmed at step 1 (moved by 3.1e-03)``."""
        when = "" if self.step is None else f" {'at' if self.is_exact else 'by'} step {self.step}"
        remark = f" ({self.remark})" if self.remark else ""
        return f"{self.verdict.value}{when}{remark}"


class CheckedRun(NamedTuple):
    """All findings of a program with their verdicts, and the files that could not be checked."""

    judged: tuple[Judged, ...] = ()
    problems: tuple[Problem, ...] = ()
