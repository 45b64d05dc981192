"""Adapters freeze a new head along with the rest, and nothing says that it is to be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.adapted_models import (
    Subject,
    have_new_weights_between,
    training_of,
    was_trained_between,
)
from freezelint.analysis.events import (
    Called,
    Event,
    FlagWritten,
    MethodCalled,
    Stepped,
    SubmoduleReplaced,
)
from freezelint.analysis.knowledge.patterns import OPTIMIZER_WORDS
from freezelint.analysis.knowledge.peft import HEADS, MODELS_WITH_HEADS, SAYS_HEAD_IS_NEW
from freezelint.analysis.library_events import AdaptersAdded, TrainerStarted
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import NameTest
from freezelint.analysis.trainability import is_born_trainable
from freezelint.analysis.values import Constant, LibraryValue, ModuleValue, Part, SequenceValue
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from freezelint.analysis.syntax import Place
    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Value


_CONFIGURES = "Config.from_pretrained"

_FOR_NO_HEAD = (Constant("FEATURE_EXTRACTION"), LibraryValue("peft.TaskType.FEATURE_EXTRACTION"))
"""A kind of task for models without a head, which keeps that of others frozen."""

_SAVING_ELSEWHERE = (
    *("state_dict", "save_file", "save_model", "merge_and_unload", "hub", "modules_to_save"),
    *("push_to_hub", "save_weights"),
)
"""Where one of these words is, the head may be saved in another way."""


class NewHeadNotSaved(Rule):
    """Finds adapters that freeze a new classification head which nothing else trains.

    What it does:
        Reports `get_peft_model(model, config)` where the model has a new head, the
        configuration has neither a `task_type` nor `modules_to_save` and does not put
        adapters into the head, and the model is then trained.

    Why is this bad:
        `get_peft_model` freezes all that is no adapter. A head that was just made is
        random, and stays so: the adapters learn to make the best of it, and
        `save_pretrained` does not even save it, so that who loads the adapters gets
        another random head. With `task_type="SEQ_CLS"` or `"TOKEN_CLS"`, or with
        `modules_to_save=["classifier"]`, peft trains and saves a copy of the head.

    Bad:
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import BertConfig, BertForSequenceClassification

        torch.manual_seed(0)
        shape = BertConfig(
            num_hidden_layers=1,
            hidden_size=32,
            num_attention_heads=2,
            intermediate_size=32,
            vocab_size=64,
        )
        model = BertForSequenceClassification(shape)
        config = LoraConfig(target_modules=["query", "value"])
        model = get_peft_model(model, config)  # expect: FZ803

        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        tokens, labels = torch.randint(64, (16, 12)), torch.randint(2, (16,))
        for epoch in range(4):
            loss = model(input_ids=tokens, labels=labels).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import BertConfig, BertForSequenceClassification

        torch.manual_seed(0)
        shape = BertConfig(
            num_hidden_layers=1,
            hidden_size=32,
            num_attention_heads=2,
            intermediate_size=32,
            vocab_size=64,
        )
        model = BertForSequenceClassification(shape)
        config = LoraConfig(task_type="SEQ_CLS", target_modules=["query", "value"])
        model = get_peft_model(model, config)

        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        tokens, labels = torch.randint(64, (16, 12)), torch.randint(2, (16,))
        for epoch in range(4):
            loss = model(input_ids=tokens, labels=labels).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        A `task_type`, `modules_to_save`, or `target_modules` that take in the head or
        cannot be read, a head that is made trainable afterwards (unless
        `save_pretrained` is all that saves it) or has weights loaded into it, a model that is loaded without a word about its labels (the
        head may come with it), and models that are not trained here.

    References:
        https://huggingface.co/docs/peft/developer_guides/troubleshooting#randomly-initialized-layers
        https://github.com/huggingface/peft/issues/1070
    """

    code = "FZ803"
    name = "new-head-not-saved"
    level = Level.WARNING
    claims = (Claim("dead", "model.*.classifier.[!o]*"),)
    triggers = (
        ("peft",),
        ("get_peft_model",),
        ("Config(",),
        ("train(", *OPTIMIZER_WORDS),
    )
    trigger_patterns = (
        (
            r"For(?:Sequence|Token|Image|Audio|Video)Classification",
            r"ForMultipleChoice",
            r"ForQuestionAnswering",
            r"= (?:torch\.)?nn\.",
        ),
    )
    events = ("AdaptersAdded",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report adapters that are put into a model with a new head, and leave it frozen."""
        assert isinstance(event, AdaptersAdded)
        if event.repeated or event.configuration is None or _says_head_trains(event.configuration):
            return
        head = _new_head(trace, event)
        if head is None:
            return
        subject = Subject((event.model, event.base), Part(event.base))
        training = training_of(trace, event, subject)
        if training is None:
            yield from _check_saving(trace, event, head)
            return
        what = "trains it" if isinstance(training, TrainerStarted) else "is built for it"
        yield Report(
            event.place,
            "this freezes the new head with the rest of the model: it stays random, "
            "and is not saved with the adapters",
            'pass `task_type` (`"SEQ_CLS"`, `"TOKEN_CLS"`) or name the head in '
            "`modules_to_save` of the configuration",
            (
                (head, "the model gets a new head here"),
                (trace.meeting_place(training, event), f"this {what}"),
            ),
            about=About((event.label,), names=tuple(f"*.{name}.*" for name in sorted(HEADS))),
        )


