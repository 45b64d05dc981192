"""The callback for transformers, in trainings with the bugs that only a Trainer or peft makes."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainerCallback
from transformers import TrainingArguments as Arguments

from freezelint.runtime import FreezeViolated, FreezeWarning
from freezelint.runtime.integrations.transformers import FreezeWatch
from freezelint.runtime.manifest import Manifest
from tests.runtime.nets import said
from tests.runtime.test_no_trace import traces

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.torch,
    # Libraries warn of each other.
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::freezelint.runtime.violations.FreezeWarning"),
]


def classifier(**options: Any) -> BertForSequenceClassification:
    """A tiny one whose encoder is frozen."""
    settings = {
        "attention_probs_dropout_prob": 0.0,
        "hidden_dropout_prob": 0.0,
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "vocab_size": 32,
    }
    model = BertForSequenceClassification(BertConfig(**{**settings, **options}))
    model.bert.requires_grad_(False)
    return model


@pytest.fixture
def train(tmp_path: Path) -> Any:
    """Four steps, two an epoch."""

    def run(model: nn.Module, *callbacks: TrainerCallback, **options: Any) -> Trainer:
        trainer = options.pop("trainer", Trainer)
        resume = options.pop("resume", None)
        settings = {
            "disable_tqdm": True,
            "learning_rate": 0.01,
            "logging_strategy": "no",
            "max_steps": 4,
            "output_dir": str(tmp_path),
            "per_device_train_batch_size": 4,
            "report_to": [],
            "save_strategy": "no",
            "use_cpu": True,
        }
        words = torch.arange(64).reshape(8, 8) % 32
        rows = [
            {"input_ids": row, "labels": torch.tensor(number % 2)}
            for number, row in enumerate(words)
        ]
        made = trainer(
            model, Arguments(**{**settings, **options}), train_dataset=rows, callbacks=[*callbacks]
        )
        made.train(resume_from_checkpoint=resume)
        return made

    return run


def parts(watch: FreezeWatch) -> set[tuple[str, bool]]:
    """Kinds of what was seen, and whether it was seen of the encoder."""
    return {(kind, "bert." in str(tensor)) for kind, tensor in said(watch)}


def test_a_frozen_encoder_below_a_head_that_trains(train: Any) -> None:
    watch = FreezeWatch(trainable=["classifier"], frozen=["bert"], within=3)
    train(classifier(), watch)
    assert watch.steps == 4
    assert not watch.violations


def test_what_an_optimizer_moves_is_named_as_in_the_model(train: Any) -> None:
    model = classifier()
    model.requires_grad_(True)
    watch = FreezeWatch(frozen=["bert.embeddings"])
    with pytest.raises(FreezeViolated, match=r"bert\.embeddings\..* changed in step 1 of AdamW"):
        train(model, watch)


class Unfreezes(TrainerCallback):
    """Unfreezes the encoder when something begins; the optimizer was made before."""

    def __init__(self, epoch: int | None = None) -> None:
        self.epoch = epoch

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """With the training."""
        if self.epoch is None:
            kwargs["model"].bert.requires_grad_(True)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """With an epoch."""
        if self.epoch is not None and state.epoch >= self.epoch:
            kwargs["model"].bert.requires_grad_(True)


@pytest.mark.parametrize("is_first", [True, False])
def test_unfreezing_when_the_training_begins_is_too_late(train: Any, is_first: bool) -> None:
    watch = FreezeWatch()
    callbacks = [watch, Unfreezes()] if is_first else [Unfreezes(), watch]
    with pytest.raises(FreezeViolated, match="is in none of the optimizers"):
        train(classifier(), *callbacks)
    assert parts(watch) == {("not-optimized", True)}
    assert watch.steps == 0


def test_unfreezing_at_an_epoch_is_a_breach_and_trains_nothing(train: Any) -> None:
    watch = FreezeWatch()
    with pytest.raises(FreezeViolated, match="switched on; no optimizer holds it"):
        train(classifier(), watch, Unfreezes(epoch=1))
    assert parts(watch) == {("flag-flipped", True)}
    assert watch.steps == 2


def test_where_flags_are_followed_it_still_trains_nothing(train: Any) -> None:
    watch = FreezeWatch(follows_flags=True)
    with pytest.raises(FreezeViolated, match="is in none of the optimizers"):
        train(classifier(), watch, Unfreezes(epoch=1))
    assert watch.steps == 2


def adapted(**options: Any) -> Any:
    """The classifier with adapters; its head is frozen like all the rest."""
    peft = pytest.importorskip("peft")
    model = classifier(**options)
    config = peft.LoraConfig(r=2, target_modules=["query"])
    return peft.get_peft_model(model, config)


def reloaded(folder: Path) -> Any:
    """Adapters from a file, as they are loaded for inference."""
    peft = pytest.importorskip("peft")
    adapted().save_pretrained(folder)
    return peft.PeftModel.from_pretrained(classifier(), folder)


def test_adapters_train(train: Any) -> None:
    watch = FreezeWatch(within=3)
    train(adapted(), watch)
    assert watch.steps == 4
    assert not watch.violations


def test_an_adapter_that_was_loaded_frozen_leaves_nothing_to_train(
    train: Any, tmp_path: Path
) -> None:
    watch = FreezeWatch()
    with pytest.raises(FreezeViolated, match="has requires_grad=True: nothing can train"):
        train(reloaded(tmp_path / "adapter"), watch)
    assert watch.steps == 0


def test_an_adapter_that_was_loaded_frozen_below_a_head_that_trains_is_named(
    train: Any, tmp_path: Path
) -> None:
    model = reloaded(tmp_path / "adapter")
    model.base_model.model.classifier.requires_grad_(True)
    watch = FreezeWatch(trainable=["*lora_*", "classifier"], on_violation="collect")
    train(model, watch)
    assert parts(watch) == {("not-trained", True)}
    assert all("its flag is off" in each.message for each in watch.violations)
    assert all("lora_" in str(each.tensor) for each in watch.violations)


class AgainstReference(Trainer):
    """Keeps close to the base model, as preference learning does."""

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The loss, and how far the base model's answers are."""
        logits = model(**inputs).logits
        with torch.no_grad(), model.disable_adapter():
            reference = model(**inputs).logits
        return (logits - reference - 1).square().mean()


