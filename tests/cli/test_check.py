"""``freezelint check``, as typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Project

BUG = "x.requires_grad = 1  # BUG FZ101\n"

pytestmark = pytest.mark.usefixtures("marked_bugs")


def test_a_clean_project_says_so_and_exits_with_0(project: Project) -> None:
    project.write("a.py", "x = 1\n")
    project.write("empty.py")
    answer = project.freezelint("check")
    assert answer == (0, "No freeze bugs found in 2 files.\n", "")


def test_findings_are_printed_and_exit_with_1(project: Project) -> None:
    project.write("src/a.py", BUG)
    answer = project.freezelint("check", "src")
    assert answer.code == 1
    assert answer.output == (
        "error[FZ101]: `x.requires_grad = 1` is wrong\n"
        " --> src/a.py:1:1\n"
        "  |\n"
        "1 | x.requires_grad = 1  # BUG FZ101\n"
        "  | ^^^^^^^^^^^^^^^^^^^ module-attribute-freeze\n"
        "  |\n"
        "  = help: write it right\n"
        "  = see: freezelint explain FZ101\n"
        "\n"
        "Found 1 error in 1 file (1 checked).\n"
    )
    assert project.freezelint("check", "--exit-zero").code == 0


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("syntax.py", "x = 1\nif x\n", "syntax.py:2: syntax error: expected ':'"),
        (
            "latin.py",
            b"# \xe9\n",
            "latin.py: is not UTF-8 (byte 0xe9 at offset 2) and declares no other encoding",
        ),
        ("nul.py", b"x = 1\0\n", "nul.py: holds a NUL byte (at byte 5), which Python forbids"),
        ("cookie.py", "# coding: klingon\n", "cookie.py: unknown encoding: klingon"),
        (None, "", "missing.py: no such file or folder"),
    ],
)
def test_what_cannot_be_checked_is_named_and_the_rest_is_checked(
    project: Project, name: str | None, content: str | bytes, reason: str
) -> None:
    project.write("a.py", BUG)
    if name:
        project.write(name, content)
    answer = project.freezelint("check", ".", *([] if name else ["missing.py"]))
    assert answer.code == 2
    assert answer.errors == f"error: {reason}\n"
    assert "error[FZ101]" in answer.output
    assert "Found 1 error in 1 file (1 checked). 1 path could not be checked." in answer.output
    assert project.freezelint("check", ".", "missing.py", "--exit-zero").code == 2


def test_files_that_only_look_odd_are_fine(project: Project) -> None:
    project.write("empty.py")
    project.write("bom.py", b"\xef\xbb\xbfx = 1\n")
    project.write("cookie.py", "# coding: latin-1\nx = 'é'\n".encode("latin-1"))
    project.write("warns.py", "x = '\\d'\n")
    project.write("mac.py", b"x = 1\ry = 2\r")
    assert project.freezelint("check") == (0, "No freeze bugs found in 5 files.\n", "")


def test_standard_input_is_checked_under_the_name_it_is_given(project: Project) -> None:
    answer = project.freezelint("check", "-", "--stdin-filename", "src/a.py", stdin="\n" + BUG)
    assert answer.code == 1
    assert " --> src/a.py:2:1\n  |\n2 | x.requires_grad" in answer.output
    assert project.freezelint("check", "-", stdin="if x\n").errors == (
        "error: <stdin>:1: syntax error: expected ':'\n"
    )


def test_rules_are_chosen_by_code_and_prefix(project: Project) -> None:
    project.write("a.py", BUG + "y.requires_grad = 2  # BUG FZ118\n")

    def codes(*options: str) -> list[str]:
        answer = project.freezelint("check", "--output-format", "json", *options)
        return [each["code"] for each in json.loads(answer.output)["findings"]]

    assert codes() == ["FZ101", "FZ118"]
    assert codes("--select", "FZ118") == ["FZ118"]
    assert codes("--select", "FZ6,fz101") == ["FZ101"]
    assert codes("--ignore", "FZ1") == []
    assert codes("--ignore", "FZ1", "--extend-select", "FZ101") == ["FZ101"]


def test_a_code_that_does_not_exist_is_a_usage_error(project: Project) -> None:
    answer = project.freezelint("check", "--select", "FZ3O1")
    assert answer.code == 2
    assert "no rule has the code FZ3O1; did you mean FZ301?" in answer.errors


def test_info_findings_are_shown_with_strict_only(project: Project) -> None:
    project.write("a.py", "x.requires_grad = 1  # NOTE FZ101\n")
    assert project.freezelint("check").code == 0
    answer = project.freezelint("check", "--strict")
    assert answer.code == 1
    assert answer.output.startswith("info[FZ101]: ")


def test_suppressed_findings_are_counted_not_shown(project: Project) -> None:
    project.write("a.py", BUG.replace("\n", "  # freezelint: ignore[FZ101]\n"))
    project.write("b.py", "# freezelint: skip-file\n" + BUG)
    answer = project.freezelint("check", "--output-format", "json")
    assert answer.code == 0
    assert json.loads(answer.output)["summary"]["suppressed"] == 1


def test_quiet_leaves_out_the_summary_and_statistics_the_places(project: Project) -> None:
    project.write("a.py", BUG)
    assert "Found" not in project.freezelint("check", "--quiet").output
    assert project.freezelint("check", "--statistics").output == (
        "1  FZ101  module-attribute-freeze\nFound 1 error in 1 file (1 checked).\n"
    )


def test_colour_is_for_those_who_want_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("a.py", BUG)
    assert "\x1b[" not in project.freezelint("check").output
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in project.freezelint("check").output
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in project.freezelint("check").output


@pytest.mark.skipif(sys.platform == "win32", reason="has no such terminals")
@pytest.mark.parametrize(
    ("variables", "colored"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_a_terminal_gets_colour(project: Project, variables: dict[str, str], colored: bool) -> None:
    import pty

    project.write("a.py", "from torch import nn\nm = nn.Linear(1, 1)\nm.requires_grad = False\n")
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "freezelint", "check", "a.py"],
        stdout=theirs,
        env={**os.environ, "TERM": "xterm", **variables},
        check=False,
    )
    os.close(theirs)
    output = os.read(ours, 10_000)
    os.close(ours)
    assert b"FZ101" in output
    assert (b"\x1b[" in output) is colored


def test_a_reader_that_leaves_early_is_no_error(project: Project) -> None:
    project.write("a.py", "# freezelint: ignore[FZ101]\n" * 5_000)
    command = f"{sys.executable} -m freezelint check --strict a.py | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("info[FZ001]")
    assert done.stderr == ""
