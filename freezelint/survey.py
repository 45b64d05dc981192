"""The first look at every file: what cannot be read, what cannot matter, what to examine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.gate import Gate, may_matter
from freezelint.discovery import reason_of
from freezelint.examination import Outcome, Task, parse_problem, read, readability_problem
from freezelint.findings import Problem

if TYPE_CHECKING:
    from freezelint.config import Config

PARSE_ALL_UP_TO = 64_000
"""Bytes of files without a trigger word that are parsed only to report syntax errors.

Parsing a whole library takes longer than checking it, so beyond this only the
files that are named on the command line are.
"""


class Survey:
    """Sorts files into those to examine and those that are done with."""

    def __init__(self, config: Config) -> None:
        """Start with nothing seen; the rules are loaded when a file could need them."""
        self.tasks: list[Task] = []
        self.bytes_to_examine = 0
        self._config = config
        self._gate: Gate | None = None
        self._done: list[Outcome] = []
        self._passed: list[str] = []
        self._bytes_passed = 0
        self._unparsed: list[tuple[str, bytes]] = []

    def look_at_file(self, path: str, *, is_named: bool) -> None:
        """Read a file and sort it."""
        try:
            data = read(path)
        except (OSError, ValueError) as error:
            self._done.append(Outcome(path, problems=(Problem(path, reason_of(error)),)))
            return
        self._sort(Task(path, len(data), self._codes(data)), data, is_named=is_named)

    def look_at_text(self, name: str, data: bytes) -> None:
        """Sort what came from standard input."""
        self._sort(Task(name, len(data), self._codes(data), data), data, is_named=True)

    def outcomes(self) -> list[Outcome]:
        """Return what came of the files that need no examination, once all were looked at."""
        parsed = {path: parse_problem(path, data) for path, data in self._unparsed}
        return self._done + [
            Outcome(path, problems=(problem,) if (problem := parsed.get(path)) else ())
            for path in self._passed
        ]

    def _sort(self, task: Task, data: bytes, *, is_named: bool) -> None:
        if task.codes or (self._config.strict and _may_hold_suppressions(data)):
            self.tasks.append(task)
            self.bytes_to_examine += task.size
            return
        problem = readability_problem(task.path, data)
        if problem is None and is_named:
            problem = parse_problem(task.path, data)
        if problem is not None or is_named:
            self._done.append(Outcome(task.path, problems=(problem,) if problem else ()))
            return
        self._passed.append(task.path)
        self._bytes_passed += task.size
        if self._bytes_passed <= PARSE_ALL_UP_TO:
            self._unparsed.append((task.path, data))
        else:
            self._unparsed.clear()

    def _codes(self, data: bytes) -> tuple[str, ...]:
        """Return the codes of the rules that could fire on these bytes."""
        if not may_matter(data):
            return ()
        if b"\r" in data:
            # So that the end of a line looks the same to every trigger.
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not data.endswith(b"\n"):
            data += b"\n"
        if self._gate is None:
            from freezelint.rules import all_rules

            self._gate = Gate(self._config.rules_on(all_rules()))
        return self._gate.candidates(data)


def _may_hold_suppressions(data: bytes) -> bool:
    from freezelint.suppressions import may_hold_suppressions

    return may_hold_suppressions(data)