def test_disabling_adapters_for_a_while_switches_on_what_was_frozen_of_them(train: Any) -> None:
    model = adapted()
    for name, parameter in model.named_parameters():
        if "lora_A" in name:
            parameter.requires_grad_(False)
    watch = FreezeWatch(on_violation="collect")
    train(model, watch, trainer=AgainstReference)
    flipped = [each for each in watch.violations if each.kind == "flag-flipped"]
    assert {str(each.tensor).rpartition("lora_")[2] for each in flipped} == {"A.default.weight"}
    assert all("no optimizer holds it" in each.message for each in flipped)


def test_disabling_adapters_for_a_while_is_silent_where_all_of_them_train(train: Any) -> None:
    watch = FreezeWatch(frozen=["*base_layer*", "*embeddings*"], trainable=["*lora_*"], within=3)
    train(adapted(), watch, trainer=AgainstReference)
    assert not watch.violations


def test_dropout_in_a_frozen_encoder_is_warned_of_and_stops_nothing(train: Any) -> None:
    watch = FreezeWatch()
    with pytest.warns(FreezeWarning, match="its dropout is active"):
        train(classifier(hidden_dropout_prob=0.1), watch)
    assert watch.steps == 4
    assert {kind for kind, _ in said(watch)} == {"train-mode"}


def test_dropout_between_adapters_that_train_is_not_warned_of(train: Any) -> None:
    watch = FreezeWatch(on_violation="collect")
    train(adapted(hidden_dropout_prob=0.1), watch)
    assert {str(each.tensor).rpartition("model.")[2] for each in watch.violations} == {
        "bert.embeddings.dropout"
    }


@pytest.mark.parametrize("options", [{"bf16": True}, {}], ids=str)
def test_gradients_that_are_accumulated_and_clipped_are_one_step(
    train: Any, options: dict[str, Any]
) -> None:
    watch = FreezeWatch(trainable=["classifier"], within=3)
    train(classifier(), watch, gradient_accumulation_steps=2, max_grad_norm=0.1, **options)
    assert watch.steps == 4
    assert not watch.violations


def test_a_compiled_model_is_compiled_as_often_as_without(train: Any) -> None:
    counted = []
    for callbacks in ([], [FreezeWatch(trainable=["classifier"])]):
        torch._dynamo.reset()
        counters = torch._dynamo.utils.counters
        counters.clear()
        train(classifier(), *callbacks, torch_compile=True, torch_compile_backend="eager")
        counted.append(counters["stats"]["unique_graphs"])
    assert counted[0] == counted[1] > 0


