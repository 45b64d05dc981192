"""Parameters are unfrozen while a Trainer runs, whose optimizer does not have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    AttributeWritten,
    Event,
    FlagWritten,
    GroupAdded,
    HandedOver,
    OptimizerBuilt,
)
from freezelint.analysis.knowledge.patterns import FLAG_WRITES
from freezelint.analysis.library_events import FlagsSetByLibrary, TrainerStarted
from freezelint.analysis.trainability import is_frozen_but_for_pieces
from freezelint.analysis.training import is_written_again, steps_after
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.events import Stepped
    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part


class TrainerUnfreeze(Rule):
    """Finds parameters that are unfrozen after the Trainer of transformers built its optimizer.

    What it does:
        Reports a part that is frozen when `trainer.train()` is called, and unfrozen in
        a `TrainerCallback` of that trainer, or between two calls of its `train()`.

    Why is this bad:
        At the first `train()` the trainer builds an optimizer from the parameters that
        require gradients at that moment. It never looks again, not even in a second
        `train()`. What is unfrozen later gets gradients, counts as trainable wherever
        parameters are counted, and never changes.

    Bad:
        import tempfile

        import torch
        from transformers import (
            GPT2Config,
            GPT2LMHeadModel,
            Trainer,
            TrainerCallback,
            TrainingArguments,
        )

        workspace = tempfile.TemporaryDirectory()
        torch.manual_seed(0)
        model = GPT2LMHeadModel(
            GPT2Config(
                n_layer=2,
                n_embd=32,
                n_head=2,
                vocab_size=64,
                bos_token_id=0,
                eos_token_id=0,
                tie_word_embeddings=False,
            )
        )
        model.transformer.requires_grad_(False)


        class Unfreeze(TrainerCallback):
            def on_epoch_begin(self, args, state, control, model=None, **kwargs):
                if state.epoch >= 1:
                    model.transformer.requires_grad_(True)  # expect: FZ812


        args = TrainingArguments(
            workspace.name,
            num_train_epochs=2,
            learning_rate=1e-2,
            per_device_train_batch_size=8,
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        tokens = torch.randint(64, (16, 12))
        data = [{"input_ids": row, "labels": row} for row in tokens]
        trainer = Trainer(model=model, args=args, train_dataset=data, callbacks=[Unfreeze()])
        trainer.train()

    Good:
        import tempfile

        import torch
        from transformers import (
            GPT2Config,
            GPT2LMHeadModel,
            Trainer,
            TrainerCallback,
            TrainingArguments,
        )

        workspace = tempfile.TemporaryDirectory()
        torch.manual_seed(0)
        model = GPT2LMHeadModel(
            GPT2Config(
                n_layer=2,
                n_embd=32,
                n_head=2,
                vocab_size=64,
                bos_token_id=0,
                eos_token_id=0,
                tie_word_embeddings=False,
            )
        )
        model.transformer.requires_grad_(False)


        class Unfreeze(TrainerCallback):
            def on_epoch_begin(self, args, state, control, model=None, **kwargs):
                if state.epoch >= 1:
                    model.transformer.requires_grad_(True)


        args = TrainingArguments(
            workspace.name,
            num_train_epochs=2,
            learning_rate=1e-2,
            per_device_train_batch_size=8,
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        tokens = torch.randint(64, (16, 12))
        data = [{"input_ids": row, "labels": row} for row in tokens]
        # It has all parameters from the start, and passes over those without gradients.
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        trainer = Trainer(
            model=model,
            args=args,
            train_dataset=data,
            callbacks=[Unfreeze()],
            optimizers=(optimizer, None),
        )
        trainer.train()

    When it is silent:
        A part that is trainable when training begins and frozen and unfrozen by the
        callback, a group added to the optimizer, an optimizer that is passed to the
        trainer or built by a subclass, and another trainer for the next stage.

    References:
        https://huggingface.co/docs/transformers/main_classes/trainer#transformers.Trainer.create_optimizer
        https://github.com/huggingface/peft/issues/1303
    """

    code = "FZ812"
    name = "trainer-unfreeze"
    level = Level.ERROR
    claims = (Claim("dead", "model.transformer.*", after=2),)
    triggers = (
        ("requires_grad",),
        ("Trainer(", "Trainer)"),
        (".train(",),
        ("transformers",),
    )
    trigger_patterns = (FLAG_WRITES,)
    events = ("FlagWritten",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a True write that comes too late for the optimizer of a trainer."""
        assert isinstance(event, FlagWritten)
        if event.value is not True or not event.certain or event.repeated:
            return
        for start in trace.before(event, TrainerStarted):
            if not start.builds_optimizer:
                continue
            step = _step_without_it(trace, start, event)
            froze = _freeze(trace, start, event) if step is not None else None
            if froze is None:
                continue
            yield Report(
                trace.meeting_place(event, start),
                f"`{event.label}` is unfrozen after the trainer built its optimizer without it: "
                "it gets gradients and never trains",
                "pass an optimizer that has all parameters from the start "
                "(`optimizers=(optimizer, None)`), or make a new `Trainer` for the next stage",
                (
                    (trace.meeting_place(froze, event), "it is frozen here"),
                    (trace.meeting_place(start, event), "the optimizer is built here"),
                ),
                about=About((event.label,)),
            )
            return


def _step_without_it(trace: Trace, start: TrainerStarted, event: FlagWritten) -> Stepped | None:
    """The next step of the trainer's optimizer, if that has still not got what was unfrozen."""
    step = next(steps_after(trace, event, start.optimizer), None)
    if step is None or not _belongs_to(trace, event, start):
        return None
    if is_written_again(trace, event, False, step.index):
        return None
    gets_group = any(start.optimizer in each.keys for each in trace.after(event, GroupAdded))
    is_set = any(each.attribute == "optimizer" for each in trace.after(start, AttributeWritten))
    if gets_group or is_set or _goes_on_elsewhere(trace, start, event):
        return None
    is_handed_on = any(
        trace.related(key, start.key, each.index)
        for each in trace.between(event, step, HandedOver)
        for key in each.keys
        if not _is_own(trace, start, each)
    )
    return None if is_handed_on else step


def _belongs_to(trace: Trace, event: FlagWritten, start: TrainerStarted) -> bool:
    """Whether the write happens in a callback of this run, or before the next of its trainer."""
    depth = len(start.stack)
    if len(event.stack) > depth and event.stack[depth].node is start.place.node:
        return True
    return any(each.trainer == start.trainer for each in trace.after(event, TrainerStarted))


def _is_own(trace: Trace, start: TrainerStarted, handed: HandedOver) -> bool:
    """Whether it is the trainer that takes the model, at a later call."""
    return any(
        each.trainer == start.trainer and each.index == handed.index - 1
        for each in trace.all(TrainerStarted)
    )


def _goes_on_elsewhere(trace: Trace, start: TrainerStarted, event: FlagWritten) -> bool:
    """Whether another optimizer for the model is built afterwards, as for a next stage."""
    if any(each.trainer != start.trainer for each in trace.after(event, TrainerStarted)):
        return True
    return any(
        trace.related(part.key, start.key, built.index)
        for built in trace.after(event, OptimizerBuilt)
        for part in built.parts
    )


def _freeze(trace: Trace, start: TrainerStarted, event: FlagWritten) -> FlagWritten | None:
    """A write that left some of what is unfrozen now without gradients when training began."""
    for kind in (FlagWritten, FlagsSetByLibrary):
        for write in trace.before(start, kind):
            if write.value is False and any(
                _lies_in(trace, event, part, start.index)
                and is_frozen_but_for_pieces(trace, start, part)
                for part in _pieces(trace, event, write, start)
            ):
                return write
    return None


def _pieces(
    trace: Trace, event: FlagWritten, write: FlagWritten, start: TrainerStarted
) -> tuple[Part, ...]:
    """What was frozen; of a larger whole, what is unfrozen now."""
    inner = tuple(
        mine
        for mine in event.parts
        if any(trace.part_covers(part, mine, start.index) for part in write.parts)
    )
    return (*write.parts, *inner)


def _lies_in(trace: Trace, event: FlagWritten, piece: Part, at: int) -> bool:
    return piece in event.parts or any(trace.part_covers(part, piece, at) for part in event.parts)
