"""Starts the processes of a training, and never waits for them longer than a minute or two."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from proofs.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
LIMIT = 150


class Ended(NamedTuple):
    """What is left of some processes."""

    code: int
    output: str
    errors: str


def environment(**more: str) -> dict[str, str]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("TORCHELASTIC")
    }
    return {
        **inherited,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        **more,
    }


def torchrun(folder: Path, *arguments: str, processes: int = 2) -> Ended:
    """Run a program in several processes, as a person does."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(processes), *arguments]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as started:
        try:
            output, errors = started.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            output, errors = started.communicate()
            raise AssertionError(f"it hung:\n{output}\n{errors}") from None
    return Ended(started.returncode, output, errors)


def side_by_side(folder: Path, *arguments: str) -> list[Ended]:
    """Run a program in two processes that nobody looks after: none is ended with the other."""
    port = str(free_port())
    started = [
        subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment(
                RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    return _all_ended(started)


def _all_ended(started: Sequence[subprocess.Popen[str]]) -> list[Ended]:
    ended = []
    try:
        for process in started:
            output, errors = process.communicate(timeout=LIMIT)
            ended.append(Ended(process.returncode, output, errors))
    finally:
        for process in started:
            process.kill()
            process.communicate()
    return ended
