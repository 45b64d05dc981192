"""Runs a program under the runtime checker, and says what it saw."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from typing import TYPE_CHECKING

import click

from freezelint.exit_codes import CLEAN, FAILED, FOUND, failed
from freezelint.findings import Level
from freezelint.program_findings import Asked, CannotCheck
from freezelint.records import NamedTuple
from freezelint.reports import checked_run, training
from freezelint.reports.excerpts import Excerpts
from freezelint.reports.snippet import Painter
from freezelint.verdicts import CheckedRun, Verdict
from freezelint.writing import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from freezelint.judgement.judge import Judge
    from freezelint.program_findings import ProgramFindings
    from freezelint.run_options import RunOptions
    from freezelint.runtime.contract import Contract
    from freezelint.runtime.launch import Program
    from freezelint.runtime.program_watch import ProgramWatch

_WIDTH_IN_FILES = 120
"""Characters in a line where no terminal says how wide it is."""


class Target(NamedTuple):
    """What is to be run."""

    name: str
    arguments: Sequence[str]
    is_module: bool


def run(
    target: Target, options: RunOptions, *, fail_on: Level | None, report: Path | None, check: bool
) -> int:
    """Run it, print what was seen to standard error, and return the exit code.

    Args:
        target: What to run.
        options: How it is watched.
        fail_on: The level from which on what was seen fails a program that ended with 0.
        report: Where the JSON report goes.
        check: Whether the findings in its files are judged by what the run shows.
    """
    # Another process looks for them while this one loads PyTorch.
    asked = Asked(target.name, is_module=target.is_module) if check else None
    try:
        try:
            from freezelint.judgement.judge import Judge
            from freezelint.runtime.contract import Contract, ContractError
            from freezelint.runtime.launch import CannotLaunch, Program
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            return failed("PyTorch is not installed here: pip install 'freezelint[runtime]'")
        interrupt = _Interrupt()
        try:
            # A script that is not there is said to be that, not to be free of findings.
            program = Program(target.name, target.arguments, is_module=target.is_module)
            contract = Contract(
                options.frozen, options.trainable, options.target, options.statistics
            )
            found = None if asked is None else asked.answered()
        except (CannotLaunch, ContractError, CannotCheck) as error:
            return failed(str(error))
    finally:
        if asked is not None:
            asked.drop()
    judge = Judge(() if found is None else found.expected)
    try:
        code, watched = _run_watched(program, contract, options, judge, interrupt)
    except CannotLaunch as error:
        return failed(str(error))
    if watched.is_in_child:
        return code
    checked = None if found is None else _judged(judge, found, program, watched)
    if not watched.is_spoken_for:
        _print(watched, checked)
    if report is not None and watched.is_first:
        try:
            text = training.document(watched, target.name, code, checked)
            write_atomically(report, text.encode() + b"\n")
        except OSError as error:
            return failed(f"{report} cannot be written: {error.strerror}")
    return code or _verdict(watched, checked, fail_on)


def _run_watched(
    program: Program, contract: Contract, options: RunOptions, judge: Judge, interrupt: _Interrupt
) -> tuple[int, ProgramWatch]:
    from freezelint.runtime.program_watch import ProgramWatch

    judge.mark(program)
    watched = ProgramWatch(program.names, contract, every=options.every, within=options.within)
    try:
        with watched, judge:
            code = program.run()
            watched.ended_well = code == 0
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
        interrupt.happened = True
    return code, watched


def _judged(
    judge: Judge, found: ProgramFindings, program: Program, watched: ProgramWatch
) -> CheckedRun:
    judged = judge.verdicts(program.ending, training.violations_in(watched))
    return CheckedRun(judged, found.problems)


def _verdict(watched: ProgramWatch, checked: CheckedRun | None, fail_on: Level | None) -> int:
    if watched.observed and watched.idle_patterns:
        for pattern, near in watched.idle_patterns if watched.is_first else ():
            hint = f"; did you mean {', '.join(map(repr, near))}?" if near else ""
            failed(f"the pattern {pattern!r} matches no parameter or buffer{hint}")
        return FAILED
    if fail_on is None:
        return CLEAN
    levels = [each.kind.level for each in training.violations_in(watched)]
    if checked is not None:
        levels += [
            each.finding.level for each in checked.judged if each.verdict is Verdict.CONFIRMED
        ]
    order = list(Level)
    failing = any(order.index(each) <= order.index(fail_on) for each in levels)
    return FOUND if failing else CLEAN


def _print(watched: ProgramWatch, checked: CheckedRun | None) -> None:
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_IN_FILES
    if checked is not None:
        for block in checked_run.render(checked, Excerpts(), Painter(color=console.is_terminal)):
            click.echo(block, err=True)
    for part in training.render(watched):
        console.print(part)


class _Interrupt:
    """Lets an interrupted process die of the signal, as Python does, after all that runs at exit.

    What is registered first runs last, so this is made before the program begins.
    """

    def __init__(self) -> None:
        self.happened = False
        atexit.register(self._die)

    def _die(self) -> None:
        if self.happened:
            sys.stdout.flush()
            sys.stderr.flush()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
