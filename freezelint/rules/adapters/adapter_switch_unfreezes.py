"""Frozen adapters are switched off for a while, and come back trainable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import Event, FlagWritten, MethodCalled, OptimizerBuilt, Stepped
from freezelint.analysis.knowledge.patterns import OPTIMIZER_CONSTRUCTIONS, OPTIMIZER_WORDS_OR_NAMES
from freezelint.analysis.library_events import AdaptersAdded, FlagsSetByLibrary
from freezelint.analysis.predicates import NameTest, flag_tests
from freezelint.analysis.trainability import is_born_trainable
from freezelint.analysis.training import (
    filters_by_flag,
    may_be_unknown,
    steps_after,
    without_flag_tests,
)
from freezelint.analysis.values import Constant, Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace


_OF_LORA = frozenset({"lora", "lora_", ".lora_", "lora_A", "lora_B"})
"""Texts that a code looks for to find what LoRA added."""


class AdapterSwitchUnfreezes(Rule):
    """Finds switches of frozen adapters that an optimizer holds.

    What it does:
        Reports `with model.disable_adapter():` where the adapters are frozen before,
        and an optimizer that holds them steps afterwards, and `set_adapter` with the
        name of an adapter whose parameters were frozen one by one before.

    Why is this bad:
        For peft an adapter that is active is one that is trained. At the end of the
        `with` block it switches the adapters on again, and sets `requires_grad=True`
        on them, whatever it was before; so does `set_adapter` on those that it names. From then on they get gradients, and the
        optimizer moves them. This is so in peft 0.21, and was in the versions before.

    Bad:
        import tempfile

        import torch
        from peft import LoraConfig, PeftModel, get_peft_model
        from torch import nn
        from transformers import GPT2Config, GPT2Model

        workspace = tempfile.TemporaryDirectory()
        torch.manual_seed(0)
        shape = GPT2Config(n_layer=2, n_embd=32, n_head=2, vocab_size=64)
        config = LoraConfig(target_modules=["c_attn"], init_lora_weights=False)
        get_peft_model(GPT2Model(shape), config).save_pretrained(workspace.name)

        # Adapters of an earlier run, frozen: only the head is meant to train.
        model = PeftModel.from_pretrained(GPT2Model(shape), workspace.name)
        head = nn.Linear(32, 2)

        optimizer = torch.optim.AdamW([*model.parameters(), *head.parameters()], lr=1e-3)
        tokens, labels = torch.randint(64, (16, 12)), torch.randint(2, (16,))
        for epoch in range(3):
            with torch.no_grad(), model.disable_adapter():  # expect: FZ806
                plain = model(tokens).last_hidden_state[:, -1]
            adapted = model(tokens).last_hidden_state[:, -1]
            loss = nn.functional.cross_entropy(head(adapted - plain), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import tempfile

        import torch
        from peft import LoraConfig, PeftModel, get_peft_model
        from torch import nn
        from transformers import GPT2Config, GPT2Model

        workspace = tempfile.TemporaryDirectory()
        torch.manual_seed(0)
        shape = GPT2Config(n_layer=2, n_embd=32, n_head=2, vocab_size=64)
        config = LoraConfig(target_modules=["c_attn"], init_lora_weights=False)
        get_peft_model(GPT2Model(shape), config).save_pretrained(workspace.name)

        # Adapters of an earlier run, frozen: only the head is meant to train.
        model = PeftModel.from_pretrained(GPT2Model(shape), workspace.name)
        head = nn.Linear(32, 2)

        optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3)
        tokens, labels = torch.randint(64, (16, 12)), torch.randint(2, (16,))
        for epoch in range(3):
            with torch.no_grad(), model.disable_adapter():
                plain = model(tokens).last_hidden_state[:, -1]
            adapted = model(tokens).last_hidden_state[:, -1]
            loss = nn.functional.cross_entropy(head(adapted - plain), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Adapters that are trained, an optimizer that does not hold them, flags that
        are set again after the block, several adapters in one model, and adapters
        that were loaded frozen and are all that the optimizer has. To make an adapter
        trainable by `set_adapter` is its documented use, so that is silent unless the
        code froze just this adapter by name.

    References:
        https://github.com/huggingface/peft/issues/3447
        https://huggingface.co/docs/peft/package_reference/peft_model#peft.PeftModel.disable_adapter
    """

    code = "FZ806"
    name = "adapter-switch-unfreezes"
    level = Level.WARNING
    claims = (Claim("moves", "model.*.lora_*"),)
    triggers = (
        ("peft",),
        ("disable_adapter(", "set_adapter("),
        OPTIMIZER_WORDS_OR_NAMES,
    )
    trigger_patterns = (OPTIMIZER_CONSTRUCTIONS,)
    events = ("FlagsSetByLibrary",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report the end of a block that makes frozen adapters of an optimizer trainable."""
        assert isinstance(event, FlagsSetByLibrary)
        if event.repeated:
            return
        if event.function == "set_adapter":
            yield from _switched_on(trace, event)
        if event.function != "disable_adapter":
            return
        if event.value is not True:
            # Of several, those that are active; frozen by their kind, they all were.
            yield from _switched_on(trace, event)
            return
        (adapters,) = event.parts
        before = trace.flag(adapters, event.index, event.path)
        added = next(
            (each for each in trace.before(event, AdaptersAdded) if each.adapters == adapters.key),
            None,
        )
        if added is None:
            return
        by_name = None if before.value is False else _freeze_by_name(trace, event, ())
        if before.value is not False and by_name is None:
            return
        for built in trace.all(OptimizerBuilt):
            step = _first_step(trace, event, built, adapters)
            if step is None:
                continue
            froze = before.write or by_name or added
            if froze is added and not _holds_more(trace, built, added):
                continue
            model = trace.objects.label(added.model)
            optimizer = trace.objects.optimizer(built.key).label or built.name
            yield Report(
                trace.meeting_place(event, froze, step),
                f"at the end of this block the frozen adapters of `{model}` become "
                f"trainable, and `{optimizer}` moves them",
                "give the optimizer only what is meant to train, or set the flags again "
                "after the block",
                (
                    (trace.meeting_place(froze, event), "they are frozen here"),
                    (trace.meeting_place(step, event), f"`{optimizer}` steps here"),
                ),
                about=About((model,), names=("*lora_*",)),
            )
            return


def _switched_on(trace: Trace, event: FlagsSetByLibrary) -> Iterator[Report]:
    """Report a switch that makes adapters trainable which were frozen by their names, or all."""
    call = next(trace.before(event, MethodCalled), None)
    names = () if call is None or call.name != "set_adapter" else _names(call)
    is_known = bool(names) or event.function == "disable_adapter"
    froze = _freeze_by_name(trace, event, names) if is_known else None
    froze_all = None if froze is not None else _freeze_of_all(trace, event)
    froze = froze or froze_all
    if froze is None or any(
        True
        for earlier in trace.between(froze, event, FlagsSetByLibrary)
        if earlier.function == event.function
        for _ in _switched_on(trace, earlier)
    ):
        return
    for built in trace.all(OptimizerBuilt):
        if froze is froze_all and not _trains_others_already(trace, built, event):
            # Whoever trains nothing else switches adapters on to train them.
            continue
        step = next(steps_after(trace, event, built.key), None)
        if step is None or step.index < built.index:
            continue
        holds = any(
            trace.parts_overlap(without_flag_tests(part), mine, built.index)
            for part in built.parts
            if built.index > event.index or not flag_tests(part.predicate)
            for mine in froze.parts
        )
        is_set_again = any(
            trace.parts_overlap(part, mine, write.index)
            for write in trace.between(event, step, FlagWritten)
            for part in write.parts
            for mine in froze.parts
        )
        if not holds or is_set_again:
            continue
        optimizer = trace.objects.optimizer(built.key).label or built.name
        yield Report(
            event.place,
            f"this makes the frozen adapter of `{froze.label}` trainable, and `{optimizer}` "
            "moves it",
            "freeze it after the switch",
            (
                (trace.meeting_place(froze, event), "it is frozen here"),
                (trace.meeting_place(step, event), f"`{optimizer}` steps here"),
            ),
        )
        return


def _freeze_of_all(trace: Trace, event: FlagsSetByLibrary) -> FlagWritten | None:
    """The write of the code that froze all adapters, with the model or by themselves."""
    states = [trace.flag(part, event.index, event.path) for part in event.parts]
    writes = [state.write for state in states if state.value is False]
    if not writes or len(writes) < len(states):
        return None
    froze = writes[0]
    return None if isinstance(froze, FlagsSetByLibrary) else froze


def _trains_others_already(trace: Trace, built: OptimizerBuilt, event: FlagsSetByLibrary) -> bool:
    """Whether an optimizer was built before a switch, for parameters outside of the model too."""
    if built.index > event.index or not built.complete:
        return False
    added = list(trace.before(event, AdaptersAdded))
    models = {key for each in added for key in (each.model, each.base)}
    return any(_takes_more(trace, part, models, built.index) for part in built.parts)


def _takes_more(trace: Trace, part: Part, models: set[int], at: int) -> bool:
    """Whether a part lies outside of models with adapters, or has a trainable layer beside them."""
    objects = trace.objects
    if any(objects.route(model, part.key, at) is not None for model in models):
        return False
    if all(objects.route(part.key, model, at) is None for model in models):
        return True
    return any(
        held not in models
        and all(objects.route(held, model, at) is None for model in models)
        and is_born_trainable(trace, held, at)
        and trace.flag(Part(held), at, ()).value is True
        for held in objects.held_by(part.key, at)
    )


def _names(call: MethodCalled) -> tuple[str, ...]:
    """The adapters that `set_adapter` switches on to train."""
    chosen = (*call.arguments[:1], call.keywords.get("adapter_name"))
    if len(call.arguments) > 1 or "inference_mode" in call.keywords:
        return ()
    values = [each for value in chosen for each in getattr(value, "items", (value,))]
    return tuple(
        each.value for each in values if isinstance(each, Constant) and isinstance(each.value, str)
    )


def _freeze_by_name(
    trace: Trace, event: FlagsSetByLibrary, names: tuple[str, ...]
) -> FlagWritten | None:
    """The latest write that froze adapters by a text in their names, if nothing undid it.

    What LoRA adds has its name, and that of the adapter, in the names of its parameters.
    """
    adapted = {each.model for each in trace.before(event, AdaptersAdded)}
    adapted |= {each.base for each in trace.before(event, AdaptersAdded)}
    for write in trace.before(event, FlagWritten):
        if isinstance(write, FlagsSetByLibrary) or not adapted.intersection(
            part.key for part in write.parts
        ):
            continue
        (test, *more) = write.parts[0].predicate or (None,)
        if more or not isinstance(test, NameTest) or test.negated or write.value is not False:
            return None
        is_meant = all(text in _OF_LORA or text.strip(".") in names for text in test.texts)
        return write if is_meant and test.kind == "contains" else None
    return None


def _first_step(
    trace: Trace, event: FlagsSetByLibrary, built: OptimizerBuilt, adapters: Part
) -> Stepped | None:
    """The first step after the block of an optimizer that holds the adapters."""
    step = next(steps_after(trace, event, built.key), None)
    is_built_later = built.index > event.index
    if step is None or not any(
        trace.part_covers(without_flag_tests(part), adapters, built.index)
        for part in built.parts
        # What asks for flags before the block finds them frozen, and after it trainable.
        if not flag_tests(part.predicate) or (is_built_later and filters_by_flag(part))
    ):
        return None
    is_set_again = any(
        trace.parts_overlap(part, adapters, write.index)
        for write in trace.between(event, step, FlagWritten)
        for part in write.parts
    )
    return None if is_set_again or may_be_unknown(trace, adapters, event, step) else step


def _holds_more(trace: Trace, built: OptimizerBuilt, added: AdaptersAdded) -> bool:
    """Whether the optimizer trains something else, so that frozen adapters may be meant."""
    return any(
        trace.objects.route(added.model, part.key, built.index) is None
        and trace.objects.route(added.base, part.key, built.index) is None
        for part in built.parts
    )
