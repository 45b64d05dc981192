"""A Jupyter notebook: its code cells are one program, in the order in which they stand.

Cells count from 1 over all cells, those of text included, as ruff counts them: in a
notebook that was never run, or out of order, other numbers are not to be seen. nbformat
reads them, of all versions; it is loaded when a notebook is met that may matter.
"""

from __future__ import annotations

import codecs
import json
from typing import TYPE_CHECKING, Any

from freezelint.findings import Span
from freezelint.records import NamedTuple
from freezelint.sources.document import Document, MappedDocument
from freezelint.sources.magics import with_magics, without_magics
from freezelint.sources.python import Source, UnreadableSource, split_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PYTHON = ("python", "ipython", "pyspark")


class Cell(NamedTuple):
    """A cell of Python."""

    number: int
    """Its place among all cells, from 1."""
    source: str


class Notebook(MappedDocument):
    """A notebook and the program in it."""

    def __init__(self, path: str, text: str, cells: Sequence[Cell], *, bom: bool) -> None:
        """Join the cells.

        Args:
            path: The name shown to people.
            text: The JSON that the notebook is.
            cells: Those of Python.
            bom: Whether a byte order mark stood before the JSON.
        """
        self._text = text
        self._bom = bom
        self._cells = cells
        sources = "".join(cell.source for cell in cells)
        self._mark = "#-command-"
        while self._mark in sources:
            self._mark += "-"
        # Below each cell, so that what is put behind its last line stays in it.
        self._end = f"\n{self._mark}end of cell\n"
        self._places: list[tuple[int, int, int]] = [(0, 0, 0)]
        pieces: list[str] = []
        ends: list[int] = []
        for cell in cells:
            margin = _margin(cell.source)
            python = without_magics(_without_margin(cell.source, margin), self._mark)
            pieces += (python.text, self._end)
            count = len(split_lines(python.text)) + 1
            for line in range(count):
                shift = len(margin) + python.shifts.get(line, 0)
                self._places.append((cell.number, line + 1, shift))
            ends.append(len(self._places) - 1)
        self._before = pieces[::2]
        program = Source(path, "".join(pieces), inputs=tuple(ends))
        super().__init__([program] if cells else [])

    def mapped(self, program: Source, span: Span) -> Span:
        """Return where a stretch of the program stands in its cell."""
        cell, line, shift = self._places[min(span.line, len(self._places) - 1)]
        end_cell, end_line, end_shift = self._places[min(span.end_line, len(self._places) - 1)]
        if end_cell != cell:
            end_line, end_shift = line + span.end_line - span.line, 0
        return Span(line, span.column + shift, end_line, span.end_column + end_shift, cell)

    def lines(self, cell: int) -> list[str]:
        """Return the lines of a cell."""
        return next((split_lines(each.source) for each in self._cells if each.number == cell), [])

    def with_texts(self, texts: Sequence[str]) -> bytes:
        """Return the notebook with the sources of changed cells replaced, all else as it was."""
        sources = {}
        for text in texts:
            parts = text.split(self._end)
            for cell, before, after in zip(self._cells, self._before, parts, strict=False):
                if after != before:
                    source = with_magics(after, self._mark)
                    sources[cell.number] = _with_margin(source, _margin(cell.source))
        text = self._text
        if sources:
            from freezelint.sources.notebook_json import with_sources

            text = with_sources(text, sources)
        return (codecs.BOM_UTF8 if self._bom else b"") + text.encode("utf-8")


def _margin(source: str) -> str:
    """The spaces that all lines of a cell begin with; IPython takes them away."""
    if not source[:1].isspace():
        return ""
    filled = [line for line in source.split("\n") if line.strip()]
    margin = filled[0][: len(filled[0]) - len(filled[0].lstrip(" \t"))] if filled else ""
    return margin if all(line.startswith(margin) for line in filled) else ""


def _without_margin(source: str, margin: str) -> str:
    if not margin:
        return source
    lines = source.split("\n")
    return "\n".join(line[len(margin) :] if line.strip() else line for line in lines)


