"""Findings that were there when a project adopted freezelint are known, and new ones are not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Project

BUG = """\
import torch

net = torch.nn.Linear(1, 1)
net.requires_grad = False
"""
FIXED = BUG.replace(".requires_grad = False", ".requires_grad_(False)")
OTHER = "net.bias.requires_grad == True\n"
FILE = "known.json"


def write_baseline(project: Project, *arguments: str) -> None:
    answer = project.freezelint("check", "--write-baseline", FILE, *arguments)
    assert answer.code == 0, answer


def check(project: Project, *arguments: str) -> tuple[list[str], str]:
    """The codes that are shown, and what is said besides."""
    options = ("--baseline", FILE, "--output-format", "json")
    answer = project.freezelint("check", *options, *arguments)
    codes = [each["code"] for each in json.loads(answer.output)["findings"]]
    assert answer.code == (1 if codes else 0)
    return codes, answer.errors


def test_what_is_known_is_not_shown(project: Project) -> None:
    project.write("a.py", BUG)
    answer = project.freezelint("check", "--write-baseline", FILE)
    assert answer == (0, "Wrote 1 known finding to known.json.\n", "")
    assert project.freezelint("check", "--baseline", FILE) == (
        0,
        "No freeze bugs found in 1 file. 1 known finding not shown.\n",
        "",
    )
    assert project.freezelint("check").code == 1


def test_what_is_new_is_shown(project: Project) -> None:
    project.write("a.py", BUG)
    write_baseline(project)
    project.write("a.py", BUG + OTHER)
    project.write("b.py", BUG)
    assert check(project) == (["FZ105", "FZ101"], "")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("# new\n\n" + BUG, id="lines above"),
        pytest.param(BUG.replace("net = ", "net  =  "), id="another line"),
        pytest.param(BUG.replace("net.r", "if True:\n    net.r"), id="indented"),
        pytest.param(BUG.replace("\n", "\r\n"), id="newlines"),
        pytest.param(BUG.replace("False", "False  # for now"), id="a comment"),
    ],
)
def test_what_is_known_stays_known_while_other_code_changes(project: Project, text: str) -> None:
    project.write("a.py", BUG)
    write_baseline(project)
    project.write("a.py", text)
    assert check(project) == ([], "")


def test_the_same_bug_once_more_is_new(project: Project) -> None:
    twice = BUG + "net.requires_grad = False\n"
    project.write("a.py", twice)
    write_baseline(project)
    assert check(project) == ([], "")
    project.write("a.py", twice + "net.requires_grad = False\n")
    assert check(project) == (["FZ101"], "")
    project.write("a.py", BUG)
    assert check(project)[0] == []


def test_what_is_gone_is_told_and_written_out(project: Project) -> None:
    project.write("a.py", BUG)
    project.write("b.py", BUG)
    project.write("c.py", BUG)
    write_baseline(project)
    project.write("a.py", FIXED)
    told = (
        "1 entry of the baseline is no longer needed: write it again with "
        "`freezelint check --write-baseline known.json`\n"
    )
    assert check(project) == ([], told)
    assert check(project, "--quiet") == ([], "")
    os.unlink("b.py")
    assert check(project)[1].startswith("2 entries of the baseline are no longer needed")
    write_baseline(project)
    assert list(json.loads((project.folder / FILE).read_text())["findings"]) == ["c.py"]
    assert check(project) == ([], "")


def test_what_was_not_looked_for_is_not_gone(project: Project) -> None:
    project.write("a.py", BUG)
    project.write("b.py", BUG)
    project.write("c.py", BUG)
    write_baseline(project)
    project.write("c.py", "if x\n")
    before = (project.folder / FILE).read_text()
    assert check(project, "a.py") == ([], "")
    assert check(project, "--ignore", "FZ101", "a.py") == ([], "")
    answer = project.freezelint("check", "--baseline", FILE)
    assert (answer.code, answer.errors) == (2, "error: c.py:1: syntax error: expected ':'\n")
    assert project.freezelint("check", "--write-baseline", FILE, "a.py").code == 0
    assert (
        project.freezelint("check", "--write-baseline", FILE, "--ignore", "FZ1", "a.py").code == 0
    )
    assert project.freezelint("check", "--write-baseline", FILE).code == 2
    assert (project.folder / FILE).read_text() == before


def test_an_info_finding_is_looked_for_with_strict_only(project: Project) -> None:
    project.write("a.py", "x = 1  # freezelint: ignore[FZ101]\n")
    write_baseline(project, "--strict")
    assert check(project, "--strict") == ([], "")
    project.write("a.py", "x = 1\n")
    assert check(project) == ([], "")
    assert "1 entry" in check(project, "--strict")[1]


def test_the_file_is_sorted_and_the_same_wherever_lines_are(project: Project) -> None:
    project.write("b.py", BUG + OTHER)
    project.write("a/a.py", BUG)
    write_baseline(project)
    before = (project.folder / FILE).read_bytes()
    project.write("b.py", BUG.replace("net.", OTHER + "net."))
    write_baseline(project)
    assert (project.folder / FILE).read_bytes() == before
    document = json.loads(before)
    assert document["version"] == 1
    assert list(document["findings"]) == ["a/a.py", "b.py"]
    (entry,) = document["findings"]["a/a.py"]
    assert entry.keys() == {"code", "level", "message", "fingerprint"}


def test_paths_are_those_from_the_folder_of_the_baseline(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("src/a.py", BUG)
    project.write("ci/readme")
    assert project.freezelint("check", "--write-baseline", "ci/known.json").code == 0
    assert '"../src/a.py"' in (project.folder / "ci" / "known.json").read_text()
    assert project.freezelint("check", "--baseline", "ci/known.json").code == 0
    monkeypatch.chdir(project.folder / "src")
    assert project.freezelint("check", "--baseline", "../ci/known.json").code == 0
    absolute = str(project.folder / "src" / "a.py")
    assert project.freezelint("check", "--baseline", "../ci/known.json", absolute).code == 0


def test_the_settings_can_name_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("a.py", BUG)
    project.write("sub/deep/b.py", BUG)
    write_baseline(project)
    project.write("freezelint.toml", "baseline = 'known.json'\n")
    assert project.freezelint("check").code == 0
    assert project.freezelint("check", "--no-baseline").code == 1
    monkeypatch.chdir(project.folder / "sub" / "deep")
    assert project.freezelint("check", "b.py").code == 0


def test_each_part_of_a_project_may_have_its_own(project: Project) -> None:
    project.write("old/a.py", BUG)
    project.write("new/b.py", BUG)
    project.write("old/freezelint.toml", "baseline = 'known.json'\n")
    project.freezelint("check", "old", "--write-baseline", "old/known.json")
    answer = project.freezelint("check")
    assert "new/b.py:4:1" in answer.output
    assert "old/a.py" not in answer.output
    assert answer.errors == ""


def test_what_is_known_may_come_from_standard_input(project: Project) -> None:
    project.write("a.py", BUG)
    write_baseline(project)
    asked = ("-", "--stdin-filename", "a.py")
    assert check_text(project, BUG, *asked) == 0
    assert check_text(project, BUG + OTHER, *asked) == 1
    assert check_text(project, BUG, "-") == 1


def check_text(project: Project, text: str, *arguments: str) -> int:
    return project.freezelint("check", "--baseline", FILE, *arguments, stdin=text).code


def test_fixes_are_made_of_what_is_known_too(project: Project) -> None:
    file = project.write("a.py", BUG)
    write_baseline(project)
    answer = project.freezelint("check", "--baseline", FILE, "--fix")
    assert answer.code == 0
    assert answer.output.endswith("Fixed 1 finding in 1 file.\n")
    assert answer.errors.startswith("1 entry of the baseline is no longer needed")
    assert file.read_text() == FIXED


def test_what_cannot_be_fixed_is_known_where_the_fixes_moved_it(project: Project) -> None:
    project.write("a.py", "import torch\n" + OTHER.replace("net", "torch.nn.Linear(1, 1)") + BUG)
    write_baseline(project)
    answer = project.freezelint("check", "--baseline", FILE, "--fix")
    assert answer.code == 0, answer


def test_the_cache_knows_findings_before_the_baseline(project: Project) -> None:
    project.write("a.py", BUG)
    write_baseline(project)
    for _ in range(2):
        assert project.freezelint("check", "--baseline", FILE).code == 0
        assert project.freezelint("check").code == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no baseline known.json: write it with `freezelint check --write-baseline"),
        ("", "known.json is no baseline of freezelint (Expecting value"),
        ("<<<<<<< HEAD\n{}", "known.json is no baseline of freezelint (Expecting value"),
        ("{}", "known.json is no baseline of freezelint (it has another form)"),
        ("[]", "known.json is no baseline of freezelint (it has another form)"),
        ('{"version": "1"}', "known.json is no baseline of freezelint (its version is '1')"),
        (
            '{"version": 1, "findings": {"a.py": [{"code": 1}]}}',
            "(it has another form): name another file, or delete it and write it anew with",
        ),
        ('{"version": 2}', "the baseline known.json was written by a newer freezelint: update"),
        (b"\xff\xfe", "known.json is no baseline of freezelint ("),
    ],
)
def test_what_is_no_baseline_is_an_error_that_says_what_to_do(
    project: Project, content: str | bytes | None, message: str
) -> None:
    project.write("a.py", FIXED)
    if content is not None:
        project.write(FILE, content)
    answer = project.freezelint("check", "--baseline", FILE)
    assert answer.code == 2
    assert message in " ".join(answer.errors.split())
    if content is not None:
        # What may be somebody's file is not overwritten.
        assert project.freezelint("check", "--write-baseline", FILE).code == 2
        assert (project.folder / FILE).read_bytes() == (
            content.encode() if isinstance(content, str) else content
        )


def test_a_bad_baseline_keeps_fixes_from_being_made(project: Project) -> None:
    file = project.write("a.py", BUG)
    assert project.freezelint("check", "--baseline", FILE, "--fix").code == 2
    assert file.read_text() == BUG


def test_a_baseline_that_cannot_be_written_is_an_error(project: Project) -> None:
    project.write("a.py", BUG)
    answer = project.freezelint("check", "--write-baseline", "nowhere/known.json")
    assert (answer.code, answer.errors) == (
        2,
        "error: nowhere/known.json: cannot be written: no such file or directory\n",
    )


def test_a_difference_cannot_be_written_as_known(project: Project) -> None:
    answer = project.freezelint("check", "--write-baseline", FILE, "--diff")
    assert answer.code == 2
    assert "--write-baseline and --diff exclude each other" in answer.errors


@pytest.mark.slow
def test_all_kinds_of_findings_stay_known_when_they_move(project: Project) -> None:
    fixtures = Path(__file__).parents[2] / "fixtures"
    texts = {
        str(each.relative_to(fixtures)): each.read_text("utf-8") for each in fixtures.rglob("*.py")
    }
    for path, text in texts.items():
        project.write(path, text)
    write_baseline(project, "--strict")
    known = json.loads((project.folder / FILE).read_text())["findings"]
    assert sum(map(len, known.values())) > 200
    for path in known:
        project.write(path, "# moved\n\n" + texts[path].replace("\n\n\n", "\n\n\n\n"))
    assert check(project, "--strict") == ([], "")
