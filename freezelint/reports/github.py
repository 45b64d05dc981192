"""Findings as workflow commands, which GitHub shows beside the changed lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.findings import Level
from freezelint.reports.display import safe_lines
from freezelint.reports.places import in_full, portable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.engine import CheckResult
    from freezelint.findings import Finding
    from freezelint.reports.presentation import Presentation

_COMMANDS = {Level.ERROR: "error", Level.WARNING: "warning", Level.INFO: "notice"}


def render(result: CheckResult, presentation: Presentation) -> Iterator[str]:
    """Yield one command for each finding and each problem."""
    for finding in result.findings:
        yield _annotation(finding)
    for problem in result.problems:
        place = {"file": portable(problem.path)}
        reason = problem.reason
        if problem.cell:
            reason = f"cell {problem.cell}, line {problem.line}: {reason}"
        elif problem.line is not None:
            place["line"] = str(problem.line)
        yield _command("error", {**place, "title": "freezelint"}, reason)


def _annotation(finding: Finding) -> str:
    span = finding.span
    place = {"file": portable(finding.path)}
    # GitHub knows lines of files only; those of a cell would point to the wrong place.
    if not span.cell:
        place |= {"line": str(span.line), "endLine": str(span.end_line)}
    if not span.cell and span.line == span.end_line:
        # GitHub refuses columns on an annotation of several lines.
        place |= {"col": str(span.column), "endColumn": str(span.end_column)}
    title = f"{finding.code} {finding.name}"
    return _command(_COMMANDS[finding.level], {**place, "title": title}, in_full(finding))


def _command(name: str, properties: dict[str, str], message: str) -> str:
    listed = ",".join(f"{key}={_escaped_property(value)}" for key, value in properties.items())
    return f"::{name} {listed}::{_escaped(message)}"


def _escaped(text: str) -> str:
    # The log of a workflow is shown in terminals too.
    return safe_lines(text).replace("%", "%25").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
