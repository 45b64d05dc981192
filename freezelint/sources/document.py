"""A file as people see it, and the programs in it as Python would run them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.sources.python import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.findings import Finding, Problem, Span
    from freezelint.sources.python import Source

NOTEBOOK = ".ipynb"
MARKDOWN = (".md", ".markdown")
RESTRUCTURED_TEXT = ".rst"
DOCS = (*MARKDOWN, RESTRUCTURED_TEXT)
"""What is looked for in folders if code in documents is asked for."""

_ESCAPED_LETTER = rb"\\u00[2-7]"


class Document:
    """A Python file: one program, whose places are those of the file."""

    def __init__(self, programs: Sequence[Source]) -> None:
        """Take the programs; each is checked for itself."""
        self.programs = tuple(programs)

    def located(self, program: Source, finding: Finding) -> Finding:
        """Return a finding in a program with its places as people see them."""
        return finding

    def located_problem(self, program: Source, problem: Problem) -> Problem:
        """Return a problem of a program with its line as people see it."""
        return problem

    def lines(self, cell: int) -> list[str]:
        """Return the lines that the places in a cell count, or in the file if it has none."""
        return self.programs[0].lines

    def with_texts(self, texts: Sequence[str]) -> bytes:
        """Return the file's bytes with another text for each program, all else as it was."""
        ((program, text),) = zip(self.programs, texts, strict=True)
        return program.encoded(text)


class MappedDocument(Document):
    """A file whose programs are not its text; says where each of their lines comes from."""

    def mapped(self, program: Source, span: Span) -> Span:
        """Return where a stretch of a program stands in the file."""
        raise NotImplementedError

    def located(self, program: Source, finding: Finding) -> Finding:
        """Return a finding in a program with its places as people see them."""
        fix = finding.fix
        if fix is not None:
            edits = [each._replace(span=self.mapped(program, each.span)) for each in fix.edits]
            fix = fix._replace(edits=tuple(edits))
        span = self.mapped(program, finding.span)
        moved = span.line - finding.span.line
        first, last = (line and line + moved for line in finding.statement)
        return finding._replace(
            span=span,
            evidence=tuple(
                each._replace(span=self.mapped(program, each.span)) for each in finding.evidence
            ),
            fix=fix,
            statement=(first, last),
        )

    def located_problem(self, program: Source, problem: Problem) -> Problem:
        """Return a problem of a program with its line as people see it."""
        if problem.line is None:
            return problem
        from freezelint.findings import Span

        last = len(program.lines)
        line = min(max(problem.line, 1), last)
        span = self.mapped(program, Span(line, 1, line, 1))
        return problem._replace(line=span.line, cell=span.cell)


def is_python(path: str) -> bool:
    """Return whether a file is one Python program, by its name."""
    return not path.endswith((NOTEBOOK, *DOCS))


def may_hide_words(path: str, data: bytes) -> bool:
    r"""Return whether the bytes of a file may hold a word without showing it.

    JSON may write any character as an escape, and some programs write ``=`` and ``<`` as
    ``\\u003d`` and ``\\u003c``.
    """
    return path.endswith(NOTEBOOK) and re.search(_ESCAPED_LETTER, data) is not None


def read_document(path: str, data: bytes) -> Document:
    """Find the programs in the bytes of a file.

    Raises:
        UnreadableSource: with the reason, if that cannot be done.
    """
    if path.endswith(NOTEBOOK):
        from freezelint.sources.notebook import read_notebook

        return read_notebook(path, data)
    if path.endswith(DOCS):
        from freezelint.sources.prose import read_prose

        return read_prose(path, data)
    return Document([decode(path, data)])
