"""Adapters are loaded for inference, and then trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.adapted_models import Subject, gets_more_adapters, training_of
from freezelint.analysis.knowledge.patterns import OPTIMIZER_WORDS
from freezelint.analysis.library_events import AdaptersAdded, TrainerStarted
from freezelint.analysis.values import Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.events import Event
    from freezelint.analysis.trace import Trace
    from freezelint.findings import Fix


class AdapterLoadedFrozen(Rule):
    """Finds training that goes on with adapters which were loaded frozen.

    What it does:
        Reports `PeftModel.from_pretrained(...)`, and that of the Auto classes of peft,
        without `is_trainable=True` where the model is then trained and nothing makes
        the adapters trainable before.

    Why is this bad:
        peft loads adapters for inference: every parameter has `requires_grad=False`.
        The `Trainer` of transformers builds an optimizer with empty groups and says
        nothing. With gradient checkpointing, or whatever else makes the embeddings'
        output require gradients, `backward()` works too: the loss is logged, the
        checkpoints are saved, and the adapters are what they were. Without it,
        `backward()` raises a RuntimeError ("element 0 of tensors does not require
        grad").

    Bad:
        import tempfile

        import torch
        from peft import LoraConfig, PeftModel, get_peft_model
        from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

        workspace = tempfile.TemporaryDirectory()
        folder = workspace.name
        shape = GPT2Config(
            n_layer=2, n_embd=32, n_head=2, vocab_size=64, bos_token_id=0, eos_token_id=0
        )
        torch.manual_seed(0)
        first = get_peft_model(
            GPT2LMHeadModel(shape), LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn"])
        )
        first.save_pretrained(folder)  # what an earlier run left behind

        torch.manual_seed(0)
        model = PeftModel.from_pretrained(GPT2LMHeadModel(shape), folder)  # expect: FZ801

        tokens = torch.randint(64, (16, 12))
        data = [{"input_ids": row, "labels": row} for row in tokens]
        args = TrainingArguments(
            folder,
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
        from peft import LoraConfig, PeftModel, get_peft_model
        from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

        workspace = tempfile.TemporaryDirectory()
        folder = workspace.name
        shape = GPT2Config(
            n_layer=2, n_embd=32, n_head=2, vocab_size=64, bos_token_id=0, eos_token_id=0
        )
        torch.manual_seed(0)
        first = get_peft_model(
            GPT2LMHeadModel(shape), LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn"])
        )
        first.save_pretrained(folder)  # what an earlier run left behind

        torch.manual_seed(0)
        model = PeftModel.from_pretrained(GPT2LMHeadModel(shape), folder, is_trainable=True)

        tokens = torch.randint(64, (16, 12))
        data = [{"input_ids": row, "labels": row} for row in tokens]
        args = TrainingArguments(
            folder,
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
        Inference, reference models, adapters that are merged into their model, a
        second adapter added for training, flags or `set_adapter` that make them
        trainable afterwards, and models that are trained as a part of something
        else: there the frozen adapters may be meant.

    References:
        https://huggingface.co/docs/peft/package_reference/peft_model#peft.PeftModel.from_pretrained
        https://github.com/huggingface/peft/issues/282
        https://github.com/huggingface/trl/issues/6700
        https://github.com/huggingface/transformers/issues/24463
        https://github.com/mosaicml/llm-foundry/issues/1701
    """

    code = "FZ801"
    name = "adapter-loaded-frozen"
    level = Level.ERROR
    claims = (Claim("dead", "model.*.lora_*"),)
    triggers = (("peft",), ("from_pretrained(",), ("train(", *OPTIMIZER_WORDS))
    trigger_patterns = ((r"PeftModel\w*\.from_pretrained\(",),)
    fix = "unsafe"
    events = ("AdaptersAdded",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report adapters that were loaded frozen and are trained like that."""
        assert isinstance(event, AdaptersAdded)
        if not event.is_loaded or event.trains is not False or event.repeated:
            return
        if gets_more_adapters(trace, event):
            return
        subject = Subject((event.model, event.base), Part(event.adapters))
        training = training_of(trace, event, subject)
        if training is not None:
            what = "trains it" if isinstance(training, TrainerStarted) else "is built for it"
            yield Report(
                event.place,
                "the adapters are loaded frozen: nothing in the model is trainable",
                "pass `is_trainable=True`",
                ((trace.meeting_place(training, event), f"this {what}"),),
                fix=_fix(event),
                about=About((trace.objects.label(event.model),)),
            )


def _fix(event: AdaptersAdded) -> Fix | None:
    from freezelint.analysis import edits

    edit = edits.keyword_added(event.place, "is_trainable", "True")
    return edits.fixed("pass `is_trainable=True`", edit, is_safe=False)
