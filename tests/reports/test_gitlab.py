"""GitLab's Code Quality report, as its documentation describes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema

from freezelint.engine import CheckResult
from freezelint.reports import gitlab
from freezelint.reports.presentation import Presentation
from tests.reports.example import PROBLEMS, SAFE, TRAINING, UNSAFE, example

if TYPE_CHECKING:
    from tests.conftest import Project

DOCUMENTED = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]+$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "properties": {
                    "path": {"type": "string", "pattern": "^(?![./]/)"},
                    "lines": {
                        "type": "object",
                        "properties": {
                            "begin": {"type": "integer", "minimum": 1},
                            "end": {"type": "integer", "minimum": 1},
                        },
                        "required": ["begin"],
                        "additionalProperties": False,
                    },
                },
                "required": ["path", "lines"],
                "additionalProperties": False,
            },
        },
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "additionalProperties": False,
    },
}


def entries(result: CheckResult) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads("".join(gitlab.render(result, Presentation())))
    jsonschema.validate(found, DOCUMENTED)
    return found


def test_it_is_as_documented(project: Project) -> None:
    info, cell, safe, unsafe, syntax, crash = entries(example(project))
    assert [each["severity"] for each in (info, safe, unsafe, syntax, crash)] == [
        *("info", "critical", "major", "blocker", "blocker")
    ]
    assert unsafe["location"] == {"path": "src/tr äin.py", "lines": {"begin": 4, "end": 6}}
    assert cell["location"]["lines"] == {"begin": 1, "end": 1}
    assert cell["description"] == "cell 7, line 3: `net` is a module"
    assert syntax["location"] == {"path": "a,b.py", "lines": {"begin": 3, "end": 3}}
    assert entries(CheckResult()) == []


def test_fingerprints_are_unique_and_outlive_moved_lines(project: Project) -> None:
    def fingerprints(*findings: Any) -> list[str]:
        found = entries(CheckResult(findings, (*PROBLEMS, PROBLEMS[0])))
        return [each["fingerprint"] for each in found]

    project.write(SAFE.path, TRAINING)
    before = fingerprints(SAFE, SAFE, UNSAFE)
    assert len(set(before)) == 6
    project.write(SAFE.path, "\n" + TRAINING)
    moved = [
        each._replace(
            span=each.span._replace(line=each.span.line + 1, end_line=each.span.end_line + 1)
        )
        for each in (SAFE, SAFE, UNSAFE)
    ]
    assert fingerprints(*moved) == before
    (project.folder / SAFE.path).unlink()
    assert len(set(fingerprints(SAFE, UNSAFE))) == 5