def _with_margin(source: str, margin: str) -> str:
    lines = source.split("\n")
    return "\n".join(f"{margin}{line}" if line.strip() else line for line in lines)


def read_notebook(path: str, data: bytes) -> Document:
    """Find the program in a notebook; one for another language, and an empty file, have none.

    Raises:
        UnreadableSource: if it is no notebook, or of a format that is not known.
    """
    bom = data.startswith(codecs.BOM_UTF8)
    try:
        text = data[len(codecs.BOM_UTF8) if bom else 0 :].decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{data[error.start]:02x} at offset {error.start}"
        raise UnreadableSource(f"is no notebook: it is not UTF-8 ({byte})") from None
    if not text.strip():
        return Notebook(path, text, (), bom=bom)
    return Notebook(path, text, tuple(_python_cells(_read(text))), bom=bom)


def _read(text: str) -> Any:
    """Let nbformat read a notebook; of one that it refuses, the JSON tells why."""
    from nbformat import ValidationError, reader

    refusals = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
    try:
        return reader.reads(text)
    except (ValidationError, *refusals):
        return _read_as_json(text)


def _read_as_json(text: str) -> Any:
    """What is wrong with the cells, if anything is, is said when they are gone through."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UnreadableSource(f"is no notebook: not JSON ({where}: {error.msg})") from None
    except RecursionError:
        raise UnreadableSource("is no notebook: its JSON is nested too deeply") from None


def _python_cells(notebook: Any) -> Iterator[Cell]:
    if not isinstance(notebook, dict):
        raise UnreadableSource("is no notebook: its JSON is no object")
    if not _is_python(_kernel_language(notebook.get("metadata"))):
        return
    for number, cell in enumerate(_all_cells(notebook), 1):
        if not isinstance(cell, dict):
            raise UnreadableSource(f"is no valid notebook: cell {number} is no object")
        if cell.get("cell_type") != "code" or not _is_python(_cell_language(cell)):
            continue
        source = cell.get("source", cell.get("input"))
        if isinstance(source, list) and all(isinstance(each, str) for each in source):
            source = "".join(source)
        if not isinstance(source, str):
            reason = f"the source of cell {number} is neither text nor a list of lines"
            raise UnreadableSource(f"is no valid notebook: {reason}")
        try:
            source.encode("utf-8")
        except UnicodeEncodeError:
            reason = f"cell {number} holds half a character (a lone surrogate)"
            raise UnreadableSource(f"is no valid notebook: {reason}") from None
        yield Cell(number, source)


def _all_cells(notebook: dict[str, Any]) -> list[Any]:
    cells = notebook.get("cells")
    if "cells" not in notebook:
        # Up to format 3, cells stood on sheets.
        sheets = notebook.get("worksheets")
        if not isinstance(sheets, list) or not all(isinstance(each, dict) for each in sheets):
            version = notebook.get("nbformat")
            known = "" if version is None else f" (its nbformat is {version!r})"
            raise UnreadableSource(f"is no notebook: it has no list of cells{known}")
        lists = [each.get("cells", []) for each in sheets]
        cells = [cell for each in lists if isinstance(each, list) for cell in each]
    if not isinstance(cells, list):
        raise UnreadableSource("is no notebook: its cells are no list")
    return cells


def _kernel_language(metadata: Any) -> str | None:
    """The language that the notebook as a whole says it is in; None if it does not."""
    for key, name in (("language_info", "name"), ("kernelspec", "language")):
        section = metadata.get(key) if isinstance(metadata, dict) else None
        language = section.get(name) if isinstance(section, dict) else None
        if isinstance(language, str) and language:
            return language
    return None


def _cell_language(cell: dict[str, Any]) -> str | None:
    """The language of one cell, as format 3 and Visual Studio Code write it."""
    metadata = cell.get("metadata")
    editor = metadata.get("vscode") if isinstance(metadata, dict) else None
    language = editor.get("languageId") if isinstance(editor, dict) else cell.get("language")
    return language if isinstance(language, str) else None


def _is_python(language: str | None) -> bool:
    return language is None or language.lower().startswith(_PYTHON)
