"""An optimizer is built from a filtered list that is empty."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.events import ConditionTested, Event, OptimizerBuilt
from freezelint.analysis.knowledge.patterns import (
    FREEZES,
    OPTIMIZER_CONSTRUCTIONS,
    OPTIMIZER_WORDS_OR_NAMES,
)
from freezelint.analysis.predicates import flag_tests
from freezelint.analysis.trainability import lasting_freeze
from freezelint.analysis.training import filters_by_flag
from freezelint.analysis.values import ParameterSequence
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.events import FlagWritten
    from freezelint.analysis.syntax import Place
    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part


class NothingToOptimize(Rule):
    """Finds an optimizer built over parameters that are all frozen and filtered out.

    What it does:
        Reports an optimizer whose parameters are filtered by `requires_grad` when
        everything the filter looks at is frozen and nothing new was attached.

    Why is this bad:
        The constructor raises `ValueError: optimizer got an empty parameter list`.
        Given as a group in a dict the empty list is accepted, and `step()` does
        nothing.

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
        model.requires_grad_(False)
        trainable = filter(lambda p: p.requires_grad, model.parameters())
        optimizer = torch.optim.AdamW(trainable, lr=1e-3)  # expect: FZ309

        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
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
        model.requires_grad_(False)
        model.head.requires_grad_(True)
        trainable = filter(lambda p: p.requires_grad, model.parameters())
        optimizer = torch.optim.AdamW(trainable, lr=1e-3)

        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        A part that is unfrozen or attached after the freeze, subclasses and callers
        that add a head, filters by anything but the flag, and lists of which the code asks
        first whether they are empty.

    References:
        https://docs.pytorch.org/docs/stable/optim.html
        https://github.com/lxztju/pytorch_classification/issues/26
        https://github.com/scverse/scvi-tools/issues/859
    """

    code = "FZ309"
    name = "nothing-to-optimize"
    level = Level.ERROR
    claims = (Claim("raises", error="ValueError: optimizer got an empty parameter list"),)
    triggers = (
        ("requires_grad",),
        OPTIMIZER_WORDS_OR_NAMES,
    )
    trigger_patterns = (FREEZES, OPTIMIZER_CONSTRUCTIONS)
    events = ("OptimizerBuilt",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report an optimizer of which every filter lets nothing through."""
        assert isinstance(event, OptimizerBuilt)
        if not event.complete or not event.parts or event.is_attempt:
            return
        if _is_asked(trace, event):
            return
        freezes = [_freeze_of(trace, event, part) for part in event.parts]
        if any(freeze is None for freeze in freezes):
            return
        first = freezes[0]
        assert first is not None
        yield Report(
            _filtered_for(event, trace),
            f"every parameter of `{first.label}` is frozen here: the filtered list is empty, and "
            "the optimizer raises a ValueError",
            "unfreeze, or attach, the part that is meant to train before this line",
            ((trace.meeting_place(first, event), "all of it is frozen here"),),
        )


def _filtered_for(event: OptimizerBuilt, trace: Trace) -> Place:
    """The call that passed the list on, where a function is right for any that is not empty."""
    filtered = next(test.place for test in flag_tests(event.parts[0].predicate) if test.value)
    there = trace.file.chunks_of_scope(filtered.chunk)
    if event.place.chunk in there:
        return event.place
    return next((each for each in event.stack if each.chunk in there), event.place)


def _is_asked(trace: Trace, built: OptimizerBuilt) -> bool:
    """Whether the code asks before whether there is anything in the list."""
    name = built.argument.value if isinstance(built.argument, cst.Name) else None
    for test in trace.before(built, ConditionTested):
        code = test.place.code
        if isinstance(test.value, ParameterSequence) and test.value.parts == built.parts:
            return True
        if name is not None and re.search(rf"\blen\({re.escape(name)}\)", code):
            return True
        if re.search(r"\bany\([^\n]*requires_grad", code) or _is_of_a_count(code, trace):
            return True
    return False


def _is_of_a_count(code: str, trace: Trace) -> bool:
    """Whether a condition asks how many parameters some line has counted by their flags."""
    name = re.fullmatch(r"(?:not )?(\w+)(?: ?(?:==|!=|[<>]=?) ?[01])?", code)
    return name is not None and bool(
        re.search(rf"\b{name[1]} = [^\n]*\.requires_grad\b", trace.file.text)
    )


def _freeze_of(trace: Trace, built: OptimizerBuilt, part: Part) -> FlagWritten | None:
    """The write that left nothing trainable in a filtered part."""
    if not filters_by_flag(part):
        return None
    test = next(test for test in flag_tests(part.predicate) if test.value)
    at = built.index if test.at is None else test.at
    return lasting_freeze(trace, part.key, at, built)
