"""Rows that stay while the others of the same parameter train."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW

from freezelint.runtime import watch
from tests.runtime.nets import Net, Words, fine_tuned, on, said, step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

pytestmark = pytest.mark.torch


def test_rows_that_must_stay() -> None:
    model = Words()
    optimizer = SGD(model.parameters(), lr=0.1, weight_decay=0)
    rows = {"backbone.weight": slice(0, 6)}
    with watch(model, optimizer, frozen_rows=rows, on_violation="collect") as seen:
        step(model, optimizer)
    assert said(seen) == on("backbone.weight", kind="rows-changed")
    (violation,) = seen.violations
    assert violation.message.startswith("backbone.weight[0:6] changed in step 1 of SGD, group 0")
    assert violation.optimizer == "SGD"


@pytest.mark.parametrize(
    ("rows", "inside", "outside"),
    [
        (slice(0, 4), 3, 4),
        (slice(4, None), 4, 3),
        (slice(-2, None), 7, 5),
        (slice(None, None, 2), 2, 3),
    ],
    ids=str,
)
def test_rows_by_any_slice(rows: slice, inside: int, outside: int) -> None:
    model = Words()
    optimizer = torch.optim.SparseAdam(model.head.parameters())
    with watch(
        model,
        optimizer,
        trainable=["head"],
        frozen_rows={"backbone.weight": rows},
        on_violation="collect",
    ) as seen:
        step(model, optimizer)
        model.backbone.weight.data[outside] += 1
        step(model, optimizer)
        assert not seen.violations
        model.backbone.weight.data[inside] += 1
    assert said(seen) == on("backbone.weight", kind="rows-changed")


def test_rows_that_are_put_back_after_the_step_stayed() -> None:
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters())
    kept = model.head.weight.detach()[:1].clone()
    with watch(model, optimizer, frozen_rows={"head.weight": slice(0, 1)}) as seen:
        for _ in range(3):
            step(model, optimizer)
            model.head.weight.data[:1] = kept
    assert not seen.violations


def masked(gradient: Tensor) -> Tensor:
    return torch.cat([torch.zeros_like(gradient[:1]), gradient[1:]])


def test_a_masked_gradient_keeps_rows_without_decay_and_momentum() -> None:
    model = Net()
    model.head.weight.register_hook(masked)
    optimizer = SGD(model.parameters(), lr=0.1)
    with watch(model, optimizer, frozen_rows={"head.weight": slice(0, 1)}) as seen:
        for _ in range(3):
            step(model, optimizer)
    assert not seen.violations


@pytest.mark.parametrize("optimizer", [AdamW, partial(SGD, lr=0.1, weight_decay=0.1)])
def test_weight_decay_moves_rows_whose_gradient_is_masked(
    optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
) -> None:
    model = Net()
    model.head.weight.register_hook(masked)
    stepping = optimizer(model.parameters())
    rows = {"head.weight": slice(0, 1)}
    with watch(model, stepping, frozen_rows=rows, on_violation="collect") as seen:
        step(model, stepping)
    assert said(seen) == on("head.weight", kind="rows-changed")
    assert seen.violations[0].cause == "FZ306"


def test_the_whole_of_it_trains_nevertheless() -> None:
    model, optimizer = fine_tuned()
    model.head.weight.register_hook(torch.zeros_like)
    rows = {"head.weight": slice(0, 1)}
    with watch(model, optimizer, frozen_rows=rows, on_violation="collect") as seen:
        for _ in range(4):
            step(model, optimizer)
    assert said(seen) == on("head.weight", kind="not-trained")


def test_an_embedding_that_grows_is_replaced() -> None:
    model = Words()
    model.rest = nn.Linear(1, 1)
    rows = {"backbone.weight": slice(0, 4)}
    with watch(model, frozen_rows=rows, trainable=["rest"], on_violation="collect") as seen:
        larger = nn.Embedding(16, 2)
        larger.weight.data[:8] = model.backbone.weight.data
        model.backbone = larger
        seen.check()
        assert not {kind for kind, _ in said(seen)} - {"not-trained"}
        larger.weight.data[2] += 1
        seen.check()
    assert ("rows-changed", "backbone.weight") in said(seen)
