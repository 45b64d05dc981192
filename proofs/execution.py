"""Starts a process for each run of a script, cheaply, and waits for what it tells."""

from __future__ import annotations

import ast
import contextlib
import functools
import multiprocessing
import os
import tempfile
import time
from multiprocessing import forkserver
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from proofs.account import OUTPUT, Account, Job
from proofs.imports import STATEMENTS
from proofs.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess

    from freezelint.rules.claims import Claim

ROOT = Path(__file__).parents[1]

LIMIT = 120
"""Seconds after which a script is stopped."""

GRACE = 10
"""Seconds that processes have left when one of them has ended with an error."""

_CONTEXT = multiprocessing.get_context("forkserver")
_PRELOADED = ("torch", "torch._dynamo", "proofs.imports", "proofs.script")
"""The first optimizer of a process loads ``torch._dynamo``, which takes seconds."""


class Script(NamedTuple):
    """A script, and how it is to be run."""

    source: str
    claims: tuple[Claim, ...]
    processes: int = 1
    device: str = "cpu"
    seed_offset: int = 0


class Run(NamedTuple):
    """What the processes told, by rank, and what they printed."""

    accounts: tuple[Account, ...]
    output: str


def prepare(sources: Iterable[str]) -> None:
    """Load what several scripts import, before the first run, so that no run waits for it."""
    times: dict[str, int] = {}
    for source in sources:
        for node in ast.parse(source).body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                statement = ast.unparse(node)
                times[statement] = times.get(statement, 0) + 1
    _start("\n".join(statement for statement, count in times.items() if count > 1))


@functools.cache
def _start(statements: str) -> None:
    _CONTEXT.set_forkserver_preload(list(_PRELOADED))
    paths = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    wanted = {
        STATEMENTS: statements,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        # Processes end at once, with whatever locks libraries have made in them.
        "PYTHONWARNINGS": "ignore:resource_tracker",
    }
    with _environment(wanted):
        forkserver.ensure_running()


@functools.lru_cache(maxsize=16)
def run(script: Script) -> Run:
    """Run a script in as many processes as it wants; the same one is not run again at once."""
    _start("")
    with tempfile.TemporaryDirectory(prefix="proof-", ignore_cleanup_errors=True) as folder:
        port = free_port()
        jobs = [
            _job(script, Path(folder) / str(rank), rank, port) for rank in range(script.processes)
        ]
        accounts = tuple(_told(jobs))
        output = "".join(_printed(Path(job.folder) / OUTPUT) for job in jobs)
    return Run(accounts, output)


def _job(script: Script, folder: Path, rank: int, port: int) -> Job:
    folder.mkdir()
    environment = environment_of(script, rank, port)
    return Job(script.source, script.claims, str(folder), environment, script.seed_offset)


def _printed(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


def environment_of(script: Script, rank: int, port: int) -> dict[str, str]:
    """The variables for one of a script's processes; the port is where they meet."""
    environment = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
    if script.device == "cpu":
        # Examples that take a device if there is one show the same everywhere.
        environment["CUDA_VISIBLE_DEVICES"] = ""
    if script.processes > 1:
        environment |= {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(script.processes),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
    return environment


def _told(jobs: Sequence[Job]) -> list[Account]:
    """Start a process for each job, and wait for all, but not long for those that are left alone."""
    started = [_started(job) for job in jobs]
    limit, deadline = LIMIT, time.monotonic() + LIMIT
    accounts: dict[int, Account] = {}
    try:
        while len(accounts) < len(jobs):
            waiting = {
                connection: rank
                for rank, (_, connection) in enumerate(started)
                if rank not in accounts
            }
            ready = wait([*waiting], max(deadline - time.monotonic(), 0))
            if not ready:
                late = Account(error=f"TimeoutError: it was not done after {limit} seconds")
                accounts.update((rank, late) for rank in waiting.values())
            for rank in (rank for connection, rank in waiting.items() if connection in ready):
                accounts[rank] = _account_of(*started[rank])
                if accounts[rank].error is not None:
                    limit, deadline = GRACE, min(deadline, time.monotonic() + GRACE)
    finally:
        for process, connection in started:
            connection.close()
            # It has told all it has to tell.
            process.kill()
            process.join()
            process.close()
    return [accounts[rank] for rank in range(len(jobs))]


def _started(job: Job) -> tuple[ForkServerProcess, Connection]:
    receiving, sending = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_perform, args=(job, sending))
    process.start()
    sending.close()
    return process, receiving


def _perform(job: Job, connection: Connection) -> None:
    from proofs.script import perform

    perform(job, connection)


def _account_of(process: ForkServerProcess, connection: Connection) -> Account:
    try:
        account = connection.recv()
    except EOFError:
        process.join(GRACE)
        return Account(error=f"ProcessError: the process ended with code {process.exitcode}")
    assert isinstance(account, Account)
    return account


@contextlib.contextmanager
def _environment(wanted: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
