"""A group is kept still by a learning rate of 0, which does not stay 0."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.events import (
    Called,
    Event,
    GroupAdded,
    OptimizerBuilt,
    RateWritten,
    Stepped,
)
from freezelint.analysis.gradients import option
from freezelint.analysis.knowledge.optimizers import REVIVING_SCHEDULERS, traits_of
from freezelint.analysis.knowledge.patterns import OPTIMIZER_CONSTRUCTIONS, OPTIMIZER_WORDS
from freezelint.analysis.predicates import is_total
from freezelint.analysis.search import LinePattern
from freezelint.analysis.slices import is_computed_from
from freezelint.analysis.syntax import Place, walk
from freezelint.analysis.values import ChoiceValue, Constant, OptimizerValue, TypedValue
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.events import ParameterGroup
    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Value


_HELD_BY_HAND = r"\[[\"']lr[\"']\]\s*=\s*0(?:\.0*)?[ \t]*(?:#.*)?(?:\n|$)"
"""A rate is set to 0 again, whatever a scheduler made of it."""

_TABLE_OF_RATES = r"[ \t]*[\w.]*(?:LR|lrs)\w* ?= ?\{[^\n]*: 0(?:\.0*)?[\s,}]"


class ZeroLrRevived(Rule):
    """Finds a learning rate of 0 that a scheduler raises or that the optimizer ignores.

    What it does:
        Reports a parameter group with `lr` 0 beside others that train, if the optimizer
        is given to a scheduler that sets the rates of all groups (`OneCycleLR` and
        `CyclicLR` with one number, `SWALR`, cosine annealing with `eta_min` above 0), if a
        loop over `param_groups` gives all of them the same rate, or if the optimizer moves
        without a rate (`Rprop`).

    Why is this bad:
        The 0 is meant to keep the group as it is, and such a scheduler overwrites it:
        `OneCycleLR` when it is built, the others at their first step. From there on the
        group trains like the rest. Rprop takes the rate as the first step size only, and
        changes that by itself.

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
        optimizer = torch.optim.SGD(
            [
                {"params": model.backbone.parameters(), "lr": 0.0},
                {"params": model.head.parameters()},
            ],
            lr=0.1,
        )
        scheduler = torch.optim.lr_scheduler.OneCycleLR(  # expect: FZ307
            optimizer, max_lr=0.1, total_steps=6
        )
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for step in range(5):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
            scheduler.step()

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
        optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=6)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for step in range(5):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
            scheduler.step()

    When it is silent:
        Schedulers that multiply the rate (`LambdaLR`, `StepLR`, `LinearLR` and most
        others) keep 0 at 0. Also silent: a list of rates, one for each group; loops that
        compute the rate from the group, or ask which it is; an optimizer
        all of whose groups start at 0, as for a warm-up; parameters that are frozen
        anyway; schedulers for a second stage, after steps without one; and rates that are not known.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html
        https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html
        https://docs.pytorch.org/docs/stable/generated/torch.optim.Rprop.html
        https://github.com/raoyongming/DenseCLIP/issues/5
    """

    code = "FZ307"
    name = "zero-lr-revived"
    level = Level.ERROR
    claims = (Claim("moves", "model.backbone.*"),)
    triggers = (
        OPTIMIZER_WORDS,
        ("OneCycleLR", "CyclicLR", "CosineAnnealing", "SWALR", "Rprop", "param_groups"),
    )
    trigger_patterns = (
        OPTIMIZER_CONSTRUCTIONS,
        (
            r"lr[\"']\s*:\s*0(?:\.0*)?[\s,})]",
            r"lr\s*=\s*0(?:\.0*)?[\s,})]",
            r"lr\s*:\s*float\s*=\s*0(?:\.0*)?\s",
            *(LinePattern(word, _TABLE_OF_RATES) for word in ("LR", "lrs")),
            r"lr[\"'],[^\n]*\bdefault\s*=\s*0(?:\.0*)?[\s,)]",
        ),
    )
    events = ("Called", "OptimizerBuilt", "RateWritten")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a scheduler that raises a rate of 0, or an optimizer that ignores one."""
        if event.repeated:
            return
        if isinstance(event, OptimizerBuilt):
            traits = traits_of(event.library)
            if traits is not None and traits.ignores_rate:
                how = f"`{event.name}` moves `{{}}` although its learning rate is 0"
                yield from self._judge(event, event, how, trace)
        elif isinstance(event, Called) and event.name in REVIVING_SCHEDULERS:
            built = _optimizer_of(event, trace)
            if re.search(_HELD_BY_HAND, trace.file.text):
                return
            if built is not None and _begins_a_stage(event, built, trace):
                return
            if built is not None and (_raises_all(event) or _is_same_rate(event, built)):
                scheduler = event.name.rpartition(".")[2]
                how = (
                    f"`{scheduler}` raises the learning rate of `{{}}`, which is 0 to keep it still"
                )
                yield from self._judge(event, built, how, trace)

        elif isinstance(event, RateWritten) and _sets_all_alike(event.place):
            built = next(
                (
                    each
                    for each in trace.before(event, OptimizerBuilt)
                    if each.key == event.optimizer
                ),
                None,
            )
            if built is not None:
                how = "this raises the learning rate of `{}`, which is 0 to keep it still"
                yield from self._judge(event, built, how, trace)

    def _judge(
        self, event: Event, built: OptimizerBuilt, how: str, trace: Trace
    ) -> Iterator[Report]:
        groups = [(built.place, group) for group in built.groups]
        groups += [
            (added.place, added.group)
            for added in trace.between(built, event, GroupAdded)
            if added.keys == (built.key,) and added.group is not None
        ]
        rates = [_rates(built, group) for _, group in groups]
        if all(rate == 0 for choices in rates for rate in choices):
            return
        for (place, group), choices in zip(groups, rates, strict=True):
            if (
                any(rate == 0 for rate in choices)
                and "lr" in group.options
                and not _is_still(group, event, trace)
            ):
                label = ", ".join(
                    dict.fromkeys(trace.objects.label(part.key) for part in group.parts)
                )
                evidence = () if place is event.place else ((place, "its group is made here"),)
                yield Report(
                    trace.passing_place(event, built, _passed_optimizer(event)),
                    how.format(label),
                    "freeze it with `requires_grad_(False)` and leave it out of the optimizer",
                    evidence,
                    about=_about(group, trace),
                )
                return


