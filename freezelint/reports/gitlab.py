"""Findings as a Code Quality report, which GitLab shows beside a merge request.

The format is described at https://docs.gitlab.com/ci/testing/code_quality/.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from freezelint.findings import Level
from freezelint.reports import fingerprints
from freezelint.reports.display import safe_lines
from freezelint.reports.excerpts import Excerpts
from freezelint.reports.places import in_cell, portable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.engine import CheckResult
    from freezelint.findings import Finding, Problem
    from freezelint.reports.presentation import Presentation

_SEVERITIES = {Level.ERROR: "critical", Level.WARNING: "major", Level.INFO: "info"}


def render(result: CheckResult, presentation: Presentation) -> Iterator[str]:
    """Yield one JSON list."""
    known_by = fingerprints.of_findings(result, Excerpts(result.standard_input))
    unchecked_by = fingerprints.of_problems(result.problems)
    entries = [
        *map(_violation, result.findings, known_by),
        *map(_unchecked, result.problems, unchecked_by),
    ]
    yield json.dumps(entries, indent=2)


def _violation(finding: Finding, fingerprint: str) -> dict[str, Any]:
    span = finding.span
    # GitLab knows lines of files only; those of a cell would point to the wrong place.
    lines = {"begin": 1, "end": 1} if span.cell else {"begin": span.line, "end": span.end_line}
    return {
        "description": safe_lines(f"{in_cell(span)}{finding.message}"),
        "check_name": f"{finding.code} {finding.name}",
        "fingerprint": fingerprint,
        "severity": _SEVERITIES[finding.level],
        "location": {"path": portable(finding.path), "lines": lines},
    }


def _unchecked(problem: Problem, fingerprint: str) -> dict[str, Any]:
    line = problem.line or 1
    return {
        "description": safe_lines(problem.reason),
        "check_name": "freezelint",
        "fingerprint": fingerprint,
        "severity": "blocker",
        "location": {"path": portable(problem.path), "lines": {"begin": line, "end": line}},
    }
