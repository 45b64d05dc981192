"""Every training of the comparison with the peers: bugs are called by name, clean ones are silent."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.runtime.nets import FUSED

# Some of them are warned of by torch.
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

HERE = Path(__file__).parents[2] / "benchmarks" / "runtime_peers"


class BugSet(NamedTuple):
    """What the benchmark is made of."""

    bugs: dict[str, Any]
    clean: dict[str, Any]
    judge: Any
    tool: Any


def bug_set() -> BugSet:
    """Import the benchmark, whose modules have short names, without a trace in this process."""
    names = {path.stem for path in HERE.iterdir()}

    def ours() -> list[str]:
        return [name for name in sys.modules if name.partition(".")[0] in names]

    before = {name: sys.modules.pop(name) for name in ours()}
    sys.path.insert(0, str(HERE))
    try:
        return BugSet(
            importlib.import_module("bugs").BUGS,
            importlib.import_module("clean").CLEAN,
            importlib.import_module("judge"),
            importlib.import_module("tools.freezelint"),
        )
    finally:
        sys.path.remove(str(HERE))
        for name in ours():
            del sys.modules[name]
        sys.modules.update(before)


SET = bug_set()


def test_the_set_is_as_large_as_promised() -> None:
    assert len(SET.bugs) >= 40
    assert len(SET.clean) >= 20


def named(cases: dict[str, Any]) -> list[Any]:
    newer = ("fused", "scaled gradients")
    return [
        pytest.param(name, marks=FUSED if any(word in name for word in newer) else ())
        for name in cases
    ]


@pytest.mark.parametrize("name", named(SET.bugs))
def test_a_bug_is_called_by_its_name(name: str) -> None:
    result = SET.judge.judge(SET.tool, SET.bugs[name])
    assert result.outcome == SET.judge.SEEN, result.message
    assert result.right_kind, result.message


@pytest.mark.parametrize("name", named(SET.clean))
def test_a_clean_training_is_silent(name: str) -> None:
    result = SET.judge.judge(SET.tool, SET.clean[name])
    assert result.outcome == SET.judge.QUIET, result.message
