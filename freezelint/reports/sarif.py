"""Findings in SARIF 2.1.0, for code scanning and for viewers in editors."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from freezelint import __version__
from freezelint.findings import Level
from freezelint.reports import fingerprints, links
from freezelint.reports.catalogue import documented_by_code, explanation
from freezelint.reports.columns import Columns
from freezelint.reports.display import safe_lines
from freezelint.reports.excerpts import Excerpts
from freezelint.reports.places import in_cell, portable
from freezelint.rules.documentation import Documentation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freezelint.engine import CheckResult
    from freezelint.findings import Finding, Fix, Problem, Span
    from freezelint.reports.catalogue import Documented
    from freezelint.reports.presentation import Presentation

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_ROOT = "%SRCROOT%"
_LEVELS = {Level.ERROR: "error", Level.WARNING: "warning", Level.INFO: "note"}
_SEVERITIES = {Level.ERROR: "error", Level.WARNING: "warning", Level.INFO: "recommendation"}


def render(result: CheckResult, presentation: Presentation) -> Iterator[str]:
    """Yield one SARIF log."""
    yield json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(result)]}, indent=2)


def _run(result: CheckResult) -> dict[str, Any]:
    excerpts = Excerpts(result.standard_input)
    # Editors and GitHub count so, whatever a log says.
    columns = Columns(excerpts, "utf-16-le", 2)
    codes = sorted({each.code for each in result.findings})
    known_by = fingerprints.of_findings(result, excerpts)
    return {
        "tool": {
            "driver": {
                "name": "freezelint",
                "version": __version__,
                "semanticVersion": __version__,
                "informationUri": links.PROJECT,
                "rules": [_rule(documented_by_code()[code]) for code in codes],
            }
        },
        "invocations": [_invocation(result.problems)],
        "originalUriBaseIds": {_ROOT: {"uri": f"{Path.cwd().as_uri().rstrip('/')}/"}},
        "columnKind": "utf16CodeUnits",
        "results": [
            _result(finding, codes.index(finding.code), fingerprint, columns)
            for finding, fingerprint in zip(result.findings, known_by, strict=True)
        ],
    }


def _rule(rule: Documented) -> dict[str, Any]:
    documentation = Documentation.of(type(rule))
    summary = " ".join(documentation.summary.split())
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": summary},
        "fullDescription": {"text": f"{summary} {' '.join(documentation.what.split())}"},
        "help": {
            "text": "\n".join(explanation(rule, as_markdown=False)),
            "markdown": "\n".join(explanation(rule, as_markdown=True)),
        },
        "helpUri": links.about(rule),
        "defaultConfiguration": {"level": _LEVELS[rule.level]},
        "properties": {"tags": ["pytorch"], "problem.severity": _SEVERITIES[rule.level]},
    }


def _result(finding: Finding, index: int, fingerprint: str, columns: Columns) -> dict[str, Any]:
    evidence = list(enumerate(finding.evidence, 1))
    # GitHub shows a related location only where the message has a link to it.
    because = (f"[{_escaped(each.message)}]({number})" for number, each in evidence)
    message = f"{in_cell(finding.span)}{finding.message}"
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.level],
        "message": {
            "text": "\n".join(
                [_unlinked(message), *because, *filter(None, [_unlinked(finding.help)])]
            )
        },
        "locations": [_location(finding.path, finding.span, columns)],
        "relatedLocations": [
            {
                "id": number,
                **_location(each.path, each.span, columns),
                "message": {"text": _unlinked(each.message)},
            }
            for number, each in evidence
        ],
        "partialFingerprints": {"freezelintContent/v1": fingerprint},
    }
    # Regions are those of a file; where a cell stands in it, nobody should guess.
    if finding.fix is not None and not finding.span.cell:
        result["fixes"] = [_fix(finding.path, finding.fix, columns)]
    return result


def _fix(path: str, fix: Fix, columns: Columns) -> dict[str, Any]:
    replacements = [
        {
            "deletedRegion": _region(columns.of(path, each.span)),
            "insertedContent": {"text": each.text},
        }
        for each in fix.edits
    ]
    change = {"artifactLocation": _artifact(path), "replacements": replacements}
    return {"description": {"text": _unlinked(fix.title)}, "artifactChanges": [change]}


def _location(path: str, span: Span, columns: Columns) -> dict[str, Any]:
    artifact = {"artifactLocation": _artifact(path)}
    if span.cell:
        # GitHub wants a line of the file; in which cell it is, the message says.
        return {
            "physicalLocation": {**artifact, "region": {"startLine": 1}},
            "logicalLocations": [{"name": f"cell {span.cell}"}],
        }
    return {"physicalLocation": {**artifact, "region": _region(columns.of(path, span))}}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _artifact(path: str) -> dict[str, str]:
    """Return the address of a file, relative to the working folder if it lies below it."""
    if os.path.isabs(path) or path.split(os.sep, 1)[0] == os.pardir:
        return {"uri": Path(os.path.abspath(path)).as_uri()}
    return {"uri": quote(os.fsencode(portable(path))), "uriBaseId": _ROOT}


def _invocation(problems: Sequence[Problem]) -> dict[str, Any]:
    return {
        "executionSuccessful": not problems,
        "toolExecutionNotifications": [_notification(each) for each in problems],
    }


def _notification(problem: Problem) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": _artifact(problem.path)}
    if problem.line is not None:
        place["region"] = {"startLine": problem.line}
    notification: dict[str, Any] = {
        "level": "error",
        "message": {"text": _unlinked(problem.reason)},
        "locations": [{"physicalLocation": place}],
    }
    if problem.rule is not None:
        notification["associatedRule"] = {"id": problem.rule}
    return notification


def _escaped(text: str) -> str:
    r"""Return the text of a link: ``\``, ``[`` and ``]`` are not its end, braces no placeholder."""
    for character in "\\[]":
        text = text.replace(character, f"\\{character}")
    return _literal(text)


def _unlinked(text: str) -> str:
    """Return a text in which ``layers[0](x)`` is no link and ``{0}`` no placeholder."""
    return _literal(text.replace("](", "\\]("))


def _literal(text: str) -> str:
    # The standard asks for doubled braces, since `{0}` would be filled in.
    return safe_lines(text).replace("{", "{{").replace("}", "}}")
