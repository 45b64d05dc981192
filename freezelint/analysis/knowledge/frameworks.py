"""In which order frameworks that train by themselves call what the user wrote.

Sources: runs of lightning 2.6 and of transformers 5.24 in which every hook wrote its
name down. Older versions differ in one thing that matters here: before Lightning 2.2
``fit`` and the end of every validation put the whole model into training mode; now
they leave modes as they were. The current behaviour is assumed.
"""

from __future__ import annotations

import enum

from freezelint.records import NamedTuple


class Act(enum.Enum):
    """What the framework does by itself between two hooks."""

    BUILD_OPTIMIZER = "build optimizer"
    TRAINING_MODE = "training mode"
    FORWARD = "forward"
    CLEAR = "clear"
    BACKWARD = "backward"
    STEP = "step"


Moment = str | Act
"""The name of a hook, or an act of the framework."""


class Order(NamedTuple):
    """When what happens."""

    start: tuple[Moment, ...]
    """Once, before the first epoch."""
    epoch: tuple[Moment, ...]
    """In every epoch, as if it had one batch."""
    end: tuple[Moment, ...]
    """Once, after the last epoch."""

    @property
    def hooks(self) -> tuple[str, ...]:
        """The names of all hooks."""
        moments = (*self.start, *self.epoch, *self.end)
        return tuple(each for each in moments if isinstance(each, str))

    @property
    def hooks_before_training(self) -> tuple[str, ...]:
        """The names of those that may prepare the model, not its optimizer."""
        return tuple(
            each for each in self.start if isinstance(each, str) and each != "configure_optimizers"
        )


LIGHTNING = Order(
    start=(
        *("prepare_data", "setup", "configure_model", "configure_optimizers"),
        *("on_fit_start", "on_train_start"),
    ),
    epoch=(
        *("on_train_epoch_start", "on_train_batch_start", "training_step"),
        *("on_before_zero_grad", Act.CLEAR),
        *("on_before_backward", Act.BACKWARD, "on_after_backward"),
        *("on_before_optimizer_step", Act.STEP),
        *("on_train_batch_end", "on_train_epoch_end"),
    ),
    end=("on_train_end", "on_fit_end", "teardown"),
)
"""``Trainer.fit`` of a LightningModule that optimizes automatically, and of its callbacks.

A hook of a callback is called just before the hook of that name of the module. The
hooks of validation come between ``on_train_batch_end`` and ``on_train_epoch_end``, and
once, as a check, before ``on_train_start``; nothing is trained there.
"""

HUGGING_FACE = Order(
    start=(Act.BUILD_OPTIMIZER, "on_train_begin"),
    epoch=(
        *("on_epoch_begin", "on_step_begin"),
        *(Act.TRAINING_MODE, Act.FORWARD, Act.BACKWARD),
        *("on_pre_optimizer_step", Act.STEP, "on_optimizer_step", Act.CLEAR),
        *("on_step_end", "on_epoch_end"),
    ),
    end=("on_train_end",),
)
"""``Trainer.train`` of transformers, with a ``TrainerCallback``.

The optimizer takes the parameters that require gradients at the call of ``train()``,
not those that did when the ``Trainer`` was made.
"""

HUGGING_FACE_TRAINERS = frozenset(
    {
        "transformers.Trainer",
        "transformers.trainer.Trainer",
        "transformers.Seq2SeqTrainer",
        "transformers.trainer_seq2seq.Seq2SeqTrainer",
        "trl.SFTTrainer",
        "trl.trainer.sft_trainer.SFTTrainer",
    }
)
"""Classes that do so, unless a subclass overrides :data:`BUILDS_OPTIMIZER`.

That of trl (1.16) does the same; only with a ``peft_config`` it changes the model first.
"""

HUGGING_FACE_CALLBACKS = frozenset(
    {"transformers.TrainerCallback", "transformers.trainer_callback.TrainerCallback"}
)

STEPS_BY_ITSELF = frozenset({"training_step", "compute_loss", "_inner_training_loop"})
"""Methods of a trainer that run the model: who overrides one may change modes in it."""

FOLLOWED_STEPS = frozenset({"training_step", "compute_loss"})
"""Those that run once in each step, with the model and a batch."""

BUILDS_OPTIMIZER = frozenset(
    {
        *("create_optimizer", "create_optimizer_and_scheduler", "get_optimizer_cls_and_kwargs"),
        *("train", "_inner_training_loop", "training_step"),
    }
)
"""Methods of such a class; where they are overridden it may build another optimizer."""

HARMLESS_TRAINER_METHODS = frozenset(
    {
        *("evaluate", "predict", "save_model", "save_state", "save_metrics", "log_metrics"),
        *("log", "push_to_hub", "get_train_dataloader", "get_eval_dataloader"),
        *("remove_callback", "pop_callback", "is_world_process_zero"),
    }
)
"""Methods of such a class that leave the flags and the parameters of the model alone."""

PREPARERS = frozenset({"Accelerator", "Fabric"})
"""Classes whose objects prepare models and optimizers for a device, and keep them as they are."""

HANDS_BACK = frozenset(
    {
        *("prepare", "prepare_model", "prepare_optimizer", "unwrap_model"),
        *("setup", "setup_module", "setup_optimizers"),
    }
)
"""Their methods that return what they are passed: in one process, the very same objects.

Flags that are set on a model after ``prepare`` count like those set before.
"""

HARMLESS_PREPARER_METHODS = frozenset(
    {
        *("accumulate", "no_sync", "no_backward_sync", "autocast", "join_uneven_inputs"),
        *("save_model", "save_state", "save", "get_state_dict", "register_for_checkpointing"),
        *("gather", "gather_for_metrics", "reduce", "wait_for_everyone", "log", "print"),
    }
)

LIGHTNING_METHODS = frozenset(
    {
        *("manual_backward", "optimizers", "toggle_optimizer", "untoggle_optimizer"),
        *("clip_gradients", "lr_schedulers", "freeze", "unfreeze", "save_hyperparameters"),
    }
)
"""Methods that a LightningModule has beyond those of ``nn.Module``.

``toggle_optimizer`` freezes what other optimizers hold, and ``untoggle_optimizer`` sets the
flags as they were; together they change nothing. ``freeze`` and ``unfreeze`` set the flags
of all parameters and the mode.
"""

LIGHTNING_CALLBACKS = frozenset(
    f"{package}.Callback"
    for package in (
        *("lightning", "lightning.pytorch", "lightning.pytorch.callbacks"),
        *("pytorch_lightning", "pytorch_lightning.callbacks", "pytorch_lightning.callbacks.base"),
    )
)

LIGHTNING_TRAINERS = frozenset(
    {
        *("lightning.Trainer", "lightning.pytorch.Trainer", "pytorch_lightning.Trainer"),
        *("lightning.pytorch.trainer.Trainer", "pytorch_lightning.trainer.Trainer"),
    }
)

FINETUNING_HOOKS = {"setup": "freeze_before_training", "on_train_epoch_start": "finetune_function"}
"""What ``BaseFinetuning`` calls in which hook."""

FINETUNING_CALLBACKS = frozenset(
    f"{package}.callbacks.{module}{name}"
    for package in ("lightning.pytorch", "pytorch_lightning")
    for module in ("", "finetuning.")
    for name in ("BaseFinetuning", "BackboneFinetuning")
)
"""Callbacks of Lightning that freeze with ``freeze`` and unfreeze with an own group."""
