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
from freezelint.analysis.knowledge.peft import ONE_WAY_MARKERS
from freezelint.analysis.knowledge.torch import FLAG_WRITES
from freezelint.analysis.library_events import FlagsSetByLibrary, TrainerStarted
from freezelint.analysis.predicates import is_total
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

    from freezelint.analysis.trace import Trace


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
        ("mark_only_lora_as_trainable(",),
        ("requires_grad",),
    )
    trigger_patterns = (FLAG_WRITES,)
    events = ("Called",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a call that is to make trainable what was frozen before."""
        assert isinstance(event, Called)
        if event.name not in ONE_WAY_MARKERS or event.repeated or not event.arguments:
            return
        model = event.arguments[0]
        if not isinstance(model, ModuleValue):
            return
        freeze = _freeze_of_all(trace, event, Part(model.key))
        if freeze is None or not _is_trained_so(trace, event, Part(model.key)):
            return
        function = event.name.rpartition(".")[2]
        yield Report(
            trace.meeting_place(event, freeze),
            f"`{function}` only freezes: the LoRA parameters of "
            f"`{trace.objects.label(model.key)}` stay frozen as they are",
            "leave out the freeze before: this call freezes all the rest by itself",
            ((trace.meeting_place(freeze, event), "they were frozen here, with all the rest"),),
            about=About((trace.objects.label(model.key),), names=("*lora_*",)),
        )


def _freeze_of_all(trace: Trace, marker: Called, model: Part) -> FlagWritten | None:
    """The write that froze the whole model as it is, LoRA layers and all."""
    write = next(
        (
            each
            for each in trace.before(marker, FlagWritten)
            if any(trace.parts_overlap(part, model, each.index) for part in each.parts)
        ),
        None,
    )
    if write is None or write.value is not False or not write.certain:
        return None
    if not happens_whenever(write, marker) or not any(
        is_total(part.predicate) and trace.part_covers(part, model, write.index)
        for part in write.parts
    ):
        return None
    if may_be_unknown(trace, model, write, marker) or any(
        trace.related(change.parent, model.key, change.index)
        for change in trace.between(write, marker, SubmoduleReplaced)
    ):
        return None
    return write


def _is_trained_so(trace: Trace, marker: Called, model: Part) -> bool:
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
        and any(trace.parts_overlap(part, model, write.index) for part in write.parts)
        for write in flag_changes_after(trace, marker)
        if not isinstance(write, FlagsSetByLibrary) or write.place.node is not marker.place.node
    )
