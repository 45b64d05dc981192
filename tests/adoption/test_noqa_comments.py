"""``--add-noqa``: comments that silence what is there, and change nothing else."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from freezelint.config import Config
from freezelint.examination import Outcome, Task, examine
from freezelint.noqa_comments import with_codes

if TYPE_CHECKING:
    from tests.conftest import Project

FIXTURES = Path(__file__).parents[2] / "fixtures"
BUGS = sorted(each for each in FIXTURES.rglob("*.py") if "# expect" in each.read_text("utf-8"))
BUG = """\
import torch

net = torch.nn.Linear(1, 1)
net.requires_grad = False
"""


def silenced(data: bytes, path: str = "a.py", *, strict: bool = True) -> Outcome:
    return examine(Task(path, len(data), Config(fixes="noqa", strict=strict), data=data))


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("script", BUGS, ids=lambda path: path.stem)
def test_any_program_stays_the_same_and_is_clean(script: Path, newline: str) -> None:
    before = script.read_text("utf-8").replace("\n", newline).encode()
    found = examine(Task(str(script), len(before), Config(strict=True), data=before))
    outcome = silenced(before, str(script))
    assert (outcome.rewritten is not None) is bool(found.findings)
    if outcome.rewritten is None:
        return
    after = outcome.rewritten.after
    assert outcome.rewritten.made.total() == len(found.findings)
    assert ast.dump(ast.parse(before), include_attributes=True) == ast.dump(
        ast.parse(after), include_attributes=True
    )
    assert [each for each in outcome.findings if each.code != "FZ001"] == []
    lines, old_lines = after.decode().split(newline), before.decode().split(newline)
    assert len(lines) == len(old_lines)
    for line, old in zip(lines, old_lines, strict=True):
        assert line == old or "noqa" in line
        assert line.startswith(old.rstrip()) or "noqa" in old
    again = silenced(after, str(script))
    assert again.rewritten is None


def added(text: str) -> str:
    """The text with its comments, which must do what they are for."""
    text = textwrap.dedent(text).lstrip("\n")
    outcome = silenced(text.encode(), strict=False)
    assert outcome.findings == ()
    assert outcome.rewritten is not None
    return outcome.rewritten.after.decode()


SETUP = "import torch\n\nnet = torch.nn.Linear(1, 1)\n"


STATEMENTS = [
    pytest.param(
        "net.requires_grad = False", "net.requires_grad = False  # noqa: FZ101", id="a line"
    ),
    pytest.param(
        "net.requires_grad = False   ",
        "net.requires_grad = False  # noqa: FZ101",
        id="blanks at its end",
    ),
    pytest.param(
        "net.requires_grad = False  # for now",
        "net.requires_grad = False  # for now  # noqa: FZ101",
        id="a comment",
    ),
    pytest.param(
        "net.requires_grad = False  # type: ignore[x]",
        "net.requires_grad = False  # type: ignore[x]  # noqa: FZ101",
        id="a comment for mypy",
    ),
    pytest.param(
        "net.requires_grad = False  # noqa: E501",
        "net.requires_grad = False  # noqa: E501, FZ101",
        id="noqa",
    ),
    pytest.param(
        "net.requires_grad = False  # NOQA:E501,W291 since it is long",
        "net.requires_grad = False  # NOQA:E501,W291, FZ101 since it is long",
        id="noqa with a reason",
    ),
    pytest.param(
        "net.requires_grad = False  # freezelint: ignore[FZ302] why",
        "net.requires_grad = False  # freezelint: ignore[FZ302, FZ101] why",
        id="ignore",
    ),
    pytest.param(
        "net.requires_grad = (\n    False\n)",
        "net.requires_grad = (  # noqa: FZ101\n    False\n)",
        id="brackets",
    ),
    pytest.param(
        "net.requires_grad = \\\n    False",
        "net.requires_grad = \\\n    False  # noqa: FZ101",
        id="a backslash",
    ),
    pytest.param(
        'net.requires_grad = False; x = """\n# text\n"""',
        'net.requires_grad = False; x = """\n# text\n"""  # noqa: FZ101',
        id="a string",
    ),
    pytest.param(
        'net.requires_grad = False; x = f"""\n{\n1}\n"""',
        'net.requires_grad = False; x = f"""\n{\n1}\n"""  # noqa: FZ101',
        id="a formatted string",
    ),
    pytest.param(
        "if net.requires_grad_ and \\\n        True:\n    pass",
        "if net.requires_grad_ and \\\n        True:  # noqa: FZ104\n    pass",
        id="a condition that goes on behind a backslash",
    ),
    pytest.param(
        "if True: net.requires_grad = False",
        "if True: net.requires_grad = False  # noqa: FZ101",
        id="a statement in a line of another",
    ),
    pytest.param(
        "net.requires_grad = False; net.requires_grad = False",
        "net.requires_grad = False; net.requires_grad = False  # noqa: FZ101",
        id="two on one line",
    ),
    pytest.param("net.requires_grad = False # x ", None, id="blanks behind a comment"),
]


