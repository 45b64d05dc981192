"""The first look at every file: what cannot be read, what cannot matter, what to examine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.gate import may_matter
from freezelint.discovery import reason_of
from freezelint.examination import Outcome, Task, examine_plain, read
from freezelint.findings import Problem
from freezelint.sources.document import may_hide_words

if TYPE_CHECKING:
    from freezelint.cache import Cache
    from freezelint.config import Config

PARSE_ALL_UP_TO = 32_000
"""Bytes of files that no rule can fire on which are parsed only to report syntax errors.

Parsing a whole library takes longer than checking it, so beyond this only the
files that are named on the command line are, within a limit of their own.
"""


PARSE_NAMED_UP_TO = 256_000
"""Bytes of files named on the command line that are parsed even if no rule can fire on them."""


class Survey:
    """Sorts files into those that rules may care for and those that are done with.

    Nothing heavy is loaded here: the rules come in when a file is examined.
    """

    def __init__(self, cache: Cache | None = None) -> None:
        """Start with nothing seen, except by earlier runs."""
        self.bytes_to_examine = 0
        self.parsed: set[str] = set()
        """Files without problems of which it is known that they parse."""
        self.digests: dict[str, bytes] = {}
        """What each file is known by in the cache."""
        self._cache = cache
        self._known: list[Task] = []
        self._known_bytes = 0
        self._tasks: list[Task] = []
        self._done: list[Outcome] = []
        self._plain: list[str] = []
        self._plain_bytes = 0
        self._named_bytes = 0
        self._unparsed: list[tuple[str, bytes]] = []

    def look_at_file(self, path: str, config: Config, *, is_named: bool) -> None:
        """Read a file and sort it."""
        try:
            data = read(path)
        except (OSError, ValueError) as error:
            self._done.append(Outcome(path, problems=(Problem(path, reason_of(error)),)))
            return
        if is_named:
            self._named_bytes += len(data)
        must_parse = is_named and self._named_bytes <= PARSE_NAMED_UP_TO
        task = Task(path, len(data), config.for_file(path), must_parse)
        if not self._is_known(task, data):
            self._sort(task, data)

    def look_at_text(self, name: str, data: bytes, config: Config) -> None:
        """Sort what came from standard input."""
        self._sort(Task(name, len(data), config.for_file(name), must_parse=True, data=data), data)

    def tasks(self) -> list[Task]:
        """Return the files to examine, once all were looked at."""
        if self._is_large:
            return self._tasks
        unsure = [task for task in self._known if self._outcome_of(task, parsed=True) is None]
        tasks = [task._replace(must_parse=True) for task in (*self._tasks, *unsure)]
        self.parsed.update(task.path for task in tasks)
        return tasks

    def outcomes(self) -> list[Outcome]:
        """Return what came of the others."""
        unparsed = [] if self._is_large else self._unparsed
        parsed = {path: examine_plain(path, data, parse=True) for path, data in unparsed}
        self.parsed.update(parsed)
        plain = [parsed.get(path) or Outcome(path) for path in self._plain]
        known = [self._outcome_of(task, parsed=not self._is_large) for task in self._known]
        return [*self._done, *plain, *(each for each in known if each is not None)]

    @property
    def _is_large(self) -> bool:
        """Whether to parse all files would take longer than to check them."""
        return self.bytes_to_examine + self._plain_bytes + self._known_bytes > PARSE_ALL_UP_TO

    def _is_known(self, task: Task, data: bytes) -> bool:
        """Whether an earlier run knows what comes of a file."""
        if self._cache is None:
            return False
        self.digests[task.path] = self._cache.digest(task.path, data, task.config)
        known = self._outcome_of(task, parsed=task.must_parse)
        if known is None or (known.findings and task.config.fixes != "none"):
            return False
        self._known.append(task)
        self._known_bytes += task.size
        return True

    def _outcome_of(self, task: Task, *, parsed: bool) -> Outcome | None:
        assert self._cache is not None
        return self._cache.outcome(self.digests[task.path], task.path, parsed=parsed)

    def _sort(self, task: Task, data: bytes) -> None:
        if task.must_parse:
            self.parsed.add(task.path)
        matters = may_matter(data) or may_hide_words(task.path, data)
        if matters or (task.config.strict and _may_hold_suppressions(data)):
            self._tasks.append(task)
            self.bytes_to_examine += task.size
            return
        outcome = examine_plain(task.path, data, parse=task.must_parse)
        if outcome.problems or task.must_parse:
            self._done.append(outcome)
            return
        self._plain.append(task.path)
        self._plain_bytes += task.size
        if self._plain_bytes <= PARSE_ALL_UP_TO:
            self._unparsed.append((task.path, data))
        else:
            self._unparsed.clear()


def _may_hold_suppressions(data: bytes) -> bool:
    from freezelint.suppressions import may_hold_suppressions

    return may_hold_suppressions(data)
