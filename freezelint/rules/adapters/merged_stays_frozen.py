"""Adapters are merged into their model, and the model goes on to train as frozen as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.adapted_models import Subject, training_of
from freezelint.analysis.events import Event, HandedOver, SubmoduleReplaced
from freezelint.analysis.knowledge.patterns import OPTIMIZER_WORDS
from freezelint.analysis.library_events import AdaptersAdded, AdaptersRemoved, TrainerStarted
from freezelint.analysis.values import Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace


class MergedStaysFrozen(Rule):
    """Finds training of a model whose adapters were merged, with its flags as peft left them.

    What it does:
        Reports `merge_and_unload()` and `unload()` where the model that they return is
        then trained and nothing makes it trainable before.

    Why is this bad:
        `get_peft_model` and `PeftModel.from_pretrained` set `requires_grad=False` on
        the whole model. `merge_and_unload()` adds the adapters to its weights and
        takes them out, and leaves the flags alone: what comes back has no trainable
        parameter. With gradient checkpointing nothing is said; without it,
        `backward()` raises a RuntimeError ("element 0 of tensors does not require
        grad").

    Bad:
        import tempfile

        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

        workspace = tempfile.TemporaryDirectory()
        torch.manual_seed(0)
        shape = GPT2Config(
            n_layer=2, n_embd=32, n_head=2, vocab_size=64, bos_token_id=0, eos_token_id=0
        )
        model = get_peft_model(
            GPT2LMHeadModel(shape), LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn"])
        )
        model = model.merge_and_unload()  # expect: FZ805

        tokens = torch.randint(64, (16, 12))
        data = [{"input_ids": row, "labels": row} for row in tokens]
        args = TrainingArguments(
            workspace.name,
            max_steps=4,
            learning_rate=1e-2,
            per_device_train_batch_size=4,
            gradient_checkpointing=True,
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        Trainer(model=model, args=args, train_dataset=data).train()

    Good:
        import tempfile

        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

        workspace = tempfile.TemporaryDirectory()
        torch.manual_seed(0)
        shape = GPT2Config(
            n_layer=2, n_embd=32, n_head=2, vocab_size=64, bos_token_id=0, eos_token_id=0
        )
        model = get_peft_model(
            GPT2LMHeadModel(shape), LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn"])
        )
        model = model.merge_and_unload().requires_grad_(True)

        tokens = torch.randint(64, (16, 12))
        data = [{"input_ids": row, "labels": row} for row in tokens]
        args = TrainingArguments(
            workspace.name,
            max_steps=4,
            learning_rate=1e-2,
            per_device_train_batch_size=4,
            gradient_checkpointing=True,
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        Trainer(model=model, args=args, train_dataset=data).train()

    When it is silent:
        Merging for inference or export, a model that is made trainable afterwards,
        one that gets new adapters or a new head, one that was trainable in parts
        before, and one that is trained as a part of something else.

    References:
        https://huggingface.co/docs/peft/package_reference/lora#peft.LoraModel.merge_and_unload
        https://huggingface.co/docs/peft/developer_guides/model_merging
    """

    code = "FZ805"
    name = "merged-stays-frozen"
    level = Level.ERROR
    claims = (Claim("dead", "model.*"),)
    triggers = (
        ("peft",),
        ("unload(",),
        ("get_peft_model", "PeftModel"),
        ("train(", *OPTIMIZER_WORDS),
    )
    events = ("AdaptersRemoved",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a model that comes out of peft frozen and is trained like that."""
        assert isinstance(event, AdaptersRemoved)
        model = Part(event.base)
        if event.repeated or not _is_frozen(trace, event, model):
            return
        if _gets_something_new(trace, event):
            return
        training = training_of(trace, event, Subject((event.base,), model))
        if training is None:
            return
        what = "trains it" if isinstance(training, TrainerStarted) else "is built for it"
        yield Report(
            event.place,
            f"`{event.method}` hands out the model as frozen as peft made it: "
            "nothing in it is trainable",
            f"write `{event.method}().requires_grad_(True)`",
            ((trace.meeting_place(training, event), f"this {what}"),),
            about=About((event.label, trace.objects.label(event.base))),
        )


def _is_frozen(trace: Trace, event: Event, part: Part) -> bool:
    """Whether a model is frozen, though a trainer may have had it, which leaves flags alone."""
    if trace.flag(part, event.index, event.path).value is False:
        return True
    state = trace.flag(part, event.index, event.path, trusting=True)
    return (
        state.value is False
        and state.write is not None
        and all(
            _is_by_trainer(trace, handed)
            for handed in trace.between(state.write, event, HandedOver)
            if any(trace.related(key, part.key, handed.index) for key in handed.keys)
        )
    )


def _is_by_trainer(trace: Trace, handed: HandedOver) -> bool:
    started = trace.events[handed.index - 1]
    return isinstance(started, TrainerStarted) and started.keeps_flags


def _gets_something_new(trace: Trace, event: AdaptersRemoved) -> bool:
    """Whether something is put into the model afterwards that may be what is meant to train."""
    return any(
        added.base == event.base
        # In a loop each is merged in its turn.
        and not any(added.adapters in each.adapters for each in trace.after(added, AdaptersRemoved))
        for added in trace.after(event, AdaptersAdded)
    ) or any(
        trace.objects.route(event.base, change.parent, change.index) is not None
        for change in trace.after(event, SubmoduleReplaced)
    )
