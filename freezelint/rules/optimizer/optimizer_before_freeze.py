"""An optimizer is built over parameters that are frozen only afterwards."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.abouts import about_frozen
from freezelint.analysis.events import Event, FlagWritten, HandedOver, OptimizerBuilt, Stepped
from freezelint.analysis.gradients import waits_for_an_epoch
from freezelint.analysis.knowledge.patterns import (
    FREEZES,
    LIBRARY_FREEZES,
    OPTIMIZER_CONSTRUCTIONS,
    OPTIMIZER_WORDS_OR_NAMES,
)
from freezelint.analysis.listings import is_listed_apart
from freezelint.analysis.predicates import flag_tests
from freezelint.analysis.remainders import with_wholes
from freezelint.analysis.toggles import is_left_off
from freezelint.analysis.trainability import lasting_freeze
from freezelint.analysis.training import (
    filters_by_flag,
    is_dropped,
    is_rebuilt,
    is_said_before,
    is_written_again,
    may_be_unknown,
    region_inside,
    shares_activation,
    steps_after,
    trained_before,
    trains_later,
)
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part
    from freezelint.findings import Fix


class OptimizerBeforeFreeze(Rule):
    """Finds an optimizer built over parameters that are frozen only afterwards.

    What it does:
        Reports an optimizer that was given trainable parameters and then, before any
        training, had some of them frozen, with nothing that takes them out again.

    Why is this bad:
        An optimizer does not look at `requires_grad`: it goes on holding the frozen
        parameters and skips them only as long as their `.grad` is `None`. Parameter
        counts and groups are wrong, code that walks the groups (clipping, decay by hand,
        averaging of weights) reaches them, and LBFGS sizes its history for them. As soon as
        a gradient is left on them they move: see FZ305.

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
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)  # expect: FZ301
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for param in model.backbone.parameters():
            param.requires_grad = False

        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
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
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for param in model.backbone.parameters():
            param.requires_grad = False

        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Flags that are toggled (GAN and target networks), freezes in the middle of
        training (what their gradients do is the business of FZ305), an optimizer or a
        parameter group that is rebuilt after the freeze, parameters that the optimizer
        was never given, and modules that cannot be followed.

    References:
        https://docs.pytorch.org/docs/stable/optim.html
        https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.zero_grad.html
    """

    code = "FZ301"
    name = "optimizer-before-freeze"
    level = Level.WARNING
    claims = (Claim("wastes", "model.backbone.*"),)
    triggers = (
        ("requires_grad", *LIBRARY_FREEZES),
        OPTIMIZER_WORDS_OR_NAMES,
    )
    trigger_patterns = (FREEZES, OPTIMIZER_CONSTRUCTIONS)
    fix = "unsafe"
    events = ("OptimizerBuilt",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report an optimizer of whose parameters some are frozen afterwards."""
        assert isinstance(event, OptimizerBuilt)
        held = [part for part in event.parts if not filters_by_flag(part)]
        held = with_wholes(trace, held, event.index)
        for freeze in trace.after(event, FlagWritten):
            if freeze.value is not False or not freeze.certain:
                continue
            if trace.may_exclude(event, freeze):
                continue
            for part in freeze.parts:
                if any(not test.value for test in flag_tests(part.predicate)):
                    # What had its flag off gets it off again.
                    continue
                if is_listed_apart(trace, event, part.key, freeze):
                    continue
                if any(region_inside(trace, mine, part, freeze.index) for mine in held):
                    report = self._judge(event, freeze, part, trace)
                    if report is not None:
                        yield report
                        return

    def _judge(
        self, built: OptimizerBuilt, freeze: FlagWritten, part: Part, trace: Trace
    ) -> Report | None:
        if trained_before(trace, freeze, built) is not None:
            # What was trained before is no matter of order, but of what its gradients do: FZ305.
            return None
        if trace.is_frozen(part, built.index, built.path) or (
            is_said_before(trace, freeze, built.index)
        ):
            return None
        if is_written_again(trace, freeze, True, trace.now) or trains_later(
            trace, freeze, part, built.key
        ):
            return None
        if freeze.activations != built.activations and _is_restored(trace, freeze, part):
            return None
        if is_rebuilt(trace, freeze, part, built.key) or is_dropped(trace, built):
            return None
        steps = list(steps_after(trace, freeze, built.key))
        if any(is_left_off(trace, built, step) for step in steps):
            # Frozen for another optimizer's step: what is missing is the way back.
            return None
        if _may_be_switched_on(trace, freeze, part, built, steps):
            return None
        if _is_stage(trace, freeze, built) or freeze.repeated:
            return None
        if set(freeze.loops) - set(built.loops) and _chooses(trace, freeze):
            return None
        if _was_handed_on_before(trace, built, freeze):
            return None
        if not shares_activation(built, freeze) and not steps:
            return None
        return self._report(built, freeze, trace)

    def _report(self, built: OptimizerBuilt, freeze: FlagWritten, trace: Trace) -> Report:
        optimizer = trace.objects.optimizer(built.key).label or built.name
        frozen = trace.meeting_place(freeze, built)
        return Report(
            trace.passing_place(built, freeze, _source_of(built, trace)),
            f"`{optimizer}` was built from `{built.label}` before `{freeze.label}` was frozen",
            "freeze first, then build the optimizer from the parameters with `requires_grad`",
            ((frozen, f"`{freeze.label}` is frozen here, after the optimizer took it"),),
            fix=_fix(built, trace),
            about=about_frozen(freeze),
        )


