"""All formats: which there are, what each makes of one result, and where it goes."""

from __future__ import annotations

import inspect
import json
import os
import pkgutil
import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

import freezelint.reports
from freezelint import __version__
from freezelint.cli import check
from freezelint.reports.formats import FORMATS, renderer
from freezelint.reports.presentation import Presentation
from tests.conftest import ROOT
from tests.reports.example import PROBLEMS, example

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

    from freezelint.engine import CheckResult
    from tests.conftest import Project

MACHINES = sorted(FORMATS.keys() - {"text", "concise"})
BUG = "import torch\n\nnet = torch.nn.Linear(1, 1)\nnet.requires_grad = False\n"
FIXED = BUG.replace(".requires_grad = False", ".requires_grad_(False)")


def rendered(name: str, result: CheckResult, **asked: bool) -> str:
    return "".join(f"{each}\n" for each in renderer(name)(result, Presentation(**asked)))


def test_each_choice_has_a_module_and_each_module_that_renders_a_result_is_a_choice() -> None:
    (option,) = (each for each in check.params if each.name == "output_format")
    assert list(option.type.choices) == list(FORMATS)  # type: ignore[attr-defined]
    modules = {
        f"freezelint.reports.{each.name}"
        for each in pkgutil.iter_modules(freezelint.reports.__path__)
    }
    can_render = {
        each
        for each in modules
        for render in [getattr(import_module(each), "render", None)]
        if render and list(inspect.signature(render).parameters) == ["result", "presentation"]
    }
    assert set(FORMATS.values()) == can_render


def test_the_readme_lists_them() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    table = readme.split("| `--output-format` | for |")[1].split("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert [name for cell in cells for name in re.findall("`(.*?)`", cell)] == list(FORMATS)


def test_only_the_format_that_is_asked_for_is_loaded(project: Project) -> None:
    project.write("train.py", BUG)
    code = (
        "import sys\nfrom freezelint.cli import main\n"
        "try:\n    main(['check', '--output-format', 'gitlab', '--exit-zero'])\n"
        "except SystemExit:\n    print(*sys.modules, sep='\\n')"
    )
    modules = project.python("-c", code).output.splitlines()
    assert set(FORMATS.values()) & set(modules) == {FORMATS["gitlab"]}


@pytest.mark.parametrize("name", FORMATS)
def test_what_it_looks_like(name: str, project: Project, snapshot: SnapshotAssertion) -> None:
    text = rendered(name, example(project))
    if name == "sarif":
        document = json.loads(text)
        # The rules' own words; a test of their own holds them against the schema.
        document["runs"][0]["tool"]["driver"]["rules"] = "..."
        text = json.dumps(document, indent=2)
    text = text.replace(project.folder.as_uri(), "file:///project").replace(__version__, "VERSION")
    assert text == snapshot


@pytest.mark.parametrize("name", FORMATS)
def test_no_report_holds_what_a_terminal_obeys(name: str, project: Project) -> None:
    text = rendered(name, example(project), problems=True)
    assert {each for each in text if not each.isprintable()} <= {"\n"}


@pytest.mark.parametrize("name", FORMATS)
def test_every_finding_and_every_problem_is_told(name: str, project: Project) -> None:
    result = example(project)
    text = rendered(name, result, problems=True)
    assert all(each.code in text for each in result.findings)
    assert all(each.reason[:14] in text for each in PROBLEMS)


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_found_is_a_report_too(name: str, project: Project) -> None:
    project.write("a.py", "x = 1\n")
    answer = project.freezelint("check", "--output-format", name)
    assert answer.code == 0
    assert bool(answer.output) is (name != "github")


def test_concise_is_a_line_each_with_a_star_for_safe_fixes(project: Project) -> None:
    assert rendered("concise", example(project), quiet=True).splitlines() == [
        "lib/build.py:1:1: FZ001 silences \\x1b[31mnothing\\x00 \\ufffe",
        "note.ipynb:cell 7:3:1: FZ101[*] `net` is a module",
        "src/tr äin.py:3:10: FZ101[*] `net[0](x)` is a module: {0}",
        "src/tr äin.py:4:13: FZ301 the optimizer was built before the freeze",
    ]


def test_people_may_count_instead_of_read(project: Project) -> None:
    project.write("train.py", BUG)
    counted = "1  FZ101  module-attribute-freeze\n"
    for name in ("text", "concise"):
        options = ("--output-format", name, "--statistics", "--quiet")
        assert project.freezelint("check", *options).output == counted


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_gets_what_a_terminal_would(name: str, project: Project) -> None:
    project.write("train.py", BUG)
    printed = project.freezelint("check", "--output-format", name)
    answer = project.freezelint("check", "--output-format", name, "--output-file", "out/report")
    assert answer == (1, "", "")
    assert (project.folder / "out" / "report").read_text(encoding="utf-8") == printed.output


def test_a_file_for_people_has_no_colours_and_says_what_was_not_checked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    project.write("broken.py", "if x\n")
    answer = project.freezelint("check", "--output-file", "report.txt")
    problem = "error: broken.py:1: syntax error: expected ':'\n"
    assert answer == (2, "", problem)
    assert (project.folder / "report.txt").read_text() == (
        f"{problem}No freeze bugs found in 0 files. 1 path could not be checked.\n"
    )


def test_a_file_that_cannot_be_written_is_a_failure(project: Project) -> None:
    project.write("train.py", BUG)
    (project.folder / "folder").mkdir()
    answer = project.freezelint("check", "--output-file", "folder")
    assert answer == (2, "", "error: folder: cannot be written: is a directory\n")
    answer = project.freezelint("check", "--output-file", "train.py/report")
    assert answer.code == 2
    assert answer.errors.startswith("error: train.py/report: cannot be written: ")


@pytest.mark.skipif(sys.platform == "win32", reason="has no such files")
def test_what_is_no_file_is_written_to_and_stays(project: Project) -> None:
    project.write("train.py", BUG)
    reader, writer = os.pipe()
    path = f"/dev/fd/{writer}"
    assert (
        project.freezelint("check", "--output-format", "concise", "--output-file", path).code == 1
    )
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        assert pipe.read().startswith("train.py:4:1: FZ101[*] ")
    fifo = project.folder / "fifo"
    os.mkfifo(fifo)
    descriptor = os.open(fifo, os.O_RDWR)
    assert project.freezelint("check", "--output-file", "fifo").code == 1
    assert os.read(descriptor, 5) == b"error"
    assert not fifo.is_file()
    os.close(descriptor)


def test_a_diff_goes_to_the_file_too(project: Project) -> None:
    project.write("train.py", BUG)
    printed = project.freezelint("check", "--diff", "--quiet")
    assert project.freezelint("check", "--diff", "--quiet", "--output-file", "a.diff") == (
        1,
        "",
        "",
    )
    assert (project.folder / "a.diff").read_text() == printed.output


def test_a_fixed_standard_input_and_a_report_in_a_file_do_not_meet(project: Project) -> None:
    options = ("--fix", "--output-format", "json", "--output-file", "report.json")
    answer = project.freezelint("check", "-", *options, stdin=BUG)
    assert answer == (0, FIXED, "")
    assert json.loads((project.folder / "report.json").read_text())["findings"] == []
