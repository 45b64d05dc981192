"""With ``--strict``, comments that silence nothing are found themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Project

pytestmark = pytest.mark.usefixtures("marked_bugs")


def unused(project: Project, text: str, *options: str) -> list[str]:
    project.write("a.py", text)
    answer = project.freezelint("check", "--strict", "--output-format", "github", *options, "a.py")
    return [line.partition("::")[2].partition("%0A")[0] for line in answer.output.splitlines()]


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("# freezelint: ignore", "this comment silences nothing"),
        ("# freezelint: ignore[]", "this comment names no code, so it silences nothing"),
        ("# freezelint: ignore[FZ302]", "`FZ302` has nothing to silence here"),
        ("# freezelint: ignore[FZ999]", "`FZ999` is not a code of freezelint"),
        ("# noqa: FZ302", "`FZ302` has nothing to silence here"),
        ("# noqa", None),
        ("# noqa: E501, FZ302", None),
        ("# noqa: E501", None),
    ],
)
def test_a_comment_without_a_finding(project: Project, comment: str, message: str | None) -> None:
    found = unused(project, f"x = 1  {comment}\n")
    assert found == (
        [
            (
                f"notice file=a.py,line=1,endLine=1,col=8,endColumn={8 + len(comment)},"
                f"title=FZ001 unused-suppression::{message}"
            )
        ]
        if message
        else []
    )


def test_of_two_codes_only_the_idle_one_is_found(project: Project) -> None:
    text = "x.requires_grad = 1  # BUG FZ101  # freezelint: ignore[FZ101, FZ102]\n"
    (found,) = unused(project, text)
    assert "`FZ102` has nothing to silence here" in found


def test_rules_that_are_off_have_no_say(project: Project) -> None:
    text = "x = 1  # freezelint: ignore[FZ302]\ny = 1  # freezelint: ignore\n"
    assert unused(project, text, "--ignore", "FZ302") == []
    assert unused(project, text, "--select", "FZ101") == []
    assert len(unused(project, text)) == 2


def test_it_can_be_switched_off(project: Project) -> None:
    assert unused(project, "x = 1  # freezelint: ignore\n", "--ignore", "FZ001") == []


def test_a_file_that_could_not_be_analysed_is_not_judged(project: Project) -> None:
    text = "requires_grad = 1  # CRASH\ny = 1  # freezelint: ignore[FZ101]\n"
    assert "internal error" in "".join(unused(project, text))
    assert "nothing to silence" not in "".join(unused(project, text))
