"""Runs a script in a process of its own that has PyTorch already, and judges its findings."""

from __future__ import annotations

import os
import tempfile
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freezelint.config import Config
from freezelint.program_findings import found_in
from freezelint.verdicts import Judged, Verdict
from proofs.account import Job
from proofs.execution import Script, environment_of, free_port

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


_LIMIT = 120


def judged(source: str, processes: int = 1, device: str = "cpu") -> list[Judged]:
    """All findings in a script, those of level info too, with what its run showed of each.

    Of several processes, what the first one shows, or another one does.
    """
    script = Script(source, (), processes, device)
    port, context = free_port(), get_context("forkserver")
    answers = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for rank in range(processes):
            receiving, sending = context.Pipe(duplex=False)
            place = Path(folder) / str(rank)
            place.mkdir()
            environment = environment_of(script, rank, port)
            process = context.Process(target=_perform, args=(source, place, environment, sending))
            process.start()
            sending.close()
            answers.append((process, receiving))
        told: list[list[Judged]] = []
        for process, receiving in answers:
            if receiving.poll(_LIMIT):
                told.append(receiving.recv())
            process.kill()
            process.join()
    return _joined(told)


def _joined(told: list[list[Judged]]) -> list[Judged]:
    return [
        next((one for one in each if one.verdict is Verdict.CONFIRMED), each[0])
        for each in zip(*told, strict=True)
    ]


def _perform(source: str, folder: Path, environment: dict[str, str], sending: Connection) -> None:
    from proofs.script import settle

    settle(Job(source, (), str(folder), environment))
    sending.send(_verdicts(folder, source))
    sending.close()
    os._exit(0)


def _verdicts(folder: Path, source: str) -> Any:
    from freezelint.judgement.judge import Judge
    from freezelint.runtime.contract import Contract
    from freezelint.runtime.launch import Program
    from freezelint.runtime.program_watch import ProgramWatch

    Path("example.py").write_text(source, encoding="utf-8")
    found = found_in(["example.py"], Config(strict=True))
    judge = Judge(found.expected)
    program = Program("example.py", [], is_module=False)
    judge.mark(program)
    watched = ProgramWatch(program.names, Contract(), every=1, within=10)
    with watched, judge:
        program.run()
    return judge.verdicts(
        program.ending, [each for seen in watched.observed for each in seen.violations]
    )
