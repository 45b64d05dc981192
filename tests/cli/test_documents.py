"""Notebooks and documents, as checked from the command line."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.notebooks import code, notebook, sources, text

if TYPE_CHECKING:
    from tests.conftest import Project

MODEL = "from torchvision.models import resnet18\n\nmodel = resnet18(weights='DEFAULT')\n"
BUG = "model.requires_grad = False"
PROSE = f"Read on.\n\n```python\n{MODEL}{BUG}\n```\n"


def test_a_finding_in_a_notebook_is_placed_and_quoted_by_cell(project: Project) -> None:
    project.write("nb/train.ipynb", notebook(text("# One"), f"%matplotlib inline\n{MODEL}", BUG))
    answer = project.freezelint("check")
    assert answer.code == 1
    assert answer.output.startswith(
        "error[FZ101]: `model` is a module: this stores an attribute, and no parameter's flag "
        "changes\n"
        " --> nb/train.ipynb:cell 3:1:1\n"
        "  |\n"
        "1 | model.requires_grad = False\n"
        "  | ^^^^^^^^^^^^^^^^^^^ module-attribute-freeze\n"
        "  |\n"
        " ::: nb/train.ipynb:cell 2:4:9\n"
        "  |\n"
        "4 | model = resnet18(weights='DEFAULT')\n"
        "  |         --------------------------- this makes it a module\n"
        "  |\n"
        "  = help: "
    )


def test_machines_are_told_the_cell(project: Project) -> None:
    project.write("a.ipynb", notebook(MODEL, BUG))
    (finding,) = json.loads(project.freezelint("check", "--output-format", "json").output)[
        "findings"
    ]
    assert (finding["cell"], finding["line"], finding["column"]) == (2, 1, 1)
    assert [(each["cell"], each["line"]) for each in finding["evidence"]] == [(1, 3)]
    annotation = project.freezelint("check", "--output-format", "github").output
    assert annotation.startswith(
        "::error file=a.ipynb,title=FZ101 module-attribute-freeze::cell 2, line 1: `model` is"
    )
    assert "%0Aa.ipynb:cell 1:3:9: this makes it a module%0A" in annotation


def test_a_syntax_error_is_placed_by_cell(project: Project) -> None:
    project.write("a.ipynb", notebook(text("hi"), MODEL, f"{BUG}\nif x"))
    project.write("plain.ipynb", notebook("x = 1", "if x"))
    answer = project.freezelint("check")
    assert answer.code == 2
    assert answer.errors == (
        "error: a.ipynb:cell 3:2: syntax error: expected ':'\n"
        "error: plain.ipynb:cell 2:1: syntax error: expected ':'\n"
    )
    annotations = project.freezelint("check", "--output-format", "github").output
    assert "::error file=a.ipynb,title=freezelint::cell 3, line 2: syntax error" in annotations


def test_a_notebook_that_cannot_be_read_says_why(project: Project) -> None:
    project.write("a.ipynb", "<<<<<<< HEAD\n" + notebook(BUG))
    answer = project.freezelint("check", "a.ipynb")
    assert answer.code == 2
    assert answer.errors == (
        "error: a.ipynb: is no notebook: not JSON (line 1, column 1: Expecting value)\n"
    )


@pytest.mark.parametrize(
    "last",
    ["model.fc.weight.requires_grad == False", "model.train", "model.train;", "x = 1; model.eval"],
)
def test_the_last_expression_of_a_cell_is_displayed_not_dropped(
    project: Project, last: str
) -> None:
    project.write("a.ipynb", notebook(MODEL, f"{last}  # to see\n", "!ls"))
    answer = project.freezelint("check")
    assert (answer.code, answer.output) == (0, "No freeze bugs found in 1 file.\n")
    project.write("a.ipynb", notebook(MODEL, f"é = 'ü'; {last}\nx = 2"))
    assert project.freezelint("check").code == 1


def test_an_expression_at_the_end_of_a_loop_in_a_cell_is_dropped(project: Project) -> None:
    project.write("a.ipynb", notebook(MODEL, "for each in range(3):\n    model.train"))
    assert "error[FZ110]" in project.freezelint("check").output


def test_findings_in_a_cell_can_be_silenced(project: Project) -> None:
    project.write("a.ipynb", notebook(text("x"), MODEL, f"\n{BUG}  # freezelint: ignore[FZ101]"))
    assert project.freezelint("check").code == 0
    project.write("a.ipynb", notebook("# freezelint: skip-file", MODEL, BUG))
    assert project.freezelint("check").code == 0
    project.write("a.ipynb", notebook(text("x"), MODEL, "\nx = 1  # freezelint: ignore[FZ101]"))
    answer = project.freezelint("check", "--strict")
    assert "info[FZ001]" in answer.output
    assert "--> a.ipynb:cell 3:2:8" in answer.output


def test_a_fix_changes_the_source_of_its_cell_and_nothing_else(project: Project) -> None:
    ran = [text("# É"), code(f"!pip install x\n{MODEL}", printed="ok ü"), code(BUG, printed=BUG)]
    content = notebook(*ran)
    project.write("a.ipynb", content)
    answer = project.freezelint("check", "--fix")
    assert answer.code == 0
    assert answer.output.endswith("Fixed 1 finding in 1 file.\n")
    after = (project.folder / "a.ipynb").read_text(encoding="utf-8")
    before, _, rest = content.rpartition(BUG)
    assert after == f"{before}model.requires_grad_(False){rest}"
    assert sources(after)[2] == "model.requires_grad_(False)"


def test_the_diff_of_a_notebook_is_that_of_its_json(project: Project) -> None:
    project.write("a.ipynb", notebook(MODEL, BUG))
    output = project.freezelint("check", "--diff").output
    assert '-    "model.requires_grad = False"\n+    "model.requires_grad_(False)"\n' in output


OPTIMIZER = "import torch\noptimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)\n"
FREEZE = "for each in model.layer1.parameters():\n    each.requires_grad = False\n"
STEP = "optimizer.step()"


def test_nothing_is_moved_from_cell_to_cell(project: Project) -> None:
    timed = OPTIMIZER.replace("optimizer =", "%time optimizer =")
    project.write("one.ipynb", notebook(MODEL, f"!ls\n{timed}{FREEZE}", STEP))
    fixed = project.freezelint("check", "--fix", "--unsafe-fixes", "one.ipynb")
    assert "Fixed 1 finding" in fixed.output
    cells = sources((project.folder / "one.ipynb").read_bytes())
    trainable = "[p for p in model.parameters() if p.requires_grad]"
    moved = f"%time optimizer = torch.optim.AdamW({trainable}, lr=1e-3)\n"
    assert cells == [MODEL, f"!ls\nimport torch\n{FREEZE}{moved}", STEP]
    content = notebook(MODEL, OPTIMIZER, FREEZE, STEP)
    project.write("two.ipynb", content)
    answer = project.freezelint("check", "--fix", "--unsafe-fixes", "two.ipynb")
    assert "warning[FZ301]" in answer.output
    assert "= fix:" not in answer.output
    assert (project.folder / "two.ipynb").read_text(encoding="utf-8") == content


def test_a_notebook_can_come_from_standard_input(project: Project) -> None:
    content = notebook(MODEL, BUG)
    answer = project.freezelint("check", "-", "--stdin-filename", "x.ipynb", stdin=content)
    assert answer.code == 1
    assert " --> x.ipynb:cell 2:1:1\n  |\n1 | model.requires_grad = False\n" in answer.output
    fixed = project.freezelint("check", "-", "--fix", "--stdin-filename", "x.ipynb", stdin=content)
    assert sources(fixed.output) == [MODEL, "model.requires_grad_(False)"]


def test_words_written_as_escapes_are_found(project: Project) -> None:
    content = notebook(MODEL, BUG).replace("requires_grad", "requires_\\u0067rad")
    project.write("a.ipynb", content.replace("optim", "\\u006fptim"))
    assert "error[FZ101]" in project.freezelint("check").output


def test_top_level_await_is_fine(project: Project) -> None:
    project.write("a.ipynb", notebook(MODEL, f"await something()\n{BUG}"))
    answer = project.freezelint("check")
    assert (answer.code, answer.errors) == (1, "")


def test_notebooks_are_found_in_folders_and_copies_of_editors_are_not(project: Project) -> None:
    project.write("a/b.ipynb", notebook(BUG))
    project.write("a/.ipynb_checkpoints/b.ipynb", notebook(BUG))
    assert project.freezelint("check").output == "No freeze bugs found in 1 file.\n"


@pytest.mark.parametrize("name", ["README.md", "a.markdown", "docs/index.rst"])
def test_documents_are_checked_when_asked_for(project: Project, name: str) -> None:
    indented = "".join(f"   {each}\n" for each in (MODEL + BUG).split("\n"))
    rest = f"Read on.\n\n.. code-block:: python\n\n{indented}"
    project.write(name, rest if name.endswith(".rst") else PROSE)
    project.write("a.py", "x = 1\n")
    assert project.freezelint("check").output == "No freeze bugs found in 1 file.\n"
    assert project.freezelint("check", name).code == 1
    answer = project.freezelint("check", "--docs")
    place = "8:4" if name.endswith(".rst") else "7:1"
    shown = name.replace("/", os.sep)
    assert f"{shown}:{place}\n" in answer.output
    assert " | " + " " * (int(place[2:]) - 1) + "model.requires_grad = False\n" in answer.output


def test_the_settings_can_ask_for_documents_and_the_command_line_refuse(project: Project) -> None:
    project.write("a.md", PROSE)
    project.write("pyproject.toml", "[tool.freezelint]\ndocs = true\n")
    assert project.freezelint("check").code == 1
    assert project.freezelint("check", "--no-docs").code == 0


def test_a_fix_in_a_document_changes_its_line_only(project: Project) -> None:
    project.write("a.md", PROSE.replace("\n", "\r\n"))
    assert project.freezelint("check", "--fix", "a.md").code == 0
    after = (project.folder / "a.md").read_bytes().decode()
    assert after == PROSE.replace(BUG, "model.requires_grad_(False)").replace("\n", "\r\n")


def test_what_is_displayed_at_a_prompt_is_not_dropped(project: Project) -> None:
    lines = (MODEL + "model.train\nx = 1").split("\n")
    session = "\n".join(f">>> {each}" for each in lines if each)
    project.write("a.md", f"```pycon\n{session}\n```\n")
    assert project.freezelint("check", "--docs").code == 0


def test_plain_python_needs_no_parser_of_documents(project: Project) -> None:
    project.write("a.py", f"{MODEL}{BUG}\n")
    project.write("a.md", PROSE)
    program = (
        "import sys; from freezelint.cli import main\n"
        "try: main(['check', '.'])\n"
        "finally: assert not {'markdown_it', 'freezelint.sources.notebook'} & set(sys.modules)"
    )
    answer = project.python("-c", program)
    assert answer.code == 1, answer.errors
