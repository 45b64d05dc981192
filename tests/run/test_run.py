"""`freezelint run`: the program is as it would be without it, and what was seen is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Answer, Project

pytestmark = pytest.mark.torch

TRAIN = """
import sys
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
{setup}
optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
for step in range({steps}):
    loss = model(torch.randn(8, 4)).square().mean()
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    {before}
    optimizer.step()
    {after}
{end}
"""


def training(
    setup: str = "model[0].requires_grad_(False)",
    *,
    before: str = "pass",
    after: str = "pass",
    end: str = "",
    steps: int = 3,
) -> str:
    return TRAIN.format(setup=setup, before=before, after=after, end=end, steps=steps)


@pytest.fixture(autouse=True)
def what_a_program_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it have its way with the interpreter until the test is over."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", list(sys.path))


def run(project: Project, *arguments: str) -> Answer:
    """Run a program in this process, where PyTorch is loaded already."""
    return project.freezelint("run", *arguments)


def run_apart(project: Project, *arguments: str) -> Answer:
    """Run a program as a person does, in a process of its own."""
    return project.python("-m", "freezelint", "run", *arguments)


def reported(project: Project, source: str, *options: str) -> dict[str, Any]:
    """Run a program and read the report."""
    project.write("program.py", source)
    answer = run(project, "--report", "report.json", *options, "program.py")
    assert (project.folder / "report.json").exists(), answer
    document: dict[str, Any] = json.loads((project.folder / "report.json").read_text())
    return document


def seen(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (each["kind"], each["tensor"])
        for model in document["models"]
        for each in model["violations"]
    ]


LOOK = """
import os, sys
print(__name__, os.path.basename(__file__), sys.argv[1:], sys.path[0] == os.path.dirname(os.path.abspath(__file__)))
print(__package__, __spec__ is None, sys.modules["__main__"].__file__ == __file__)
"""


def test_a_script_looks_the_same_to_itself(project: Project) -> None:
    project.write("folder/script.py", LOOK + "import beside; print(beside.here)")
    project.write("folder/beside.py", "here = 'found'")
    arguments = ("folder/script.py", "--frozen", "-m", "--every=3", "x y")
    watched, plain = run_apart(project, *arguments), project.python(*arguments)
    assert watched.output == plain.output
    assert watched.code == plain.code == 0


def test_a_module_looks_the_same_to_itself(project: Project) -> None:
    project.write("package/__init__.py")
    project.write("package/part.py", LOOK + "print(__spec__.name)\nfrom . import other")
    project.write("package/other.py", "print('imported')")
    watched = run_apart(project, "-m", "package.part", "--report", "1")
    plain = project.python("-m", "package.part", "--report", "1")
    assert watched.output == plain.output
    assert "imported" in watched.output


def test_a_package_runs_its_main(project: Project) -> None:
    project.write("package/__init__.py")
    project.write("package/__main__.py", "print(__package__, __name__)")
    assert run(project, "-m", "package").output == "package __main__\n"


def test_a_folder_with_a_main_runs_as_python_runs_it(project: Project) -> None:
    project.write("tool/__main__.py", "import sys; print(sys.argv); import near")
    project.write("tool/near.py", "print('near')")
    assert run(project, "tool", "1").output == project.python("tool", "1").output


@pytest.mark.parametrize(
    "end",
    ["sys.exit('a message')", "raise ValueError('theirs')"],
)
def test_the_exit_code_and_what_is_printed_are_the_programs(project: Project, end: str) -> None:
    project.write("program.py", f"import sys\nprint('out')\ndef last():\n    {end}\nlast()\n")
    watched, plain = run_apart(project, "program.py"), project.python("program.py")
    assert watched.code == plain.code
    assert watched.output == plain.output
    assert watched.errors.startswith(plain.errors)


@pytest.mark.parametrize(("end", "code"), [("7", 7), ("", 0), ("None", 0), ("True", 1)])
def test_a_number_is_the_exit_code(project: Project, end: str, code: int) -> None:
    project.write("program.py", f"import sys\nsys.exit({end})\n")
    assert run(project, "program.py").code == code


def test_a_traceback_shows_the_programs_frames_only(project: Project) -> None:
    project.write("program.py", "def inner():\n    1 / 0\ninner()\n")
    errors = run(project, "program.py").errors
    assert "freezelint" not in errors.partition("ZeroDivisionError")[0]


def test_what_runs_at_exit_runs_and_its_classes_are_there(project: Project) -> None:
    project.write(
        "program.py",
        "import atexit, threading, time\n"
        "class Late: pass\n"
        "atexit.register(lambda: print('at exit', Late.__name__))\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()\n",
    )
    assert run_apart(project, "program.py").output == "thread\nat exit Late\n"


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_the_program_run_as_without(project: Project, method: str) -> None:
    project.write(
        "program.py",
        "import multiprocessing as mp\n"
        "class Thing:\n    pass\n"
        "def work(x):\n    return type(x).__module__, type(x).__name__\n"
        "if __name__ == '__main__':\n"
        f"    with mp.get_context('{method}').Pool(1) as pool:\n"
        "        print(pool.map(work, [Thing()]))\n",
    )
    answer = run_apart(project, "program.py")
    assert answer.output.replace("__mp_main__", "__main__") == "[('__main__', 'Thing')]\n"
    assert answer.errors.count("freezelint:") == 1


def test_an_interrupt_ends_it_like_python_after_the_report(project: Project) -> None:
    project.write(
        "program.py", training(after="print('stepped', flush=True); import time; time.sleep(60)")
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "freezelint", "run", "program.py"],
        cwd=project.folder,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "stepped\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in errors
    assert "1 step by SGD" in errors


def test_a_program_without_a_step_says_so(project: Project) -> None:
    project.write("program.py", "print('nothing')")
    assert "no optimizer took a step" in run(project, "program.py").errors


def test_an_optimizer_of_lone_tensors_says_so(project: Project) -> None:
    project.write(
        "program.py",
        "import torch\nx = torch.zeros(2, requires_grad=True)\n"
        "optimizer = torch.optim.SGD([x], 0.1)\nx.sum().backward()\noptimizer.step()\n",
    )
    assert "belong to no module" in run(project, "program.py").errors


def test_a_sound_training_is_silent(project: Project) -> None:
    document = reported(project, training())
    assert seen(document) == []
    (model,) = document["models"]
    assert model["names"] == ["model"]
    assert model["steps"] == 3
    assert document["exit_code"] == 0


def test_what_moves_by_a_stale_gradient_is_reported(project: Project) -> None:
    freeze = "model[0].requires_grad_(step < 1)"
    document = reported(project, training("", after=freeze))
    assert ("frozen-changed", "model.0.weight") in seen(document)
    assert ("stale-gradient", "model.0.bias") in seen(document)


def test_a_schedule_that_unfreezes_is_no_violation(project: Project) -> None:
    thaw = "model[0].requires_grad_(True)"
    assert seen(reported(project, training(after=thaw))) == []


def test_a_schedule_that_freezes_cleanly_is_no_violation(project: Project) -> None:
    freeze = "model[0].requires_grad_(False); optimizer.zero_grad()"
    source = training("", after=freeze).replace("set_to_none=False", "")
    assert seen(reported(project, source)) == []


def test_it_speaks_after_an_exception_too(project: Project) -> None:
    project.write("program.py", training(end="raise RuntimeError('the end')"))
    answer = run(project, "program.py")
    assert answer.code == 1
    assert "3 steps by SGD" in answer.errors


MOVED = training(after="with torch.no_grad(): model[0].weight.add_(1)")


@pytest.mark.parametrize(("fail_on", "code"), [(None, 0), ("error", 1), ("warning", 1)])
def test_violations_fail_a_run_only_on_request(
    project: Project, fail_on: str | None, code: int
) -> None:
    project.write("program.py", MOVED)
    options = () if fail_on is None else ("--fail-on", fail_on)
    assert run(project, *options, "program.py").code == code


def test_warnings_do_not_fail_what_is_to_fail_on_errors(project: Project) -> None:
    drifting = training("model.insert(1, nn.BatchNorm1d(4)); model[:2].requires_grad_(False)")
    project.write("program.py", drifting)
    assert run(project, "--fail-on", "error", "program.py").code == 0
    assert run(project, "--fail-on", "warning", "program.py").code == 1


@pytest.mark.parametrize("pattern", ["model.0", "0.*"])
def test_patterns_name_tensors_with_or_without_the_variable(project: Project, pattern: str) -> None:
    document = reported(project, training(""), "--frozen", pattern)
    assert ("frozen-changed", "model.0.weight") in seen(document)
    assert ("frozen-changed", "model.1.weight") not in seen(document)


def test_a_pattern_that_names_nothing_is_an_error_with_the_nearest(project: Project) -> None:
    project.write("program.py", training("model[0].backbone = nn.Linear(1, 1)"))
    answer = run(project, "--frozen", "model.0.backbon.*", "program.py")
    assert answer.code == 2
    assert "'model.0.backbon.*' matches no parameter" in answer.errors
    assert "'model.0.backbone" in answer.errors


def test_the_project_says_what_is_frozen(project: Project) -> None:
    project.write("pyproject.toml", "[tool.freezelint.runtime]\nfrozen = ['model.1']\nevery = 2\n")
    assert ("frozen-changed", "model.1.bias") in seen(reported(project, training("")))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("frozn = ['a']", "frozn is unknown; did you mean frozen?"),
        ("frozen = 3", "frozen must be a list of patterns, not 3"),
        ("every = 0", "every must be a whole number of at least 1, not 0"),
        ("every = true", "every must be a whole number"),
        ("= 3", "is not valid TOML"),
    ],
)
def test_settings_that_make_no_sense_are_refused(project: Project, setting: str, said: str) -> None:
    project.write("pyproject.toml", f"[tool.freezelint.runtime]\n{setting}\n")
    project.write("program.py", "print('ran')")
    answer = run(project, "program.py")
    assert answer.code == 2
    assert said in answer.errors
    assert "ran" not in answer.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.py",), "no file nowhere.py"),
        (("-m", "nowhere"), "there is no module nowhere"),
        (("-m", "email"), "there is no __main__ in the package email"),
        (("broken.py",), "cannot be compiled"),
    ],
)
def test_what_cannot_be_run_is_said(
    project: Project, arguments: tuple[str, ...], said: str
) -> None:
    project.write("broken.py", "def\n")
    answer = run(project, *arguments)
    assert answer.code == 2, answer
    assert said in answer.errors


def test_two_models_and_their_optimizers_are_both_watched(project: Project) -> None:
    document = reported(
        project,
        """
