"""Does a text parse at all? Asked of CPython's own parser, which is fast and exact."""

from __future__ import annotations

from freezelint.findings import Problem

_ONLY_PARSE = 0x400  # ast.PyCF_ONLY_AST, without importing ast


def syntax_problem(path: str, text: str) -> Problem | None:
    """Return what keeps Python from parsing ``text``, or None if nothing does."""
    import warnings

    try:
        with warnings.catch_warnings():
            # An invalid escape in checked code is no business of the person's terminal.
            warnings.simplefilter("ignore")
            compile(text, path, "exec", flags=_ONLY_PARSE, dont_inherit=True)
    except SyntaxError as error:
        return Problem(path, f"syntax error: {error.msg}", line=error.lineno)
    except ValueError as error:
        return Problem(path, f"syntax error: {error}")
    except (RecursionError, MemoryError):
        return Problem(path, "nested too deeply for Python's parser")
    return None