@pytest.mark.parametrize(("statement", "after"), STATEMENTS)
@pytest.mark.parametrize("end", ["\n", "", "\nx = 1\n"], ids=["newline", "no newline", "more"])
def test_the_comment_is_put_where_it_is_looked_for(
    statement: str, after: str | None, end: str
) -> None:
    after = after or "net.requires_grad = False # x  # noqa: FZ101"
    assert added(SETUP + statement + end) == SETUP + after + end


@pytest.mark.parametrize(
    "statement", [each.values[0] for each in STATEMENTS if "ignore[FZ" not in each.values[0]]
)
def test_flake8_looks_there_too(statement: str) -> None:
    violation = pytest.importorskip("flake8.violation", reason="it is flake8 that looks")
    from flake8.processor import FileProcessor

    options = SimpleNamespace(
        hang_closing=False, indent_size=4, max_line_length=79, max_doc_length=None, verbose=0
    )
    before = f"{SETUP}{statement}\n".encode()
    processor = FileProcessor("a.py", options, added(before.decode()).splitlines(keepends=True))
    found = examine(Task("a.py", len(before), Config(), data=before)).findings
    assert found
    for finding in found:
        line = processor.noqa_line_for(finding.span.line)
        place = ("a.py", finding.span.line, finding.span.column)
        told = violation.Violation(finding.code, *place, finding.message, line)
        assert told.is_inline_ignored(disable_noqa=False)
        other = violation.Violation("X101", *place, finding.message, line)
        assert not other.is_inline_ignored(disable_noqa=False)


@pytest.mark.parametrize(
    ("comment", "after"),
    [
        ("# x", "# x  # noqa: FZ1"),
        ("# noqa:E501", "# noqa:E501, FZ1"),
        ("# noqa: E501 W1 x", "# noqa: E501 W1, FZ1 x"),
        ("# noqa: E501  # freezelint: ignore[FZ2]", "# noqa: E501, FZ1  # freezelint: ignore[FZ2]"),
        ("# freezelint: ignore[]", "# freezelint: ignore[FZ1]"),
        ("# freezelint: ignore[FZ2,]", "# freezelint: ignore[FZ2, FZ1]"),
    ],
)
def test_codes_are_added_to_the_list_that_is_there(comment: str, after: str) -> None:
    assert with_codes(comment, ["FZ1"]) == after


def test_a_second_run_adds_nothing(project: Project) -> None:
    file = project.write("src/a.py", BUG)
    project.write("b.py", BUG + "net.bias.requires_grad == True\n")
    answer = project.freezelint("check", "--add-noqa")
    assert answer == (
        0,
        "No freeze bugs found in 2 files.\nAdded `# noqa` for 3 findings in 2 files.\n",
        "",
    )
    text = file.read_text()
    assert text == BUG.replace("False\n", "False  # noqa: FZ101\n")
    assert project.freezelint("check") == (0, "No freeze bugs found in 2 files.\n", "")
    assert project.freezelint("check", "--add-noqa").output == "No freeze bugs found in 2 files.\n"
    assert file.read_text() == text


