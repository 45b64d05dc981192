"""Adapters are added, and then everything is frozen, adapters included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.adapted_models import (
    Subject,
    have_new_weights_between,
    training_of,
    was_trained_between,
)
from freezelint.analysis.events import Event, FlagWritten
from freezelint.analysis.knowledge.patterns import FLAG_WRITES, OPTIMIZER_WORDS
from freezelint.analysis.knowledge.peft import HEADS
from freezelint.analysis.library_events import AdaptersAdded, FlagsSetByLibrary, TrainerStarted
from freezelint.analysis.predicates import NameTest
from freezelint.analysis.values import Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace


class KbitPrepareAfterAdapters(Rule):
    """Finds a freeze of everything that comes after adapters were added to the model.

    What it does:
        Reports `prepare_model_for_kbit_training(model)`, and a freeze of the whole
        model, after `get_peft_model(...)`, where the model is then trained and nothing
        makes the adapters trainable again.

    Why is this bad:
        `prepare_model_for_kbit_training` sets `requires_grad=False` on every parameter
        there is, and so does a loop over `model.parameters()`. The adapters, put in
        just before to be trained, are frozen with the rest. With gradient
        checkpointing nothing is said; without it, `backward()` raises a RuntimeError
        ("element 0 of tensors does not require grad").

    Bad:
        import tempfile

        import torch
        from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
        from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

        workspace = tempfile.TemporaryDirectory()
        torch.manual_seed(0)
        shape = GPT2Config(
            n_layer=2, n_embd=32, n_head=2, vocab_size=64, bos_token_id=0, eos_token_id=0
        )
        model = GPT2LMHeadModel(shape)
        config = LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn"])
        model = get_peft_model(model, config)
        model = prepare_model_for_kbit_training(model)  # expect: FZ802

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
        from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
        from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

        workspace = tempfile.TemporaryDirectory()
        torch.manual_seed(0)
        shape = GPT2Config(
            n_layer=2, n_embd=32, n_head=2, vocab_size=64, bos_token_id=0, eos_token_id=0
        )
        model = GPT2LMHeadModel(shape)
        config = LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn"])
        model = prepare_model_for_kbit_training(model)
        model = get_peft_model(model, config)

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
        A freeze that comes before the adapters or leaves them out, adapters that are
        made trainable again, adapters that were trained or had weights loaded into
        them before the freeze, and models that are trained as a part of something
        else.

    References:
        https://huggingface.co/docs/peft/package_reference/peft_model#peft.prepare_model_for_kbit_training
        https://github.com/huggingface/transformers/issues/26098
        https://github.com/huggingface/trl/issues/3926
        https://github.com/huggingface/peft/issues/2299
    """

    code = "FZ802"
    name = "kbit-prepare-after-adapters"
    level = Level.ERROR
    claims = (Claim("dead", "model.*.lora_*"),)
    triggers = (
        ("peft",),
        ("get_peft_model", "PeftModel"),
        ("train(", *OPTIMIZER_WORDS),
    )
    trigger_patterns = (
        (r"get_peft_model\(", r"is_trainable"),
        (r"kbit_training\(", *FLAG_WRITES),
    )
    events = ("FlagWritten", "FlagsSetByLibrary")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a freeze that takes in adapters which were added just before."""
        assert isinstance(event, FlagWritten)
        if event.value is not False or not event.certain or event.repeated:
            return
        function = event.function if isinstance(event, FlagsSetByLibrary) else None
        if function not in (None, "prepare_model_for_kbit_training"):
            return
        for added in trace.before(event, AdaptersAdded):
            training = _stays_frozen(trace, event, added)
            if training is None:
                continue
            place = trace.meeting_place(event, added, training)
            is_all = not any(part.predicate for part in event.parts)
            does = "takes it" if isinstance(training, TrainerStarted) else "is built for it"
            yield Report(
                place,
                f"this freezes the adapters in `{event.label}` too, which were added before: "
                + ("nothing in the model is trainable" if is_all else "they never train"),
                "call it before the adapters are added"
                if function is not None
                else "leave this out: adding adapters freezes all the rest by itself",
                (
                    (trace.meeting_place(added, event), "the adapters are added here"),
                    (trace.meeting_place(training, event), f"this {does}"),
                ),
                about=About((event.label,)),
            )
            return


def _without_heads(part: Part) -> Part:
    """The part as it would be if it did not spare what is named like a head, as no adapter is."""
    spares_heads = all(
        isinstance(test, NameTest)
        and test.negated
        and all(text.strip("._").rpartition(".")[2] in HEADS for text in test.texts)
        for test in part.predicate
    )
    return part._replace(predicate=()) if spares_heads else part


def _stays_frozen(trace: Trace, freeze: FlagWritten, added: AdaptersAdded) -> Event | None:
    """Where the model is trained with adapters that a write froze after they were added."""
    adapters = Part(added.adapters)
    if added.trains is False or not any(
        trace.part_covers(_without_heads(part), adapters, freeze.index) for part in freeze.parts
    ):
        return None
    if was_trained_between(trace, added, freeze):
        return None
    if trace.flag(adapters, freeze.index, freeze.path).value is False:
        return None
    subject = Subject((added.model, added.base), adapters)
    # Adapters that nobody has trained yet are not meant to stay as they are, whatever else trains.
    training = training_of(trace, freeze, subject, with_others=not added.is_loaded)
    if training is None or have_new_weights_between(trace, added, training, subject):
        return None
    if any(
        write.value is not False and not _is_a_head(trace, part)
        for write in trace.between(freeze, training, FlagWritten)
        for part in write.parts
        if any(trace.related(part.key, model, write.index) for model in subject.models)
    ):
        # There may be adapters in what is switched on again.
        return None
    return training


def _is_a_head(trace: Trace, part: Part) -> bool:
    """Whether a part is what models of libraries call their head, in which no adapter is."""
    names = (each.attribute for each in trace.objects.module(part.key).attachments)
    return trace.objects.module(part.key).attribute in HEADS or not HEADS.isdisjoint(names)
