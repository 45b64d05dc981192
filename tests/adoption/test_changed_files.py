"""``--since``: what git itself says has changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Project

BUG = "from torch import nn\n\nnn.Linear(1, 1).requires_grad = False\n"


class Repository:
    """A git repository, whose files all hold a bug."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        quiet = ("-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null")
        command = ["git", "-C", str(self.folder), *identity, *quiet, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def write(self, *paths: str, more: str = "") -> None:
        for path in paths:
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(BUG + more)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Change something")


@pytest.fixture
def repository(project: Project) -> Repository:
    return Repository(project.folder)


def found(project: Project, *arguments: str) -> list[str]:
    answer = project.freezelint("check", "--output-format", "json", *arguments)
    assert answer.code in {0, 1}, answer.errors
    return [each["path"] for each in json.loads(answer.output)["findings"]]


def test_committed_staged_unstaged_and_untracked_changes_count(
    project: Project, repository: Repository
) -> None:
    repository.write("same.py", "committed.py", "staged.py", "unstaged.py", "deleted.py")
    repository.write("gone.py", "ignored.py")
    project.write(".gitignore", "ignored.py\n")
    repository.commit()
    repository.git("tag", "old")
    repository.write("committed.py", "new.py", more="x = 1\n")
    repository.git("rm", "--quiet", "gone.py")
    repository.commit()
    repository.write("staged.py", "added.py", more="x = 1\n")
    repository.git("add", ".")
    repository.write("unstaged.py", more="x = 1\n")
    repository.write("untracked.py", "far/below/untracked.py", "with space é\n.py")
    os.unlink("deleted.py")
    since_head = {
        *("added.py", "far/below/untracked.py", "staged.py", "unstaged.py", "untracked.py"),
        "with space é\n.py",
    }
    assert set(found(project, "--since", "HEAD")) == since_head
    assert set(found(project, "--since", "old")) == {"committed.py", "new.py", *since_head}
    assert found(project, "--since", "old", "far", "same.py") == ["far/below/untracked.py"]
    assert len(found(project)) == 9


def test_a_file_that_was_renamed_is_a_new_one(project: Project, repository: Repository) -> None:
    repository.write("a.py")
    repository.commit()
    repository.git("mv", "a.py", "b.py")
    assert found(project, "--since", "HEAD") == ["b.py"]
    repository.commit()
    assert found(project, "--since", "HEAD~1") == ["b.py"]
    assert found(project, "--since", "HEAD") == []


def test_settings_of_git_do_not_change_the_answer(project: Project, repository: Repository) -> None:
    repository.write("sub/a.py", "b.py")
    repository.commit()
    for name, value in (
        ("diff.relative", "true"),
        ("diff.noprefix", "true"),
        ("diff.renames", "copies"),
        ("diff.external", "false"),
        ("core.quotePath", "true"),
        ("color.ui", "always"),
        ("status.showUntrackedFiles", "no"),
    ):
        repository.git("config", name, value)
    repository.write("sub/a.py", more="x = 1\n")
    repository.write("sub/é.py")
    assert found(project, "--since", "HEAD") == ["sub/a.py", "sub/é.py"]


def test_it_works_from_a_folder_of_the_repository(
    project: Project, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write("sub/deep/a.py", "sub/b.py", "c.py")
    repository.commit()
    repository.write("sub/deep/a.py", "c.py", more="x = 1\n")
    monkeypatch.chdir(project.folder / "sub")
    assert found(project, "--since", "HEAD") == ["deep/a.py"]
    assert found(project, "--since", "HEAD", "..") == ["../c.py", "../sub/deep/a.py"]
    assert found(project, "--since", "HEAD", str(project.folder / "c.py")) == [
        str(project.folder / "c.py")
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_it_works_behind_a_link(project: Project) -> None:
    repository = Repository(project.folder / "real")
    repository.write("a.py", "b.py")
    repository.commit()
    repository.write("a.py", more="x = 1\n")
    os.symlink("real", "link")
    assert found(project, "--since", "HEAD", "link") == ["link/a.py"]


def test_each_path_is_asked_about_in_its_own_repository(project: Project) -> None:
    for name in ("one", "two"):
        repository = Repository(project.folder / name)
        repository.write("a.py", "b.py")
        repository.commit()
        repository.write("b.py", more="x = 1\n")
    assert found(project, "--since", "HEAD", "one", "two") == ["one/b.py", "two/b.py"]


def test_a_repository_inside_another_counts_as_a_whole(
    project: Project, repository: Repository
) -> None:
    repository.commit()
    inner = Repository(project.folder / "inner")
    inner.write("a.py", "deep/b.py")
    inner.commit()
    assert found(project, "--since", "HEAD") == ["inner/a.py", "inner/deep/b.py"]
    repository.git("-c", "advice.addEmbeddedRepo=false", "add", "inner")
    repository.commit()
    assert found(project, "--since", "HEAD") == []


def test_where_two_branches_parted_is_a_revision(project: Project, repository: Repository) -> None:
    repository.write("a.py", "b.py")
    repository.commit()
    repository.git("switch", "--quiet", "--create", "mine")
    repository.write("a.py", more="x = 1\n")
    repository.commit()
    repository.git("switch", "--quiet", "main")
    repository.write("b.py", more="x = 1\n")
    repository.commit()
    repository.git("switch", "--quiet", "mine")
    assert found(project, "--since", "main") == ["a.py", "b.py"]
    assert found(project, "--since", "main...") == ["a.py"]


def test_a_hook_of_another_repository_does_not_mislead(
    project: Project, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write("sub/a.py")
    repository.commit()
    repository.write("sub/a.py", more="x = 1\n")
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/index")
    assert found(project, "--since", "HEAD", "sub") == ["sub/a.py"]


def test_standard_input_is_checked_in_any_case(project: Project, repository: Repository) -> None:
    repository.commit()
    answer = project.freezelint("check", "--since", "HEAD", "-", stdin=BUG)
    assert answer.code == 1


def test_what_did_not_change_is_not_missed_in_the_baseline(
    project: Project, repository: Repository
) -> None:
    repository.write("a.py", "b.py")
    project.freezelint("check", "--write-baseline", "known.json")
    repository.commit()
    repository.write("b.py", more="x = 1\n")
    answer = project.freezelint("check", "--since", "HEAD", "--baseline", "known.json")
    assert answer == (0, "No freeze bugs found in 1 file. 1 known finding not shown.\n", "")


@pytest.mark.parametrize("revision", ["nothing", "", "-p", "--help", "nothing...", "HEAD:a.py"])
def test_an_unknown_revision_is_an_error_that_says_what_to_do(
    project: Project, repository: Repository, revision: str
) -> None:
    repository.write("a.py")
    repository.commit()
    answer = project.freezelint("check", f"--since={revision}")
    assert answer == (
        2,
        "",
        (
            f"error: git knows no revision {revision} in {project.folder}: see `git log`, or fetch "
            "it (a shallow clone, as CI makes it, lacks most: `git fetch --unshallow`)\n"
        ),
    )


def test_a_repository_without_commits_has_no_revision(
    project: Project, repository: Repository
) -> None:
    repository.write("a.py")
    assert "git knows no revision HEAD" in project.freezelint("check", "--since", "HEAD").errors


def test_a_folder_that_is_in_no_repository_is_an_error(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.folder.parent))
    project.write("a.py", BUG)
    answer = project.freezelint("check", "--since", "HEAD")
    assert (answer.code, answer.output) == (2, "")
    assert answer.errors.startswith(
        f"error: what changed in {project.folder} cannot be told: git says: not a git repository"
    )
    assert answer.errors.endswith("name paths in a git repository, or leave out --since\n")


def test_without_git_it_says_so(
    project: Project, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(project.folder))
    answer = project.freezelint("check", "--since", "HEAD")
    assert answer == (
        2,
        "",
        "error: --since asks git, which is not installed (or not on PATH)\n",
    )


def test_a_path_that_does_not_exist_is_named_as_ever(
    project: Project, repository: Repository
) -> None:
    repository.commit()
    answer = project.freezelint("check", "--since", "HEAD", "no.py", "no/a.py")
    assert answer.code == 2
    assert "error: no.py: no such file or folder" in answer.errors
