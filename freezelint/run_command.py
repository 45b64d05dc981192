"""Runs a program under the runtime checker, and says what it saw."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from typing import TYPE_CHECKING, NamedTuple

from freezelint.exit_codes import FAILED, failed
from freezelint.findings import Level
from freezelint.reports import training
from freezelint.writing import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from freezelint.run_options import RunOptions
    from freezelint.runtime.program_watch import ProgramWatch

_WIDTH_IN_FILES = 120
"""Characters in a line where no terminal says how wide it is."""


class Target(NamedTuple):
    """What is to be run."""

    name: str
    arguments: Sequence[str]
    is_module: bool


def run(target: Target, options: RunOptions, *, fail_on: Level | None, report: Path | None) -> int:
    """Run it, print what was seen to standard error, and return the exit code."""
    try:
        from freezelint.runtime.contract import Contract, ContractError
        from freezelint.runtime.launch import CannotLaunch, Program
        from freezelint.runtime.program_watch import ProgramWatch
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return failed("PyTorch is not installed here: pip install 'freezelint[runtime]'")
    interrupt = _Interrupt()
    try:
        program = Program(target.name, target.arguments, is_module=target.is_module)
        contract = Contract(options.frozen, options.trainable, options.target, options.statistics)
        watched = ProgramWatch(program.names, contract, every=options.every, within=options.within)
        with watched:
            code = program.run()
            watched.ended_well = code == 0
    except CannotLaunch as error:
        return failed(str(error))
    except ContractError as error:
        return failed(str(error))
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
        interrupt.happened = True
    if watched.is_in_child:
        return code
    if not watched.is_spoken_for:
        _print(watched)
    if report is not None and watched.is_first:
        try:
            text = training.document(watched, target.name, code)
            write_atomically(report, text.encode() + b"\n")
        except OSError as error:
            return failed(f"{report} cannot be written: {error.strerror}")
    return code or _verdict(watched, fail_on)


def _verdict(watched: ProgramWatch, fail_on: Level | None) -> int:
    if watched.observed and watched.idle_patterns:
        for pattern, near in watched.idle_patterns if watched.is_first else ():
            hint = f"; did you mean {', '.join(map(repr, near))}?" if near else ""
            failed(f"the pattern {pattern!r} matches no parameter or buffer{hint}")
        return FAILED
    order = list(Level)
    return int(
        fail_on is not None
        and any(
            order.index(each.kind.level) <= order.index(fail_on)
            for each in training.violations_in(watched)
        )
    )


def _print(watched: ProgramWatch) -> None:
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_IN_FILES
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
