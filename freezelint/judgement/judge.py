"""Judges the findings in a program by what its run shows."""

from __future__ import annotations

import os
import sys
import textwrap
import weakref
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freezelint.judgement.candidate import Candidate
from freezelint.judgement.markers import NAME, Markers, MarkingFinder, Wanted, listen, passed
from freezelint.judgement.measures import MEASURES, ends_so
from freezelint.runtime.hooks import Hooks
from freezelint.runtime.structure import parameters_of
from freezelint.runtime.violations import Kind
from freezelint.verdicts import Judged, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import FrameType, TracebackType

    from typing_extensions import Self

    from freezelint.findings import Finding
    from freezelint.program_findings import Expected
    from freezelint.runtime.launch import Ending, Program
    from freezelint.runtime.violations import Violation


_SHOWN_BY = {
    "moves": (Kind.FROZEN_CHANGED, Kind.ROWS_CHANGED),
    "drifts": (Kind.BUFFER_CHANGED,),
    "dead": (Kind.NOT_TRAINED,),
    "cut": (Kind.NOT_TRAINED,),
}
"""What the runtime checker reports where that happens."""


class Judge:
    """Follows all findings while the program runs, and says afterwards what became of them."""

    def __init__(self, expected: Sequence[Expected]) -> None:
        """Take the findings, in the order in which they are to be reported."""
        self._candidates = [Candidate(each) for each in expected]
        self._markers = Markers(_wanted(expected))
        self._hooks = Hooks()
        self._finder = MarkingFinder(self._markers)
        self._steps = 0
        self._stepped: set[int] = set()
        self._optimizers: weakref.WeakSet[Any] = weakref.WeakSet()
        self._process = os.getpid()
        self._stop_listening: Callable[[], None] | None = None

    def mark(self, program: Program) -> None:
        """Let a program run from marked code, so that this hears of the lines that run."""
        if self._candidates:
            program.names[NAME] = passed
            program.compiled = self._markers.compiled

    def __enter__(self) -> Self:
        """Begin to follow; without a finding, nothing is hooked into."""
        if self._candidates:
            self._stop_listening = listen(self._passed)
            sys.meta_path.insert(0, self._finder)
            self._hooks.around_steps((), self._before_step, self._after_step)
            self._hooks.around_backward(self._before_backward)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Hear of nothing more."""
        self._hooks.remove()
        if self._stop_listening is not None:
            self._stop_listening()
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)

    # -- while it runs ---------------------------------------------------------

    @property
    def _is_in_child(self) -> bool:
        return os.getpid() != self._process

    def _passed(self, number: int, frame: FrameType) -> None:
        if self._is_in_child:
            return
        for moment in self._markers.moments[number]:
            candidate = self._candidates[moment.finding]
            if candidate.shown is None:
                candidate.passed(moment, frame)

    def _before_step(self, optimizer: Any, _has_closure: bool) -> bool:
        if self._is_in_child:
            return False
        self._steps += 1
        if optimizer not in self._optimizers:
            self._optimizers.add(optimizer)
            self._stepped.update(id(each) for _, each in parameters_of(optimizer))
        for each in self._candidates:
            each.before_step(optimizer, self._steps)
        return True

    def _after_step(self, _optimizer: Any) -> None:
        for each in self._candidates:
            each.after_step(self._steps)

    def _before_backward(self, _roots: Any) -> Callable[[], None]:
        if self._is_in_child:
            return _nothing
        for each in self._candidates:
            each.begin()
        return self._after_backward

    def _after_backward(self) -> None:
        for each in self._candidates:
            each.after_backward()

    # -- afterwards ------------------------------------------------------------

    def verdicts(
        self, ending: Ending | None, violations: Iterable[Violation]
    ) -> tuple[Judged, ...]:
        """Say what became of each finding.

        Args:
            ending: How the program ended, if by an error.
            violations: What the runtime checker saw.
        """
        seen = list(violations)
        return tuple(self._judged(each, ending, seen) for each in self._candidates)

    def _judged(
        self, candidate: Candidate, ending: Ending | None, violations: Sequence[Violation]
    ) -> Judged:
        finding = candidate.expected.finding
        if not candidate.is_reached:
            return Judged(finding, Verdict.NOT_REACHED)
        if ending is not None and self._explains(candidate, ending):
            return Judged(finding, Verdict.CONFIRMED, f"raised {_shortened(ending.error)}")
        was_observed = candidate.is_observed
        why_not = "" if candidate.shown else candidate.conclude(self._stepped)
        if candidate.shown is not None:
            return Judged(finding, Verdict.CONFIRMED, *candidate.shown)
        if not was_observed:
            violation = self._caused_by(candidate.expected, violations)
            if violation is not None:
                remark = f"{violation.kind}: {violation.tensor}"
                return Judged(finding, Verdict.CONFIRMED, remark, violation.step)
        return Judged(finding, Verdict.NOT_CONFIRMED, why_not or _why_unseen(candidate))

    def _explains(self, candidate: Candidate, ending: Ending) -> bool:
        """Whether the program ended by the error that a finding foretells, and by no other."""
        if not any(ends_so(ending.error, each) for each in candidate.expected.errors):
            return False
        if _is_on_the_way(candidate.expected.finding, ending):
            return True
        foretold = [
            each
            for each in self._candidates
            if each.is_reached
            and any(ends_so(ending.error, error) for error in each.expected.errors)
        ]
        return len(foretold) == 1

    def _caused_by(self, expected: Expected, violations: Sequence[Violation]) -> Violation | None:
        """What the runtime checker explains by this finding's rule, if no other has that code."""
        reached = Counter(
            each.expected.finding.code for each in self._candidates if each.is_reached
        )
        finding = expected.finding
        if reached[finding.code] != 1:
            return None
        kinds = {kind for each in expected.consequences for kind in _SHOWN_BY.get(each, ())}
        return next(
            (each for each in violations if each.cause == finding.code and each.kind in kinds),
            None,
        )


def _wanted(expected: Sequence[Expected]) -> dict[str, list[Wanted]]:
    wanted: dict[str, list[Wanted]] = {}
    for number, (finding, *_) in enumerate(expected):
        path = str(Path(finding.path).absolute())
        lines = finding.statement if finding.statement[0] else (finding.span.line,) * 2
        evidence = tuple(each.span.line for each in finding.evidence if each.path == finding.path)
        wanted.setdefault(os.path.abspath(path), []).append(Wanted(number, lines, evidence))
    return wanted


def _is_on_the_way(finding: Finding, ending: Ending) -> bool:
    """Whether the error came through a line of the finding or of its evidence."""
    path = os.path.abspath(finding.path)
    first, last = finding.statement
    lines = {*range(first, last + 1), finding.span.line}
    lines.update(each.span.line for each in finding.evidence if each.path == finding.path)
    return any(os.path.abspath(where) == path and line in lines for where, line in ending.lines)


def _why_unseen(candidate: Candidate) -> str:
    consequences = candidate.expected.consequences
    if not consequences or not {*consequences} & {*MEASURES, "raises"}:
        return "one run cannot show it"
    if {*consequences} == {"raises"}:
        return "the program did not end with that error"
    if not candidate.is_named:
        return "the code does not name the tensors that it is about"
    return "its tensors were not found, or nothing was trained after it"


def _shortened(error: str) -> str:
    return textwrap.shorten(error.splitlines()[0], 120, placeholder=" ...")


def _nothing() -> None:
    """Look at no gradients."""
