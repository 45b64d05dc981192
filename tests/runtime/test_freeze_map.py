"""The freeze map: who is frozen, by what means, and one line that sums it up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch
from rich.console import Console
from torch import nn
from torch.optim import SGD, AdamW

from freezelint.runtime import freeze_report, watch
from tests.runtime.nets import WIDTH, Net, Words, fine_tuned, frozen_net, step

if TYPE_CHECKING:
    from freezelint.runtime import FreezeMap

pytestmark = pytest.mark.torch


def means(report: FreezeMap) -> dict[str, tuple[str, ...]]:
    return {each.name: each.means for each in report.tensors if each.kind == "parameter"}


def test_what_is_frozen_by_its_flag() -> None:
    model, optimizer = fine_tuned()
    report = freeze_report(model, optimizer)
    assert means(report) == {
        "backbone.weight": ("flag", "left out of the optimizer"),
        "backbone.bias": ("flag", "left out of the optimizer"),
        "head.weight": (),
        "head.bias": (),
    }
    assert report.summary == "20 of 30 frozen"


def test_what_is_frozen_by_being_left_out() -> None:
    model = Net()
    report = freeze_report(model, SGD(model.head.parameters(), lr=0.1))
    assert means(report)["backbone.bias"] == ("left out of the optimizer",)
    assert report.summary == "20 of 30 frozen"


def test_what_is_frozen_by_a_learning_rate_of_zero() -> None:
    model = Net()
    groups = [{"params": model.head.parameters()}, {"params": model.backbone.parameters(), "lr": 0}]
    report = freeze_report(model, SGD(groups, lr=0.1))
    assert means(report)["backbone.weight"] == ("lr 0",)
    assert means(report)["head.weight"] == ()


def test_a_learning_rate_may_be_a_tensor() -> None:
    model = Net()
    report = freeze_report(model, SGD(model.parameters(), lr=torch.tensor(0.0)))
    assert means(report)["head.bias"] == ("lr 0",)


def test_without_an_optimizer_only_flags_count() -> None:
    model = frozen_net()
    assert means(freeze_report(model)) == {
        "backbone.weight": ("flag",),
        "backbone.bias": ("flag",),
        "head.weight": (),
        "head.bias": (),
    }


def test_ties_are_named() -> None:
    model = Words()
    model.head.weight = model.backbone.weight
    report = freeze_report(model)
    (state,) = report.tensors
    assert (state.name, state.tied_to) == ("backbone.weight", ("head.weight",))
    assert "tied" in report.modules[0].means
    assert report.summary == "0 of 16 frozen"


def test_groups_with_learning_rate_and_decay() -> None:
    model, _ = fine_tuned()
    groups = [{"params": [model.head.bias], "weight_decay": 0}, {"params": [model.head.weight]}]
    report = freeze_report(model, {"top": AdamW(groups, lr=0.5, weight_decay=0.25)})
    states = {each.name: each for each in report.tensors}
    weight, bias = states["head.weight"], states["head.bias"]
    assert (weight.optimizer, weight.group, weight.lr, weight.weight_decay) == ("top", 1, 0.5, 0.25)
    assert (bias.optimizer, bias.group, bias.lr, bias.weight_decay) == ("top", 0, 0.5, 0.0)
    assert states["backbone.bias"].optimizer is None
    (head,) = (each for each in report.modules if each.path == "head")
    assert head.groups == ("top[1] lr 0.5, decay 0.25", "top[0] lr 0.5, decay 0")


def test_what_is_the_same_all_through_is_one_row() -> None:
    model = Net(nn.Sequential(nn.Linear(WIDTH, 8), nn.Sequential(nn.Linear(8, WIDTH))))
    model.backbone.requires_grad_(False)
    rows = [(each.path, each.state) for each in freeze_report(model).modules]
    assert rows == [("backbone", "frozen"), ("head", "trainable")]
    model.backbone[1].requires_grad_(True)
    rows = [(each.path, each.state) for each in freeze_report(model).modules]
    assert rows == [("backbone.0", "frozen"), ("backbone.1", "trainable"), ("head", "trainable")]
    model.backbone[1][0].bias.requires_grad_(False)
    rows = [(each.path, each.state) for each in freeze_report(model).modules]
    assert ("backbone.1.0", "mixed") in rows


def test_one_row_for_a_model_that_is_the_same_all_through() -> None:
    (row,) = freeze_report(Net()).modules
    assert (row.path, row.type, row.state, row.parameters) == ("", "Net", "trainable", 30)


def test_modes() -> None:
    model = Net(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH)))
    model.backbone.requires_grad_(False)
    assert freeze_report(model).summary == "28 of 38 frozen, 1 BatchNorm layer in train mode"
    model.backbone.eval()
    report = freeze_report(model)
    assert report.summary == "28 of 38 frozen"
    assert [(each.path, each.is_training) for each in report.modules] == [
        ("backbone", False),
        ("head", True),
    ]


def test_several_layers_are_layers() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2))
    assert "2 BatchNorm layers in train mode" in freeze_report(model).summary


def test_buffers_are_counted_apart() -> None:
    model = nn.Sequential(nn.BatchNorm1d(4))
    report = freeze_report(model)
    assert (report.modules[0].parameters, report.modules[0].buffers) == (8, 9)
    buffers = {each.name: each for each in report.tensors if each.kind == "buffer"}
    assert set(buffers) == {"0.running_mean", "0.running_var", "0.num_batches_tracked"}
    assert buffers["0.running_mean"].means == ()


def test_large_numbers_are_short() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(4_000, 2_500), nn.Linear(1_000, 1_500, bias=False))
    model[1].requires_grad_(False)
    assert freeze_report(model).summary == "1.5M of 11.5M frozen"


def test_orphans() -> None:
    model, optimizer = fine_tuned()
    model.head = nn.Linear(WIDTH, 2)
    report = freeze_report(model, optimizer, AdamW([torch.zeros(1)]))
    assert report.orphans == {"SGD": 2, "AdamW": 1}
    assert report.summary == "30 of 30 frozen, SGD holds 2 orphans, AdamW holds 1 orphan"


def test_what_changed_since_a_watch_began() -> None:
    model, optimizer = fine_tuned()
    with watch(model, optimizer) as seen:
        before = freeze_report(model, optimizer, since=seen)
        step(model, optimizer)
        after = freeze_report(model, optimizer, since=seen)
    assert {each.has_changed for each in before.tensors} == {False}
    assert {each.name: each.has_changed for each in after.tensors} == {
        "backbone.weight": False,
        "backbone.bias": False,
        "head.weight": True,
        "head.bias": True,
    }
    assert {each.path: each.has_changed for each in after.modules} == {
        "backbone": False,
        "head": True,
    }
    assert {each.has_changed for each in freeze_report(model).tensors} == {None}


def test_it_is_plain_data() -> None:
    model, optimizer = fine_tuned(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH)))
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
    data = freeze_report({"a": model}, optimizer, since=seen).to_dict()
    again = json.loads(json.dumps(data))
    assert again["summary"] == data["summary"]
    assert {each["name"] for each in again["tensors"]} >= {"a.head.weight", "a.backbone.1.weight"}
    assert again["tensors"][0]["shape"] == [WIDTH, WIDTH]


def test_names_of_several_models_begin_with_their_keys() -> None:
    report = freeze_report({"student": Net(), "teacher": Net().requires_grad_(False)})
    assert [(each.path, each.state) for each in report.modules] == [
        ("student", "trainable"),
        ("teacher", "frozen"),
    ]
    assert report.summary == "30 of 60 frozen"


def test_as_text() -> None:
    model, optimizer = fine_tuned()
    lines = str(freeze_report(model, optimizer)).splitlines()
    assert lines[0].strip() == "20 of 30 frozen"
    (backbone,) = (line for line in lines if "backbone" in line)
    assert "frozen" in backbone
    assert "flag, left out of the" in backbone
    (head,) = (line for line in lines if "head" in line)
    assert "SGD[0] lr 0.1, decay 0" in head
    assert "\x1b" not in "".join(lines)


def test_in_a_terminal() -> None:
    model, optimizer = fine_tuned()
    console = Console(width=120, record=True, file=None, quiet=False, force_terminal=True)
    with console.capture() as capture:
        console.print(freeze_report(model, optimizer))
    assert "backbone" in capture.get()


def test_names_are_not_markup() -> None:
    model = nn.ModuleDict({"[red]<b>&": nn.Linear(1, 1), "plain": nn.Linear(1, 1)})
    model["plain"].requires_grad_(False)
    report = freeze_report(model)
    assert "[red]<b>&" in str(report)
    html = report._repr_html_()
    assert "[red]&lt;b&gt;&amp;" in html
    assert "<b>" not in html


def test_in_a_notebook() -> None:
    model, optimizer = fine_tuned()
    html = freeze_report(model, optimizer)._repr_html_()
    assert html.startswith("<table><caption>20 of 30 frozen</caption>")
    assert html.count("<tr>") == 3
    assert "<td>flag, left out of the optimizer</td>" in html


def test_a_model_without_parameters() -> None:
    assert freeze_report(nn.Tanh()).summary == "0 of 0 frozen"
