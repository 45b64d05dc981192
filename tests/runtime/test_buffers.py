"""Buffers of frozen modules stay, those of trainable ones move as they like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from freezelint.runtime import FreezeViolated, assert_frozen, watch
from tests.runtime.nets import WIDTH, Net, fine_tuned, on, said, step

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.torch

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def normed(**options: float | bool | None) -> nn.Sequential:
    return nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH, **options))  # type: ignore[arg-type]


def changed_buffers(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 2) -> set[str]:
    with watch(model, optimizer, on_violation="collect", locate="never") as seen:
        for _ in range(steps):
            step(model, optimizer)
    return {str(each.tensor) for each in seen.violations if each.kind == "buffer-changed"}


@pytest.mark.parametrize(
    ("options", "moves"),
    [
        ({}, STATISTICS),
        ({"affine": False}, STATISTICS),
        ({"momentum": 0.0}, ["num_batches_tracked"]),
        ({"momentum": None}, STATISTICS),
        ({"track_running_stats": False}, []),
    ],
    ids=str,
)
def test_statistics_of_a_frozen_batchnorm_in_train_mode(
    options: dict[str, float | bool | None], moves: list[str]
) -> None:
    model, optimizer = fine_tuned(normed(**options))
    assert changed_buffers(model, optimizer) == {f"backbone.1.{name}" for name in moves}


def test_statistics_stay_in_eval_mode() -> None:
    model, optimizer = fine_tuned(normed())
    model.backbone.eval()
    with watch(model, optimizer):
        for _ in range(3):
            step(model, optimizer)


def test_train_mode_is_named_as_the_reason_before_the_first_step() -> None:
    model, optimizer = fine_tuned(normed())
    with watch(model, optimizer, on_violation="collect", locate="never") as seen:
        step(model, optimizer)
    by_kind = {str(each.kind): each for each in seen.violations}
    assert by_kind.keys() == {"buffer-changed", "train-mode"}
    assert {each.cause for each in seen.violations} == {"FZ401"}
    assert by_kind["train-mode"].tensor == "backbone.1"
    assert "train mode" in by_kind["buffer-changed"].message


def test_the_first_step_is_stopped_before_it() -> None:
    model, optimizer = fine_tuned(normed())
    head = model.head.weight.detach().clone()
    with pytest.raises(FreezeViolated, match="num_batches_tracked"), watch(model, optimizer):
        step(model, optimizer)
    assert torch.equal(model.head.weight, head)


def test_a_forward_pass_without_any_step_is_seen_on_leaving() -> None:
    model, _ = fine_tuned(normed())
    with pytest.raises(FreezeViolated, match="before the first step"), assert_frozen(model):
        model(torch.ones(4, WIDTH))


def test_no_grad_is_no_shelter() -> None:
    model, optimizer = fine_tuned(normed())
    inner = model.backbone
    model.backbone.forward = torch.no_grad()(inner.forward)  # type: ignore[method-assign]
    assert changed_buffers(model, optimizer) == {f"backbone.1.{name}" for name in STATISTICS}


def test_statistics_of_instancenorm() -> None:
    norm = nn.InstanceNorm1d(2, track_running_stats=True)
    layers = nn.Sequential(nn.Unflatten(1, (2, 2)), norm, nn.Flatten(), nn.Linear(WIDTH, WIDTH))
    model, optimizer = fine_tuned(layers)
    assert {"backbone.1.running_mean", "backbone.1.running_var"} <= changed_buffers(
        model, optimizer
    )


def test_the_power_iteration_of_spectral_norm() -> None:
    model, optimizer = fine_tuned(spectral_norm(nn.Linear(WIDTH, WIDTH)))
    path = "backbone.parametrizations.weight.0"
    assert changed_buffers(model, optimizer) == {f"{path}._u", f"{path}._v"}
    model.eval()
    assert not changed_buffers(model, optimizer)


class Memory(nn.Module):
    """A layer that writes something down whenever it runs."""

    kept: Tensor

    def __init__(self, write: Callable[[Memory, Tensor], object], *, persistent: bool) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, WIDTH)
        self.write = write
        self.register_buffer("kept", torch.zeros(3, WIDTH), persistent=persistent)

    def forward(self, inputs: Tensor) -> Tensor:
        """The features, noted."""
        features = self.layer(inputs)
        self.write(self, features.detach())
        return features


def queued(memory: Memory, features: Tensor) -> None:
    memory.kept[:] = torch.cat([features[:1], memory.kept[:-1]])


def codebook_followed(memory: Memory, features: Tensor) -> None:
    memory.kept.data[1].lerp_(features.mean(dim=0), 0.1)


def bound_anew(memory: Memory, features: Tensor) -> None:
    memory.kept = 0.9 * memory.kept + features.mean(dim=0)


def put_into_the_dict(memory: Memory, features: Tensor) -> None:
    memory._buffers["kept"] = memory.kept + features.mean(dim=0)


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("write", [queued, codebook_followed, bound_anew, put_into_the_dict])
def test_queues_codebooks_and_what_is_computed_anew(
    write: Callable[[Memory, Tensor], object], persistent: bool
) -> None:
    model, optimizer = fine_tuned(Memory(write, persistent=persistent))
    model.eval()
    with watch(model, optimizer, on_violation="collect") as seen:
        for _ in range(3):
            step(model, optimizer)
    (violation,) = seen.violations
    assert (violation.kind, violation.tensor) == ("buffer-changed", "backbone.kept")
    assert violation.optimizer is None


def test_a_buffer_that_is_bound_to_an_equal_tensor_has_not_changed() -> None:
    def again(memory: Memory, _: Tensor) -> None:
        memory.kept = memory.kept.clone()

    model, optimizer = fine_tuned(Memory(again, persistent=True))
    with watch(model, optimizer, on_violation="collect") as seen:
        for _ in range(3):
            step(model, optimizer)
        assert not seen.violations
        model.backbone.kept[0, 0] = 5
        step(model, optimizer)
    assert said(seen) == on("backbone.kept", kind="buffer-changed")


def test_a_buffer_that_is_taken_away_is_gone() -> None:
    model, optimizer = fine_tuned(normed())
    model.eval()
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        del model.backbone[1].num_batches_tracked
        step(model, optimizer)
    assert said(seen) == on("backbone.1.num_batches_tracked", kind="frozen-replaced")


def test_a_buffer_that_becomes_none_is_gone() -> None:
    model, optimizer = fine_tuned(Memory(lambda *_: None, persistent=True))
    with watch(model, optimizer, on_violation="collect") as seen:
        step(model, optimizer)
        model.backbone.kept = None
        step(model, optimizer)
    assert said(seen) == on("backbone.kept", kind="frozen-replaced")


@pytest.mark.parametrize("pattern", ["backbone.1", "backbone.1.*", "*.running_*"])
def test_statistics_may_move_where_the_contract_says_so(pattern: str) -> None:
    model, optimizer = fine_tuned(normed())
    patterns = [pattern, "*.num_batches_tracked"]
    with watch(model, optimizer, statistics=patterns) as seen:
        for _ in range(3):
            step(model, optimizer)
    assert not seen.violations


def test_statistics_say_nothing_about_parameters() -> None:
    model, optimizer = fine_tuned(normed())
    model.eval()
    with watch(model, optimizer, statistics=["backbone"], on_violation="collect") as seen:
        step(model, optimizer)
        model.backbone[1].weight.data += 1
    assert said(seen) == on("backbone.1.weight", kind="frozen-changed")


def test_buffers_of_what_trains_are_silent() -> None:
    model = Net(normed())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with watch(model, optimizer):
        for _ in range(3):
            step(model, optimizer)


def test_buffers_of_a_module_that_trains_in_part_are_silent() -> None:
    model = Net(normed())
    model.backbone[0].requires_grad_(False)
    model.backbone[1].bias.requires_grad_(False)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    with watch(model, optimizer):
        for _ in range(3):
            step(model, optimizer)


def test_patterns_name_buffers_too() -> None:
    model = Net(normed())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with watch(
        model, optimizer, frozen=["backbone.1.running_mean"], on_violation="collect", locate="never"
    ) as seen:
        step(model, optimizer)
    assert on("backbone.1.running_mean", kind="buffer-changed") <= said(seen)
