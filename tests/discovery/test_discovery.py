"""Which files are checked, as a person with a git repository expects."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from freezelint.configuration import Configuration
from freezelint.discovery import discover

if TYPE_CHECKING:
    from tests.conftest import Project


def files(*paths: str) -> list[str]:
    found = discover(paths or (".",), Configuration(isolated=True))
    assert not found.problems
    return list(found.files)


def problems(*paths: str) -> list[str]:
    return [
        f"{each.path}: {each.reason}"
        for each in discover(paths, Configuration(isolated=True)).problems
    ]


@pytest.fixture
def repository(project: Project) -> Project:
    (project.folder / ".git").mkdir()
    return project


def test_folders_are_searched_in_a_stable_order(project: Project) -> None:
    for path in ("b.py", "a.py", "src/z.py", "src/deep/er/y.py", "notes.md", "stub.pyi"):
        project.write(path)
    assert files() == ["a.py", "b.py", "src/deep/er/y.py", "src/z.py"]


def test_a_named_file_is_taken_whatever_it_is_called(project: Project) -> None:
    project.write("train")
    project.write(".gitignore", "train\n")
    assert files("train") == ["train"]


def test_a_file_named_twice_is_taken_once(project: Project) -> None:
    project.write("src/a.py")
    assert files("src", "./src/a.py", str(project.folder / "src"), "src//a.py") == ["src/a.py"]


def test_paths_outside_stay_as_given(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("a.py")
    project.write("inner/b.py")
    monkeypatch.chdir(project.folder / "inner")
    assert files("..") == ["../a.py", "../inner/b.py"]
    assert files(str(project.folder / "a.py")) == [str(project.folder / "a.py")]


@pytest.mark.parametrize(
    "folder", [".venv", "node_modules", "build", "__pycache__", "site-packages"]
)
def test_folders_that_hold_no_own_code_are_left_out_unless_named(
    project: Project, folder: str
) -> None:
    project.write(f"{folder}/a.py")
    assert files() == []
    assert files(folder) == [f"{folder}/a.py"]


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        ("", ["a.py", "out/a.py", "src/a.py", "src/out/b.py"]),
        ("# a comment\n\n", ["a.py", "out/a.py", "src/a.py", "src/out/b.py"]),
        ("out/\n", ["a.py", "src/a.py"]),
        ("/out\n", ["a.py", "src/a.py", "src/out/b.py"]),
        ("a.py\n", ["src/out/b.py"]),
        ("*.py\n!/a.py\n", ["a.py"]),
        ("src/**/b.py\n", ["a.py", "out/a.py", "src/a.py"]),
        ("[ab].py\n!b.py\n", ["src/out/b.py"]),
        ("out\n!out\n", ["a.py", "out/a.py", "src/a.py", "src/out/b.py"]),
        ("src/*\n!src/out\n", ["a.py", "out/a.py", "src/out/b.py"]),
        ("out/   \r\n", ["a.py", "src/a.py"]),
        ("!\nout/\n", ["a.py", "src/a.py"]),
        ("\\\nout/\n", ["a.py", "src/a.py"]),
        ("[z-a].py\nout/\n", ["a.py", "src/a.py"]),
        ("*.py[cod]\n*.p[xy]\n!b.*\n", ["src/out/b.py"]),
        ("o*\n", ["a.py", "src/a.py"]),
    ],
)
def test_gitignore_is_obeyed(repository: Project, ignore: str, left: list[str]) -> None:
    for path in ("a.py", "out/a.py", "src/a.py", "src/out/b.py"):
        repository.write(path)
    repository.write(".gitignore", ignore)
    assert files() == left


def test_an_inner_gitignore_has_the_last_word(repository: Project) -> None:
    repository.write(".gitignore", "generated.py\n")
    repository.write("src/.gitignore", "!generated.py\nlocal.py\n")
    for path in ("generated.py", "local.py", "src/generated.py", "src/local.py"):
        repository.write(path)
    assert files() == ["local.py", "src/generated.py"]


def test_a_folder_taken_back_does_not_bring_back_the_files_in_it(repository: Project) -> None:
    repository.write(".gitignore", "/src/out/b.py\n/src/out\n")
    repository.write("src/.gitignore", "!out\n")
    for path in ("src/out/a.py", "src/out/b.py"):
        repository.write(path)
    assert files() == ["src/out/a.py"]


def test_nothing_below_an_ignored_folder_can_be_taken_back(repository: Project) -> None:
    repository.write(".gitignore", "out/\n!out/a.py\n!/src/out/a.py\n")
    for path in ("out/a.py", "src/out/a.py", "src/a.py"):
        repository.write(path)
    assert files() == ["src/a.py"]


def test_a_folder_whose_name_looks_like_a_pattern_is_taken_literally(repository: Project) -> None:
    repository.write("[ab]*/.gitignore", "/c.py\n")
    for path in ("[ab]*/c.py", "[ab]*/d.py", "ab/c.py"):
        repository.write(path)
    assert files() == ["[ab]*/d.py", "ab/c.py"]


def test_pythons_own_warnings_about_a_pattern_are_not_shown(repository: Project) -> None:
    repository.write(".gitignore", "[[:alpha:]].py\n")
    repository.write("src/abc.py")
    assert files() == ["src/abc.py"]


def test_gitignore_files_above_count_up_to_the_repository(
    repository: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write(".gitignore", "/src/old\ntemporary_*.py\n")
    repository.write("src/.gitignore", "/draft.py\n")
    for path in ("src/a.py", "src/old/b.py", "src/draft.py", "src/temporary_c.py"):
        repository.write(path)
    assert files("src") == ["src/a.py"]
    monkeypatch.chdir(repository.folder / "src")
    assert files() == ["a.py"]


def test_gitignore_files_above_do_not_count_outside_a_repository(project: Project) -> None:
    project.write(".gitignore", "*.py\n")
    project.write("src/a.py")
    assert files("src") == ["src/a.py"]


def test_an_ignored_folder_is_searched_if_named(repository: Project) -> None:
    repository.write(".gitignore", "experiments/\n")
    repository.write("experiments/one/a.py")
    assert files() == []
    assert files("experiments/one") == ["experiments/one/a.py"]


def test_the_repositorys_own_excludes_count(repository: Project) -> None:
    repository.write(".git/info/exclude", "# git ls-files --others\nscratch.py\n")
    repository.write("scratch.py")
    repository.write("a.py")
    assert files() == ["a.py"]


def test_links_to_files_are_followed_and_links_to_folders_are_not(project: Project) -> None:
    project.write("src/a.py")
    (project.folder / "b.py").symlink_to("src/a.py")
    (project.folder / "src" / "loop").symlink_to("..")
    (project.folder / "data.py").symlink_to("src")
    assert files() == ["b.py", "src/a.py"]
    assert files("src/loop/src") == ["src/loop/src/a.py"]


def test_the_lock_of_an_editor_is_no_broken_link(project: Project) -> None:
    (project.folder / ".#a.py").symlink_to("someone@host.1234")
    assert files() == []


def test_what_is_missing_or_broken_is_named_and_the_rest_is_found(project: Project) -> None:
    project.write("src/a.py")
    (project.folder / "src" / "gone.py").symlink_to("nowhere.py")
    found = discover(["src", "other", "src/gone.py/x.py"], Configuration(isolated=True))
    assert tuple(found.files) == ("src/a.py",)
    assert problems("src", "other", "src/a.py/x.py") == [
        "other: no such file or folder",
        "src/a.py/x.py: not a directory",
        "src/gone.py: broken link to nowhere.py",
    ]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_folder_without_permission_is_named(project: Project) -> None:
    project.write("a.py")
    closed = project.write("closed/b.py").parent
    closed.chmod(0)
    try:
        assert problems(".") == ["closed: permission denied"]
    finally:
        closed.chmod(0o700)


def test_a_folder_that_cannot_be_listed_is_named(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("a.py")
    project.write("closed/b.py")
    scandir = os.scandir

    def guarded(path: str) -> os.ScandirIterator[str]:  # type: ignore[name-defined]
        if path == "closed":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    found = discover(["."], Configuration(isolated=True))
    assert tuple(found.files) == ("a.py",)
    assert [(each.path, each.reason) for each in found.problems] == [
        ("closed", "permission denied")
    ]
