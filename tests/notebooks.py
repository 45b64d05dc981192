"""Notebooks as Jupyter makes them: with nbformat, which also says whether they are valid."""

from __future__ import annotations

import nbformat
from nbformat import v4


def code(source: str, *, printed: str = "") -> nbformat.NotebookNode:
    """Return a code cell, and what it printed when it was run."""
    outputs = [v4.new_output("stream", text=printed)] if printed else []
    return v4.new_code_cell(source, outputs=outputs)


def text(source: str) -> nbformat.NotebookNode:
    """Return a cell of Markdown."""
    return v4.new_markdown_cell(source)


def notebook(*cells: str | nbformat.NotebookNode, language: str = "python") -> str:
    """Return a valid notebook as Jupyter writes it; a plain text is a code cell."""
    nodes = [code(each) if isinstance(each, str) else each for each in cells]
    metadata = {"kernelspec": {"name": "k", "display_name": "k", "language": language}}
    made = v4.new_notebook(cells=nodes, metadata=metadata)
    nbformat.validate(made)
    return nbformat.writes(made)


def sources(data: bytes | str) -> list[str]:
    """Return the sources of all cells, as nbformat reads them; the notebook must be valid."""
    read = nbformat.reads(data if isinstance(data, str) else data.decode(), as_version=4)
    nbformat.validate(read)
    return [cell.source for cell in read.cells]
