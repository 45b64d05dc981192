"""`freezelint run --check`: each finding with what the run showed of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Answer, Project

pytestmark = pytest.mark.torch

BUG = "model[0].requires_grad = False"
"""FZ101: the attribute freezes nothing."""

TRAIN = """
import sys
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
{bug}
optimizer = torch.optim.SGD(model.parameters(), lr={lr})
for step in range({steps}):
    optimizer.zero_grad()
    model(torch.randn(8, 4)).square().mean().backward()
    optimizer.step()
{end}
"""


def training(bug: str = BUG, *, lr: float = 0.1, steps: int = 3, end: str = "") -> str:
    return TRAIN.format(bug=bug, lr=lr, steps=steps, end=end)


@pytest.fixture(autouse=True)
def what_a_program_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it have its way with the interpreter until the test is over."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", list(sys.path))


def check(project: Project, source: str, *options: str) -> Answer:
    project.write("program.py", source)
    return project.freezelint("run", "--check", *options, "program.py")


def verdicts(project: Project, source: str) -> list[dict[str, Any]]:
    check(project, source, "--report", "report.json")
    document = json.loads((project.folder / "report.json").read_text())
    found: list[dict[str, Any]] = document["findings"]
    return found


def verdict(project: Project, source: str) -> str:
    (found,) = verdicts(project, source)
    assert isinstance(found["verdict"], str)
    return found["verdict"]


def test_what_is_claimed_and_happens_is_confirmed(project: Project) -> None:
    answer = check(project, training())
    assert answer.code == 0
    assert "error[FZ101]" in answer.errors
    assert "= run: confirmed at step 1 (moved by " in answer.errors
    assert "freezelint: 1 static finding: 1 confirmed." in answer.errors


def test_the_report_says_it_too(project: Project) -> None:
    (found,) = verdicts(project, training())
    assert found["code"] == "FZ101"
    assert found["line"] == 8
    assert (found["verdict"], found["step"]) == ("confirmed", 1)
    assert found["remark"].startswith("moved by ")


def test_without_check_the_report_has_no_findings(project: Project) -> None:
    project.write("program.py", training())
    project.freezelint("run", "--report", "report.json", "program.py")
    assert "findings" not in json.loads((project.folder / "report.json").read_text())


@pytest.mark.parametrize(
    "bug",
    [
        f"if '--freeze' in sys.argv:\n    {BUG}",
        "def freeze():\n    layer = nn.Linear(2, 2)\n    layer.requires_grad = False",
        f"for _ in sys.argv[1:]:\n    {BUG}",
    ],
    ids=["a branch", "a function", "a loop"],
)
def test_a_line_that_never_ran_is_not_reached(project: Project, bug: str) -> None:
    answer = check(project, training(bug))
    assert "= run: not reached\n" in answer.errors
    assert "1 not reached." in answer.errors


def test_the_same_branch_taken_is_confirmed(project: Project) -> None:
    project.write("program.py", training(f"if '--freeze' in sys.argv:\n    {BUG}"))
    answer = project.freezelint("run", "--check", "program.py", "--freeze")
    assert "confirmed at step 1" in answer.errors


@pytest.mark.parametrize(
    "source",
    [training(lr=0), training(steps=0), training(f"{BUG}\nmodel[0].requires_grad_(False)")],
    ids=["a learning rate of 0", "no step", "frozen all the same"],
)
def test_what_does_not_happen_is_not_confirmed(project: Project, source: str) -> None:
    assert verdict(project, source) == "not confirmed"


UNFREEZE_LATE = """
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
model[0].requires_grad_(False)
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
model[0].requires_grad_(True)
{added}
for step in range(3):
    optimizer.zero_grad()
    model(torch.randn(8, 4)).square().mean().backward()
    optimizer.step()
