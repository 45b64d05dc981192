"""The context manager for Accelerate, around loops with the bugs that only Accelerate makes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from freezelint.runtime import ContractError, FreezeViolated
from freezelint.runtime.integrations.accelerate import FreezeWatch
from freezelint.runtime.manifest import Manifest
from tests.runtime.nets import WIDTH, Net, frozen_net, on, said
from tests.runtime.test_no_trace import traces

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [
    pytest.mark.torch,
    # Accelerate warns of what it does not find on this machine.
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::freezelint.runtime.violations.FreezeWarning"),
]

HEAD = ("head.weight", "head.bias")
BACKBONE = ("backbone.weight", "backbone.bias")


@pytest.fixture(autouse=True)
def _no_earlier_accelerator() -> None:
    # There is one state in a process, which keeps the options of the first one.
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


class Loop:
    """Eight batches, in steps of two."""

    def __init__(self, model: nn.Module, **options: Any) -> None:
        self.accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2, **options)
        optimizer = torch.optim.SGD(
            [p for p in model.parameters() if p.requires_grad], lr=0.1, weight_decay=0.01
        )
        inputs = torch.linspace(-1, 1, 16 * WIDTH).reshape(16, WIDTH)
        self.prepared = self.accelerator.prepare(
            model, optimizer, DataLoader(TensorDataset(inputs), 2)
        )

    def watch(self, **options: Any) -> FreezeWatch:
        """Of what was prepared."""
        model, optimizer, _ = self.prepared
        return FreezeWatch(self.accelerator, model, optimizer, **options)

    def run(self, before_batch: Callable[[int], object] = int) -> None:
        """As in Accelerate's documentation."""
        model, optimizer, loader = self.prepared
        for number, (inputs,) in enumerate(loader):
            before_batch(number)
            with self.accelerator.accumulate(model):
                self.accelerator.backward((model(inputs) - 1).square().mean())
                if self.accelerator.sync_gradients:
                    self.accelerator.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()


@pytest.mark.parametrize("options", [{}, {"mixed_precision": "bf16"}], ids=str)
def test_a_step_is_one_that_is_taken(options: dict[str, Any]) -> None:
    loop = Loop(frozen_net(), **options)
    with loop.watch(trainable=["head"], within=3) as watch:
        loop.run()
    assert watch.steps == 4
    assert not watch.violations


def test_freezing_between_two_accumulated_batches_leaves_a_gradient_that_is_applied() -> None:
    model = Net()
    loop = Loop(model)

    def freeze(number: int) -> None:
        if number == 1:
            model.backbone.requires_grad_(False)
            # Does nothing while gradients accumulate.
            loop.prepared[1].zero_grad()

    with loop.watch(frozen=["backbone"], on_violation="collect") as watch:
        loop.run(freeze)
    seen = {str(each.kind): each for each in watch.violations}
    assert said(watch) >= on(*BACKBONE, kind="stale-gradient")
    assert seen["frozen-changed"].cause == "FZ305"
    assert {each.step for each in watch.violations} <= {0, 1}


def test_freezing_after_prepare_leaves_the_optimizer_with_what_is_frozen_and_moves_nothing() -> (
    None
):
    model = Net()
    loop = Loop(model)
    model.backbone.requires_grad_(False)
    with loop.watch(trainable=["head"], frozen=["backbone"], within=3) as watch:
        loop.run()
    assert not watch.violations


def test_unfreezing_after_prepare_trains_nothing() -> None:
    model = frozen_net()
    loop = Loop(model)
    model.backbone.requires_grad_(True)
    with pytest.raises(FreezeViolated, match="is in none of the optimizers"), loop.watch():
        loop.run()


def test_what_an_optimizer_moves_is_named_as_beneath_all_wrappers() -> None:
    loop = Loop(nn.DataParallel(Net()))
    with loop.watch(frozen=["backbone"], on_violation="collect") as watch:
        loop.run()
    assert said(watch) == on(*BACKBONE, kind="frozen-changed")
    assert {(each.optimizer, each.step) for each in watch.violations} == {("SGD", 1)}


