"""What is not needed is not loaded: that is why the command starts at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Project

HEAVY = {
    *("torch", "libcst", "rich", "pathspec"),
    *("dataclasses", "multiprocessing", "concurrent.futures"),
}


def loaded(project: Project, statement: str) -> set[str]:
    code = f"""
import sys
try:
    {statement}
except SystemExit as exit:
    assert not exit.code, exit.code
print(*sys.modules, sep="\\n")
"""
    answer = project.python("-c", code)
    assert answer.code == 0, answer.errors
    return set(answer.output.splitlines())


def running(*arguments: str) -> str:
    return f"from freezelint.cli import main; main({list(arguments)!r})"


def test_importing_the_package_loads_nothing_heavy(project: Project) -> None:
    assert not HEAVY & loaded(project, "import freezelint")


def test_the_version_loads_nothing_heavy(project: Project) -> None:
    modules = loaded(project, running("--version"))
    assert not HEAVY & modules
    assert "freezelint.engine" not in modules


@pytest.mark.parametrize("text", ["x = 1\n", ""])
def test_a_run_without_candidates_loads_neither_the_rules_nor_libcst(
    project: Project, text: str
) -> None:
    project.write("a.py", text)
    project.write(".gitignore", "build/\n*.egg-info\n")
    modules = loaded(project, running("check", "."))
    assert not HEAVY & modules
    assert not {each for each in modules if each.startswith("freezelint.rules")}


def test_rules_decide_on_a_file_without_libcst(project: Project) -> None:
    project.write("a.py", "def requires_grad():\n    return 1\n")
    modules = loaded(project, running("check", "."))
    assert {each for each in modules if each.startswith("freezelint.rules.")}
    assert "libcst" not in modules


@pytest.mark.parametrize(
    ("ignore", "is_needed"),
    [
        ("", False),
        ("# nothing.py\n\n", False),
        ("build/\n*.egg-info\n*.py[cod]\n.coverage.*\n/a.txt\n", False),
        ("*.py\n", True),
        ("src/\n", True),
    ],
)
def test_patterns_are_understood_only_where_a_name_is_like_one(
    project: Project, ignore: str, is_needed: bool
) -> None:
    project.write("a.py", "x = 1\n")
    project.write("src/b.py", "x = 1\n")
    project.write(".gitignore", ignore)
    assert ("pathspec" in loaded(project, running("check", "."))) is is_needed


def test_only_the_rules_that_a_file_may_break_are_loaded(project: Project) -> None:
    project.write("a.py", "from torch import nn\n\nnn.Linear(1, 1).requires_grad = False\n")
    modules = loaded(project, running("check", "--exit-zero", "."))
    assert "freezelint.rules.never_lands.module_attribute_freeze" in modules
    assert "freezelint.rules.surgery.stale_optimizer" not in modules


def test_listing_the_rules_does_not_need_torch(project: Project) -> None:
    assert "torch" not in loaded(project, running("rules"))


def test_the_module_runs_like_the_command(project: Project) -> None:
    answer = project.python("-m", "freezelint", "--version")
    assert answer.output.startswith("freezelint ")
