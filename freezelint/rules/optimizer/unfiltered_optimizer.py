"""An optimizer is given parameters that are frozen already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.abouts import about_frozen
from freezelint.analysis.events import Event, FlagWritten, OptimizerBuilt
from freezelint.analysis.knowledge.patterns import (
    FREEZES,
    LIBRARY_FREEZES,
    OPTIMIZER_CONSTRUCTIONS,
    OPTIMIZER_WORDS_OR_NAMES,
)
from freezelint.analysis.predicates import SOME, is_total
from freezelint.analysis.training import (
    filters_by_flag,
    happens_whenever,
    is_dropped,
    is_written_again,
    region_inside,
)
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part


class UnfilteredOptimizer(Rule):
    """Finds an optimizer over all parameters of a model that is partly frozen.

    What it does:
        Notes an optimizer that was given parameters which were frozen before and are
        never unfrozen. It is off by default.

    Why is this bad:
        It works: frozen parameters have no gradient and are skipped. But the optimizer
        walks over them in every step, its groups and its saved state list them, counts of
        what it trains are wrong, and code that goes over its groups reaches them. LBFGS
        sizes its history for them.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.backbone(x))


        model = Classifier()
        model.backbone.requires_grad_(False)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)  # expect: FZ303
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for step in range(3):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.backbone(x))


        model = Classifier()
        model.backbone.requires_grad_(False)
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for step in range(3):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()

    When it is silent:
        Parts that are unfrozen later: an optimizer that holds them from the start is what
        lets them train then. Lists filtered by `requires_grad`, freezes that are not
        certain, and optimizers that another one replaces before they step.

    References:
        https://docs.pytorch.org/docs/stable/optim.html
    """

    code = "FZ303"
    name = "unfiltered-optimizer"
    level = Level.INFO
    claims = (Claim("wastes", "model.backbone.*"),)
    triggers = (
        ("requires_grad", *LIBRARY_FREEZES),
        OPTIMIZER_WORDS_OR_NAMES,
    )
    trigger_patterns = (FREEZES, OPTIMIZER_CONSTRUCTIONS)
    events = ("OptimizerBuilt",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Note an optimizer over parameters that are frozen for good."""
        assert isinstance(event, OptimizerBuilt)
        if event.repeated or is_dropped(trace, event):
            return
        held = [part for part in event.parts if not filters_by_flag(part)]
        for freeze in trace.before(event, FlagWritten):
            if freeze.value is not False or not freeze.certain:
                continue
            if is_written_again(trace, freeze, True, trace.now):
                continue
            for part in freeze.parts:
                inside = any(region_inside(trace, mine, part, event.index) for mine in held)
                if inside and _is_frozen(trace, part, freeze, event):
                    optimizer = trace.objects.optimizer(event.key).label or event.name
                    frozen = f"`{freeze.label}`, which is"
                    if not is_total(part.predicate):
                        frozen = f"parameters of `{freeze.label}` that are"
                    yield Report(
                        event.place,
                        f"`{optimizer}` is given {frozen} frozen",
                        "pass `[p for p in model.parameters() if p.requires_grad]`",
                        ((trace.meeting_place(freeze, event), "it is frozen here"),),
                        about=about_frozen(freeze),
                    )
                    return


def _is_frozen(trace: Trace, part: Part, freeze: FlagWritten, built: OptimizerBuilt) -> bool:
    """Whether what was frozen still is; of some parameters that is so where nobody touched any."""
    if trace.is_frozen(part, built.index, (*built.path, *freeze.path)):
        return True
    return (
        SOME in part.predicate
        and happens_whenever(freeze, built)
        and not any(
            write.value is not False
            and any(trace.parts_overlap(mine, part, write.index) for mine in write.parts)
            for write in trace.after(freeze, FlagWritten)
        )
    )