def _source_of(built: OptimizerBuilt, trace: Trace) -> str:
    """The name that the parameters come from, where a function collects them itself."""
    name = re.match(r"\w*", built.label)
    function = trace.file.functions.get(built.scope)
    if function is not None and (name is None or name[0] not in function.names_of_parameters):
        for each in re.finditer(r"\b(\w+)\.(?:named_)?parameters\(", function.text):
            if each[1] in function.names_of_parameters:
                return each[1]
    return name[0] if name is not None else ""


def _chooses(trace: Trace, freeze: FlagWritten) -> bool:
    """Whether the same line switches some on and the others off."""
    return any(
        write.value is True
        and write.place.node is freeze.place.node
        and write.activations == freeze.activations
        for write in trace.all(FlagWritten)
    )


def _is_restored(trace: Trace, freeze: FlagWritten, part: Part) -> bool:
    """Whether the same call of a function gives some flags back what they were."""
    return any(
        write.value is not False
        and write.activations == freeze.activations
        and any(trace.parts_overlap(mine, part, write.index) for mine in write.parts)
        for write in trace.after(freeze, FlagWritten)
    )


def _may_be_switched_on(
    trace: Trace, freeze: FlagWritten, part: Part, built: OptimizerBuilt, steps: Sequence[Stepped]
) -> bool:
    """Whether code out of sight may do that, in each round of a training that freezes."""
    if any(
        each is not freeze and not each.repeated and each.place.node is freeze.place.node
        for each in trace.all(FlagWritten)
    ):
        # In some rounds of a loop that is run round by round; in others something else is done.
        return may_be_unknown(trace, part, freeze, trace.events[-1])
    if not steps or not (freeze.loops or not shares_activation(built, freeze)):
        return False
    return may_be_unknown(trace, part, freeze, steps[0])


def _is_stage(trace: Trace, freeze: FlagWritten, built: OptimizerBuilt) -> bool:
    """Whether the training loop decides about the freeze, by a condition or a loop: a schedule."""
    conditions = set(freeze.path) - set(built.path)
    if waits_for_an_epoch(trace, freeze, built):
        return True
    around = set(freeze.loops) - set(built.loops)
    return any(
        around & set(step.loops) and (conditions or around - set(step.loops))
        for step in trace.after(built, Stepped)
    )


def _was_handed_on_before(trace: Trace, built: OptimizerBuilt, freeze: FlagWritten) -> bool:
    """Whether code out of sight may have trained between construction and freeze."""
    return any(built.key in each.optimizers for each in trace.between(built, freeze, HandedOver))


def _fix(built: OptimizerBuilt, trace: Trace) -> Fix | None:
    """Build the optimizer below the last freeze, and leave out what is frozen by then."""
    from freezelint.analysis import rearrangement

    held = {part.key for part in built.parts}
    later = [
        freeze
        for freeze in trace.after(built, FlagWritten)
        if any(trace.overlaps(part, key, freeze.index) for part in freeze.parts for key in held)
    ]
    below = max((freeze.index for freeze in later), default=built.index) + 1
    if all(lasting_freeze(trace, key, below, built) for key in held):
        # Nothing would be left to train, which an optimizer refuses.
        return None
    filtered = rearrangement.filtered_by_flag(built.place, built.argument)
    return rearrangement.moved_below(
        "build the optimizer below the freeze",
        trace.file.text,
        [built.place],
        [trace.meeting_place(freeze, built) for freeze in later],
        changes=() if filtered is None else (filtered,),
    )
