"""Comments silence findings on their statement, and nothing else does."""

from __future__ import annotations

import pytest

from freezelint.findings import Finding, Level, Span
from freezelint.suppressions import Suppressions


def finding(code: str, first: int, last: int | None = None) -> Finding:
    last = last or first
    span = Span(first, 1, last, 5)
    return Finding(code, "some-rule", Level.ERROR, "a.py", span, "", "", statement=(first, last))


def remaining(text: str, *findings: Finding) -> list[str]:
    return [each.code for each in Suppressions.of(text).apply(findings).remaining]


@pytest.mark.parametrize(
    "comment",
    [
        "# freezelint: ignore",
        "# freezelint: ignore[FZ301]",
        "# freezelint: ignore[FZ302, FZ301]",
        "# freezelint: ignore[fz301]",
        "# freezelint: ignore[FZ3]",
        "#freezelint:ignore[FZ301] the opponent is unfrozen below",
        "# type: ignore  # freezelint: ignore[FZ301]",
        "# noqa",
        "# NOQA",
        "# noqa: FZ301",
        "# noqa: E501, FZ301",
        "# noqa:E501,FZ3 because",
        "# noqa : fz301",
    ],
)
def test_a_comment_silences_its_line(comment: str) -> None:
    assert remaining(f"x = 1  {comment}\n", finding("FZ301", 1)) == []


@pytest.mark.parametrize(
    "line",
    [
        "x = 1  # freezelint: ignore[FZ302]",
        "x = 1  # freezelint: ignore[]",
        "x = 1  # freezelint: ignored",
        "x = 1  # freezelint: skip-file",
        "x = 1  # noqa: E501",
        "x = 1  # noqas",
        "x = '# freezelint: ignore'",
        "x = '''\n# noqa\n'''",
    ],
)
def test_other_text_silences_nothing(line: str) -> None:
    assert remaining(f"{line}\n", finding("FZ301", 1, line.count("\n") + 1)) == ["FZ301"]


def test_any_line_of_the_statement_will_do_but_no_other() -> None:
    text = "x = f(\n    1,  # freezelint: ignore\n)\ny = 2\n"
    assert remaining(text, finding("FZ301", 1, 3), finding("FZ302", 4)) == ["FZ302"]


def test_behind_a_string_or_a_backslash_it_counts_for_all_lines_that_they_join() -> None:
    comment = "  # freezelint: ignore\n"
    assert remaining(f"if x and \\\n    y:{comment}", finding("FZ301", 1)) == []
    assert remaining(f'if x == """\n""":{comment}', finding("FZ301", 1)) == []
    assert remaining(f"if f(x,\n    y):{comment}", finding("FZ301", 1)) == ["FZ301"]
    assert remaining(f"x = 1\ny = \\\n    1{comment}", finding("FZ301", 1)) == ["FZ301"]


def test_lines_may_end_in_any_way() -> None:
    assert remaining("x = 1\ry = 2  # noqa\r", finding("FZ301", 2)) == []
    assert remaining("x = 1\r\ny = 2  # noqa\r\n", finding("FZ301", 2)) == []


def test_a_file_can_be_skipped_from_anywhere_in_it() -> None:
    assert Suppressions.of("x = 1\ndef f():\n    # freezelint: skip-file\n    pass\n").skip_file
    assert not Suppressions.of("x = 1  # freezelint: skip-file\n").skip_file
    assert not Suppressions.of("x = '''\n# freezelint: skip-file\n'''\n").skip_file


def test_comments_before_a_syntax_error_still_count() -> None:
    assert remaining("x = 1  # noqa\ny = (\n", finding("FZ301", 1)) == []
