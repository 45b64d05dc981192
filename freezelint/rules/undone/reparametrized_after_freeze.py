"""A frozen layer gets new, trainable parameters by a reparametrization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import Called, Event, FlagWritten
from freezelint.analysis.knowledge.calls import FORGETFUL_REPARAMETRIZATIONS
from freezelint.analysis.knowledge.patterns import (
    FREEZES,
    OPTIMIZER_CONSTRUCTIONS,
    TRAINER_CALL,
)
from freezelint.analysis.lost_freeze import (
    is_decided_again,
    is_part_of_more,
    latest_freeze,
    takers,
)
from freezelint.analysis.training import trained_before
from freezelint.analysis.values import Constant, ModuleValue, Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace


class ReparametrizedAfterFreeze(Rule):
    """Finds a frozen layer whose weight is split or merged into new parameters.

    What it does:
        Reports the old `torch.nn.utils.weight_norm`, `remove_weight_norm` and
        `remove_spectral_norm`, called on a frozen layer of a model that an optimizer
        takes afterwards.

    Why is this bad:
        These functions throw the frozen parameter away and register new ones, which are
        trainable: `weight_g` and `weight_v`, or a new `weight`. The layer trains again,
        without a message. The functions in `torch.nn.utils.parametrizations` keep the
        flag.

    Bad:
        import torch
        from torch import nn
        from torch.nn.utils import weight_norm

        torch.manual_seed(0)


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.encoder = nn.Linear(16, 32)
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.encoder(x).relu())


        model = Classifier()
        model.encoder.requires_grad_(False)
        weight_norm(model.encoder)  # expect: FZ203

        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn
        from torch.nn.utils import weight_norm

        torch.manual_seed(0)


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.encoder = nn.Linear(16, 32)
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.encoder(x).relu())


        model = Classifier()
        weight_norm(model.encoder)
        model.encoder.requires_grad_(False)

        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        `torch.nn.utils.parametrizations` and `torch.nn.utils.prune`, which keep the
        flag, as the old `spectral_norm` does; weight norm removed for inference, where
        no optimizer takes the layer; layers frozen again afterwards; and a model in
        which nothing else would train.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.weight_norm.html
        https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.weight_norm.html
        https://github.com/openvinotoolkit/nncf/issues/1309
    """

    code = "FZ203"
    name = "reparametrized-after-freeze"
    level = Level.ERROR
    claims = (Claim("moves", "model.encoder.*"),)
    triggers = (("requires_grad",), ("weight_norm", "remove_spectral_norm"))
    trigger_patterns = (FREEZES, (*OPTIMIZER_CONSTRUCTIONS, TRAINER_CALL))
    events = ("Called",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a layer that was frozen when its weight became other parameters."""
        assert isinstance(event, Called)
        made = FORGETFUL_REPARAMETRIZATIONS.get(event.name)
        if made is None or event.repeated:
            return
        layer = event.arguments[0] if event.arguments else event.keywords.get("module")
        if not isinstance(layer, ModuleValue):
            return
        part = trace.objects.parts_of(layer.key)[0]
        freeze = _freeze_of(trace, event, part)
        if freeze is None or trained_before(trace, event, freeze) is not None:
            return
        if trace.may_exclude(freeze, event):
            return
        if is_decided_again(trace, event, part):
            return
        built = takers(trace, event, part)
        if built and is_part_of_more(trace, freeze, built, event):
            yield Report(
                trace.meeting_place(event, freeze),
                f"`{event.name.rpartition('.')[2]}` puts {made} in the place of the frozen "
                f"weight of `{trace.objects.label(layer.key)}`: what is new is trainable",
                "freeze after this line, or use `torch.nn.utils.parametrizations`, which "
                "keeps the flag",
                (
                    (trace.meeting_place(freeze, event), f"`{freeze.label}` is frozen here"),
                    (trace.meeting_place(built[0], event), "the optimizer takes it here"),
                ),
                about=About((trace.objects.label(layer.key),)),
            )


def _freeze_of(trace: Trace, event: Called, part: Part) -> FlagWritten | None:
    """The write that froze the layer, or just the parameter that is replaced."""
    given = event.arguments[1] if len(event.arguments) > 1 else event.keywords.get("name")
    name = given.value if isinstance(given, Constant) else "weight"
    known = trace.objects.known_child(part.key, name) if isinstance(name, str) else None
    if known is not None and not part.predicate:
        return latest_freeze(trace, event, Part(known.key))
    return latest_freeze(trace, event, part)