def _passed_optimizer(event: Event) -> str:
    """The name of the optimizer that a scheduler is built for; empty where it is no name."""
    arguments = getattr(event.place.node, "args", ()) if isinstance(event, Called) else ()
    first = arguments[0].value if arguments else None
    return first.value if isinstance(first, cst.Name) else ""


def _rates(built: OptimizerBuilt, group: ParameterGroup) -> tuple[object, ...]:
    """The learning rate of a group, or of several; of an option, what it is if nobody sets it."""
    given = group.options.get("lr")
    if isinstance(given, ChoiceValue):
        return tuple(each.value for each in given.choices if isinstance(each, Constant))
    if isinstance(given, TypedValue) and given.default is not None:
        return (given.default.value,)
    return (option(built, group, "lr", None),)


def _is_still(group: ParameterGroup, event: Event, trace: Trace) -> bool:
    """Whether nothing moves in a group anyway, or it is not known what is in it."""
    return not group.parts or any(
        trace.is_frozen(part, event.index, event.path) for part in group.parts
    )


def _optimizer_of(scheduler: Called, trace: Trace) -> OptimizerBuilt | None:
    value = scheduler.arguments[0] if scheduler.arguments else scheduler.keywords.get("optimizer")
    if not isinstance(value, OptimizerValue) or len(value.keys) != 1:
        return None
    made = (each for each in trace.before(scheduler, OptimizerBuilt) if each.key == value.keys[0])
    return next(made, None)


def _begins_a_stage(scheduler: Called, built: OptimizerBuilt, trace: Trace) -> bool:
    """Whether the optimizer has stepped without the scheduler before, and all is to train now.

    What only averages the weights goes on with the same stage.
    """
    return not scheduler.name.endswith(".SWALR") and any(
        built.key in each.keys for each in trace.between(built, scheduler, Stepped)
    )


def _sets_all_alike(place: Place) -> bool:
    """Whether each round of a loop over all groups writes the same rate, other than 0."""
    target = place.node
    name = target.value if isinstance(target, cst.Subscript) else None
    loop = place.chunk.loop_over(name) if isinstance(name, cst.Name) else None
    if loop is None or not isinstance(name, cst.Name) or place.statement not in loop.body.body:
        return False
    if not isinstance(loop.iter, cst.Attribute) or not isinstance(loop.target, cst.Name):
        return False
    if any(isinstance(each, (cst.Continue, cst.Break)) for each in walk(loop.body)):
        return False
    written = place.statement
    line = written.body[0] if isinstance(written, cst.SimpleStatementLine) else None
    if not isinstance(line, cst.Assign) or isinstance(line.value, (cst.Integer, cst.Float)):
        return False
    return not is_computed_from(Place(place.chunk, line.value, written), name.value)


def _is_same_rate(scheduler: Called, built: OptimizerBuilt) -> bool:
    """Whether a rate is given as the very expression that is the rate of the optimizer: a number."""
    rate = _keywords(built).get("lr")
    names = {name for _, name in REVIVING_SCHEDULERS[scheduler.name]}
    return rate is not None and any(
        rate == text for name, text in _keywords(scheduler).items() if name in names
    )


def _keywords(event: Event) -> dict[str, str]:
    """The keywords of a call, as they are written."""
    chunk, node = event.place.chunk, event.place.node
    return {
        argument.keyword.value: chunk.code(argument.value)
        for argument in getattr(node, "args", ())
        if argument.keyword is not None
    }


def _raises_all(scheduler: Called) -> bool:
    """Whether one number above 0 is given for all groups."""
    for position, name in REVIVING_SCHEDULERS[scheduler.name]:
        value: Value | None = scheduler.keywords.get(name)
        if value is None and position < len(scheduler.arguments):
            value = scheduler.arguments[position]
        if isinstance(value, TypedValue) and value.type in ("int", "float"):
            return True
        if isinstance(value, Constant) and isinstance(value.value, (int, float)) and value.value:
            return True
    return False


def _about(group: ParameterGroup, trace: Trace) -> About | None:
    if not all(is_total(part.predicate) for part in group.parts):
        return None
    return About(tuple(trace.objects.label(part.key) for part in group.parts))
