"""A callback for transformers: ``Trainer(..., callbacks=[FreezeWatch(frozen=["bert"])])``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import Trainer, TrainerCallback
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from freezelint.runtime.integrations.call_hooks import RunningCall
from freezelint.runtime.integrations.fit import FreezeWatchBase, manifest_in
from freezelint.runtime.violations import Kind

if TYPE_CHECKING:
    from types import FrameType

    from transformers import TrainerControl, TrainerState, TrainingArguments


class FreezeWatch(FreezeWatchBase, TrainerCallback):
    """Watches every ``train`` from its first step to its end.

    By then the optimizer is made, a checkpoint has been loaded and other callbacks have
    frozen what they freeze when the training or the epoch begins. Names are those of the
    model that the Trainer was given. What was promised is written into the folder of every
    checkpoint, as ``freezelint.json`` (which ``freezelint verify`` reads too), and a training
    that resumes from there begins with a comparison: are the frozen parameters what they were?

    A Trainer puts the whole model to train mode before every batch, so dropout is active in
    frozen parts too: that is warned of and stops nothing. (Statistics of a frozen BatchNorm
    that drift for the same reason do.)

    A Trainer tells its callbacks nothing of exceptions, so hooks take no notice of what runs
    outside of the call of ``train``, and are gone by the next forward pass, the next
    ``train`` or when the callback is forgotten; :meth:`close` removes them at once.
    """

    # A Trainer puts the whole model to train mode before every batch.
    _only_warns_of = (Kind.TRAIN_MODE,)

    def close(self) -> None:
        """Stop watching a training that failed, with nothing more said about it."""
        self._fit.abandon()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Leave nothing behind of a training that failed."""
        self._fit.abandon()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Begin to watch, before the first step.

        Raises:
            ContractError: when a pattern matches nothing or two contradict.
            FreezeViolated: with ``on_violation="raise"``, which ends the training.
        """
        __tracebackhide__ = True
        if self._fit.is_open:
            return
        frame = _frame_of_train()
        known = {} if frame is None else frame.f_locals
        resumed = known.get("resume_from_checkpoint")
        wrapped = known["self"].model_wrapped if known else kwargs["model"]
        self._fit.begin(
            kwargs["model"],
            _unwrapped(kwargs["optimizer"]),
            earlier=manifest_in(Path(resumed)) if isinstance(resumed, (str, Path)) else None,
            run_as=[wrapped] if hasattr(wrapped, "_orig_mod") else (),
            call=None if frame is None else RunningCall(frame),
        )

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Write what is promised into the checkpoint's folder."""
        folder = Path(args.output_dir or ".") / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
        if args.should_save and folder.is_dir():
            self._fit.save_manifest(folder)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Report what never moved, and stop watching.

        Raises:
            FreezeViolated: with ``on_violation="raise"``; the checkpoints are written by then.
        """
        __tracebackhide__ = True
        self._fit.end()


def _frame_of_train() -> FrameType | None:
    """The call of ``Trainer.train`` that goes on, which knows what it resumes from."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None:
        if frame.f_code.co_name == "train" and isinstance(frame.f_locals.get("self"), Trainer):
            return frame
        frame = frame.f_back
    return None


def _unwrapped(optimizer: Any) -> Any:
    """The optimizer within what Accelerate makes of it."""
    return getattr(optimizer, "optimizer", optimizer)
