"""Examining files in several processes."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

from freezelint.collection import collect_rarely, keep_for_good
from freezelint.examination import Outcome, Task, examine
from freezelint.findings import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BUNDLES_PER_JOB = 16


class Workers:
    """Processes that are started at once and fed later."""

    def __init__(self, jobs: int) -> None:
        """Start so many, so that they load LibCST while the caller goes on."""
        self._jobs = jobs
        self._executor = _executor(jobs)
        self._executor.submit(_load_analyzer)

    def examine(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Yield the outcome of each task, as they come."""
        waiting: dict[Future[list[Outcome]], Sequence[Task]] = {}
        lost: list[Task] = []
        for bundle in _bundles(tasks, self._jobs * _BUNDLES_PER_JOB):
            try:
                waiting[self._executor.submit(_examine_here, bundle)] = bundle
            except BrokenProcessPool:
                lost += bundle
        for future in as_completed(waiting):
            try:
                yield from future.result()
            except BrokenProcessPool:
                lost += waiting[future]
        yield from self._examine_one_by_one(lost)

    def close(self) -> None:
        """Wait for what the processes are at, and drop what waits."""
        self._executor.shutdown(cancel_futures=True)

    def _examine_one_by_one(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Find out which file kills its process; the others are innocent."""
        executor = None
        for task in tasks:
            executor = executor or _executor(1)
            try:
                yield from executor.submit(_examine_here, [task]).result()
            except BrokenProcessPool:
                executor.shutdown(wait=False)
                executor = None
                reason = "internal error: the process that checked this file died"
                yield Outcome(task.path, problems=(Problem(task.path, reason),))
        if executor is not None:
            executor.shutdown(wait=False)


def _bundles(tasks: Sequence[Task], count: int) -> Iterator[Sequence[Task]]:
    """Yield up to ``count`` bundles, each with its share of the large and of the small files.

    Files one by one would cost more in talk between processes than in work.
    """
    by_size = sorted(tasks, key=lambda task: (-task.size, task.path))
    return (by_size[start::count] for start in range(min(count, len(by_size))))


def _executor(processes: int) -> ProcessPoolExecutor:
    # Forking is safe here, as no thread runs yet, and spares each process the start of Python.
    method = "fork" if sys.platform == "linux" else "spawn"
    return ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context(method),
        initializer=_start,
    )


def _start() -> None:
    # Ctrl-C reaches every process of the terminal; only the first has something to say.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    collect_rarely()
    _load_analyzer()
    keep_for_good()


def _load_analyzer() -> None:
    import freezelint.analysis.analyze  # noqa: F401


def _examine_here(tasks: Sequence[Task]) -> list[Outcome]:
    return [examine(task) for task in tasks]
