"""What a person sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from freezelint.engine import CheckResult
from freezelint.findings import Evidence, Finding, Level, Problem, Span
from freezelint.reports import summary
from freezelint.reports.excerpts import Excerpts
from freezelint.reports.snippet import Painter
from freezelint.reports.text import render_finding

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

    from tests.conftest import Project

TRAINING = """\
import torch
from torchvision.models import resnet18

model = resnet18(weights="DEFAULT")
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10)



for parameter in model.layer1.parameters():
    parameter.requires_grad = False
"""


def found(
    span: Span, *evidence: Evidence, level: Level = Level.WARNING, message: str = "it is wrong"
) -> Finding:
    return Finding(
        "FZ301", "optimizer-before-freeze", level, "train.py", span, message, "do it", evidence
    )


def shown(finding: Finding, *, color: bool = False) -> str:
    return "\n" + render_finding(finding, Excerpts(), Painter(color=color)) + "\n"


def test_the_wrong_line_and_its_causes_are_quoted(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    project.write("train.py", TRAINING)
    finding = found(
        Span(5, 13, 5, 56),
        Evidence("train.py", Span(11, 5, 11, 36), "`model.layer1` is frozen here"),
        Evidence("train.py", Span(4, 9, 4, 36), "`model` is built here"),
        Evidence("train.py", Span(5, 29, 5, 47), "everything, unfiltered"),
        message="`optimizer` was built from `model.parameters()` before `model.layer1` was frozen",
    )
    assert shown(finding) == snapshot
    assert shown(finding, color=True) == snapshot


def test_causes_in_other_files_have_their_own_snippet(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    project.write("train.py", TRAINING)
    project.write("lib/freeze.py", "def freeze(m):\n    m.requires_grad_(False)\n")
    elsewhere = Evidence("lib/freeze.py", Span(2, 5, 2, 28), "frozen here")
    assert shown(found(Span(5, 1, 5, 10), elsewhere)) == snapshot


def test_of_several_lines_the_first_is_underlined_to_its_end(
    project: Project, snapshot: SnapshotAssertion
) -> None:
    project.write("train.py", "optimizer = SGD(  \n    model.parameters(),\n)\n")
    assert shown(found(Span(1, 13, 3, 2), level=Level.ERROR)) == snapshot


@pytest.mark.parametrize(
    ("line", "column", "end"),
    [
        pytest.param("\tif x:\tmodel.eval()", 8, 20, id="tabs"),
        pytest.param("模型 = '冻结'; model.eval()", 12, 24, id="wide"),
        pytest.param("e\u0301 = 1; model.eval()", 9, 21, id="combining"),
        pytest.param("x = '\x1b[31m\x07'; model.eval()", 15, 27, id="control"),
        pytest.param("x = '\u202e'; model.eval()", 10, 22, id="direction"),
        pytest.param(f"x = '{'a' * 300}'; model.eval(){' + 1' * 100}", 309, 321, id="long"),
    ],
)
def test_the_underline_is_below_what_it_means(
    project: Project, snapshot: SnapshotAssertion, line: str, column: int, end: int
) -> None:
    project.write("train.py", line + "\n")
    assert line[column - 1 : end - 1] == "model.eval()"
    text = shown(found(Span(1, column, 1, end)))
    assert text == snapshot
    assert text.isprintable() or set(filter(lambda c: not c.isprintable(), text)) <= {"\n"}


def test_nothing_from_a_checked_file_reaches_the_terminal_raw(project: Project) -> None:
    project.write("train.py", "x = '\x1b]0;title\x07'\n")
    finding = found(
        Span(1, 1, 1, 3),
        Evidence("a\x1b[2J.py", Span(1, 1, 1, 2), "built \x1b[31mhere"),
        message="`\x9b31m` is wrong",
    )._replace(help="write\n\x1b[0m")
    assert "\x1b" not in shown(finding)
    assert "\x9b" not in shown(finding)


def test_a_line_that_has_gone_is_not_quoted(project: Project) -> None:
    text = shown(found(Span(5, 1, 5, 2)))
    assert "--> train.py:5:1" in text
    assert "^" not in text


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (CheckResult(files_checked=120), "No freeze bugs found in 120 files."),
        (CheckResult(files_checked=1), "No freeze bugs found in 1 file."),
        (
            CheckResult((found(Span(1, 1, 1, 2)),), files_checked=3),
            "Found 1 warning in 1 file (3 checked).",
        ),
        (
            CheckResult(
                tuple(
                    found(Span(1, 1, 1, 2), level=level)
                    for level in (Level.ERROR, Level.ERROR, Level.WARNING, Level.INFO)
                ),
                (Problem("b.py", "broken"), Problem("a.py", "internal error", rule="FZ101")),
                files_checked=3,
            ),
            (
                "Found 2 errors, 1 warning and 1 info finding in 1 file (3 checked). "
                "1 path could not be checked. 1 internal error may hide more."
            ),
        ),
    ],
)
def test_the_summary(result: CheckResult, line: str) -> None:
    assert summary.in_one_line(result) == line
