"""The Lightning callback, in fits with the bugs that only Lightning makes."""

from __future__ import annotations

import copy
import gc
import logging
import pickle
from typing import TYPE_CHECKING, Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import BackboneFinetuning, EarlyStopping
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils.data import DataLoader, TensorDataset

from freezelint.runtime import ContractError, FreezeViolated, FreezeWarning
from freezelint.runtime.integrations.lightning import FreezeWatch
from tests.runtime.nets import on, said
from tests.runtime.test_no_trace import traces

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.torch,
    # Lightning warns of what it takes for mistakes, and torch warns of Lightning.
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::freezelint.runtime.violations.FreezeWarning"),
]

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

WIDTH = 4
STATISTICS = tuple(
    f"backbone.1.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")
)
NORM = ("backbone.1.weight", "backbone.1.bias")


class Net(LightningModule):
    """A frozen backbone with BatchNorm, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH))
        self.head = nn.Linear(WIDTH, 2)
        self.backbone.requires_grad_(False).eval()

    def loss_of(self, batch: Any) -> Tensor:
        """Of one batch."""
        inputs, targets = batch
        return (self.head(self.backbone(inputs)) - targets).square().mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """The loss."""
        return self.loss_of(batch)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """The loss again."""
        self.log("loss", self.loss_of(batch))

    def configure_optimizers(self) -> Any:
        """Of the head."""
        return torch.optim.Adam(self.head.parameters(), lr=0.01)


class Unfrozen(Net):
    """The same with nothing frozen, and everything in the optimizer that trains."""

    def __init__(self) -> None:
        super().__init__()
        self.requires_grad_(True).train()

    def configure_optimizers(self) -> Any:
        """Of all that trains when the fit begins."""
        return torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr=0.01)


def data() -> DataLoader[Any]:
    """Four batches."""
    inputs = torch.linspace(-1, 1, 32 * WIDTH).reshape(32, WIDTH)
    return DataLoader(TensorDataset(inputs, inputs[:, :2].square()), 8)


def fit(
    model: LightningModule, *callbacks: Callback, resume: Path | None = None, **options: Any
) -> Trainer:
    """Two epochs of four steps, each with a validation."""
    settings: dict[str, Any] = {
        "accelerator": "cpu",
        "callbacks": list(callbacks),
        "devices": 1,
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "enable_progress_bar": False,
        "logger": False,
        "max_epochs": 2,
    }
    trainer = Trainer(**{**settings, **options})
    trainer.fit(model, data(), data(), ckpt_path=resume)
    return trainer


def test_a_frozen_backbone_that_was_put_to_eval_stays_so() -> None:
    watch = FreezeWatch()
    fit(Net(), watch)
    assert watch.steps == 8
    assert not watch.violations


def test_without_eval_the_statistics_of_a_frozen_backbone_drift() -> None:
    model, watch = Net(), FreezeWatch()
    model.train()
    with pytest.raises(FreezeViolated, match="FZ401"):
        fit(model, watch)
    assert said(watch) <= on(*STATISTICS, kind="buffer-changed")
    assert {each.step for each in watch.violations} == {1}


class TrainsAfterValidation(Net):
    """Does what Lightning did by itself before 2.2: it puts all of the model back to train mode."""

    def on_validation_model_train(self) -> None:
        """The base class's method does the same, if it is called."""
        super().on_validation_model_train()


def test_a_hook_that_puts_the_model_back_to_train_mode_wakes_the_backbone() -> None:
    watch = FreezeWatch(on_violation="collect", frozen=["backbone"], trainable=["head"])
    fit(TrainsAfterValidation(), watch, num_sanity_val_steps=0)
    assert said(watch) >= on(*STATISTICS, kind="buffer-changed")
    assert {each.step for each in watch.violations} == {5}
    assert {each.cause for each in watch.violations} == {"FZ401"}


def test_the_finetuning_callback_trains_batchnorm_of_the_frozen_backbone_all_the_same() -> None:
    watch = FreezeWatch(on_violation="collect", frozen=["backbone"])
    fit(Unfrozen(), BackboneFinetuning(unfreeze_backbone_at_epoch=9, train_bn=False), watch)
    assert said(watch) >= on(*NORM, kind="frozen-changed")
    assert said(watch) >= on(*STATISTICS, kind="buffer-changed")
    assert not any(str(each.tensor).startswith("backbone.0") for each in watch.violations)


class HeadOnly(Unfrozen):
    """Leaves it to the finetuning callback to hand over the backbone."""

    def configure_optimizers(self) -> Any:
        """Of the head."""
        return torch.optim.Adam(self.head.parameters(), lr=0.01)


@pytest.mark.parametrize("model", [Unfrozen, HeadOnly])
def test_a_schedule_that_unfreezes_is_followed(model: type[Net]) -> None:
    watch = FreezeWatch()
    fit(model(), watch, BackboneFinetuning(unfreeze_backbone_at_epoch=1))
    assert watch.steps == 8
    assert not watch.violations


