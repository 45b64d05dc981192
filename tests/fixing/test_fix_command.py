"""``--fix`` and its relatives, as typed."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from freezelint import rewriting
from freezelint.examination import Rewritten

if TYPE_CHECKING:
    from tests.conftest import Project

BUG = """\
import torch

net = torch.nn.Linear(1, 1)
net.requires_grad = False
"""
FIXED = BUG.replace(".requires_grad = False", ".requires_grad_(False)")

UNSAFE = """\
import torch

model = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Linear(1, 1))
model[0].eval()
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
for _ in range(3):
    model(torch.ones(1)).backward()
    optimizer.step()
"""


def test_a_safe_fix_is_made_and_counted(project: Project) -> None:
    file = project.write("train.py", BUG)
    answer = project.freezelint("check", "--fix")
    assert answer == (0, "No freeze bugs found in 1 file.\nFixed 1 finding in 1 file.\n", "")
    assert file.read_text() == FIXED


def test_without_the_option_nothing_is_written_and_the_way_is_told(project: Project) -> None:
    file = project.write("train.py", BUG)
    answer = project.freezelint("check")
    assert answer.code == 1
    assert "= fix: call `requires_grad_` (`--fix`)\n" in answer.output
    assert answer.output.endswith("Can be fixed: 1 with `--fix`.\n")
    assert file.read_text() == BUG


def test_an_unsafe_fix_is_made_only_if_asked_for(project: Project) -> None:
    file = project.write("train.py", UNSAFE)
    answer = project.freezelint("check", "--fix")
    assert answer.code == 1
    assert answer.output.endswith("Can be fixed: 1 with `--fix --unsafe-fixes`.\n")
    assert file.read_text() == UNSAFE
    assert project.freezelint("check", "--fix", "--unsafe-fixes", "--quiet") == (0, "", "")
    assert "model[0].eval()\nmodel[0].requires_grad_(False)\n" in file.read_text()


def test_fix_only_says_nothing_of_what_is_left(project: Project) -> None:
    file = project.write("train.py", BUG + UNSAFE)
    assert project.freezelint("check", "--fix-only") == (0, "", "")
    assert file.read_text() == FIXED + UNSAFE


def test_what_is_silenced_or_not_selected_is_not_fixed(project: Project) -> None:
    silenced = BUG.replace("= False", "= False  # freezelint: ignore")
    file = project.write("train.py", silenced)
    assert project.freezelint("check", "--fix").code == 0
    assert file.read_text() == silenced
    file.write_text(BUG)
    assert project.freezelint("check", "--fix", "--ignore", "FZ101").code == 0
    assert file.read_text() == BUG


def test_a_diff_is_one_that_git_applies_and_writes_nothing_itself(project: Project) -> None:
    file = project.write("src/train.py", BUG.rstrip("\n"))
    answer = project.freezelint("check", "--diff")
    assert (answer.code, answer.errors) == (1, "Would fix 1 finding in 1 file.\n")
    assert file.read_text() == BUG.rstrip("\n")
    assert "-net.requires_grad = False\n\\ No newline at end of file\n" in answer.output
    subprocess.run(
        ["git", "apply", "-p0", "-"], cwd=project.folder, input=answer.output.encode(), check=True
    )
    assert file.read_text() == FIXED.rstrip("\n")
    assert project.freezelint("check", "--diff") == (0, "", "Nothing would be fixed.\n")


def test_standard_input_comes_back_fixed_and_the_report_beside_it(project: Project) -> None:
    answer = project.freezelint("check", "--fix", "-", stdin=BUG + UNSAFE)
    assert answer.code == 1
    assert answer.output == FIXED + UNSAFE
    assert "warning[FZ111]" in answer.errors
    assert "8 | model[0].eval()\n" in answer.errors
    clean = "x = 1\n"
    assert project.freezelint("check", "--fix", "-q", "-", stdin=clean) == (0, clean, "")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (BUG.replace("\n", "\r\n").encode(), FIXED.replace("\n", "\r\n").encode()),
        (b"\xef\xbb\xbf" + BUG.encode(), b"\xef\xbb\xbf" + FIXED.encode()),
        (
            f"# coding: latin-1\nname = 'Zo\xeb'\n{BUG}".encode("latin-1"),
            f"# coding: latin-1\nname = 'Zo\xeb'\n{FIXED}".encode("latin-1"),
        ),
        (f"{BUG}\x0c\nx = 1".encode(), f"{FIXED}\x0c\nx = 1".encode()),
    ],
    ids=["crlf", "byte order mark", "latin-1", "form feed and no newline at the end"],
)
def test_bytes_that_no_fix_touches_stay(project: Project, before: bytes, after: bytes) -> None:
    file = project.write("train.py", before)
    assert project.freezelint("check", "--fix").code == 0
    assert file.read_bytes() == after


def test_the_mode_of_the_file_stays_and_nothing_is_left_beside_it(project: Project) -> None:
    file = project.write("train.py", BUG)
    file.chmod(0o751)
    project.freezelint("check", "--fix")
    assert file.stat().st_mode & 0o777 == 0o751
    assert os.listdir(project.folder) == ["train.py"]


def test_a_link_stays_a_link(project: Project) -> None:
    file = project.write("real/train.py", BUG)
    link = project.folder / "train.py"
    link.symlink_to(file)
    assert project.freezelint("check", "--fix", "train.py").code == 0
    assert link.is_symlink()
    assert file.read_text() == FIXED


def test_a_file_that_changed_meanwhile_is_left_alone(project: Project) -> None:
    file = project.write("train.py", "x = 1\n")
    checked = Rewritten(str(file), BUG.encode(), FIXED.encode(), {"FZ101": 1})
    (problem,) = rewriting.write([checked])
    assert problem.reason == "changed while it was checked, so nothing was fixed; run it again"
    assert file.read_text() == "x = 1\n"


def test_a_file_that_cannot_be_written_is_named(project: Project) -> None:
    gone = project.folder / "gone" / "train.py"
    (problem,) = rewriting.write([Rewritten(str(gone), b"", b"x", {"FZ101": 1})])
    assert problem.path == str(gone)
    assert problem.reason == "cannot be written: no such file or directory"


def test_all_files_of_a_project_are_fixed_by_several_processes(project: Project) -> None:
    padding = "# " + "x" * 20_000 + "\n"
    files = [project.write(f"train_{number}.py", padding + BUG) for number in range(30)]
    answer = project.python("-m", "freezelint", "check", "--fix", "-j", "2")
    assert answer.code == 0, answer.errors
    assert answer.output.endswith("Fixed 30 findings in 30 files.\n")
    assert all(file.read_text() == padding + FIXED for file in files)


def test_fixes_are_announced_in_json(project: Project) -> None:
    project.write("train.py", BUG)
    (finding,) = json.loads(project.freezelint("check", "--output-format", "json").output)[
        "findings"
    ]
    assert finding["fixable"] is True
