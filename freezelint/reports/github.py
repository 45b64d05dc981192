"""Findings as workflow commands, which GitHub shows beside the changed lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.findings import Level, in_cell
from freezelint.reports.display import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.engine import CheckResult
    from freezelint.findings import Finding

_COMMANDS = {Level.ERROR: "error", Level.WARNING: "warning", Level.INFO: "notice"}


def render(result: CheckResult) -> Iterator[str]:
    """Yield one command for each finding and each problem."""
    for finding in result.findings:
        yield _annotation(finding)
    for problem in result.problems:
        place = {"file": problem.path}
        reason = problem.reason
        if problem.cell:
            reason = f"cell {problem.cell}, line {problem.line}: {reason}"
        elif problem.line is not None:
            place["line"] = str(problem.line)
        yield _command("error", {**place, "title": "freezelint"}, reason)


def _annotation(finding: Finding) -> str:
    span = finding.span
    place = {"file": finding.path}
    message = finding.message
    if span.cell:
        # GitHub knows the lines of the JSON only; the annotation stands at the top of the file.
        message = f"cell {span.cell}, line {span.line}: {message}"
    else:
        place |= {"line": str(span.line), "endLine": str(span.end_line)}
        if span.line == span.end_line:
            # GitHub refuses columns on an annotation of several lines.
            place |= {"col": str(span.column), "endColumn": str(span.end_column)}
    because = (
        f"{each.path}:{in_cell(each.span.cell, each.span.line)}: {each.message}"
        for each in finding.evidence
    )
    text = "\n".join(filter(None, (message, *because, finding.help)))
    title = f"{finding.code} {finding.name}"
    return _command(_COMMANDS[finding.level], {**place, "title": title}, text)


def _command(name: str, properties: dict[str, str], message: str) -> str:
    listed = ",".join(f"{key}={_escaped_property(value)}" for key, value in properties.items())
    return f"::{name} {listed}::{_escaped(message)}"


def _escaped(text: str) -> str:
    # The log of a workflow is shown in terminals too.
    text = "\n".join(map(safe, text.split("\n")))
    return text.replace("%", "%25").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
