"""What a process is told to run, and what it tells of it; nothing here needs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from freezelint.judgement.measures import Measurement
    from freezelint.rules.claims import Claim


OUTPUT = "output.txt"
"""The file, in the folder of a script, that holds what it printed."""


class Job(NamedTuple):
    """A script and what to look at while it runs."""

    source: str
    claims: tuple[Claim, ...]
    folder: str
    """Where it runs; empty, and gone afterwards."""
    environment: dict[str, str]
    seed_offset: int = 0
    """Added to every seed that the script sets."""


class Heard(NamedTuple):
    """What the runtime checker said."""

    kind: str
    tensor: str | None
    message: str
    cause: str | None

    def __str__(self) -> str:
        """Kind, rule and sentence."""
        return f"{self.kind}{f', {self.cause}' if self.cause else ''}: {self.message}"


class Value(NamedTuple):
    """A tensor, in a form that goes from process to process."""

    name: str
    element_size: int
    content: bytes


class Told(NamedTuple):
    """What one process tells of one claim."""

    measured: Measurement
    heard: tuple[Heard, ...] = ()
    values: tuple[Value, ...] = ()
    """Tensors that are compared with those of other processes."""


class Account(NamedTuple):
    """What one process tells."""

    told: tuple[Told, ...] = ()
    """One for each claim, in their order."""
    error: str | None = None
    """How the script ended, if by an exception: its type and text."""
    traceback: str = ""
    has_trained: bool = False
    """Whether any parameter of any model changed."""
    steps: int = 0
