"""Runs a script in a process of its own that has PyTorch already, and judges its findings."""

from __future__ import annotations

import os
import tempfile
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from freezelint.configuration import Configuration
from freezelint.engine import StandardInput, check
from freezelint.program_findings import of_check
from freezelint.verdicts import Judged, Verdict
from proofs.account import Job
from proofs.execution import Script, environment_of
from proofs.ports import free_port

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from freezelint.program_findings import Expected


_LIMIT = 120
_NAME = "example.py"


def judged(source: str, processes: int = 1, device: str = "cpu") -> list[Judged]:
    """All findings in a script, those of level info too, with what its run showed of each.

    Of several processes, what the first one shows, or another one does.
    """
    script = Script(source, (), processes, device)
    result = check(
        [],
        Configuration({"strict": True}, isolated=True),
        standard_input=StandardInput(_NAME, source.encode()),
    )
    expected = of_check(result).expected
    port, context = free_port(), get_context("forkserver")
    answers = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for rank in range(processes):
            receiving, sending = context.Pipe(duplex=False)
            place = Path(folder) / str(rank)
            place.mkdir()
            environment = environment_of(script, rank, port)
            process = context.Process(
                target=_perform, args=(source, expected, place, environment, sending)
            )
            process.start()
            sending.close()
            answers.append((process, receiving))
        told: list[tuple[Judged, ...]] = []
        for process, receiving in answers:
            if receiving.poll(_LIMIT):
                told.append(receiving.recv())
            process.kill()
            process.join()
    return _joined(told)


def _joined(told: list[tuple[Judged, ...]]) -> list[Judged]:
    return [
        next((one for one in each if one.verdict is Verdict.CONFIRMED), each[0])
        for each in zip(*told, strict=True)
    ]


def _perform(
    source: str,
    expected: tuple[Expected, ...],
    folder: Path,
    environment: dict[str, str],
    sending: Connection,
) -> None:
    from proofs.script import settle

    settle(Job(source, (), str(folder), environment))
    Path(_NAME).write_text(source, encoding="utf-8")
    sending.send(_verdicts(expected))
    sending.close()
    # Neither threads of libraries nor a process group may delay the end.
    os._exit(0)


def _verdicts(expected: tuple[Expected, ...]) -> tuple[Judged, ...]:
    from freezelint.judgement.judge import Judge
    from freezelint.runtime.contract import Contract
    from freezelint.runtime.launch import Program
    from freezelint.runtime.program_watch import ProgramWatch

    judge = Judge(expected)
    program = Program(_NAME, [], is_module=False)
    judge.mark(program)
    watched = ProgramWatch(program.names, Contract(), every=1, within=10)
    with watched, judge:
        program.run()
    seen = [each for model in watched.observed for each in model.violations]
    return judge.verdicts(program.ending, seen)
