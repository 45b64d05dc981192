"""Run one tool over cases and print what came of each, a JSON object per line.

`compare.py` starts this with the interpreter that has the tool:

    python judge.py TOOL CASE...
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from importlib.metadata import version
from types import ModuleType
from typing import TextIO

import torch
from bugs import BUGS
from cases import Bug, Case
from clean import CLEAN
from tools.verdict import AFTER, Remark
from training import Training, matching

SEEN, MISSED, BEYOND, CRASHED = "seen", "missed", "cannot express", "crashed"
QUIET, FALSE = "quiet", "false alarm"


@dataclass(frozen=True)
class Result:
    """What came of one case with one tool."""

    case: str
    outcome: str
    message: str = ""
    right_kind: bool = True
    """Whether a remark calls the bug by its name; only freezelint has names."""
    advised: bool = False
    """Whether the tool's general advice would have counted as an alarm here."""
    seconds: float = 0.0


def judge(tool: ModuleType, case: Case) -> Result:
    """Put a case to a tool. Whatever the tool raises is a result too."""
    start = time.perf_counter()
    try:
        remarks, reason = asked(tool, case)
    except Exception as error:  # noqa: BLE001
        result = Result(case.name, CRASHED, f"{type(error).__name__}: {error}")
    else:
        result = weighed(case, remarks, reason)
    seconds = round(time.perf_counter() - start, 3)
    return Result(**{**asdict(result), "seconds": seconds})


def asked(tool: ModuleType, case: Case) -> tuple[list[Remark], str]:
    """The remarks that concern a case, and why the tool could not be told what it is about."""
    reason = ""
    remarks: list[Remark] = []
    for moment in tool.MOMENTS:
        training = case.build()
        if isinstance(case, Bug):
            reason = tool.beyond(case.kind, training)
        if moment == AFTER:
            training.run()
        said = tool.check(training).remarks
        remarks += [remark for remark in said if concerns(remark, case, training)]
    return remarks, reason


def weighed(case: Case, remarks: list[Remark], reason: str) -> Result:
    """The outcome of a case."""
    alarms = [remark for remark in remarks if not remark.advice]
    message = "; ".join(dict.fromkeys(remark.text for remark in alarms)) or reason
    advised = len(alarms) < len(remarks)
    if not isinstance(case, Bug):
        return Result(case.name, FALSE if alarms else QUIET, message, advised=advised)
    if not alarms:
        return Result(case.name, BEYOND if reason else MISSED, message, advised=advised)
    kinds = {remark.kind for remark in alarms} - {""}
    right = not kinds or bool(kinds & case.kinds)
    return Result(case.name, SEEN, message, right_kind=right, advised=advised)


def concerns(remark: Remark, case: Case, training: Training) -> bool:
    """Whether a remark is on what the bug is about; on a clean training, every remark counts.

    A remark that names nothing is on the training as a whole. A module stands for its tensors.
    """
    if not isinstance(case, Bug) or not remark.tensors:
        return True
    names = [
        known
        for known in training.known_names()
        if any(known == name or known.startswith(f"{name}.") for name in remark.tensors)
    ]
    return any(matching(names, case.tensors))


def results_stream() -> TextIO:
    """The real standard output; what tools and trainings print goes to standard error."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return stream


def main(arguments: list[str]) -> None:
    """Judge the cases that are named."""
    name, *chosen = arguments
    stream = results_stream()
    tool = importlib.import_module(f"tools.{name}")
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    next(iter(CLEAN.values())).build().step()  # torch loads much on first use; no case's time
    versions = {"tool": version(tool.DISTRIBUTION), "torch": torch.__version__}
    print(json.dumps(versions), file=stream, flush=True)
    cases: dict[str, Case] = {**BUGS, **CLEAN}
    for case in chosen:
        print(json.dumps(asdict(judge(tool, cases[case]))), file=stream, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