def test_encoding_newlines_and_mode_stay(project: Project) -> None:
    text = "# coding: latin-1\n# é\n" + BUG
    file = project.write("a.py", text.replace("\n", "\r\n").encode("latin-1"))
    file.chmod(0o750)
    mark = project.write("b.py", b"\xef\xbb\xbf" + BUG.encode())
    old = project.write("c.py", BUG.replace("\n", "\r"))
    assert project.freezelint("check", "--add-noqa").code == 0
    after = text.replace("False\n", "False  # noqa: FZ101\n")
    assert file.read_bytes() == after.replace("\n", "\r\n").encode("latin-1")
    assert file.stat().st_mode & 0o777 == 0o750
    after = BUG.replace("False\n", "False  # noqa: FZ101\n")
    assert mark.read_bytes() == b"\xef\xbb\xbf" + after.encode()
    assert old.read_bytes() == after.replace("\n", "\r").encode()


def test_many_files_are_written_by_several_processes(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("freezelint.engine.PARALLEL_FROM", 0)
    for number in range(6):
        project.write(f"{number}.py", BUG)
    answer = project.freezelint("check", "--add-noqa", "--jobs", "2")
    assert answer.code == 0
    assert answer.output.endswith("Added `# noqa` for 6 findings in 6 files.\n")


def test_only_what_is_found_is_silenced(project: Project) -> None:
    file = project.write("a.py", BUG + "net.bias.requires_grad == True\n")
    project.write("b.py", "if x\n")
    answer = project.freezelint("check", "--add-noqa", "--select", "FZ101")
    assert answer.code == 2
    assert "# noqa: FZ101\n" in file.read_text()
    assert "True\n" in file.read_text()


def test_what_the_baseline_knows_stays_as_it_is(project: Project) -> None:
    file = project.write("a.py", BUG)
    project.freezelint("check", "--write-baseline", "known.json")
    again = BUG + "net.bias.requires_grad == True\nnet.requires_grad = False\n"
    file.write_text(again)
    answer = project.freezelint("check", "--add-noqa", "--baseline", "known.json")
    assert answer == (
        0,
        (
            "No freeze bugs found in 1 file. 1 known finding not shown.\n"
            "Added `# noqa` for 2 findings in 1 file.\n"
        ),
        "",
    )
    assert file.read_text() == BUG + (
        "net.bias.requires_grad == True  # noqa: FZ105\nnet.requires_grad = False  # noqa: FZ101\n"
    )


def test_a_bad_baseline_keeps_comments_from_being_added(project: Project) -> None:
    file = project.write("a.py", BUG)
    assert project.freezelint("check", "--add-noqa", "--baseline", "no.json").code == 2
    assert file.read_text() == BUG


def test_standard_input_comes_back_with_its_comments(project: Project) -> None:
    answer = project.freezelint("check", "--add-noqa", "-", stdin=BUG)
    assert answer.code == 0
    assert answer.output == BUG.replace("False\n", "False  # noqa: FZ101\n")


def test_a_difference_shows_what_would_be_added(project: Project) -> None:
    file = project.write("a.py", BUG)
    answer = project.freezelint("check", "--add-noqa", "--diff")
    assert answer.code == 1
    assert "+net.requires_grad = False  # noqa: FZ101\n" in answer.output
    assert answer.errors == "Would add `# noqa` for 1 finding in 1 file.\n"
    assert file.read_text() == BUG


def test_comments_that_silence_nothing_are_no_reason_for_more(project: Project) -> None:
    file = project.write("a.py", "x = 1  # freezelint: ignore[FZ101]\n")
    before = file.read_bytes()
    assert project.freezelint("check", "--strict", "--add-noqa").code == 1
    assert file.read_bytes() == before


@pytest.mark.parametrize("other", ["--fix", "--fix-only", "--write-baseline=known.json"])
def test_one_thing_at_a_time(project: Project, other: str) -> None:
    answer = project.freezelint("check", "--add-noqa", other)
    assert answer.code == 2
    assert "exclude each other" in answer.errors
