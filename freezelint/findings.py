"""What the two halves of freezelint report: plain data, free of torch and libcst.

Lines and columns count from 1, in characters of the decoded text, and an end
column points one past the last character, as editors and SARIF expect.
"""

from __future__ import annotations

import enum
from typing import Literal

from freezelint.records import NamedTuple

Consequence = Literal[
    "moves", "drifts", "dead", "cut", "raises", "wastes", "random", "differs", "diverges"
]
"""What a rule claims to happen; what each means stands with the rules' ``Claim``."""


class Level(enum.Enum):
    """How sure and how harmful a finding is."""

    ERROR = "error"
    """What the code says is not what happens, on every run that reaches it."""
    WARNING = "warning"
    """Wrong in a common setting, or very likely not meant."""
    INFO = "info"
    """Legal but wasteful or fragile; shown with ``--strict`` only."""


class Span(NamedTuple):
    """A stretch of one file."""

    line: int
    column: int
    end_line: int
    end_column: int
    cell: int = 0
    """The notebook cell whose lines are counted, from 1; 0 in a file that has none."""

    @property
    def order(self) -> tuple[int, ...]:
        """Where it stands among the spans of its file."""
        return (self.cell, *self[:4])

    @property
    def place(self) -> str:
        """Where it begins, as people read it: ``3:5``, or ``cell 7:3:5`` in a notebook."""
        return f"{in_cell(self.cell, self.line)}:{self.column}"


def in_cell(cell: int, line: int) -> str:
    """Return a line as people read it: ``3``, or ``cell 7:3`` in a notebook."""
    return f"cell {cell}:{line}" if cell else f"{line}"


class Edit(NamedTuple):
    """Text to put in the place of a span; an empty span inserts, an empty text deletes."""

    span: Span
    text: str


class Fix(NamedTuple):
    """The edits that make one finding go away; all of them or none."""

    title: str
    """What they do, as an order: ``call `requires_grad_(False)```."""
    edits: tuple[Edit, ...]
    is_safe: bool
    """Whether nothing changes but the freeze that was meant."""


class Evidence(NamedTuple):
    """A place that makes the finding true, and a sentence that says how."""

    path: str
    span: Span
    message: str


class About(NamedTuple):
    """The tensors that a finding is about, as a run of the program can find them."""

    paths: tuple[str, ...]
    """Names as the code spells them where the finding or its evidence stands.

    ``model.backbone``, ``self.layers[0]``, ``param``. Those that do not exist there are
    passed over; a loop variable stands for all that it was.
    """
    names: tuple[str, ...] = ("*",)
    """Globs over the names below the path, of which one must fit: ``*lora_*``."""
    among: Literal["all", "frozen", "batch-norm"] = "all"
    """Which of them: those whose flag is off there, or those of BatchNorm layers."""
    shows: tuple[Consequence, ...] = ()
    """What a run shows if the finding is true; empty for what its rule claims."""
    by_step: bool = False
    """Whether only an optimizer's step counts, since something else may write to them."""


class Finding(NamedTuple):
    """One freeze bug, where it is, and why it is one."""

    code: str
    name: str
    level: Level
    path: str
    span: Span
    message: str
    help: str
    evidence: tuple[Evidence, ...] = ()
    fix: Fix | None = None
    statement: tuple[int, int] = (0, 0)
    """First and last line of the statement; a suppression on any of them counts."""
    about: About | None = None
    """None where the code does not name the tensors."""

    @property
    def sort_key(self) -> tuple[str, tuple[int, ...], str]:
        """Findings are shown by file, then by place, then by code."""
        return (self.path, self.span.order, self.code)


class Problem(NamedTuple):
    """Why a file, or one rule on a file, could not be checked.

    ``rule`` names the rule that failed, or is None when the file itself could
    not be read or parsed. ``line`` is the line of a syntax error, if known, in the
    notebook cell ``cell``, if it is in one.
    """

    path: str
    reason: str
    rule: str | None = None
    line: int | None = None
    cell: int = 0

    @property
    def place(self) -> str:
        """The path, with the line if that is known."""
        return self.path if self.line is None else f"{self.path}:{in_cell(self.cell, self.line)}"
