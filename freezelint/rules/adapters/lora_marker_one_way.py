"""Everything is frozen, and a helper that only ever freezes is to make LoRA trainable again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    BackwardRan,
    Called,
    Event,
    FlagWritten,
    OptimizerBuilt,
    SubmoduleReplaced,
)
from freezelint.analysis.knowledge.patterns import FREEZES, OPTIMIZER_WORDS
from freezelint.analysis.knowledge.peft import HEADS, LORA_LAYERS, ONE_WAY_MARKERS
from freezelint.analysis.library_events import FlagsSetByLibrary, TrainerStarted
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import NameTest, is_total
from freezelint.analysis.syntax import dotted
from freezelint.analysis.training import (
    flag_changes_after,
    happens_whenever,
    may_be_unknown,
)
from freezelint.analysis.values import ModuleValue, Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.syntax import Place
    from freezelint.analysis.trace import Trace


_NO_LORA = HEADS | {"bias"}
"""Names of what is trained beside LoRA."""


_MARKER = "mark_only_lora_as_trainable"
"""What the function is called in all libraries, and in files that have taken it over."""


class LoraMarkerOneWay(Rule):
    """Finds `mark_only_lora_as_trainable` called on a model that is frozen as a whole.

    What it does:
        Reports `loralib.mark_only_lora_as_trainable(model)` (and its copy in LitGPT)
        after everything in the model was frozen, LoRA parameters included, where
        nothing switches these on again.

    Why is this bad:
        The name promises more than the function does. It sets `requires_grad=False` on
        every parameter whose name has no `lora_` in it, and does not touch the others:
        what was frozen before stays frozen. Nothing in the model trains, and where
        something else does, a head beside it, nothing is said.

    Bad:
        import loralib
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Encoder(nn.Module):
            def __init__(self):
                super().__init__()
                self.up = loralib.Linear(16, 32, r=4)
                self.down = loralib.Linear(32, 16, r=4)

            def forward(self, x):
                return self.down(torch.relu(self.up(x)))


        model = Encoder()
        head = nn.Linear(16, 4)
        model.requires_grad_(False)
        loralib.mark_only_lora_as_trainable(model)  # expect: FZ804

        params = [*model.parameters(), *head.parameters()]
        optimizer = torch.optim.AdamW(params, lr=1e-2)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(4):
            loss = nn.functional.cross_entropy(head(model(inputs)), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import loralib
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Encoder(nn.Module):
            def __init__(self):
                super().__init__()
                self.up = loralib.Linear(16, 32, r=4)
                self.down = loralib.Linear(32, 16, r=4)

            def forward(self, x):
                return self.down(torch.relu(self.up(x)))


        model = Encoder()
        head = nn.Linear(16, 4)
        loralib.mark_only_lora_as_trainable(model)

        params = [*model.parameters(), *head.parameters()]
        optimizer = torch.optim.AdamW(params, lr=1e-2)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(4):
            loss = nn.functional.cross_entropy(head(model(inputs)), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        A freeze before the LoRA layers are put in, a model that cannot be followed
        between the freeze and the call, flags that are set again afterwards, and
        models that are not trained.

    References:
        https://github.com/microsoft/LoRA/issues/125
        https://github.com/huggingface/peft/issues/1410
        https://github.com/microsoft/LoRA/blob/main/loralib/utils.py
    """

    code = "FZ804"
    name = "lora-marker-one-way"
    level = Level.ERROR
    claims = (Claim("dead", "model.*.lora_*"),)
    triggers = (
        ("requires_grad",),
        ("train(", "backward(", *OPTIMIZER_WORDS),
    )
    trigger_patterns = (
        FREEZES,
        # A call, or the name test of a copy.
        (r"mark_only_lora_as_trainable\(", r"lora[\w.]*[\"']"),
    )
    events = ("Called", "FlagWritten")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a call that is to make trainable what was frozen before."""
        marked = _marked(event)
        if marked is None or event.repeated:
            return
        model, function = marked
        freeze = _freeze_of_all(trace, event, model)
        if freeze is None or not _is_trained_so(trace, event, model):
            return
        label = trace.objects.label(model.key)
        yield Report(
            _call_of_copy(event) or trace.meeting_place(event, freeze),
            f"{function} only freezes: the LoRA parameters of `{label}` stay frozen as they are",
            "leave out the freeze before: this freezes all the rest by itself",
            ((trace.meeting_place(freeze, event), "they were frozen here, with all the rest"),),
            about=About((label,), names=("*lora_*",)),
        )


def _marked(event: Event) -> tuple[Part, str] | None:
    """The model of which all but LoRA is frozen by a helper, or by the like of it in the file."""
    if isinstance(event, Called):
        if event.name not in ONE_WAY_MARKERS or not event.arguments:
            return None
        model = event.arguments[0]
        function = event.name.rpartition(".")[2]
        return (Part(model.key), f"`{function}`") if isinstance(model, ModuleValue) else None
    assert isinstance(event, FlagWritten)
    if event.value is not False or not event.certain or len(event.parts) != 1:
        return None
    (part,) = event.parts
    spares_lora = len(part.predicate) == 1 and all(
        isinstance(test, NameTest)
        and test.negated
        and test.kind == "contains"
        and all("lora" in text for text in test.texts)
        for test in part.predicate
    )
    function = "this loop" if _call_of_copy(event) is None else f"`{_MARKER}`"
    return (Part(part.key), function) if spares_lora else None


def _call_of_copy(event: Event) -> Place | None:
    """Where a file calls its own copy of the function, if the event happens in one."""
    calls = event.stack if isinstance(event, FlagWritten) else ()
    return next((place for place in reversed(calls) if _calls_marker(place.node)), None)


def _calls_marker(node: object) -> bool:
    from libcst import Call

    called = dotted(node.func) if isinstance(node, Call) else None
    return called is not None and called.rpartition(".")[2] == _MARKER


def _freeze_of_all(trace: Trace, marker: Event, model: Part) -> FlagWritten | None:
    """The write that froze the whole model as it is, LoRA layers and all."""
    write = next(
        (
            each
            for each in trace.before(marker, FlagWritten)
            if any(
                trace.parts_overlap(part, model, each.index) and not _is_beside_lora(trace, part)
                for part in each.parts
            )
        ),
        None,
    )
    if write is None or write.value is not False or not write.certain:
        return None
    if not happens_whenever(write, marker):
        return None
    is_whole = any(
        is_total(part.predicate) and trace.part_covers(part, model, write.index)
        for part in write.parts
    )
    if not is_whole and not _is_all_of_lora_frozen(trace, marker, model):
        return None
    if may_be_unknown(trace, model, write, marker) or any(
        trace.related(change.parent, model.key, change.index)
        for change in trace.between(write, marker, SubmoduleReplaced)
    ):
        return None
    return write


def _is_all_of_lora_frozen(trace: Trace, marker: Event, model: Part) -> bool:
    """Whether every layer of LoRA in a model that was made in sight is frozen as a whole."""
    layers = [
        each
        for each in trace.objects.below(model.key, marker.index)
        if each.library in LORA_LAYERS and each.origin is Origin.BUILT
    ]
    states = [trace.flag(Part(each.key), marker.index, marker.path) for each in layers]
    return bool(states) and all(
        state.value is False and state.write is not None and happens_whenever(state.write, marker)
        for state in states
    )


def _is_trained_so(trace: Trace, marker: Event, model: Part) -> bool:
    """Whether training follows, and nobody sets a flag of the model before or later."""
    training = next(
        (
            each
            for kind in (OptimizerBuilt, TrainerStarted, BackwardRan)
            for each in trace.after(marker, kind)
        ),
        None,
    )
    if training is None or may_be_unknown(trace, model, marker, training):
        return False
    return not any(
        write.value is not False
        and any(
            trace.parts_overlap(part, model, write.index) and not _is_beside_lora(trace, part)
            for part in write.parts
        )
        for write in flag_changes_after(trace, marker)
        if not isinstance(write, FlagsSetByLibrary) or write.place.node is not marker.place.node
    )


def _is_beside_lora(trace: Trace, part: Part) -> bool:
    """Whether a part is a plain layer, or biases, or a head by its name: nothing of LoRA."""
    module = trace.objects.module(part.key)
    if module.origin is Origin.BUILT and (module.library or "").startswith("torch.nn."):
        return not trace.objects.below(part.key, trace.now)
    if module.origin is Origin.PARAMETER and module.attribute is not None:
        return "lora" not in module.attribute
    return any(
        isinstance(test, NameTest)
        and not test.negated
        and all(text.strip(".").rpartition(".")[2] in _NO_LORA for text in test.texts)
        for test in part.predicate
    )
