"""What the settings say of a project's own functions counts like code that can be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Project


def codes(project: Project, text: str, *names: str) -> list[str]:
    """What is found in a script, given lines of settings: first without them, then with."""
    project.write("train.py", text)
    project.write("freezelint.toml", "\n".join(names))
    answer = project.freezelint("check", "train.py", "--output-format", "json")
    assert answer.code in (0, 1), answer.errors
    return [f"{each['line']} {each['code']}" for each in json.loads(answer.output)["findings"]]


LATE = """\
import torch
from torchvision.models import resnet18
from ours.freezing import lock

model = resnet18()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
lock(model.layer1)
for x, y in loader:
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
"""


@pytest.mark.parametrize("name", ["ours.freezing.lock", "freezing.lock", "lock"])
def test_a_freezer_freezes_what_it_is_given(project: Project, name: str) -> None:
    assert codes(project, LATE) == []
    assert codes(project, LATE, f"freezers = ['{name}']") == ["6 FZ301"]


def test_another_function_of_a_like_name_does_not(project: Project) -> None:
    assert codes(project, LATE, "freezers = ['unlock', 'theirs.lock', 'ock']") == []


def test_an_unfreezer_unfreezes(project: Project) -> None:
    text = """\
import torch
from torchvision.models import resnet18
from ours import thaw

model = resnet18()
model.layer1.requires_grad_(False)
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
for epoch in range(10):
    if epoch == 5:
        thaw(model.layer1)
    for x, y in loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
"""
    assert codes(project, text) == []
    assert codes(project, text, "unfreezers = ['ours.thaw']") == ["10 FZ304"]


def test_an_optimizer_of_the_project_holds_parameters(project: Project) -> None:
    text = LATE.replace("torch.optim.SGD(", "make(").replace("lock(model.layer1)", "")
    text = text.replace("freezing import lock", "training import make")
    text = text.replace("for x", "model.layer1.requires_grad_(False)\nfor x")
    assert codes(project, text) == []
    assert codes(project, text, "optimizers = ['ours.training.make']") == ["6 FZ301"]


def test_a_module_of_the_project_is_one(project: Project) -> None:
    text = "from ours import build\n\nnet = build('tiny')\nnet.requires_grad = False\n"
    assert codes(project, text) == []
    assert codes(project, text, "modules = ['ours.build']") == ["4 FZ101"]


def test_names_reach_into_functions_and_methods(project: Project) -> None:
    text = """\
import torch
from ours.freezing import lock
from torch import nn


class Trainer:
    def __init__(self):
        self.model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.prepare()

    def prepare(self):
        lock(self.model[0])

    def train(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            nn.functional.cross_entropy(self.model(x), y).backward()
            self.optimizer.step()
"""
    assert codes(project, text) == []
    assert codes(project, text, "freezers = ['lock']") == ["9 FZ301"]
