"""Files of settings: the nearest counts, mistakes are named, and people can ask what holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Answer, Project

FZ101 = "x.requires_grad = 1  # BUG FZ101\n"
FZ301 = "optimizer = SGD(x)  # BUG FZ301\n"

pytestmark = pytest.mark.usefixtures("marked_bugs")


def found(answer: Answer) -> str:
    """The findings as ``path:line code``, in their order."""
    assert answer.code in (0, 1), answer.errors
    lines = answer.output.splitlines()
    heads = [line for line in lines if line.startswith(("error[", "warning["))]
    places = [line.split("--> ")[1] for line in lines if "--> " in line]
    return " ".join(
        f"{place.rpartition(':')[0]} {head.partition('[')[2][:5]}"
        for head, place in zip(heads, places, strict=True)
    )


@pytest.mark.parametrize(
    ("name", "heading"),
    [("pyproject.toml", "[tool.freezelint]\n"), ("freezelint.toml", "")],
)
def test_settings_are_read_from_either_file(project: Project, name: str, heading: str) -> None:
    project.write(name, f"{heading}ignore = ['FZ1']\n")
    project.write("a.py", FZ101 + FZ301)
    assert found(project.freezelint("check")) == "a.py:2 FZ301"


def test_a_file_of_its_own_comes_before_the_shared_one(project: Project) -> None:
    project.write("pyproject.toml", "[tool.freezelint]\nignore = ['FZ1']\n")
    project.write("freezelint.toml", "ignore = ['FZ3']\n")
    project.write("a.py", FZ101 + FZ301)
    assert found(project.freezelint("check")) == "a.py:1 FZ101"


def test_the_settings_nearest_to_each_file_count(project: Project) -> None:
    project.write("freezelint.toml", "ignore = ['FZ1']\n")
    project.write("a.py", FZ101 + FZ301)
    project.write("inner/deep/a.py", FZ101 + FZ301)
    project.write("inner/pyproject.toml", "[tool.freezelint]\nignore = ['FZ3']\n")
    project.write("other/pyproject.toml", "[tool.black]\nline-length = 100\n")
    project.write("other/a.py", FZ101 + FZ301)
    expected = "a.py:2 FZ301 inner/deep/a.py:1 FZ101 other/a.py:2 FZ301"
    assert found(project.freezelint("check")) == expected
    named = project.freezelint("check", "a.py", "inner/deep/a.py", "other/a.py")
    assert found(named) == expected


def test_an_extended_file_comes_first_and_lists_add_up(project: Project) -> None:
    project.write("shared/base.toml", "[tool.freezelint]\n")
    project.write(
        "shared/freezelint.toml",
        "ignore = ['FZ1']\nstrict = true\nextend-exclude = ['generated']\n",
    )
    project.write("freezelint.toml", "extend = 'shared/freezelint.toml'\nignore = ['FZ3']\n")
    project.write("a.py", FZ101 + FZ301)
    assert found(project.freezelint("check", "a.py")) == "a.py:1 FZ101"
    answer = project.freezelint("config")
    lines = {line.partition(" = ")[0]: line.split() for line in answer.output.splitlines()}
    assert lines["ignore"][2:] == ['["FZ3"]', "#", "freezelint.toml"]
    assert lines["strict"][2:] == ["true", "#", "shared/freezelint.toml"]
    assert lines["jobs"][2:] == ["-", "#", "default"]


def test_rules_can_be_off_for_some_files(project: Project) -> None:
    project.write(
        "pyproject.toml",
        "[tool.freezelint.per-file-ignores]\n'tests/' = ['FZ101']\n'*_old.py' = 'FZ'\n",
    )
    for name in ("tests/deep/a.py", "src/a_old.py", "src/tests.py"):
        project.write(name, FZ101 + FZ301)
    assert found(project.freezelint("check")) == (
        "src/tests.py:1 FZ101 src/tests.py:2 FZ301 tests/deep/a.py:2 FZ301"
    )


def test_folders_and_files_can_be_excluded(project: Project) -> None:
    for name in ("a.py", "build/a.py", "legacy/a.py", "src/a_pb2.py", "src/legacy.py"):
        project.write(name, FZ101)
    project.write("freezelint.toml", "extend-exclude = ['/legacy/', '*_pb2.py']\n")
    assert found(project.freezelint("check")) == "a.py:1 FZ101 src/legacy.py:1 FZ101"
    project.write("freezelint.toml", "exclude = ['src']\n")
    assert found(project.freezelint("check")) == (
        "a.py:1 FZ101 build/a.py:1 FZ101 legacy/a.py:1 FZ101"
    )
    answer = project.freezelint("check", "--exclude", "[a-k]*")
    assert found(answer) == "src/legacy.py:1 FZ101"


def test_what_is_named_is_checked_unless_exclusion_is_forced(project: Project) -> None:
    project.write("legacy/a.py", FZ101)
    project.write("build/a.py", FZ101)
    project.write("freezelint.toml", "extend-exclude = ['legacy']\n")
    named = ("check", "legacy/a.py", "build/a.py")
    assert found(project.freezelint(*named)) == "build/a.py:1 FZ101 legacy/a.py:1 FZ101"
    assert found(project.freezelint(*named, "--force-exclude")) == ""


def test_options_outweigh_settings(project: Project) -> None:
    project.write("freezelint.toml", "select = ['FZ1']\nignore = ['FZ301']\n")
    project.write("a.py", FZ101 + FZ301)
    assert found(project.freezelint("check")) == "a.py:1 FZ101"
    assert found(project.freezelint("check", "--select", "FZ3")) == "a.py:2 FZ301"
    assert found(project.freezelint("check", "--isolated")) == "a.py:1 FZ101 a.py:2 FZ301"
    other = project.write("other.toml", "ignore = ['FZ101']\n")
    assert found(project.freezelint("check", "--config", str(other))) == "a.py:2 FZ301"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("selct = ['FZ1']", "[tool.freezelint] selct is unknown; did you mean select?"),
        ("select = ['FZ9']", "[tool.freezelint] select is wrong: no rule has the code FZ9; "),
        ("select = 3", "[tool.freezelint] select must be a list of codes or prefixes of codes, "),
        ("strict = 'yes'", "[tool.freezelint] strict must be true or false, not 'yes'"),
        ("jobs = 0", "[tool.freezelint] jobs must be a whole number of at least 1, not 0"),
        ("jobs = true", "[tool.freezelint] jobs must be a whole number of at least 1, not True"),
        ("exclude = [1]", "[tool.freezelint] exclude must be a list of patterns of paths, not [1]"),
        ("per-file-ignores = ['a']", "[tool.freezelint] per-file-ignores must be a table of "),
        ("extend = 'no.toml'", "[tool.freezelint] extend: there is no file "),
        ("extend = 'pyproject.toml'", "[tool.freezelint] extend leads back to "),
        ("select = [", "pyproject.toml is not valid TOML: "),
    ],
)
def test_a_mistake_is_named_with_its_file_and_key(
    project: Project, text: str, message: str
) -> None:
    project.write("pyproject.toml", f"[tool.freezelint]\n{text}\n")
    project.write("a.py", FZ101)
    answer = project.freezelint("check")
    assert answer.code == 2
    assert f"{project.folder / 'pyproject.toml'}" in answer.errors
    assert message in " ".join(answer.errors.split())


def test_fixing_can_be_a_setting(project: Project) -> None:
    project.write("freezelint.toml", "fix = true\n")
    text = "import torch\nnet = torch.nn.Linear(1, 1)\nnet.requires_grad = False\n"
    file = project.write("a.py", text)
    assert project.freezelint("check", "--no-fix").code in (0, 1)
    assert file.read_text() == text


def test_every_setting_is_listed_with_its_source(project: Project) -> None:
    project.write("freezelint.toml", "strict = true\n[runtime]\nevery = 5\n")
    answer = project.freezelint("config")
    assert answer.code == 0
    assert "strict = true" in answer.output
    assert answer.output.count("# freezelint.toml\n") == 2
    assert "[runtime]\n" in answer.output