"""


def test_what_never_moves_is_confirmed_at_the_end(project: Project) -> None:
    (found,) = verdicts(project, UNFREEZE_LATE.format(added=""))
    assert (found["code"], found["verdict"], found["step"]) == ("FZ304", "confirmed", None)
    assert found["remark"] == "never moved in 3 steps"


def test_what_moves_by_a_way_that_the_check_does_not_see_is_not_confirmed(
    project: Project,
) -> None:
    project.write(
        "later.py",
        "def add(optimizer, layer):\n"
        "    optimizer.param_groups[0]['params'] += [*layer.parameters()]\n",
    )
    source = UNFREEZE_LATE.format(added="__import__('later').add(optimizer, model[0])")
    for found in verdicts(project, source):
        assert found["verdict"] == "not confirmed"


UNFREEZE = "model[0].requires_grad = True"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (training(f"model[0].requires_grad_(False)\n{UNFREEZE}"), "never moved in 3 steps"),
        (training(UNFREEZE), "values changed"),
        (training(UNFREEZE, lr=0), "is the learning rate 0?"),
    ],
    ids=["stays frozen", "trains anyway", "stands still for another reason"],
)
def test_what_should_train_is_dead_only_if_it_is_frozen(
    project: Project, source: str, said: str
) -> None:
    (found,) = verdicts(project, source)
    assert said in found["remark"]
    assert (found["verdict"] == "confirmed") is said.startswith("never")


def test_an_error_that_is_claimed_is_confirmed(project: Project) -> None:
    answer = check(project, training("model[0].parameters().requires_grad = False"))
    assert answer.code == 1
    assert "confirmed (raised AttributeError: 'generator' object" in answer.errors


def test_another_error_confirms_nothing(project: Project) -> None:
    bug = "try:\n    model[0].parameters().requires_grad = False\nexcept AttributeError:\n    pass"
    source = training(bug, end="raise AttributeError('something else')")
    assert verdict(project, source) == "not confirmed"


@pytest.mark.parametrize("end", ["sys.exit(3)", "raise RuntimeError('theirs')"])
def test_a_program_that_ends_early_is_judged_too(project: Project, end: str) -> None:
    answer = check(project, training(end=end))
    assert answer.code == (3 if "exit" in end else 1)
    assert "confirmed at step 1" in answer.errors


def test_an_interrupted_program_is_judged_too(project: Project) -> None:
    project.write(
        "program.py", training(end="print('trained', flush=True); import time; time.sleep(60)")
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "freezelint", "run", "--check", "program.py"],
        cwd=project.folder,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "trained\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert "confirmed at step 1" in errors


def test_without_a_finding_it_says_so(project: Project) -> None:
    assert "freezelint: no static finding." in check(project, training("pass")).errors


def test_a_program_that_cannot_be_parsed_is_refused_as_without(project: Project) -> None:
    answer = check(project, "def\n")
    assert answer.code == 2
    assert "cannot be compiled" in answer.errors


@pytest.mark.parametrize(
    ("bug", "fail_on", "code"),
    [
        (BUG, None, 0),
        (BUG, "error", 1),
        (f"if '--freeze' in sys.argv:\n    {BUG}", "error", 0),
        ("pass", "error", 0),
    ],
    ids=["not asked for", "confirmed", "not reached", "nothing found"],
)
def test_only_a_confirmed_finding_fails_a_run(
    project: Project, bug: str, fail_on: str | None, code: int
) -> None:
    options = () if fail_on is None else ("--fail-on", fail_on)
    assert check(project, training(bug), *options).code == code


def test_a_module_of_the_program_is_judged(project: Project) -> None:
    project.write("parts/__init__.py")
    project.write(
        "parts/freezing.py",
        f"from torch import nn\ndef build():\n    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))\n    {BUG}\n    return model\n",
    )
    source = training("from parts.freezing import build\nmodel = build()")
    (found,) = verdicts(project, source)
    assert (found["path"], found["line"]) == (os.path.join("parts", "freezing.py"), 4)
    assert found["verdict"] == "confirmed"


def test_a_module_runs_with_m(project: Project) -> None:
    project.write("alone/__init__.py")
    project.write("alone/train.py", training())
    answer = project.freezelint("run", "--check", "-m", "alone.train")
    assert "confirmed at step 1" in answer.errors


def test_a_package_runs_its_main_with_m(project: Project) -> None:
    project.write("whole/__init__.py")
    project.write("whole/__main__.py", "from . import inner\n")
    project.write("whole/inner.py", training())
    answer = project.freezelint("run", "--check", "-m", "whole")
    assert os.path.join("whole", "inner.py") in answer.errors
    assert "confirmed at step 1" in answer.errors


LOOK = """
import inspect, os, pickle, traceback
class Here:
    def method(self):
        model = nn.Linear(2, 2)
        model.requires_grad = False
        raise LookupError("lost")
print(__file__, __name__, sys.argv, sys.path[0], sorted(m for m in sys.modules if "libcst" in m))
print(inspect.getsource(Here.method))
print(pickle.dumps(Here()))
try:
    Here().method()
except LookupError:
    traceback.print_exc(file=sys.stdout)
print(torch.rand(2).tolist(), [p.sum().item().hex() for p in model.parameters()])
"""


def test_a_checked_program_is_the_same_to_itself(project: Project) -> None:
    project.write("program.py", training(end=LOOK))
    arguments = ("program.py", "--check", "x y")
    watched = project.python("-m", "freezelint", "run", "--check", *arguments)
    assert watched.output == project.python(*arguments).output
    assert "line " in watched.output


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_its_processes_run_as_without(project: Project, method: str) -> None:
    project.write(
        "program.py",
        "import multiprocessing as mp\nfrom torch import nn\n"
        "def work(x):\n    model = nn.Linear(x, x)\n    model.requires_grad = False\n    return x\n"
        "if __name__ == '__main__':\n"
        f"    with mp.get_context('{method}').Pool(1) as pool:\n"
        "        print(pool.map(work, [1, 2]))\n",
    )
    answer = project.python("-m", "freezelint", "run", "--check", "program.py")
    assert answer.output == "[1, 2]\n"
    assert answer.errors.count("static finding") == 1
    assert "not reached" in answer.errors


def test_a_compiled_function_stays_one_graph(project: Project) -> None:
    source = """
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))

@torch.compile(backend="eager", fullgraph=True)
def compute(x):
    features = model(x)
    return features.square().mean()

model[0].requires_grad_(False)
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
model[0].requires_grad_(True)
for step in range(2):
    loss = compute(torch.randn(8, 4))
    loss.backward()
    optimizer.step()
"""
    assert check(project, source).code == 0


def test_a_long_training_is_looked_at_less_often(project: Project) -> None:
    source = training(f"model[0].requires_grad_(False)\n{BUG}", steps=20).replace(
        "    optimizer.step()", "    optimizer.step()\n    model[0].requires_grad_(step > 8)"
    )
    (found,) = verdicts(project, source)
    assert (found["verdict"], found["step"], found["is_exact"]) == ("confirmed", 15, False)
