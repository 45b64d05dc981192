"""Findings with what a run of the program showed of them: for people, and for programs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from freezelint.reports.display import safe
from freezelint.reports.json import finding_as_data, problem_as_data
from freezelint.reports.summary import counted
from freezelint.reports.text import render_finding
from freezelint.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.reports.excerpts import Excerpts
    from freezelint.reports.snippet import Painter
    from freezelint.verdicts import CheckedRun


def render(checked: CheckedRun, excerpts: Excerpts, paint: Painter) -> Iterator[str]:
    """Yield what could not be checked, each finding as a block of lines, and a sum."""
    for problem in checked.problems:
        place = problem.path if problem.line is None else f"{problem.path}:{problem.line}"
        yield f"error: {safe(place)}: {safe(problem.reason)}"
    for each in checked.judged:
        yield render_finding(each.finding, excerpts, paint, str(each)) + "\n"
    yield paint.bold(summary(checked))


def summary(checked: CheckedRun) -> str:
    """Say in one line how many findings there are, and what became of them."""
    if not checked.judged:
        return "freezelint: no static finding."
    verdicts = Counter(each.verdict for each in checked.judged)
    counts = [f"{verdicts[each]} {each.value}" for each in Verdict if verdicts[each]]
    return f"freezelint: {counted(len(checked.judged), 'static finding')}: {', '.join(counts)}."


def as_data(checked: CheckedRun) -> dict[str, Any]:
    """Return what belongs into the report of the run."""
    return {
        "findings": [
            {
                **finding_as_data(each.finding),
                "verdict": each.verdict.value,
                "remark": each.remark or None,
                "step": each.step,
                "is_exact": each.is_exact,
            }
            for each in checked.judged
        ],
        "errors": [problem_as_data(each) for each in checked.problems],
    }