import torch
from torch import nn
generator, critic = nn.Linear(2, 2), nn.Linear(2, 1)
first = torch.optim.Adam(generator.parameters())
second = torch.optim.Adam(critic.parameters())
for _ in range(3):
    critic.requires_grad_(False)
    first.zero_grad()
    critic(generator(torch.randn(4, 2))).mean().backward()
    first.step()
    critic.requires_grad_(True)
    second.zero_grad()
    critic(generator(torch.randn(4, 2)).detach()).mean().backward()
    second.step()
""",
    )
    assert sorted(name for each in document["models"] for name in each["names"]) == [
        "critic",
        "generator",
    ]
    assert seen(document) == []


def test_models_that_the_program_drops_are_not_kept(project: Project) -> None:
    project.write(
        "program.py",
        """
import gc, weakref
import torch
from torch import nn
alive = weakref.WeakSet()
for fold in range(4):
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    model[:2].requires_grad_(False)
    alive.add(model)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()
    gc.collect()
    print(len(alive))
""",
    )
    answer = run(project, "program.py")
    assert max(map(int, answer.output.split())) <= 2
    assert "(4 trainings, 8 steps)" in answer.errors


def test_numbers_are_the_same_with_and_without(project: Project) -> None:
    end = (
        "print([each.double().sum().item().hex() for each in model.state_dict().values()],"
        " torch.rand(3).tolist())"
    )
    setup = (
        "model.insert(1, nn.BatchNorm1d(4)); model.insert(2, nn.Dropout(0.5));"
        " model[0].requires_grad_(False)"
    )
    project.write("program.py", training(setup, end=end, steps=20))
    assert run_apart(project, "program.py").output == project.python("program.py").output


def test_without_pytorch_it_says_what_to_install(project: Project) -> None:
    project.write("torch.py", "raise ModuleNotFoundError('no', name='torch')")
    project.write("program.py", "print('ran')")
    answer = run_apart(project, "program.py")
    assert answer.code == 2
    assert "pip install 'freezelint[runtime]'" in answer.errors
