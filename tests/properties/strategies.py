"""Fixture files, and what editing hands may make of them."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

from hypothesis import strategies as st

FIXTURES = Path(__file__).parents[2] / "fixtures"
TEXTS = tuple(path.read_text(encoding="utf-8") for path in sorted(FIXTURES.rglob("*.py")))


def parses(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "example.py", "exec", flags=ast.PyCF_ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def texts() -> st.SearchStrategy[str]:
    return st.sampled_from(TEXTS)


@st.composite
def mutants(draw: st.DrawFn) -> str:
    """A fixture of which lines were dropped, repeated or swapped, and which still parses."""
    lines = draw(texts()).split("\n")
    for _ in range(draw(st.integers(1, 8))):
        index = st.integers(0, len(lines) - 1)
        one, other = draw(index), draw(index)
        change = draw(st.sampled_from(["drop", "repeat", "swap", "move"]))
        changed = list(lines)
        if change == "drop":
            del changed[one]
        elif change == "repeat":
            changed.insert(other, changed[one])
        elif change == "swap":
            changed[one], changed[other] = changed[other], changed[one]
        else:
            changed.insert(other, changed.pop(one))
        # An edit that breaks the file is taken back, so that most edits count.
        if parses("\n".join(changed)) and any(changed):
            lines = changed
    return "\n".join(lines)
