"""Findings for reviewdog, which puts them into reviews, with fixes as suggestions.

The format is described in `proto/rdf/reviewdog.proto` of https://github.com/reviewdog/reviewdog.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from freezelint.findings import Level, Span
from freezelint.fixes import apply_edits
from freezelint.reports import links
from freezelint.reports.catalogue import documented_by_code
from freezelint.reports.columns import Columns
from freezelint.reports.display import safe_lines
from freezelint.reports.excerpts import Excerpts
from freezelint.reports.places import in_full, portable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.engine import CheckResult
    from freezelint.findings import Edit, Finding, Fix, Problem
    from freezelint.reports.presentation import Presentation

_SEVERITIES = {Level.ERROR: "ERROR", Level.WARNING: "WARNING", Level.INFO: "INFO"}


def render(result: CheckResult, presentation: Presentation) -> Iterator[str]:
    """Yield one JSON object."""
    excerpts = Excerpts(result.standard_input)
    document = {
        "source": {"name": "freezelint", "url": links.PROJECT},
        "diagnostics": [
            *(_diagnostic(each, excerpts) for each in result.findings),
            *map(_unchecked, result.problems),
        ],
    }
    yield json.dumps(document, indent=2)


def _diagnostic(finding: Finding, excerpts: Excerpts) -> dict[str, Any]:
    columns = Columns(excerpts, "utf-8", 1)
    location: dict[str, Any] = {"path": portable(finding.path)}
    suggestion = None
    # A place in a cell is none in the file that reviewdog compares with its diff.
    if not finding.span.cell:
        location["range"] = _range(columns.of(finding.path, finding.span))
        suggestion = _as_one_edit(finding.path, finding.fix, excerpts)
    diagnostic: dict[str, Any] = {
        # It ends up in terminals too.
        "message": safe_lines(in_full(finding)),
        "location": location,
        "severity": _SEVERITIES[finding.level],
        "code": {"value": finding.code, "url": links.about(documented_by_code()[finding.code])},
    }
    if suggestion is not None:
        span, text = suggestion
        place = _range(columns.of(finding.path, span))
        diagnostic["suggestions"] = [{"range": place, "text": text}]
    return diagnostic


def _as_one_edit(path: str, fix: Fix | None, excerpts: Excerpts) -> Edit | None:
    """Return all edits of a fix as one: reviewdog offers each suggestion for itself."""
    if fix is None or len(fix.edits) == 1:
        return None if fix is None else fix.edits[0]
    first = min(each.span.line for each in fix.edits)
    last = max(each.span.end_line for each in fix.edits)
    lines = [excerpts.line(path, number) for number in range(first, last + 1)]
    if None in lines:
        return None
    text = "\n".join(line for line in lines if line is not None)
    above = first - 1
    edits = [
        each._replace(
            span=each.span._replace(
                line=each.span.line - above, end_line=each.span.end_line - above
            )
        )
        for each in fix.edits
    ]
    whole = Span(first, 1, last, len(lines[-1] or "") + 1)
    return fix.edits[0]._replace(span=whole, text=apply_edits(text, edits))


def _range(span: Span) -> dict[str, Any]:
    """As ours, its end lies one past the last; columns count bytes of UTF-8."""
    return {
        "start": {"line": span.line, "column": span.column},
        "end": {"line": span.end_line, "column": span.end_column},
    }


def _unchecked(problem: Problem) -> dict[str, Any]:
    location: dict[str, Any] = {"path": portable(problem.path)}
    if problem.line is not None:
        location["range"] = {"start": {"line": problem.line}}
    return {"message": safe_lines(problem.reason), "location": location, "severity": "ERROR"}
