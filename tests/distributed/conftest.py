"""One launch of two processes for all cases, whoever of the test's workers needs it first."""

from __future__ import annotations

import json
import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.distributed.launching import LIMIT, torchrun

if TYPE_CHECKING:
    from collections.abc import Callable

collect_ignore_glob = [] if find_spec("torch") else ["*.py"]

CASES = Path(__file__).parent / "cases.py"


@pytest.fixture(scope="session")
def folder_of_cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes leave what they saw, and the manifests that they made."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, done = base / "distributed", base / "distributed.json"
    try:
        folder.mkdir()
    except FileExistsError:
        _wait_for(done)
    else:
        _save_manifest_of_one_process(folder)
        ended: dict[str, Any] = {"code": -1, "output": ""}
        try:
            ended = torchrun(folder, str(CASES), str(folder))._asdict()
        finally:
            _write(done, ended)
    told = json.loads(done.read_text())
    assert told["code"] == 0, told
    return folder


@pytest.fixture
def case(folder_of_cases: Path) -> Callable[[str], list[dict[str, Any]]]:
    """What each of the two processes tells of a case."""

    def told(name: str) -> list[dict[str, Any]]:
        return [
            json.loads((folder_of_cases / f"{name}.{rank}.json").read_text()) for rank in range(2)
        ]

    return told


def _save_manifest_of_one_process(folder: Path) -> None:
    from freezelint.runtime import Contract
    from tests.distributed.trainings import frozen_net

    contract = Contract(frozen=["backbone"], trainable=["head"])
    contract.save(folder / "of_one.manifest", frozen_net(norm=True))


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + 2 * LIMIT
    while not file.exists():
        assert time.monotonic() < deadline, "another worker did not finish"
        time.sleep(0.2)


def _write(file: Path, told: dict[str, Any]) -> None:
    """Write it whole or not at all: others wait for it."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(told))
    new.replace(file)
