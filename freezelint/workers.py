"""Examining files in several processes.

Where processes can be forked, one loads LibCST, which takes as long as examining twenty files,
and the others are copies of it. It starts before it is known what is to be examined, so
that it is ready when the first look at the files is over.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, TypeAlias

from freezelint.collection import collect_rarely, keep_for_good
from freezelint.examination import Outcome, Task, examine
from freezelint.findings import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkContext, SpawnContext

    Bundle: TypeAlias = Sequence[Task]

_BUNDLES_PER_JOB = 16

# Forking is safe here, as no thread runs yet, and spares each process the start of Python.
_FORKS = sys.platform == "linux"


class Workers:
    """A process that leads others; it is started at once and fed later."""

    def __init__(self, jobs: int) -> None:
        """Start the leader, so that it loads LibCST while the caller goes on."""
        self._jobs = jobs
        context = _context()
        self._connection, leaders = context.Pipe()
        self._leader = context.Process(target=_lead, args=(leaders, self._connection, jobs))
        self._leader.start()
        leaders.close()

    def examine(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Yield the outcome of each task, as they come."""
        waiting = {task.path: task for task in tasks}
        try:
            self._connection.send(list(_bundles(tasks, self._jobs * _BUNDLES_PER_JOB)))
            while (outcomes := self._connection.recv()) is not None:
                for outcome in outcomes:
                    waiting.pop(outcome.path, None)
                    yield outcome
        except (EOFError, ConnectionError):
            # The leader died; of what it had no answer for, nothing is known yet.
            pass
        yield from _examine_one_by_one(waiting.values())

    def close(self) -> None:
        """Wait for what the processes are at, and drop what waits."""
        self._connection.close()
        self._leader.join()


def _bundles(tasks: Sequence[Task], count: int) -> Iterator[Bundle]:
    """Yield up to ``count`` bundles, each with its share of the large and of the small files.

    Files one by one would cost more in talk between processes than in work.
    """
    by_size = sorted(tasks, key=lambda task: (-task.size, task.path))
    return (by_size[start::count] for start in range(min(count, len(by_size))))


def _examine_one_by_one(tasks: Iterable[Task]) -> Iterator[Outcome]:
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


def _lead(connection: Connection, callers: Connection, jobs: int) -> None:
    """Have bundles examined, and send what comes of them as it comes, then None."""
    # A forked process has the other end too, and would never see it closed.
    callers.close()
    _leave_interrupts_to_the_first()
    if _FORKS:
        _start()
    # If the caller gives up, there is nobody left to tell.
    with contextlib.suppress(EOFError, ConnectionError):
        _lead_through(connection, connection.recv(), jobs)


def _lead_through(connection: Connection, bundles: Sequence[Bundle], jobs: int) -> None:
    executor = _executor(jobs)
    try:
        answers: list[Future[list[Outcome]]] = []
        for bundle in bundles:
            try:
                answers.append(executor.submit(_examine_here, bundle))
            except BrokenProcessPool:
                break
        for answer in as_completed(answers):
            try:
                connection.send(answer.result())
            except BrokenProcessPool:
                continue
        connection.send(None)
    finally:
        executor.shutdown(cancel_futures=True)


def _executor(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=_context(), initializer=_start)


def _context() -> ForkContext | SpawnContext:
    if _FORKS:
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


def _start() -> None:
    _leave_interrupts_to_the_first()
    collect_rarely()
    import freezelint.analysis.analyze  # noqa: F401

    keep_for_good()


def _leave_interrupts_to_the_first() -> None:
    # Ctrl-C reaches every process of the terminal; only the first has something to say.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _examine_here(tasks: Bundle) -> list[Outcome]:
    return [examine(task) for task in tasks]
