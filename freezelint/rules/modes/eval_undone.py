"""A part is put into evaluation mode once, and the next train() of the whole undoes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.contents import holds
from freezelint.analysis.events import (
    Event,
    ForwardRan,
    HandedOver,
    ModeSet,
    OptimizerBuilt,
)
from freezelint.analysis.frozen_statistics import keeps_statistics
from freezelint.analysis.knowledge.layers import LayerKind
from freezelint.analysis.knowledge.patterns import FREEZES, OPTIMIZER_CONSTRUCTIONS, TRAINING_CALLS
from freezelint.analysis.modes import (
    is_set_up,
    is_teacher,
    sets_statistics_aside,
    trainer_of,
    training_passes,
)
from freezelint.analysis.normalization import MODE_WORDS, picks_layers_with_modes
from freezelint.analysis.predicates import is_total
from freezelint.analysis.search import LinePattern
from freezelint.analysis.training import may_be_unknown, trained_before
from freezelint.analysis.values import Part
from freezelint.findings import About, Level
from freezelint.records import NamedTuple
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace

_PICKED_BATCH_NORM = LinePattern(
    "BatchNorm",
    r"[^\n]*\b(?!r?find\(|r?index\(|count\(|startswith\(|endswith\()(?P<name>\w+)\([\"']BatchNorm[\"']\)"
    r"|[^\n]*BatchNorm",
    unless=r"\A(?![\s\S]*\bdef {name}\()",
)
"""The class, or its name; not where only a function of another file gets the name."""


class EvalUndone(Rule):
    """Finds an `eval()` of a frozen part that the `train()` of the whole undoes.

    What it does:
        Reports `eval()` on a frozen part of a model, or on its BatchNorm layers, that
        is called once before the training loop, when a later `train()` on a module
        around it is followed by forward passes of training, with nothing in between
        that puts the part back into evaluation mode.

    Why is this bad:
        `train()` goes to every submodule. From the first `train()` on, the part runs
        in training mode again: Dropout drops, BatchNorm normalises by the batch and
        changes its running statistics, although every parameter is frozen.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.backbone(x))


        model = Classifier()
        model.backbone.requires_grad_(False)
        model.backbone.eval()  # expect: FZ402
        optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            model.train()
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
                self.backbone = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def train(self, mode=True):
                super().train(mode)
                self.backbone.eval()
                return self

            def forward(self, x):
                return self.head(self.backbone(x))


        model = Classifier()
        model.backbone.requires_grad_(False)
        optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            model.train()
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Parts that hold neither BatchNorm nor Dropout (where that is not known, it is
        reported as info), parts that are trained, `eval()` that comes again after each `train()`, in a
        `train` override or in `forward`, and `eval()` for a while, as for computing
        features beforehand. Lightning since 2.2 calls no `train()` of its own, so
        there only those in the code count.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.train
        https://github.com/open-mmlab/mmdetection/issues/560
        https://github.com/jfzhang95/pytorch-deeplab-xception/issues/140
        https://github.com/Lightning-AI/pytorch-lightning/issues/2551
    """

    code = "FZ402"
    name = "eval-undone"
    level = Level.WARNING
    claims = (Claim("drifts", "model.backbone.*"), Claim("differs", "model.backbone"))
    triggers = (
        ("eval(", "train(False", "train(mode=False"),
        ("train(",),
        ("step(", "backward(", "Trainer("),
        ("requires_grad", "BatchNorm", "Optim", "optim"),
        (*MODE_WORDS, "requires_grad"),
    )
    trigger_patterns = (
        (r"\.eval\(\)", r"\.train\(False\)", r"\.train\(mode=False\)"),
        TRAINING_CALLS,
        # What stays as it is: frozen, in no optimizer, or only its BatchNorms.
        (*FREEZES, *OPTIMIZER_CONSTRUCTIONS, _PICKED_BATCH_NORM, r"get_peft_model\("),
    )
    events = ("ModeSet",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report an eval() in the set-up that a train() of something larger undoes."""
        assert isinstance(event, ModeSet)
        if event.training is not False or event.repeated or not is_set_up(trace, event):
            return
        for train in trace.after(event, ModeSet):
            if train.part == event.part or _is_in_same_loop(event, train):
                continue
            if _begins_another_phase(trace, event, train):
                continue
            found = next(training_passes(trace, event.part, train), None)
            if found is None or _is_used_meanwhile(trace, event, train):
                continue
            forward, _ = found
            if _may_be_pinned(trace, event, train, forward):
                continue
            effect = _effect(trace, event, forward)
            if effect is None or is_teacher(trace, event.part.key):
                continue
            yield _report(trace, event, train, effect)
            return


