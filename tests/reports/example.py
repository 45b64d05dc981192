"""A result with everything that a report can hold, and the files that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.engine import CheckResult
from freezelint.findings import Edit, Evidence, Finding, Fix, Level, Problem, Span

if TYPE_CHECKING:
    from tests.conftest import Project

TRAINING = """\
import torch

é = "𐐀"; net.requires_grad = False
optimizer = SGD(
    net.parameters(),
)
freeze(net)
"""
SAFE = Finding(
    "FZ101",
    "module-attribute-freeze",
    Level.ERROR,
    "src/tr äin.py",
    Span(3, 10, 3, 35),
    "`net[0](x)` is a module: {0}",
    "write `net.requires_grad_(False)`\nor an own loop",
    (Evidence("lib/build.py", Span(1, 1, 1, 6), "built in `layers[0]` here"),),
    Fix(
        "call `requires_grad_`",
        (Edit(Span(3, 10, 3, 35), "net.requires_grad_(False)"),),
        is_safe=True,
    ),
)
UNSAFE = Finding(
    "FZ301",
    "optimizer-before-freeze",
    Level.WARNING,
    "src/tr äin.py",
    Span(4, 13, 6, 2),
    "the optimizer was built before the freeze",
    "move it",
    (
        Evidence("src/tr äin.py", Span(5, 5, 5, 21), "everything"),
        Evidence("src/tr äin.py", Span(7, 1, 7, 12), "frozen here"),
    ),
    Fix(
        "move the freeze up",
        (Edit(Span(4, 1, 4, 1), "freeze(net)\n"), Edit(Span(7, 1, 8, 1), "")),
        is_safe=False,
    ),
)
IN_CELL = Finding(
    "FZ101",
    "module-attribute-freeze",
    Level.ERROR,
    "note.ipynb",
    Span(3, 1, 3, 5, cell=7),
    "`net` is a module",
    "write it right",
    (Evidence("note.ipynb", Span(1, 1, 1, 4, cell=2), "built here"),),
    Fix("call it", (Edit(Span(3, 1, 3, 5, cell=7), "net"),), is_safe=True),
)
INFO = Finding(
    "FZ001",
    "unused-suppression",
    Level.INFO,
    "lib/build.py",
    Span(1, 1, 1, 6),
    "silences \x1b[31mnothing\x00 \ufffe",
    "remove it",
)
PROBLEMS = (
    Problem("a,b.py", "syntax error: x\x1b[0m", line=3),
    Problem("lib/build.py", "internal error: oh", rule="FZ101"),
)


def example(project: Project) -> CheckResult:
    """Write the files and return what was found in them."""
    project.write("src/tr äin.py", TRAINING)
    project.write("lib/build.py", "build()\n")
    return CheckResult((INFO, IN_CELL, SAFE, UNSAFE), PROBLEMS, 7, 2)