def test_a_model_that_is_compiled_keeps_its_names() -> None:
    loop = Loop(Net(), dynamo_backend="eager")
    assert hasattr(loop.prepared[0], "_orig_mod")
    with loop.watch(frozen=["backbone"], on_violation="collect") as watch:
        loop.run()
    assert said(watch) == on(*BACKBONE, kind="frozen-changed")


def test_what_never_moves_is_named_with_the_reason_when_the_loop_ends() -> None:
    model = frozen_net()
    loop = Loop(model)
    loop.prepared[1].param_groups[0]["lr"] = 0.0
    with pytest.raises(FreezeViolated, match="the learning rate of its group 0 is 0"), loop.watch():
        loop.run()


def test_several_models_keep_their_names() -> None:
    loop, other = Loop(frozen_net()), frozen_net()
    model, optimizer, _ = loop.prepared
    models = {"student": model, "teacher": loop.accelerator.prepare(other)}
    other.requires_grad_(False)
    with FreezeWatch(loop.accelerator, models, [optimizer], frozen=["teacher"]) as watch:
        loop.run()
        with torch.no_grad():
            other.head.weight.zero_()
        assert "teacher.head.weight" not in {each.tensor for each in watch.violations}
        with pytest.raises(FreezeViolated, match=r"teacher\.head\.weight changed outside"):
            loop.run()


def test_numbers_are_the_same_with_and_without() -> None:
    def weights_after(**options: Any) -> dict[str, Tensor]:
        torch.manual_seed(3)
        model = frozen_net(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Dropout(0.5)))
        loop = Loop(model, mixed_precision="bf16")
        if options:
            with loop.watch(**options):
                loop.run()
        else:
            loop.run()
        return {**model.state_dict(), "random": torch.rand(3)}

    plain = weights_after()
    for locate in ("never", "always"):
        watched = weights_after(on_violation="collect", locate=locate)
        assert all(torch.equal(plain[name], watched[name]) for name in plain)


@pytest.mark.parametrize("fails", [True, False])
def test_nothing_is_left_after_the_loop(fails: bool) -> None:
    model = frozen_net()
    loop = Loop(model)
    before = traces(model)[:17]
    hooks = dict(loop.accelerator._save_model_state_pre_hook)
    failing = 3 if fails else -1
    with contextlib.suppress(ZeroDivisionError), loop.watch(locate="always") as watch:
        loop.run(lambda number: 1 / (number - failing))
    assert watch.steps == (1 if fails else 4)
    assert traces(model)[:17] == before
    assert loop.accelerator._save_model_state_pre_hook == hooks
    assert not loop.accelerator._load_model_state_pre_hook


def test_a_wrong_pattern_is_told_at_the_beginning_and_leaves_nothing() -> None:
    loop = Loop(frozen_net())
    with (
        pytest.raises(ContractError, match="did you mean 'backbone'"),
        loop.watch(frozen=["bakbone"]),
    ):
        loop.run()
    assert not loop.accelerator._save_model_state_pre_hook
    with pytest.raises(TypeError, match="frosen"):
        loop.watch(frosen=["backbone"])


def test_a_state_says_what_was_promised_and_is_resumed(tmp_path: Path) -> None:
    loop = Loop(frozen_net())
    with loop.watch():
        loop.run()
        loop.accelerator.save_state(str(tmp_path))
    manifest = Manifest.load(tmp_path / "freezelint.json")
    assert {each.name for each in manifest.tensors} == set(BACKBONE)

    loop = Loop(frozen_net())
    watch = loop.watch()
    loop.accelerator.load_state(str(tmp_path))
    with watch:
        loop.run()
    assert watch.steps == 4


def test_a_loop_that_resumes_with_another_backbone_is_stopped(tmp_path: Path) -> None:
    loop = Loop(frozen_net())
    with loop.watch():
        loop.accelerator.save_state(str(tmp_path))

    model = frozen_net()
    loop = Loop(model)
    watch = loop.watch()
    loop.accelerator.load_state(str(tmp_path))
    # Fetched anew, in another release.
    nn.init.ones_(model.backbone.weight)
    with pytest.raises(FreezeViolated, match="is not as the checkpoint's manifest has it"), watch:
        loop.run()
    assert watch.steps == 0
