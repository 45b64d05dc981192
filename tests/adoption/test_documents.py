"""Notebooks and documents with code in them are adopted like scripts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import nbformat

from tests.notebooks import code, notebook, sources

if TYPE_CHECKING:
    from tests.conftest import Project

START = "import torch\n\nnet = torch.nn.Linear(1, 1)"
BUG = "net.requires_grad = False"
OTHER = "net.bias.requires_grad == True"
BLOCK = f"```python\n{START}\n{BUG}\n```\n"


def test_comments_go_into_the_cells_and_nothing_else_changes(project: Project) -> None:
    before = notebook(
        START, "# Text", f"%time x = 1\n{BUG}  # for now", code(f"{OTHER}\nprint(1)", printed="1")
    )
    file = project.write("a.ipynb", before)
    answer = project.freezelint("check", "--strict", "--add-noqa")
    assert answer.output.endswith("Added `# noqa` for 2 findings in 1 file.\n")
    after = file.read_text("utf-8")
    assert sources(after) == [
        *(START, "# Text", f"%time x = 1\n{BUG}  # for now  # noqa: FZ101"),
        f"{OTHER}  # noqa: FZ105\nprint(1)",
    ]
    cells = nbformat.reads(after, as_version=4).cells
    assert cells[3].outputs == nbformat.reads(before, as_version=4).cells[3].outputs
    assert project.freezelint("check", "--strict", "--add-noqa").code == 0
    assert file.read_text("utf-8") == after


def test_comments_go_into_the_blocks_of_a_document(project: Project) -> None:
    block = BLOCK.replace("\n", "\n  ")
    file = project.write("a.md", f"# Title\n\n{BLOCK}\n- {block}\n")
    assert project.freezelint("check", "--docs", "--add-noqa").code == 0
    assert file.read_text() == f"# Title\n\n{BLOCK}\n- {block}\n".replace(
        BUG, f"{BUG}  # noqa: FZ101"
    )


def test_what_is_known_in_a_notebook_stays_known_in_another_cell(project: Project) -> None:
    project.write("a.ipynb", notebook(START, BUG))
    project.write("b.md", f"Text.\n\n{BLOCK}")
    project.freezelint("check", "--docs", "--write-baseline", "known.json")
    project.write("a.ipynb", notebook("# new", START, f"x = 1\n{BUG}"))
    project.write("b.md", f"Text.\n\nMore.\n\n{BLOCK}")
    options = ("--docs", "--baseline", "known.json", "--output-format", "json")
    assert project.freezelint("check", *options).code == 0
    project.write("a.ipynb", notebook(START, BUG, BUG))
    answer = project.freezelint("check", *options)
    assert [each["cell"] for each in json.loads(answer.output)["findings"]] == [3]
    assert json.loads(answer.output)["summary"]["known"] == 2