def test_what_the_finetuning_callback_unfreezes_and_hands_to_no_optimizer_is_named() -> None:
    watch = FreezeWatch()
    with pytest.raises(FreezeViolated, match="in none of the optimizers"):
        fit(HeadOnly(), watch, BackboneFinetuning(unfreeze_backbone_at_epoch=1, train_bn=False))
    assert said(watch) == on(*NORM, kind="not-optimized")
    assert {each.step for each in watch.violations} == {4}


class Unfreezes(Callback):
    """At the second epoch, by hand."""

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Switch flags on; the optimizer knows nothing of it."""
        pl_module.requires_grad_(trainer.current_epoch == 1)
        pl_module.head.requires_grad_(True)


def test_unfreezing_in_a_callback_trains_nothing() -> None:
    watch = FreezeWatch()
    with pytest.raises(FreezeViolated, match="switched on; no optimizer holds it"):
        fit(Net(), watch, Unfreezes())
    watch = FreezeWatch(follows_flags=True)
    with pytest.raises(FreezeViolated, match="is in none of the optimizers"):
        fit(Net(), watch, Unfreezes())
    assert {each.step for each in watch.violations} == {4}


class Adversarial(Net):
    """Two optimizers, stepped by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.critic = nn.Linear(WIDTH, 2)

    def training_step(self, batch: Any, batch_idx: int) -> None:  # type: ignore[override]
        """The generator is updated through the critic, and the other way round."""
        for part, optimizer in zip((self.head, self.critic), self.optimizers(), strict=True):
            self.toggle_optimizer(optimizer)
            features = self.backbone(batch[0])
            optimizer.zero_grad()
            self.manual_backward((part(features) - batch[1]).square().mean())
            optimizer.step()
            self.untoggle_optimizer(optimizer)

    def configure_optimizers(self) -> Any:
        """One each."""
        parts = self.head, self.critic
        return [torch.optim.SGD(part.parameters(), lr=0.01) for part in parts]


def test_several_optimizers_stepped_by_hand_toggle_flags_and_break_nothing() -> None:
    watch = FreezeWatch(frozen=["backbone"], trainable=["head", "critic"], within=3)
    fit(Adversarial(), watch)
    assert watch.steps == 16


class CriticMovesBackbone(Adversarial):
    """Hands the backbone to the wrong optimizer."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone.requires_grad_(True)

    def configure_optimizers(self) -> Any:
        """The critic's takes the backbone too."""
        critic = [*self.critic.parameters(), *self.backbone.parameters()]
        return [
            torch.optim.SGD(self.head.parameters(), lr=0.01),
            torch.optim.SGD(critic, lr=0.01),
        ]


def test_the_optimizer_that_moves_something_frozen_is_named() -> None:
    watch = FreezeWatch(frozen=["backbone"])
    with pytest.raises(FreezeViolated, match="in step 2 of SGD2, group 0"):
        fit(CriticMovesBackbone(), watch)


def test_the_line_that_wrote_is_one_of_the_user_and_not_of_lightning() -> None:
    watch = FreezeWatch(frozen=["backbone"], locate="always", on_violation="collect")
    fit(CriticMovesBackbone(), watch)
    writers = [each.writer for each in watch.violations if each.kind == "frozen-changed"]
    assert {(writer.path, writer.code) for writer in writers if writer} == {
        (__file__, "optimizer.step()")
    }


class Detached(Net):
    """Cuts the head off the loss."""

    def loss_of(self, batch: Any) -> Tensor:
        """Of the backbone's features alone, in effect."""
        return super().loss_of(batch).detach() + self.spare(batch[0]).mean()

    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Linear(WIDTH, 1)

    def configure_optimizers(self) -> Any:
        """Of both."""
        parameters = [*self.head.parameters(), *self.spare.parameters()]
        return torch.optim.SGD(parameters, lr=0.01)


def test_what_never_moves_is_named_with_the_reason_when_the_fit_ends() -> None:
    watch = FreezeWatch(on_violation="warn")
    with pytest.warns(FreezeWarning, match="detach"):
        fit(Detached(), watch)
    assert said(watch) == on("head.weight", "head.bias", kind="not-trained")
    assert {each.cause for each in watch.violations} == {"FZ501"}


def test_gradients_that_are_accumulated_and_clipped_are_one_step() -> None:
    watch = FreezeWatch(trainable=["head"], within=2)
    fit(Net(), watch, accumulate_grad_batches=2, gradient_clip_val=0.1)
    assert watch.steps == 4


def test_freezing_in_the_course_of_a_fit_leaves_no_stale_gradient() -> None:
    class Freezes(Callback):
        def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            pl_module.backbone.requires_grad_(trainer.current_epoch == 0)

    model = Unfrozen()
    model.backbone[1] = nn.Identity()
    watch = FreezeWatch(follows_flags=True)
    fit(model, watch, Freezes())
    assert watch.steps == 8


