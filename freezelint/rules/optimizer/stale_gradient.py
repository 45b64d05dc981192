"""A freeze leaves gradients behind that the optimizer goes on applying."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.abouts import about_frozen
from freezelint.analysis.events import Event, FlagWritten, OptimizerBuilt, Stepped
from freezelint.analysis.gradients import (
    are_zeroed,
    goes_on_without_gradient,
    gradients_made,
    group_of,
    is_for_the_first_round,
    may_be_cleared_out_of_sight,
    moves_on_zeros,
    was_trainable,
)
from freezelint.analysis.knowledge.patterns import (
    FREEZES,
    OPTIMIZER_CONSTRUCTIONS,
    OPTIMIZER_WORDS_OR_NAMES,
)
from freezelint.analysis.listings import is_listed_apart
from freezelint.analysis.training import (
    is_cleared,
    is_rebuilt,
    is_written_again,
    region_inside,
    steps_after,
)
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part


class StaleGradient(Rule):
    """Finds parameters that are frozen while a gradient is stored that the next step applies.

    What it does:
        Reports a freeze in the middle of training after which the optimizer still moves
        the frozen parameters: between `backward` and `step`; where the gradients are never
        cleared, or filled with zeros (`zero_grad(set_to_none=False)`, `p.grad.zero_()`)
        under an optimizer with momentum or weight decay; and anywhere under LBFGS.

    Why is this bad:
        An optimizer skips a parameter only if its `.grad` is `None`, and clearing the
        flag does not clear `.grad`. A gradient that is there is applied by the next step,
        once where it is cleared afterwards, in every step where it is not. Zeros are a
        gradient, too: weight decay (AdamW has it by default) shrinks the weights, and
        momentum carries them on. LBFGS takes a missing gradient for zero and moves along
        its history.

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
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))

        for step in range(6):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs), targets)
            loss.backward()
            if step == 3:
                model.backbone.requires_grad_(False)  # expect: FZ305
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
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))

        for step in range(6):
            optimizer.zero_grad()
            if step == 3:
                model.backbone.requires_grad_(False)
            loss = nn.functional.cross_entropy(model(inputs), targets)
            loss.backward()
            optimizer.step()

    When it is silent:
        Gradients that are set to `None` between the freeze and the next step, as
        `zero_grad()` does since torch 2.0. Zeros under an optimizer that does not move on
        them (SGD without momentum and weight decay, RMSprop, Adagrad, ...). Flags that are
        toggled and are on again before the optimizer steps (GANs), optimizers that are
        rebuilt, freezes that may happen before the first step only, and gradients that
        code out of sight may clear.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.zero_grad.html
        https://github.com/neuralmagic/sparseml/issues/965
        https://discuss.pytorch.org/t/153740
    """

    code = "FZ305"
    name = "stale-gradient"
    level = Level.ERROR
    claims = (Claim("moves", "model.backbone.*", after=3),)
    triggers = (
        ("requires_grad",),
        ("step", "backward"),
        OPTIMIZER_WORDS_OR_NAMES,
    )
    trigger_patterns = (FREEZES, OPTIMIZER_CONSTRUCTIONS)
    events = ("FlagWritten",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a freeze of parameters that an optimizer goes on moving."""
        assert isinstance(event, FlagWritten)
        if event.value is not False or not event.certain:
            return
        for built in trace.before(event, OptimizerBuilt):
            if trace.may_exclude(built, event):
                continue
            for part in event.parts:
                if is_listed_apart(trace, built, part.key, event):
                    continue
                if any(region_inside(trace, mine, part, event.index) for mine in built.parts):
                    report = self._judge(event, built, part, trace)
                    if report is not None:
                        yield report
                        return

    def _judge(
        self, freeze: FlagWritten, built: OptimizerBuilt, part: Part, trace: Trace
    ) -> Report | None:
        trained = gradients_made(trace, freeze, built, part)
        step = next(steps_after(trace, freeze, built.key), None)
        if trained is None or step is None or not was_trainable(trace, freeze, part):
            return None
        if freeze.repeated and is_for_the_first_round(freeze):
            return None
        if is_rebuilt(trace, freeze, part, built.key):
            return None
        if _is_on_again(trace, freeze, step):
            # Off for another network's turn, and on again: its gradient is meant to be applied.
            return None
        has_stepped = any(built.key in each.keys for each in trace.before(freeze, Stepped))
        if has_stepped and goes_on_without_gradient(built):
            how: str | None = f"`{built.name}` moves it on along its history, gradient or not"
        else:
            how = self._how_it_moves(built, trained, step, part, trace)
        return None if how is None else self._report(freeze, built, trained, step, how, trace)

    def _how_it_moves(
        self, built: OptimizerBuilt, trained: Event, step: Stepped, part: Part, trace: Trace
    ) -> str | None:
        if is_cleared(trace, trained, step, built.key, part):
            return None
        if may_be_cleared_out_of_sight(trace, trained, step, built.key, part):
            return None
        if not are_zeroed(trace, trained, step, built.key, part):
            return "the next step still applies the gradient from before"
        group = group_of(trace, built, part, step.index)
        moved_by = None if group is None else moves_on_zeros(built, group, trained=True)
        return (
            None
            if moved_by is None
            else (f"its gradients become zeros, not None, and {moved_by} moves it on")
        )

    def _report(
        self,
        freeze: FlagWritten,
        built: OptimizerBuilt,
        trained: Event,
        step: Stepped,
        how: str,
        trace: Trace,
    ) -> Report:
        optimizer = trace.objects.optimizer(built.key).label or built.name
        what = "stepped" if isinstance(trained, Stepped) else "gradients computed"
        evidence = [(trace.meeting_place(trained, freeze), f"{what} here, before the freeze")]
        if step.place.node is not trained.place.node:
            evidence.append((trace.meeting_place(step, freeze), "the next step is here"))
        evidence.append((trace.meeting_place(built, freeze), "the optimizer holds the parameters"))
        label = freeze.label
        place = trace.meeting_place(freeze, step)
        if place is freeze.place:
            # A function that freezes what it is given is called at a bad moment.
            place = trace.passing_place(freeze, step, _receiver(freeze, trace))
        return Report(
            place,
            f"`{label}` is frozen while `{optimizer}` is training it: {how}",
            "build a new optimizer without the frozen parameters"
            if goes_on_without_gradient(built)
            else f"clear them too: `for p in {label}.parameters(): p.grad = None`",
            tuple(evidence),
            about=about_frozen(freeze),
        )


def _is_on_again(trace: Trace, freeze: FlagWritten, step: Stepped) -> bool:
    """Whether the flags are back before a step, or in each round of a loop that freezes."""
    rounds = [
        each
        for each in trace.all(FlagWritten)
        if each is not freeze
        and each.place.node is freeze.place.node
        and [place.node for place in each.stack] == [place.node for place in freeze.stack]
    ]
    is_in_rounds = bool(freeze.loops) or any(each.index > freeze.index for each in rounds)
    if is_written_again(trace, freeze, True, trace.now if is_in_rounds else step.index):
        return True
    return any(
        is_written_again(trace, each, True, freeze.index)
        for each in rounds
        if each.index < freeze.index
    )


def _receiver(freeze: FlagWritten, trace: Trace) -> str:
    """What a function is given of which it freezes a part, directly or in a loop."""
    function = trace.file.functions.get(freeze.scope)
    if function is None:
        return ""
    named = re.finditer(r"\bin (?:\w+\()*(\w+)|\b(\w+)(?:\.\w+)*\.requires_grad", function.text)
    roots = (each[1] or each[2] for each in named)
    return next((each for each in roots if each in function.names_of_parameters), "")