def _check_saving(trace: Trace, event: AdaptersAdded, head: Place) -> Iterator[Report]:
    """Report a head that was switched on again to train, and is lost when the model is saved."""
    if any(map(trace.file.mentions, _SAVING_ELSEWHERE)):
        return
    switched = next(
        (each for each in trace.after(event, FlagWritten) if _is_of_head(each, event)), None
    )
    if switched is None:
        return
    saved = next(
        (
            call
            for call in trace.after(switched, MethodCalled)
            if call.name == "save_pretrained" and call.receiver == ModuleValue(event.model)
        ),
        None,
    )
    if saved is None or not (
        any(True for _ in trace.between(switched, saved, TrainerStarted))
        or any(True for _ in trace.between(switched, saved, Stepped))
    ):
        return
    yield Report(
        event.place,
        "the new head is no part of the adapters: it trains, and `save_pretrained` leaves it out, "
        "so that who loads them gets a random one",
        'pass `task_type` (`"SEQ_CLS"`, `"TOKEN_CLS"`) or name the head in '
        "`modules_to_save` of the configuration",
        (
            (head, "the model gets a new head here"),
            (trace.meeting_place(switched, event), "the head is made trainable here"),
            (trace.meeting_place(saved, event), "the adapters are saved here, without the head"),
        ),
    )


def _is_of_head(write: FlagWritten, event: AdaptersAdded) -> bool:
    """Whether a write makes the head of the adapted model trainable, by its name."""
    return write.value is True and any(
        part.key in (event.model, event.base)
        and len(part.predicate) == 1
        and isinstance(part.predicate[0], NameTest)
        and not part.predicate[0].negated
        and all(text.strip(".") in HEADS for text in part.predicate[0].texts)
        for part in write.parts
    )


def _says_head_trains(configuration: Mapping[str, Value]) -> bool:
    """Whether a configuration says, or may say, that the head is to be trained."""
    unset = (None, Constant(None))
    if configuration.get("task_type") not in (*unset, *_FOR_NO_HEAD):
        return True
    if configuration.get("modules_to_save") not in unset:
        return True
    if configuration.get("bias") not in (*unset, Constant("none")):
        return True
    return configuration.get("target_modules") not in unset and not _names(configuration)


def _names(configuration: Mapping[str, Value]) -> list[str]:
    """The layers that adapters go into, if they are given one by one and none is a head."""
    targets = configuration.get("target_modules")
    if not isinstance(targets, SequenceValue) or not targets.complete:
        return []
    names = [each.value for each in targets.items if isinstance(each, Constant)]
    if len(names) < len(targets.items) or not all(isinstance(name, str) for name in names):
        return []
    return [] if HEADS.intersection(name.rpartition(".")[2] for name in names) else names


def _new_head(trace: Trace, event: AdaptersAdded) -> Place | None:
    """Where the model got a head that nobody has trained yet."""
    first: Event | None = None
    for change in trace.before(event, SubmoduleReplaced):
        if _is_new_layer(trace, change, event):
            first = change
            break
    else:
        first = _built_with_new_head(trace, event)
    if first is None or was_trained_between(trace, first, event):
        return None
    subject = Subject((event.base,), Part(event.base))
    if have_new_weights_between(trace, first, event, subject):
        return None
    return trace.meeting_place(first, event)


def _is_new_layer(trace: Trace, change: SubmoduleReplaced, event: AdaptersAdded) -> bool:
    """Whether a fresh layer was put into a model of a library that adapters leave alone."""
    if change.parent != event.base or change.new is None:
        return False
    model, layer = trace.objects.module(event.base), trace.objects.module(change.new)
    assert event.configuration is not None
    return (
        model.origin is Origin.BUILT
        and layer.origin is Origin.BUILT
        and trace.objects.route(event.base, change.new, event.index) == change.attribute
        and is_born_trainable(trace, change.new, event.index)
        and change.attribute not in _names(event.configuration)
    )


def _built_with_new_head(trace: Trace, event: AdaptersAdded) -> Called | None:
    """The call that built the model, if it makes a head of its own."""
    model = trace.objects.module(event.base)
    library = model.library or ""
    owner, _, last = library.rpartition(".")
    is_loaded = last == "from_pretrained"
    name = owner.rpartition(".")[2] if last in ("from_pretrained", "from_config") else last
    if model.origin is not Origin.BUILT or not name.endswith(MODELS_WITH_HEADS):
        return None
    for called in trace.before(event, Called):
        if called.name == library and model.place is not None and (called.call is model.place.node):
            is_new = not is_loaded or not SAYS_HEAD_IS_NEW.isdisjoint(called.keywords)
            return called if is_new or _is_configured_anew(trace, called) else None
    return None


def _is_configured_anew(trace: Trace, called: Called) -> bool:
    """Whether a model is loaded with the one configuration in sight, which says which labels."""
    if "config" not in called.keywords:
        return False
    made = [each for each in trace.before(called, Called) if each.name.endswith(_CONFIGURES)]
    return len(made) == 1 and not SAYS_HEAD_IS_NEW.isdisjoint(made[0].keywords)