class _Effect(NamedTuple):
    """What it means that a part is in training mode again."""

    what: str
    level: Level | None = None


def _report(trace: Trace, event: ModeSet, train: ModeSet, effect: _Effect) -> Report:
    what = f"`{event.label}`"
    if not is_total(event.part.predicate):
        what = f"the BatchNorms of `{trace.objects.label(event.part.key)}`"
    started = trainer_of(trace, train)
    by = f"`{train.label}.train()`"
    advice = f"call `eval()` after each {by}, or override `train` in the class so that it does"
    if started is not None:
        by = f"the trainer, which calls {by} in every step"
        advice = f"override `train` in the class of `{train.label}` so that it calls `eval()`"
    return Report(
        trace.meeting_place(event, train),
        f"this `eval()` of {what} is undone by {by}: {effect.what}",
        advice,
        ((trace.meeting_place(train, event), "every submodule is in training mode from here on"),),
        level=effect.level,
        about=About((trace.objects.label(event.part.key),)),
    )


def _may_be_pinned(trace: Trace, event: ModeSet, train: ModeSet, forward: ForwardRan) -> bool:
    """Whether code out of sight gets the part in the forward pass itself, or before it."""
    if may_be_unknown(trace, event.part, train, forward):
        return True
    own = next(
        (each for each in trace.after(forward, ForwardRan) if each.key == event.part.key), None
    )
    return own is not None and may_be_unknown(trace, event.part, forward, own)


def _is_in_same_loop(event: ModeSet, train: ModeSet) -> bool:
    """Whether the loop comes round to this train() only after a round with the eval()."""
    shared = bool(event.loops) and train.loops[: len(event.loops)] == event.loops
    return shared and train.repeated


def _begins_another_phase(trace: Trace, event: ModeSet, train: ModeSet) -> bool:
    """Whether the part stayed in evaluation mode for a training that was over by then."""
    step = trained_before(trace, train, event)
    return step is not None and not set(step.loops) & set(train.loops)


def _is_used_meanwhile(trace: Trace, event: ModeSet, train: ModeSet) -> bool:
    """Whether the part is evaluated, or may be, before anybody sets its mode again."""
    until: Event = trainer_of(trace, train) or train
    for each in trace.between(event, train, ModeSet):
        if trace.part_covers(each.part, event.part, each.index):
            until = each
            break
    # Whoever passed it in may have done anything with it; that it is undone now is certain.
    passed = (each for each in trace.between(event, until, HandedOver) if each.is_over)
    if may_be_unknown(trace, event.part, max(passed, key=_index, default=event), until):
        return True
    if trained_before(trace, until, event) is not None:
        return False
    return any(
        trace.related(forward.key, event.part.key, forward.index)
        for forward in trace.between(event, until, ForwardRan)
    )


def _index(event: Event) -> int:
    return event.index


def _effect(trace: Trace, event: ModeSet, forward: ForwardRan) -> _Effect | None:
    """What the mode changes in the part, if the part is meant to stay as it is."""
    key, at = event.part.key, event.index
    if picks_layers_with_modes(event.part.predicate):
        if sets_statistics_aside(trace, event.part):
            return None
        return _Effect("their running statistics change with every batch")
    if not is_total(event.part.predicate) or not _is_left_alone(trace, event, forward):
        return None
    if keeps_statistics(trace, key, at):
        return _Effect("its running statistics change with every batch")
    drops = holds(trace, key, at, LayerKind.DROPOUT)
    if drops:
        return _Effect("its Dropout drops")
    if drops is False and holds(trace, key, at, LayerKind.BATCH_NORM) is False:
        return None
    return _Effect("what that changes depends on the layers in it", Level.INFO)


def _is_left_alone(trace: Trace, event: ModeSet, forward: ForwardRan) -> bool:
    """Whether nobody trains the part: it is frozen by flags, or no optimizer has it."""
    part = Part(event.part.key)
    # An option under which it is frozen and evaluated is one of the ways to run this.
    path = tuple(dict.fromkeys((*forward.path, *event.path)))
    if trace.is_frozen(part, forward.index, path):
        return True
    optimizers = trace.all(OptimizerBuilt)
    return bool(optimizers) and not any(
        not built.complete or trace.parts_overlap(mine, part, built.index)
        for built in optimizers
        for mine in built.parts
    )
