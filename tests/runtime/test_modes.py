"""Frozen modules that run in train mode."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from freezelint.runtime import watch
from tests.runtime.nets import WIDTH, Net, fine_tuned, frozen_net, on, said, step

pytestmark = pytest.mark.torch


def with_layer(layer: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(WIDTH, WIDTH), layer)


def batch_statistics() -> nn.Module:
    norm = nn.BatchNorm1d(WIDTH)
    norm.track_running_stats = False
    return norm


class Attention(nn.MultiheadAttention):
    """Of the batch to itself."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """The features alone."""
        return super().forward(inputs, inputs, inputs)[0]


@pytest.mark.parametrize(
    ("layer", "cause"),
    [
        (lambda: nn.Dropout(0.5), "FZ402"),
        (lambda: nn.Sequential(nn.Dropout(0.5)), "FZ402"),
        (lambda: Attention(WIDTH, 1, dropout=0.5), "FZ402"),
        (batch_statistics, "FZ403"),
    ],
    ids=["dropout", "dropout inside", "attention", "batch statistics"],
)
def test_what_behaves_differently_in_train_mode_is_named(
    layer: type[nn.Module], cause: str
) -> None:
    model, optimizer = fine_tuned(with_layer(layer()))
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
    (violation,) = seen.violations
    assert (violation.kind, violation.cause) == ("train-mode", cause)
    assert str(violation.tensor).startswith("backbone.1")


@pytest.mark.parametrize(
    "layer",
    [
        nn.Dropout(0.0),
        nn.LayerNorm(WIDTH),
        nn.GroupNorm(2, WIDTH),
        nn.BatchNorm1d(WIDTH, track_running_stats=False),
        nn.Tanh(),
    ],
    ids=str,
)
def test_what_does_not_depend_on_the_mode_is_silent(layer: nn.Module) -> None:
    model, optimizer = fine_tuned(with_layer(layer))
    with watch(model, optimizer):
        step(model, optimizer)


def test_eval_mode_is_silent() -> None:
    model, optimizer = fine_tuned(with_layer(nn.Dropout(0.5)))
    with watch(model, optimizer):
        for _ in range(3):
            model.train()
            model.backbone.eval()
            step(model, optimizer)


def test_dropout_between_a_frozen_backbone_and_a_head_that_trains_is_silent() -> None:
    model = frozen_net()
    model.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(WIDTH, 2))
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    with watch(model, optimizer):
        for _ in range(3):
            step(model, optimizer)


def test_dropout_of_a_model_that_trains_is_silent() -> None:
    model = Net(with_layer(nn.Dropout(0.5)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with watch(model, optimizer):
        for _ in range(3):
            step(model, optimizer)


def test_a_mode_that_comes_back_later_is_seen_within_sixteen_steps() -> None:
    model, optimizer = fine_tuned(with_layer(nn.Dropout(0.5)))
    model.backbone.eval()
    with watch(model, optimizer, on_violation="collect") as seen:
        for _ in range(3):
            step(model, optimizer)
        model.train()
        for _ in range(16):
            step(model, optimizer)
        assert said(seen) == on("backbone.1", kind="train-mode")


def test_dropout_above_an_adapter_that_trains_is_silent() -> None:
    model = frozen_net(with_layer(nn.Dropout(0.5)))
    model.adapter = nn.Linear(WIDTH, WIDTH)
    model.backbone[0].register_forward_hook(lambda _, given, result: result + model.adapter(*given))
    parameters = [*model.adapter.parameters(), *model.head.parameters()]
    with watch(model, torch.optim.SGD(parameters, lr=0.1)):
        for _ in range(3):
            step(model, torch.optim.SGD(parameters, lr=0.1))
