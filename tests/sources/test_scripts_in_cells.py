"""A script that is cut into cells has the same bugs, and they are fixed cell by cell."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from freezelint.config import Config
from freezelint.examination import Outcome, Task, examine
from tests.notebooks import notebook, sources, text

if TYPE_CHECKING:
    from freezelint.findings import Finding, Span

FIXTURES = Path(__file__).parents[2] / "fixtures"
BUGS = sorted(FIXTURES.rglob("*_bug_*.py"))
DISPLAYED = {"FZ105", "FZ110"}
"""What these find may be displayed by a cell."""


def cut(script: str) -> list[tuple[int, str]]:
    """Cut a script between its statements; each piece comes with the line it begins at."""
    lines = script.split("\n")
    ends = [each.end_lineno or 0 for each in ast.parse(script).body]
    pieces, first = [], 1
    for end in sorted({*ends[:-1], len(lines)}):
        pieces.append((first, "\n".join(lines[first - 1 : end])))
        first = end + 1
    return pieces


def outcome(name: str, content: str, fixes: str = "none") -> Outcome:
    data = content.encode()
    return examine(Task(name, len(data), Config(strict=True, fixes=fixes), data=data))  # type: ignore[arg-type]


@pytest.mark.parametrize("script", BUGS, ids=lambda path: path.stem)
def test_what_is_found_in_a_script_is_found_in_its_cells(script: Path) -> None:
    whole = script.read_text(encoding="utf-8")
    pieces = cut(whole)
    starts = dict(enumerate((first for first, _ in pieces), 2))
    content = notebook(text("# A script"), *(each for _, each in pieces))

    def as_in_script(span: Span) -> Span:
        lower = starts[span.cell] - 1
        return span._replace(line=span.line + lower, end_line=span.end_line + lower, cell=0)

    def told(finding: Finding, span: Span) -> tuple[object, ...]:
        return finding.code, span, finding.message

    seen = outcome("a.ipynb", content)
    assert not seen.problems
    found = {told(each, as_in_script(each.span)) for each in seen.findings}
    expected = {told(each, each.span) for each in outcome("a.py", whole).findings}
    assert {each for each in found ^ expected if each[0] not in DISPLAYED} == set()

    fixed = outcome("a.ipynb", content, "unsafe")
    after = fixed.rewritten.after.decode() if fixed.rewritten else content
    made = fixed.rewritten.made if fixed.rewritten else {}
    for code, number in made.items():
        assert _count(fixed, code) <= _count(seen, code) - number
    for before, now in zip(sources(content), sources(after), strict=True):
        ast.parse(now)
        # Nothing went to another cell: what a cell imports and defines, it still does.
        assert _bound(before) <= _bound(now)


def _count(outcome: Outcome, code: str) -> int:
    return sum(each.code == code for each in outcome.findings)


def _bound(source: str) -> set[str]:
    found = set()
    for statement in ast.parse(source).body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            found.add(statement.name)
        elif isinstance(statement, ast.Assign):
            found |= {each.id for each in statement.targets if isinstance(each, ast.Name)}
    return found
