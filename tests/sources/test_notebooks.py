"""Notebooks: what is read from them, where it stands, and what writing leaves alone."""

from __future__ import annotations

import ast
import json
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import v3

from freezelint.findings import Problem, Span
from freezelint.sources.document import Document, read_document
from freezelint.sources.python import UnreadableSource
from tests.notebooks import code, notebook, sources, text


def read(content: str | bytes) -> Document:
    return read_document("a.ipynb", content.encode() if isinstance(content, str) else content)


def place(document: Document, line: int) -> tuple[int, int]:
    """The cell and line that a line of the program comes from."""
    (program,) = document.programs
    found = document.located_problem(program, Problem("a.ipynb", "", line=line))
    assert found.line is not None
    return found.cell, found.line


def line_of(document: Document, wanted: str) -> int:
    (program,) = document.programs
    return program.lines.index(wanted) + 1


def test_code_cells_are_one_program_whose_lines_know_their_cell() -> None:
    document = read(notebook(text("# Title"), "x = 1\ny = 2", text("more"), "z = 3\n"))
    for wanted, where in {"x = 1": (2, 1), "y = 2": (2, 2), "z = 3": (4, 1)}.items():
        assert place(document, line_of(document, wanted)) == where
    assert document.lines(2) == ["x = 1", "y = 2"]
    assert document.lines(4) == ["z = 3", ""]


def test_lines_that_a_reader_would_not_split_are_one() -> None:
    document = read(notebook("x = '\u2028\x0c'\ny = 2", "z = 1\r\nw = 2"))
    assert place(document, line_of(document, "y = 2")) == (1, 2)
    assert place(document, line_of(document, "w = 2")) == (2, 2)


def test_an_older_format_is_read_as_nbformat_reads_it() -> None:
    cells = [v3.new_text_cell("markdown", "hi"), v3.new_code_cell("x = 1\ny = 2")]
    old = v3.new_notebook(worksheets=[v3.new_worksheet(cells=cells)] * 2)
    nbformat.validate(old)
    content = nbformat.v3.writes_json(old)
    assert sources(content) == ["hi", "x = 1\ny = 2"] * 2
    document = read(content)
    assert place(document, line_of(document, "y = 2")) == (2, 2)
    assert document.lines(4) == ["x = 1", "y = 2"]
    (program,) = document.programs
    changed = document.with_texts([program.text.replace("y = 2", "y = 3", 1)]).decode()
    assert changed == content.replace("y = 2", "y = 3", 1)


@pytest.mark.parametrize("language", ["R", "julia", "scala"])
def test_other_languages_have_no_program(language: str) -> None:
    assert read(notebook("x <- 1", language=language)).programs == ()


def test_a_cell_in_another_language_is_left_out() -> None:
    foreign = code("select 1 from (")
    foreign.metadata["vscode"] = {"languageId": "sql"}
    document = read(notebook(foreign, "x = 1"))
    assert document.lines(1) == []
    assert place(document, line_of(document, "x = 1")) == (2, 1)


@pytest.mark.parametrize("content", ["", " \n", notebook(), notebook(text("no code"))])
def test_nothing_to_check_is_no_error(content: str) -> None:
    assert read(content).programs == ()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is no notebook: not JSON (line 1, column 2: Expecting property name"),
        ("version https://git-lfs", "is no notebook: not JSON (line 1, column 1: "),
        (b'{"cells": "\xe9"}', "is no notebook: it is not UTF-8 (byte 0xe9 at offset 11)"),
        ("[" * 100_000, "is no notebook: its JSON is nested too deeply"),
        ("[]", "is no notebook: its JSON is no object"),
        ("{}", "is no notebook: it has no list of cells"),
        ('{"nbformat": 1}', "is no notebook: it has no list of cells (its nbformat is 1)"),
        ('{"cells": {}}', "is no notebook: its cells are no list"),
        ('{"cells": [1]}', "is no valid notebook: cell 1 is no object"),
        (
            '{"cells": [{"cell_type": "code", "source": [1]}]}',
            "is no valid notebook: the source of cell 1 is neither text nor a list of lines",
        ),
        (
            '{"cells": [{"cell_type": "code", "source": "\\ud83d"}]}',
            "is no valid notebook: cell 1 holds half a character (a lone surrogate)",
        ),
    ],
)
def test_what_is_no_notebook_says_why(content: str | bytes, reason: str) -> None:
    with pytest.raises(UnreadableSource) as caught:
        read(content)
    assert caught.value.reason.startswith(reason)


def test_a_span_behind_a_timing_command_is_shifted() -> None:
    document = read(notebook("%time x = f()\n!ls ("))
    (program,) = document.programs
    assert program.lines[0].startswith("x = f()  ")
    finding = _finding(Span(1, 5, 1, 8))
    assert document.located(program, finding).span == Span(1, 11, 1, 14, cell=1)


def test_commands_stay_when_the_line_below_is_changed() -> None:
    content = notebook("%time x = f()\n!ls (\ny = 2", "%%bash\nls '")
    document = read(content)
    (program,) = document.programs
    changed = document.with_texts([program.text.replace("y = 2", "z = 3\nw = 4")])
    assert sources(changed) == ["%time x = f()\n!ls (\nz = 3\nw = 4", "%%bash\nls '"]