def test_an_early_stop_is_an_end_like_any_other() -> None:
    watch = FreezeWatch(on_violation="collect", trainable=["spare", "head"])
    stop = EarlyStopping("loss", patience=1, min_delta=100.0)
    trainer = fit(Detached(), watch, stop, max_epochs=9)
    assert trainer.current_epoch < 9
    assert said(watch) == on("head.weight", "head.bias", kind="not-trained")


def weights_after(*callbacks: Callback) -> dict[str, Tensor]:
    torch.manual_seed(3)
    model = Unfrozen()
    model.backbone.append(nn.Dropout(0.5))
    fit(model, BackboneFinetuning(unfreeze_backbone_at_epoch=1), *callbacks)
    return {**model.state_dict(), "random": torch.rand(3)}


@pytest.mark.parametrize("locate", ["never", "always"])
def test_numbers_are_the_same_with_and_without(locate: Any) -> None:
    plain = weights_after()
    watched = weights_after(FreezeWatch(on_violation="collect", locate=locate))
    assert all(torch.equal(plain[name], watched[name]) for name in plain)


def test_nothing_is_left_after_a_fit() -> None:
    model = Net()
    before = traces(model)
    fit(model, FreezeWatch())
    after = traces(model)
    # The random state moves, and Lightning leaves attributes of its own.
    kept = [number for number in range(len(before)) if number not in (7, 17)]
    assert [after[number] for number in kept] == [before[number] for number in kept]


class Fails(Callback):
    """In the third batch."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Raise."""
        if trainer.global_step == 3:
            raise self.error


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_nothing_is_left_after_a_fit_that_fails(error: type[BaseException]) -> None:
    model, watch = Net(), FreezeWatch(locate="always")
    before = traces(model)
    with pytest.raises((error, SystemExit)):
        fit(model, watch, Fails(error))
    assert traces(model)[:7] == before[:7]
    assert traces(model)[8:17] == before[8:17]
    assert watch.steps == 3
    fit(model, watch)
    assert watch.steps == 8


def test_the_next_fit_is_watched_anew() -> None:
    model, watch = Net(), FreezeWatch(on_violation="collect")
    model.train()
    fit(model, watch)
    assert watch.violations
    model.backbone.eval()
    fit(model, watch)
    assert not watch.violations


def test_patterns_are_matched_when_the_fit_begins_and_options_before() -> None:
    with pytest.raises(TypeError, match="frosen"):
        FreezeWatch(frosen=["backbone"])
    with pytest.raises(ValueError, match="on_violation"):
        FreezeWatch(on_violation="shout")
    with pytest.raises(ContractError, match="did you mean 'backbone'"):
        fit(Net(), FreezeWatch(frozen=["backbon"]))


def test_the_callback_can_be_copied_and_pickled() -> None:
    watch = FreezeWatch(frozen=["backbone"])
    fit(Net(), pickle.loads(pickle.dumps(watch)))
    fit(Net(), copy.deepcopy(watch))


def test_a_fit_that_resumes_begins_with_what_was_promised(tmp_path: Path) -> None:
    model, path = Net(), tmp_path / "last.ckpt"
    fit(model, FreezeWatch()).save_checkpoint(path)
    watch = FreezeWatch()
    fit(Net(), watch, resume=path, max_epochs=3)
    assert watch.steps == 4
    assert not watch.violations


class SavesTheHeadOnly(Net):
    """Leaves what is frozen out of its checkpoints, since it can be had elsewhere."""

    strict_loading = False

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the head."""
        weights = checkpoint["state_dict"]
        for name in [each for each in weights if each.startswith("backbone")]:
            del weights[name]


def test_a_fit_that_resumes_with_another_backbone_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    fit(SavesTheHeadOnly(), FreezeWatch()).save_checkpoint(path)
    watch = FreezeWatch()
    with pytest.raises(FreezeViolated, match="is not as the checkpoint's manifest has it"):
        fit(SavesTheHeadOnly(), watch, resume=path, max_epochs=3)
    assert said(watch) == on("backbone.0.weight", "backbone.0.bias", kind="frozen-changed")
    assert watch.steps == 0


def test_a_state_of_a_later_release_is_left_out_with_a_warning() -> None:
    watch = FreezeWatch()
    with pytest.warns(FreezeWarning, match="version 99"):
        watch.load_state_dict({"manifest": {"format": "freezelint manifest", "version": 99}})
    fit(Net(), watch)


def test_a_forgotten_callback_takes_its_hooks_along() -> None:
    model, watch = Net(), FreezeWatch()
    before = traces(model)
    watch._fit.begin(model, model.configure_optimizers())
    assert traces(model)[:7] != before[:7]
    del watch
    gc.collect()
    assert traces(model)[:7] == before[:7]


def test_a_callback_that_is_forgotten_within_a_step_waits_for_its_end() -> None:
    model, watches = Net(), [FreezeWatch()]
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    before = traces(model)[:7]
    forgetting = register_optimizer_step_pre_hook(lambda *_: watches.clear())
    watches[0]._fit.begin(model, optimizer)
    optimizer.step()
    forgetting.remove()
    gc.collect()
    assert traces(model)[:7] == before
