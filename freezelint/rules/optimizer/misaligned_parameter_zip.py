"""Parameters are paired with others by position, and one side leaves out what is frozen."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from freezelint.analysis.events import Event, FlagWritten, ParametersPaired
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import SOME, is_total
from freezelint.analysis.search import LinePattern
from freezelint.analysis.training import filters_by_flag, without_flag_tests
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import ParameterSequence, Part


_TESTED = r"\.requires_grad\s*(?:[\]),:]|and\b|or\b|is\b|==)"
_FILLS = r"(?:append\(|extend\(|continue\b|yield\b|\+= \[|\]\s*=)"
"""What may be done with each that passes a test."""


class MisalignedParameterZip(Rule):
    """Finds a `zip` of parameters filtered by `requires_grad` with parameters that are not.

    What it does:
        Reports `zip(...)` over the trainable parameters of one model and all parameters
        of another (or of the same), where some are frozen. It is a warning where the
        model comes from elsewhere, so that its flags are not known.

    Why is this bad:
        `zip` pairs by position. From the first frozen parameter on, each one on the
        filtered side meets its neighbour's partner, and what is left over at the end is
        dropped without a word. A moving average or a copy then writes into the wrong
        tensors, silently if the shapes agree or broadcast.

    Bad:
        import copy

        import torch
        from torch import nn

        torch.manual_seed(0)


        class Regressor(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Linear(16, 16)
                self.head = nn.Linear(16, 16)

            def forward(self, x):
                return self.head(self.backbone(x).relu())


        model = Regressor()
        model.backbone.requires_grad_(False)
        average = copy.deepcopy(model).requires_grad_(False)
        trainable = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.SGD(trainable, lr=0.1)
        inputs, targets = torch.randn(64, 16), torch.randn(64, 16)
        for step in range(5):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(inputs), targets).backward()
            optimizer.step()
            with torch.no_grad():
                for mean, param in zip(average.parameters(), trainable):  # expect: FZ314
                    mean.lerp_(param, 0.1)

    Good:
        import copy

        import torch
        from torch import nn

        torch.manual_seed(0)


        class Regressor(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Linear(16, 16)
                self.head = nn.Linear(16, 16)

            def forward(self, x):
                return self.head(self.backbone(x).relu())


        model = Regressor()
        model.backbone.requires_grad_(False)
        average = copy.deepcopy(model).requires_grad_(False)
        trainable = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.SGD(trainable, lr=0.1)
        inputs, targets = torch.randn(64, 16), torch.randn(64, 16)
        for step in range(5):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(inputs), targets).backward()
            optimizer.step()
            with torch.no_grad():
                for mean, param in zip(average.parameters(), model.parameters(), strict=True):
                    mean.lerp_(param, 0.1)

    When it is silent:
        The same filter on both sides, models of which nothing is frozen, `strict=True`
        (which raises an error), and lists of other tensors: a list that was filled in the
        same loop as its partner is aligned with it.

    References:
        https://docs.python.org/3/library/functions.html#zip
        https://github.com/huggingface/trl/issues/7043
    """

    code = "FZ314"
    name = "misaligned-parameter-zip"
    level = Level.ERROR
    claims = (Claim("moves", "average.backbone.*"),)
    triggers = (
        ("requires_grad",),
        ("zip(",),
    )
    # One of the lists is made by a test of the flag.
    trigger_patterns = (
        (
            # What is counted or only tested makes no list.
            LinePattern(
                ".requires_grad",
                r"(?![ \t]*(?:el)?if\b)(?![^\n]*\b(?:sum|any|all|len|next)\()[^\n]*"
                rf"\b(?:if|and|or|not|lambda|while)\b[^\n]*{_TESTED}",
            ),
            LinePattern(
                ".requires_grad",
                rf"[ \t]*(?:el)?if\b[^\n]*{_TESTED}(?:[^\n]*\n){{0,6}}?[^\n]*{_FILLS}",
            ),
        ),
    )
    events = ("ParametersPaired",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report two sequences of which one leaves out what the other holds."""
        assert isinstance(event, ParametersPaired)
        if event.is_strict or event.repeated:
            return
        for first, second in itertools.permutations(event.sequences, 2):
            filtered, whole = _as_one(first), _as_one(second)
            if filtered is None or whole is None or not filters_by_flag(filtered):
                continue
            if filters_by_flag(whole) or not _correspond(filtered, whole, trace):
                continue
            freeze = _freeze_inside(filtered, event, trace)
            if freeze is None and not _may_be_frozen_elsewhere(filtered, event, trace):
                continue
            label = trace.objects.label(filtered.key)
            evidence = (
                ()
                if freeze is None
                else ((trace.meeting_place(freeze, event), f"`{freeze.label}` is frozen here"),)
            )
            yield Report(
                event.place,
                f"the trainable parameters of `{label}` are paired with all of "
                f"`{trace.objects.label(whole.key)}` by position: from the first frozen one on "
                "they belong to others",
                "pair all parameters of both, or go by name with `named_parameters()`",
                evidence,
                level=Level.WARNING if freeze is None else None,
                about=None if freeze is None else _about(freeze, filtered, whole, trace),
            )
            return


def _as_one(sequence: ParameterSequence) -> Part | None:
    """The one part that a sequence holds; None where it may hold others."""
    parts = set(sequence.parts)
    return parts.pop() if sequence.complete and len(parts) == 1 else None


def _correspond(filtered: Part, whole: Part, trace: Trace) -> bool:
    """Whether two parts would match each other one by one, were it not for the flags."""
    predicate = without_flag_tests(filtered).predicate
    if predicate != whole.predicate or SOME in predicate:
        return False
    one, other = trace.objects.module(filtered.key), trace.objects.module(whole.key)
    if other.key in (one.key, one.source) or other.source == one.key:
        return True
    if one.owner_class is not None or one.library is not None:
        return (one.owner_class, one.library) == (other.owner_class, other.library)
    return one.origin is Origin.GIVEN and other.origin is Origin.GIVEN


def _freeze_inside(part: Part, event: Event, trace: Trace) -> FlagWritten | None:
    """A freeze of a piece of a part that lasts until the event, while the rest trains."""
    region = without_flag_tests(part)
    if trace.flag(region, event.index, event.path).value is not None:
        return None
    for freeze in trace.before(event, FlagWritten):
        if freeze.value is False and freeze.certain:
            # Where an option decides, the runs count in which it is chosen.
            path = tuple(dict.fromkeys((*event.path, *freeze.path)))
            for mine in freeze.parts:
                inside = trace.part_covers(region, mine, freeze.index)
                if inside and trace.is_frozen(mine, event.index, path):
                    return freeze
    return None


def _may_be_frozen_elsewhere(part: Part, event: Event, trace: Trace) -> bool:
    """Whether a model was made by somebody else, who may have frozen some of it."""
    module = trace.objects.module(part.key)
    if module.origin is not Origin.GIVEN:
        return False
    return not any(
        trace.parts_overlap(mine, part, write.index)
        for write in trace.before(event, FlagWritten)
        for mine in write.parts
    )


def _about(freeze: FlagWritten, filtered: Part, whole: Part, trace: Trace) -> About | None:
    """What has the place of the frozen parameters in the other model, and is to stay as it is."""
    label = trace.objects.label(whole.key)
    routes = [
        trace.objects.route(filtered.key, part.key, freeze.index)
        for part in freeze.parts
        if is_total(part.predicate)
    ]
    paths = tuple(f"{label}.{route}" for route in routes if route)
    return About(paths) if paths else None