def test_a_head_that_never_moves_is_named_with_the_reason(train: Any) -> None:
    watch = FreezeWatch(on_violation="warn")
    with pytest.warns(FreezeWarning, match="the learning rate of its group . is 0"):
        train(classifier(), watch, learning_rate=0.0)
    assert parts(watch) == {("not-trained", False)}


def test_numbers_are_the_same_with_and_without(train: Any) -> None:
    def weights_after(*callbacks: TrainerCallback) -> dict[str, Tensor]:
        torch.manual_seed(3)
        model = classifier(hidden_dropout_prob=0.1)
        train(model, *callbacks, bf16=True, gradient_accumulation_steps=2)
        return {**model.state_dict(), "random": torch.rand(3)}

    plain = weights_after()
    for locate in ("never", "always"):
        watched = weights_after(FreezeWatch(on_violation="collect", locate=locate))
        assert all(torch.equal(plain[name], watched[name]) for name in plain)


class Fails(TrainerCallback):
    """In the third step."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Raise."""
        if state.global_step == 3:
            raise ZeroDivisionError


def hooks_on(model: nn.Module) -> list[object]:
    """All hooks there are, but for those of callbacks that are forgotten."""
    gc.collect()
    return traces(model)[:7]


def own_step(model: nn.Module) -> None:
    """Of the user, after the Trainer."""
    model.requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(input_ids=torch.arange(8)[None], labels=torch.tensor([1])).loss.backward()
    optimizer.step()


def test_what_runs_after_a_training_that_failed_is_not_watched(train: Any) -> None:
    model, watch = classifier(), FreezeWatch(locate="always")
    before = hooks_on(model)
    with pytest.raises(ZeroDivisionError):
        train(model, watch, Fails())
    own_step(model)
    assert hooks_on(model) == before
    assert traces(model)[10:16] == traces(nn.Linear(1, 1))[10:16]
    assert watch.steps == 3
    assert not watch.violations


def test_a_training_that_failed_can_be_closed_and_begun_again(train: Any) -> None:
    model, watch = classifier(), FreezeWatch()
    before = hooks_on(model)
    with pytest.raises(ZeroDivisionError):
        train(model, watch, Fails())
    assert hooks_on(model) != before
    watch.close()
    assert hooks_on(model) == before
    train(model, watch)
    assert watch.steps == 4
    assert hooks_on(model) == before


def test_a_callback_that_is_forgotten_after_a_failure_takes_its_hooks_along(train: Any) -> None:
    model = classifier()
    before = hooks_on(model)
    with pytest.raises(ZeroDivisionError) as caught:
        train(model, FreezeWatch(), Fails())
    del caught
    assert hooks_on(model) == before


def test_a_checkpoint_says_what_was_promised_and_is_resumed(train: Any, tmp_path: Path) -> None:
    train(classifier(), FreezeWatch(), save_strategy="steps", save_steps=2)
    manifest = Manifest.load(tmp_path / "checkpoint-2" / "freezelint.json")
    assert all(each.name.startswith("bert.") for each in manifest.tensors)
    watch = FreezeWatch()
    train(classifier(), watch, resume=True, max_steps=6)
    assert watch.steps == 2
    assert not watch.violations


def test_adapters_that_are_resumed_on_another_base_model_are_stopped(
    train: Any, tmp_path: Path
) -> None:
    train(adapted(), FreezeWatch(), save_strategy="steps", save_steps=2)
    watch = FreezeWatch()
    with pytest.raises(FreezeViolated, match="is not as the checkpoint's manifest has it"):
        train(adapted(), watch, resume=str(tmp_path / "checkpoint-2"))
    assert watch.steps == 0


def test_a_damaged_manifest_in_a_checkpoint_is_left_out_with_a_warning(
    train: Any, tmp_path: Path
) -> None:
    train(classifier(), FreezeWatch(), save_strategy="steps", save_steps=2)
    (tmp_path / "checkpoint-2" / "freezelint.json").write_text("{")
    with pytest.warns(FreezeWarning, match="is no manifest"):
        train(classifier(), FreezeWatch(), resume=str(tmp_path / "checkpoint-2"))
