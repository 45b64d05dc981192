"""A new head is attached and then frozen together with everything else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    ConditionTested,
    Event,
    FlagWritten,
    OptimizerBuilt,
    SubmoduleReplaced,
)
from freezelint.analysis.knowledge.patterns import (
    FREEZES,
    OPTIMIZER_CONSTRUCTIONS,
    OPTIMIZER_WORDS_OR_NAMES,
    TRAINER_CALL,
)
from freezelint.analysis.library_events import TrainerStarted
from freezelint.analysis.new_heads import head_in
from freezelint.analysis.predicates import is_total
from freezelint.analysis.training import (
    flag_changes_after,
    may_be_unknown,
)
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part


_FOR_USE = (
    r"\b(?:is_|for_|only_)?(?:inference|infer|eval|evaluate|test|testing|predict|prediction|deploy"
    r"|export|train|training|trainable)(?:_only|_mode)?\b"
)
"""Words of conditions that say what a model is for."""


class NewHeadFrozen(Rule):
    """Finds a freeze of everything that also freezes a head attached just before.

    What it does:
        Reports a freeze of a whole model that reaches a submodule which was newly
        made and attached before, when nothing unfreezes that submodule afterwards and
        the model is trained.

    Why is this bad:
        The new head starts from random weights and stays there. If something else
        still trains, a second model or a loss with weights of its own, nothing is
        said. Otherwise `backward()` raises a RuntimeError ("element 0 of tensors does
        not require grad"), or an optimizer over the filtered parameters raises
        `ValueError: optimizer got an empty parameter list`.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Embedder(nn.Module):
            def __init__(self):
                super().__init__()
                self.trunk = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.embed = nn.Linear(32, 64)

            def forward(self, x):
                return nn.functional.normalize(self.embed(self.trunk(x)), dim=1)


        model = Embedder()
        model.embed = nn.Linear(32, 8)
        model.requires_grad_(False)  # expect: FZ602
        centres = nn.Linear(8, 5, bias=False)  # one learnable centre per class

        params = [p for p in (*model.parameters(), *centres.parameters()) if p.requires_grad]
        optimizer = torch.optim.AdamW(params, lr=1e-3)
        inputs, labels = torch.randn(64, 16), torch.randint(5, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(centres(model(inputs)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Embedder(nn.Module):
            def __init__(self):
                super().__init__()
                self.trunk = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.embed = nn.Linear(32, 64)

            def forward(self, x):
                return nn.functional.normalize(self.embed(self.trunk(x)), dim=1)


        model = Embedder()
        model.requires_grad_(False)
        model.embed = nn.Linear(32, 8)
        centres = nn.Linear(8, 5, bias=False)  # one learnable centre per class

        params = [p for p in (*model.parameters(), *centres.parameters()) if p.requires_grad]
        optimizer = torch.optim.AdamW(params, lr=1e-3)
        inputs, labels = torch.randn(64, 16), torch.randint(5, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(centres(model(inputs)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Freezing first and attaching the head afterwards, a head that is unfrozen
        again, a head that has weights loaded or copied into it, and models that are
        only evaluated.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.requires_grad_
        https://github.com/facebookresearch/pytext/issues/76
        https://github.com/jina-ai/finetuner/issues/435
    """

    code = "FZ602"
    name = "new-head-frozen"
    level = Level.ERROR
    claims = (Claim("dead", "model.embed.*"),)
    triggers = (
        ("requires_grad", "self.freeze()"),
        (*OPTIMIZER_WORDS_OR_NAMES, "Trainer("),
    )
    trigger_patterns = (FREEZES, (*OPTIMIZER_CONSTRUCTIONS, TRAINER_CALL))
    events = ("FlagWritten",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a freeze that takes in a module which was attached just before."""
        assert isinstance(event, FlagWritten)
        if event.value is not False or not event.certain or event.repeated:
            return
        if _is_for_use(trace, event):
            return
        for part in event.parts:
            if not is_total(part.predicate):
                continue
            head = head_in(trace, event, part)
            if head is not None and _stays_frozen(trace, event, part, head.held_as):
                attached = head.attached
                place = head.place
                if attached is not None:
                    place = trace.meeting_place(attached, event)
                yield Report(
                    event.place if attached is None else trace.meeting_place(event, attached),
                    f"this freezes `{head.label}` too, which was attached before: "
                    "the new module never trains",
                    "freeze first and attach the new module after it, or unfreeze it again",
                    () if place is None else ((place, "the new module is attached here"),),
                    about=About((head.label,)),
                )
                return


def _is_for_use(trace: Trace, freeze: FlagWritten) -> bool:
    """Whether it is frozen where a condition says that it is not to be trained at all."""
    return bool(freeze.path) and any(
        set(test.path) < set(freeze.path)
        and test.activations == freeze.activations[: len(test.activations)]
        and re.search(_FOR_USE, test.place.code) is not None
        for test in trace.before(freeze, ConditionTested)
    )


def _stays_frozen(trace: Trace, freeze: FlagWritten, part: Part, head: int) -> bool:
    """Whether an optimizer is built for the model and nothing switches a part on before."""
    built = next(
        (
            each
            for each in (
                *trace.after(freeze, OptimizerBuilt),
                *trace.before(freeze, OptimizerBuilt),
            )
            if any(
                (
                    trace.related(mine.key, head, each.index)
                    or trace.objects.route(part.key, mine.key, each.index) is not None
                )
                and trace.objects.roots(mine.key, each.index)
                & trace.objects.roots(head, each.index)
                for mine in each.parts
            )
        ),
        None,
    )
    taken = built or next(
        (
            each
            for each in trace.after(freeze, TrainerStarted)
            if trace.objects.route(each.key, head, each.index) is not None
        ),
        None,
    )
    if taken is None or may_be_unknown(trace, part, freeze, taken):
        return False
    return not any(
        write.value is not False
        and any(trace.parts_overlap(mine, part, write.index) for mine in write.parts)
        for write in flag_changes_after(trace, freeze)
    ) and not any(
        later.new is not None and trace.covers(part, later.parent, later.index)
        for later in trace.after(freeze, SubmoduleReplaced)
    )