def test_a_cell_that_is_indented_as_a_whole_runs_and_stays_indented() -> None:
    content = notebook("\n  x = 1\n \n    \n  if x:\n      %pwd\n  y = 2", "\t!ls\n\tz = 1")
    document = read(content)
    (program,) = document.programs
    ast.parse(program.text)
    span = Span(line_of(document, "y = 2"), 1, line_of(document, "y = 2"), 6)
    assert document.located(program, _finding(span)).span == Span(7, 3, 7, 8, cell=1)
    changed = document.with_texts([program.text.replace("= 2", "= 3\nw = 4")])
    first, second = sources(changed)
    assert first == "\n  x = 1\n \n    \n  if x:\n      %pwd\n  y = 3\n  w = 4"
    assert second == "\t!ls\n\tz = 1"


def _finding(span: Span) -> Any:
    from freezelint.findings import Finding, Level

    return Finding("FZ101", "n", Level.ERROR, "a.ipynb", span, "m", "h")


CHARACTERS = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"),
    max_size=8,
)
LINES = st.sampled_from(
    ["x = 1", "", "%pwd", "!ls 'x", "y = 'é→😀'", 'z = "\\\\n"', "if x:\n    pass", "%time t = 1"]
)
SOURCES = st.lists(LINES, min_size=2, max_size=5).map("\n".join)


@st.composite
def stored_notebooks(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A notebook, and how its JSON is written."""
    cells = []
    for _ in range(draw(st.integers(1, 4))):
        source = draw(SOURCES)
        is_list = draw(st.booleans())
        cell = {
            "cell_type": draw(st.sampled_from(["code", "code", "markdown"])),
            "metadata": {"note": draw(CHARACTERS), "list": [1.50, None, {"source": "no"}]},
            "source": source.splitlines(keepends=True) if is_list else source,
        }
        if cell["cell_type"] == "code":
            cell |= {"outputs": [{"text": draw(CHARACTERS)}], "execution_count": None}
        keys = draw(st.permutations(list(cell)))
        cells.append({key: cell[key] for key in keys})
    # How it treats what is not ASCII is to be seen somewhere.
    made = {"metadata": {"authors": "é"}, "cells": cells, "nbformat": 4, "nbformat_minor": 4}
    style = {
        "indent": draw(st.sampled_from([None, 1, 2, "\t"])),
        "ensure_ascii": draw(st.booleans()),
        "sort_keys": draw(st.booleans()),
    }
    return made, style


@given(stored_notebooks(), st.sampled_from(["", "\n", "\r\n \n"]), st.booleans())
def test_what_is_not_changed_keeps_its_bytes(
    stored: tuple[dict[str, Any], dict[str, Any]], ending: str, bom: bool
) -> None:
    made, style = stored
    content = (("\ufeff" if bom else "") + json.dumps(made, **style) + ending).encode()
    document = read(content)
    assert document.with_texts([each.text for each in document.programs]) == content


@given(stored_notebooks(), st.sampled_from(["", "\n"]), st.sampled_from(["\n", "\r\n"]), st.data())
def test_a_changed_cell_changes_in_its_source_only(
    stored: tuple[dict[str, Any], dict[str, Any]], ending: str, newline: str, data: st.DataObject
) -> None:
    made, style = stored
    numbers = [n for n, each in enumerate(made["cells"]) if each["cell_type"] == "code"]
    if not numbers:
        return
    number = data.draw(st.sampled_from(numbers))
    cell = made["cells"][number]
    before = "".join(cell["source"])
    _set_source(cell, f"{before}\nold = 1")
    content = (json.dumps(made, **style) + ending).replace("\n", newline)
    document = read(content)
    (program,) = document.programs
    new = data.draw(st.sampled_from(["new = 'ü'", 'new = "a"\nnewer = "→\\\\"', "a\nb\n"]))
    after = document.with_texts([program.text.replace("old = 1", new)])
    _set_source(cell, f"{before}\n{new}")
    assert after.decode() == (json.dumps(made, **style) + ending).replace("\n", newline)


def _set_source(cell: dict[str, Any], source: str) -> None:
    is_list = isinstance(cell["source"], list)
    cell["source"] = source.splitlines(keepends=True) if is_list else source


@pytest.mark.parametrize(
    ("stored", "after"),
    [
        (r'["x = 1\n",  "y = \u003d\u0032"]', r'["new\n",  "y = \u003d\u0032"]'),
        (r'"x = 1\ny = \/\u0032\n"', r'"new\ny = \/\u0032\n"'),
        (r'"x = 1\n\\n"', r'"new\n\\n"'),
        ('["x = 1"]', '["new"]'),
        ('[\n "x",\n " = 1"\n]', '[\n "new"\n]'),
    ],
)
def test_lines_that_stay_are_written_as_they_were(stored: str, after: str) -> None:
    content = f'{{"nbformat": 4, "cells": [{{"source":{stored} , "cell_type": "code"}}]}}'
    document = read(content)
    (program,) = document.programs
    changed = document.with_texts([program.text.replace("x = 1", "new")])
    assert changed.decode() == content.replace(stored, after)


def test_a_mark_of_our_own_in_a_cell_is_no_end_of_it() -> None:
    content = notebook("#-command-end of cell\nx = 1", "y = 2")
    document = read(content)
    (program,) = document.programs
    changed = document.with_texts([program.text.replace("y = 2", "y = 3")])
    assert sources(changed) == ["#-command-end of cell\nx = 1", "y = 3"]
