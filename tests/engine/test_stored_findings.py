"""A finding comes out of JSON as it went in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from freezelint.analysis.analyze import analyze
from freezelint.rules import all_rules
from freezelint.sources.python import decode
from freezelint.stored_findings import restored, stored

BUGS = sorted((Path(__file__).parents[2] / "fixtures").rglob("*_bug_*.py"))[::5]


@pytest.mark.parametrize("script", BUGS, ids=lambda path: path.stem)
def test_a_finding_is_the_same_after_a_way_through_json(script: Path) -> None:
    found, _ = analyze(decode(str(script), script.read_bytes()), all_rules())
    assert found
    assert [restored(json.loads(json.dumps(stored(each)))) for each in found] == found


@pytest.mark.parametrize("fields", [[], [1], ["FZ101"] * 20])
def test_something_else_is_refused(fields: list[object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        restored(fields)
