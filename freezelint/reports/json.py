"""Findings for programs."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from freezelint import __version__
from freezelint.findings import Level
from freezelint.reports.places import portable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.engine import CheckResult
    from freezelint.findings import Finding, Fix, Problem, Span
    from freezelint.reports.presentation import Presentation


def render(result: CheckResult, presentation: Presentation) -> Iterator[str]:
    """Yield the result as one JSON document; keys are only ever added."""
    yield json.dumps(document(result), indent=2)


def document(result: CheckResult) -> dict[str, Any]:
    """Return the result as plain dicts and lists."""
    levels = Counter(finding.level for finding in result.findings)
    codes = Counter(finding.code for finding in result.findings)
    return {
        "version": __version__,
        "findings": [finding_as_data(finding) for finding in result.findings],
        "errors": [problem_as_data(problem) for problem in result.problems],
        "summary": {
            "files_checked": result.files_checked,
            "findings": len(result.findings),
            "suppressed": result.suppressed,
            "known": result.known,
            "by_level": {level.value: levels[level] for level in Level},
            "by_code": dict(sorted(codes.items())),
        },
    }


def finding_as_data(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain dicts and lists."""
    return {
        "code": finding.code,
        "name": finding.name,
        "level": finding.level.value,
        "path": portable(finding.path),
        **_place(finding.span),
        "message": finding.message,
        "help": finding.help,
        "evidence": [
            {"path": portable(each.path), **_place(each.span), "message": each.message}
            for each in finding.evidence
        ],
        "fixable": finding.fix is not None,
        "fix": None if finding.fix is None else _fix(finding.fix),
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "title": fix.title,
        "safe": fix.is_safe,
        "edits": [{**_place(each.span), "text": each.text} for each in fix.edits],
    }


def _place(span: Span) -> dict[str, int | None]:
    """Lines and columns count from 1, in a notebook those of the cell, whose number is told."""
    return {
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
        "cell": span.cell or None,
    }


def problem_as_data(problem: Problem) -> dict[str, Any]:
    """Return what could not be checked as a plain dict."""
    return {
        "path": portable(problem.path),
        "cell": problem.cell or None,
        "line": problem.line,
        "rule": problem.rule,
        "message": problem.reason,
    }
