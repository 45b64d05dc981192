"""Does a text parse at all? Asked of CPython's own parser, which is fast and exact."""

from __future__ import annotations

from freezelint.findings import Problem

_ONLY_PARSE = 0x400  # ast.PyCF_ONLY_AST, without importing ast

CANNOT_PARSE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What CPython's parser raises on text that it cannot take."""


def syntax_problem(path: str, text: str) -> Problem | None:
    """Return what keeps Python from parsing ``text``, or None if nothing does."""
    import warnings

    try:
        with warnings.catch_warnings():
            # An invalid escape in checked code is no business of the person's terminal.
            warnings.simplefilter("ignore")
            compile(text, path, "exec", flags=_ONLY_PARSE, dont_inherit=True)
    except CANNOT_PARSE as error:
        return problem_of(path, error)
    return None


def problem_of(path: str, error: Exception) -> Problem:
    """Word one of :data:`CANNOT_PARSE` for people."""
    if isinstance(error, SyntaxError):
        return Problem(path, f"syntax error: {error.msg}", line=error.lineno)
    if isinstance(error, ValueError):
        return Problem(path, f"syntax error: {error}")
    return Problem(path, "nested too deeply for Python's parser")
