"""The hook, installed and run by the real pre-commit from this very working tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.notebooks import notebook

ROOT = Path(__file__).parents[2]
PUBLISHED = ["freezelint", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("git"), reason="needs git"),
]


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def hook_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that holds the working tree, committed or not."""
    folder = tmp_path_factory.mktemp("freezelint")
    for name in PUBLISHED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Publish")
    return folder


def try_repo(
    hook_repository: Path, project: Path, text: str, name: str = "train.py"
) -> subprocess.CompletedProcess[str]:
    (project / name).write_text(text)
    git(project, "init", "-q")
    git(project, "add", ".")
    return subprocess.run(
        [
            *(sys.executable, "-m", "pre_commit", "try-repo", str(hook_repository), "freezelint"),
            *("--verbose", "--all-files"),
        ],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_commit_with_a_bug_fails_and_one_without_passes(
    hook_repository: Path, tmp_path: Path
) -> None:
    start = "from torch import nn\n\nmodel = nn.Linear(2, 2)\n"
    done = try_repo(hook_repository, tmp_path, start + "model.requires_grad = False\n")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "error[FZ101]" in done.stdout
    assert "train.py:4:" in done.stdout
    done = try_repo(hook_repository, tmp_path, start + "model.requires_grad_(False)\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passed" in done.stdout


def test_a_notebook_is_checked_too(hook_repository: Path, tmp_path: Path) -> None:
    cells = ["from torch import nn\n\nmodel = nn.Linear(2, 2)", "model.requires_grad = False"]
    done = try_repo(hook_repository, tmp_path, notebook(*cells), "train.ipynb")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "train.ipynb:cell 2:1:1" in done.stdout
