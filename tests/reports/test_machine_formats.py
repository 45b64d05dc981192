"""JSON for programs, and workflow commands for GitHub."""

from __future__ import annotations

import json
from typing import Any

import jsonschema

from freezelint import __version__
from freezelint.engine import CheckResult
from freezelint.findings import Level, Span
from freezelint.reports import github, json_lines
from freezelint.reports import json as json_report
from freezelint.reports.presentation import Presentation
from tests.reports.example import IN_CELL, INFO, PROBLEMS, SAFE, UNSAFE

RESULT = CheckResult((UNSAFE,), PROBLEMS, 7, 2)


def an_object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TEXT, NUMBER = {"type": "string"}, {"type": "integer", "minimum": 0}
SPAN = {
    **dict.fromkeys(("line", "column", "end_line", "end_column"), NUMBER),
    "cell": {"type": ["integer", "null"], "minimum": 1},
}
FIX = an_object(
    title=TEXT,
    safe={"type": "boolean"},
    edits={"type": "array", "items": an_object(**SPAN, text=TEXT)},
)
COUNTS = {"type": "object", "additionalProperties": NUMBER}
SCHEMA = an_object(
    version=TEXT,
    findings={
        "type": "array",
        "items": an_object(
            code={"pattern": "^FZ[0-9]{3}$"},
            name={"pattern": "^[a-z-]+$"},
            level={"enum": ["error", "warning", "info"]},
            path=TEXT,
            **SPAN,
            message=TEXT,
            help=TEXT,
            evidence={"type": "array", "items": an_object(path=TEXT, **SPAN, message=TEXT)},
            fixable={"type": "boolean"},
            fix={"anyOf": [FIX, {"type": "null"}]},
        ),
    },
    errors={
        "type": "array",
        "items": an_object(
            path=TEXT,
            cell={"type": ["integer", "null"]},
            line={"type": ["integer", "null"]},
            rule={"type": ["string", "null"]},
            message=TEXT,
        ),
    },
    summary=an_object(
        files_checked=NUMBER,
        findings=NUMBER,
        suppressed=NUMBER,
        known=NUMBER,
        by_level=COUNTS,
        by_code=COUNTS,
    ),
)


def parsed(result: CheckResult) -> Any:
    document = json.loads("".join(json_report.render(result, Presentation())))
    jsonschema.validate(document, SCHEMA)
    return document


def commands(result: CheckResult) -> list[str]:
    return list(github.render(result, Presentation()))


def test_json_has_all_there_is_to_know() -> None:
    document = parsed(RESULT)
    assert document["version"] == __version__
    (finding,) = document["findings"]
    assert (finding["line"], finding["column"]) == (4, 13)
    assert (finding["end_line"], finding["end_column"]) == (6, 2)
    assert finding["evidence"][1]["message"] == "frozen here"
    assert finding["evidence"][1]["end_column"] == 12
    assert document["errors"] == [
        {
            "path": "a,b.py",
            "line": 3,
            "cell": None,
            "rule": None,
            "message": "syntax error: x\x1b[0m",
        },
        {
            "path": "lib/build.py",
            "line": None,
            "cell": None,
            "rule": "FZ101",
            "message": "internal error: oh",
        },
    ]
    assert document["summary"] == {
        "files_checked": 7,
        "findings": 1,
        "suppressed": 2,
        "known": 0,
        "by_level": {"error": 0, "warning": 1, "info": 0},
        "by_code": {"FZ301": 1},
    }


def test_json_says_where_there_is_no_fix() -> None:
    (finding,) = parsed(CheckResult((INFO,)))["findings"]
    assert (finding["fixable"], finding["fix"], finding["cell"]) == (False, None, None)


def test_json_has_the_edits_of_a_fix_and_the_cells_of_a_notebook() -> None:
    safe, in_cell = parsed(CheckResult((SAFE, IN_CELL)))["findings"]
    assert safe["fix"] == {
        "title": "call `requires_grad_`",
        "safe": True,
        "edits": [
            {
                "line": 3,
                "column": 10,
                "end_line": 3,
                "end_column": 35,
                "cell": None,
                "text": "net.requires_grad_(False)",
            }
        ],
    }
    assert (in_cell["cell"], in_cell["line"], in_cell["evidence"][0]["cell"]) == (7, 3, 2)


def test_json_lines_are_the_same_a_line_each() -> None:
    document = parsed(RESULT)
    assert [json.loads(line) for line in json_lines.render(RESULT, Presentation())] == [
        *({"type": "finding", **each} for each in document["findings"]),
        *({"type": "error", **each} for each in document["errors"]),
        {"type": "summary", "version": __version__, **document["summary"]},
    ]


def test_github_gets_one_escaped_command_each() -> None:
    wrong = SAFE._replace(message="100% wrong, a:b")
    assert commands(CheckResult((wrong,), PROBLEMS)) == [
        (
            "::error file=src/tr äin.py,line=3,endLine=3,col=10,endColumn=35,"
            "title=FZ101 module-attribute-freeze"
            "::100%25 wrong, a:b%0Alib/build.py:1:1: built in `layers[0]` here"
            "%0Awrite `net.requires_grad_(False)`%0Aor an own loop"
        ),
        "::error file=a%2Cb.py,line=3,title=freezelint::syntax error: x\\x1b[0m",
        "::error file=lib/build.py,title=freezelint::internal error: oh",
    ]


def test_github_gets_no_columns_for_several_lines_and_no_raw_controls() -> None:
    finding = SAFE._replace(span=Span(1, 2, 3, 4), level=Level.INFO, message="a\x1b[31m\rb")
    (command,) = commands(CheckResult((finding,)))
    assert command.startswith("::notice file=src/tr äin.py,line=1,endLine=3,title=FZ101 ")
    assert "::a\\x1b[31m\\x0db%0A" in command


def test_github_gets_no_lines_of_cells() -> None:
    (command,) = commands(CheckResult((IN_CELL,)))
    assert command.startswith("::error file=note.ipynb,title=FZ101 module-attribute-freeze::")
    assert "::cell 7, line 3: `net` is a module%0Anote.ipynb:cell 2:1:1: built here%0A" in command
