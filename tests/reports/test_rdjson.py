"""Reviewdog's format, as `reviewdog.proto` describes it; every key that it does not is an error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema

from freezelint.engine import CheckResult
from freezelint.fixes import apply_edits
from freezelint.reports import rdjson
from freezelint.reports.presentation import Presentation
from tests.reports.example import SAFE, TRAINING, UNSAFE, example

if TYPE_CHECKING:
    from tests.conftest import Project


def message(*required: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": fields,
        "required": list(required),
        "additionalProperties": False,
    }


TEXT, NUMBER = {"type": "string"}, {"type": "integer", "minimum": 1}
POSITION = message("line", line=NUMBER, column=NUMBER)
RANGE = message("start", start=POSITION, end=POSITION)
SEVERITY = {"enum": ["UNKNOWN_SEVERITY", "ERROR", "WARNING", "INFO"]}
SOURCE = message("name", name=TEXT, url=TEXT)
DIAGNOSTIC = message(
    "message",
    "location",
    message=TEXT,
    location=message("path", path=TEXT, range=RANGE),
    severity=SEVERITY,
    source=SOURCE,
    code=message("value", value=TEXT, url=TEXT),
    suggestions={"type": "array", "items": message("range", "text", range=RANGE, text=TEXT)},
    original_output=TEXT,
)
DIAGNOSTIC_RESULT = message(
    "diagnostics",
    diagnostics={"type": "array", "items": DIAGNOSTIC},
    source=SOURCE,
    severity=SEVERITY,
)


def diagnostics(result: CheckResult) -> list[dict[str, Any]]:
    document = json.loads("".join(rdjson.render(result, Presentation())))
    jsonschema.validate(document, DIAGNOSTIC_RESULT)
    return list(document["diagnostics"])


def applied(text: str, suggestion: dict[str, Any]) -> str:
    """Do what reviewdog does: lines and columns of bytes, the end excluded."""
    data = text.encode()
    starts = [0, *(index + 1 for index, byte in enumerate(data) if byte == ord("\n"))]
    first, last = (
        starts[each["line"] - 1] + each["column"] - 1
        for each in (suggestion["range"]["start"], suggestion["range"]["end"])
    )
    return (data[:first] + suggestion["text"].encode() + data[last:]).decode()


def test_it_is_as_described(project: Project) -> None:
    info, cell, safe, unsafe, syntax, crash = diagnostics(example(project))
    assert [each["severity"] for each in (info, safe, unsafe, syntax, crash)] == [
        *("INFO", "ERROR", "WARNING", "ERROR", "ERROR")
    ]
    assert safe["code"]["value"] == "FZ101"
    assert safe["message"].splitlines()[1] == "lib/build.py:1:1: built in `layers[0]` here"
    assert "\x1b" not in info["message"]
    assert unsafe["location"]["range"] == {
        "start": {"line": 4, "column": 13},
        "end": {"line": 6, "column": 2},
    }
    assert cell["location"] == {"path": "note.ipynb"}
    assert cell["message"].startswith("cell 7, line 3: ")
    assert syntax["location"] == {"path": "a,b.py", "range": {"start": {"line": 3}}}


def test_suggestions_fit_the_bytes_of_the_file(project: Project) -> None:
    _, cell, safe, unsafe, *_ = diagnostics(example(project))
    assert "suggestions" not in cell
    for finding, diagnostic in ((SAFE, safe), (UNSAFE, unsafe)):
        assert finding.fix is not None
        # Several edits are one suggestion: reviewdog offers each for itself.
        (suggestion,) = diagnostic["suggestions"]
        assert applied(TRAINING, suggestion) == apply_edits(TRAINING, finding.fix.edits)


def test_nothing_is_suggested_for_a_file_that_has_gone(project: Project) -> None:
    (diagnostic,) = diagnostics(CheckResult((UNSAFE,)))
    assert "suggestions" not in diagnostic
