"""Results are kept by content, used only where they hold, and never in the way."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from freezelint import examination

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Project

BUG = """\
import torch

net = torch.nn.Linear(1, 1)
net.requires_grad = False
"""
CLEAN = "import torch\n\nnet = torch.nn.Linear(1, 1)\nnet.requires_grad_(False)\n"


@pytest.fixture
def folder() -> Path:
    from freezelint.cache import cache_folder

    return cache_folder(None)


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose text is analysed from now on."""
    from freezelint.analysis import analyze

    paths: list[str] = []
    really = analyze.analyze

    def noted(source, rules, *names):  # type: ignore[no-untyped-def]
        paths.append(source.path)
        return really(source, rules, *names)

    monkeypatch.setattr(analyze, "analyze", noted)
    return paths


def test_a_file_that_has_not_changed_is_not_looked_at_again(
    project: Project, looked_at: list[str]
) -> None:
    silenced = BUG.replace("False", "False  # noqa: FZ101")
    project.write("a.py", BUG)
    project.write("b.py", silenced)
    first = project.freezelint("check")
    assert sorted(looked_at) == ["a.py", "b.py"]
    looked_at.clear()
    assert project.freezelint("check") == first
    assert looked_at == []
    project.write("b.py", silenced + "x = 1\n")
    assert project.freezelint("check") == first
    assert looked_at == ["b.py"]


def test_findings_come_out_of_the_cache_as_they_went_in(project: Project) -> None:
    project.write("a.py", BUG + "net.bias.requires_grad == True\n")
    first = project.freezelint("check", "--output-format", "json")
    assert project.freezelint("check", "--output-format", "json") == first
    assert len(json.loads(first.output)["findings"]) == 2


def test_what_is_fixed_is_looked_at_again(project: Project) -> None:
    file = project.write("a.py", BUG)
    assert project.freezelint("check").code == 1
    assert project.freezelint("check", "--fix").code == 0
    assert file.read_text() == CLEAN
    file.write_text(BUG)
    assert project.freezelint("check").code == 1


def test_other_settings_are_other_results(project: Project, looked_at: list[str]) -> None:
    project.write("a.py", BUG)
    assert project.freezelint("check").code == 1
    assert project.freezelint("check", "--ignore", "FZ101").code == 0
    assert project.freezelint("check").code == 1
    project.write("freezelint.toml", "[per-file-ignores]\n'a.py' = ['FZ101']\n")
    assert project.freezelint("check").code == 0


def test_another_place_is_another_file(project: Project, looked_at: list[str]) -> None:
    project.write("a.py", BUG)
    project.write("b.py", BUG)
    project.freezelint("check", "a.py")
    assert project.freezelint("check", "b.py").output.count("b.py:4:1") == 1
    assert looked_at == ["a.py", "b.py"]


def test_syntax_errors_are_reported_every_time(project: Project) -> None:
    project.write("a.py", "if x\n")
    for _ in range(2):
        assert project.freezelint("check").code == 2


def test_a_file_is_parsed_once_somebody_names_it(project: Project) -> None:
    big = "x = 1\n" * 8_000
    project.write("big.py", big)
    project.write("broken.py", "if x\n")
    assert project.freezelint("check").code == 0
    answer = project.freezelint("check", "broken.py")
    assert (answer.code, answer.errors) == (2, "error: broken.py:1: syntax error: expected ':'\n")


def test_the_cache_of_another_freezelint_does_not_count(
    project: Project, looked_at: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("a.py", BUG)
    project.freezelint("check")
    monkeypatch.setattr("freezelint.cache.__version__", "99")
    project.freezelint("check")
    assert looked_at == ["a.py", "a.py"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04\x95",
        b"[]",
        b"{}",
        b'{"format": 99}',
        pytest.param("truncated", id="truncated"),
        pytest.param("odd", id="entries of another kind"),
    ],
)
def test_a_damaged_cache_is_ignored_and_replaced(
    project: Project, folder: Path, content: bytes | str
) -> None:
    project.write("a.py", BUG)
    first = project.freezelint("check")
    (file,) = folder.glob("*.json")
    good = file.read_bytes()
    if content == "truncated":
        content = good[: len(good) // 2]
    elif content == "odd":
        document = json.loads(good)
        document["found"] = {key: {"findings": [[1]], "suppressed": 0} for key in document["found"]}
        content = json.dumps(document).encode()
    assert isinstance(content, bytes)
    file.write_bytes(content)
    assert project.freezelint("check") == first
    assert json.loads(file.read_bytes()) == json.loads(good)


def test_nothing_is_kept_if_that_is_not_wanted(project: Project, folder: Path) -> None:
    project.write("a.py", BUG)
    project.freezelint("check", "--no-cache")
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_is_no_problem(project: Project, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file")
    project.write("a.py", BUG)
    assert project.freezelint("check").code == 1


def test_the_checked_folder_stays_as_it_is(project: Project) -> None:
    project.write("a.py", BUG)
    project.freezelint("check")
    assert os.listdir(project.folder) == ["a.py"]


def test_runs_at_the_same_time_do_not_disturb_each_other(project: Project, folder: Path) -> None:
    for number in range(8):
        project.write(f"{number}.py", BUG)
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda number: project.python("-m", "freezelint", "check", f"{number}.py"), range(8)
            )
        )
    assert all(answer.code == 1 for answer in answers)
    (file,) = folder.glob("*.json")
    assert json.loads(file.read_bytes())["format"] == 1
    assert len(os.listdir(folder)) == 2


def test_the_folder_is_told_and_cleaned(project: Project, folder: Path) -> None:
    project.write("a.py", BUG)
    project.freezelint("check")
    assert project.freezelint("cache", "dir") == (0, f"{folder}\n", "")
    other = folder / "notes.txt"
    other.write_text("mine")
    answer = project.freezelint("cache", "clean")
    assert answer == (0, f"Deleted the results of 1 working folder in {folder}.\n", "")
    assert os.listdir(folder) == ["notes.txt"]
    assert project.freezelint("cache", "clean").code == 0


def test_the_folder_can_be_a_setting(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FREEZELINT_CACHE_DIR")
    project.write("freezelint.toml", "cache-dir = '.cache/freezelint'\n")
    project.write("a.py", BUG)
    project.freezelint("check")
    assert project.freezelint("cache", "dir").output == f"{project.folder}/.cache/freezelint\n"
    assert (project.folder / ".cache" / "freezelint" / "CACHEDIR.TAG").is_file()


def test_what_may_go_wrong_is_not_kept(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("a.py", BUG)
    monkeypatch.setattr(examination, "_analyze", _fail)
    assert project.freezelint("check").code == 2
    monkeypatch.undo()


def _fail(source: object, codes: object, config: object) -> tuple[list[object], list[object]]:
    return [], [examination.internal_error("a.py", RuntimeError("x"))]
