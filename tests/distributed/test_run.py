"""`freezelint run` under torchrun: one process speaks for all, and all end alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.distributed.launching import Ended, torchrun

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.torch, pytest.mark.slow]

TRAIN = """
import sys
import torch, torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

dist.init_process_group("gloo")
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
model[0].requires_grad_(False)
parallel = DistributedDataParallel(model)
optimizer = torch.optim.SGD(parallel.parameters(), 0.1)
for step in range(3):
    loss = parallel(torch.randn(8, 4)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if dist.get_rank() == 1 and step == 1:
        if sys.argv[1] == "write":
            model[0].weight.data += 1
        if sys.argv[1] == "fail":
            sys.exit(7)
dist.destroy_process_group()
"""


def run(folder: Path, what: str) -> Ended:
    (folder / "train.py").write_text(TRAIN)
    options = ["--fail-on", "error", "--report", "report.json"]
    return torchrun(folder, "-m", "freezelint", "run", *options, "train.py", what)


def test_a_clean_run_is_told_once(tmp_path: Path) -> None:
    ended = run(tmp_path, "clean")
    assert ended.code == 0, ended
    assert ended.errors.count("what is frozen stayed, what trains moved") == 1
    assert ended.errors.count("parallel.0") == 1


def test_what_rank_1_saw_is_told_by_rank_0_and_both_fail(tmp_path: Path) -> None:
    ended = run(tmp_path, "write")
    assert ended.code == 1
    assert ended.errors.count("frozen-changed: parallel.0.weight changed") == 1
    assert "seen by rank 1" in ended.errors
    assert "exitcode  : 1" in ended.errors
    report = json.loads((tmp_path / "report.json").read_text())
    ((violation,),) = [model["violations"] for model in report["models"]]
    assert (violation["tensor"], violation["ranks"]) == ("parallel.0.weight", [1])


def test_a_rank_that_fails_ends_all_at_once_with_its_own_code(tmp_path: Path) -> None:
    ended = run(tmp_path, "fail")
    assert ended.code == 1
    assert "exitcode  : 7" in ended.errors
