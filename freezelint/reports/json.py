"""Findings for programs."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from freezelint import __version__
from freezelint.findings import Level

if TYPE_CHECKING:
    from freezelint.engine import CheckResult
    from freezelint.findings import Finding, Problem


def render(result: CheckResult) -> str:
    """Return the result as one JSON document; keys are only ever added."""
    return json.dumps(document(result), indent=2)


def document(result: CheckResult) -> dict[str, Any]:
    """Return the result as plain dicts and lists."""
    levels = Counter(finding.level for finding in result.findings)
    codes = Counter(finding.code for finding in result.findings)
    return {
        "version": __version__,
        "findings": [_finding(finding) for finding in result.findings],
        "errors": [_problem(problem) for problem in result.problems],
        "summary": {
            "files_checked": result.files_checked,
            "findings": len(result.findings),
            "suppressed": result.suppressed,
            "by_level": {level.value: levels[level] for level in Level},
            "by_code": dict(sorted(codes.items())),
        },
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "name": finding.name,
        "level": finding.level.value,
        "path": finding.path,
        "cell": finding.span.cell or None,
        "line": finding.span.line,
        "column": finding.span.column,
        "end_line": finding.span.end_line,
        "end_column": finding.span.end_column,
        "message": finding.message,
        "help": finding.help,
        "evidence": [
            {
                "path": each.path,
                "cell": each.span.cell or None,
                "line": each.span.line,
                "column": each.span.column,
                "message": each.message,
            }
            for each in finding.evidence
        ],
        "fixable": finding.fix is not None,
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "path": problem.path,
        "cell": problem.cell or None,
        "line": problem.line,
        "rule": problem.rule,
        "message": problem.reason,
    }
