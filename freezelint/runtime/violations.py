"""What was seen: one kind of record for everything that breaks a contract."""

from __future__ import annotations

import enum

from freezelint.findings import Level
from freezelint.records import NamedTuple


class Kind(str, enum.Enum):
    """The ways in which a training can break its contract."""

    FROZEN_CHANGED = "frozen-changed"
    BUFFER_CHANGED = "buffer-changed"
    ROWS_CHANGED = "rows-changed"
    FROZEN_REPLACED = "frozen-replaced"
    FLAG_FLIPPED = "flag-flipped"
    TRAIN_MODE = "train-mode"
    STALE_GRADIENT = "stale-gradient"
    NOT_OPTIMIZED = "not-optimized"
    ORPHAN = "orphan"
    NOT_TRAINED = "not-trained"
    UNOWNED_GRADIENT = "unowned-gradient"
    ALIAS = "alias"
    NOTHING_TRAINABLE = "nothing-trainable"
    STRAY_ATTRIBUTE = "stray-attribute"
    RANKS_DIFFER = "ranks-differ"

    @property
    def level(self) -> Level:
        """An error where something moved or stayed that must not; a warning where it may yet."""
        return Level.WARNING if self in _WARNINGS else Level.ERROR

    def __str__(self) -> str:
        """The name that people write and read."""
        return self.value


_WARNINGS = frozenset(
    {
        Kind.BUFFER_CHANGED,
        Kind.FLAG_FLIPPED,
        Kind.TRAIN_MODE,
        Kind.ORPHAN,
        Kind.UNOWNED_GRADIENT,
        Kind.ALIAS,
    }
)


class Writer(NamedTuple):
    """The line of the user's code that wrote to a tensor, and the operation it ran."""

    path: str
    line: int
    function: str
    code: str
    operation: str

    def __str__(self) -> str:
        """As tracebacks name a place."""
        return f"{self.path}:{self.line} in {self.function}: {self.code} ({self.operation})"


class Violation(NamedTuple):
    """One breach of the contract."""

    kind: Kind
    tensor: str | None
    """Qualified name of the parameter, buffer or module; None for what concerns all."""
    step: int
    """How many steps the watched optimizers had taken; 0 before the first."""
    message: str
    """What happened, with names, in one or two sentences."""
    cause: str | None = None
    """The code of the rule that explains it, where the reason is known."""
    optimizer: str | None = None
    group: int | None = None
    """Index of the parameter group."""
    writer: Writer | None = None
    ranks: tuple[int, ...] = ()
    """The processes that saw it, where there are several."""

    def __str__(self) -> str:
        """The whole report, over several lines."""
        lines = [f"{self.kind}: {self.message}"]
        if self.writer is not None:
            lines.append(f"  written by {self.writer}")
        if self.ranks:
            lines.append(f"  seen by rank{'s' * (len(self.ranks) > 1)} {_listed(self.ranks)}")
        if self.cause is not None:
            lines.append(f"  see: freezelint explain {self.cause}")
        return "\n".join(lines)


def _listed(ranks: tuple[int, ...]) -> str:
    """Numbers as people write them, with ranges for many: ``0 to 6 and 9``."""
    runs: list[list[int]] = []
    for rank in ranks:
        if runs and rank == runs[-1][-1] + 1:
            runs[-1].append(rank)
        else:
            runs.append([rank])
    said = [
        part
        for run in runs
        for part in (map(str, run) if len(run) < 3 else [f"{run[0]} to {run[-1]}"])
    ]
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)


_SHOWN = 8
"""Violations that a message spells out; a model that was never frozen has hundreds."""


class FreezeViolated(AssertionError):
    """A training broke its contract; ``violations`` says how."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        """Take what was seen, the first of it first."""
        shown = [str(each) for each in violations[:_SHOWN]]
        if len(violations) > _SHOWN:
            shown.append(f"and {len(violations) - _SHOWN} more, in `violations` of this exception")
        super().__init__("\n".join(shown))
        self.violations = violations


class FreezeWarning(UserWarning):
    """What ``on_violation="warn"`` warns with."""
