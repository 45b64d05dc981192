"""What is frozen holds BatchNorm and runs in training mode: its statistics move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.contents import holds
from freezelint.analysis.events import Event, FlagWritten, ForwardRan, HandedOver, ModeSet, Stepped
from freezelint.analysis.followers import follows_another
from freezelint.analysis.frozen_statistics import (
    frozen_slices,
    frozen_with_statistics,
    keeps_statistics,
)
from freezelint.analysis.knowledge.layers import LayerKind
from freezelint.analysis.knowledge.patterns import FREEZES, TRAINER_CALL, TRAINING_CALLS
from freezelint.analysis.modes import (
    freeze_beside,
    is_set_up,
    is_teacher,
    lightning_passes,
    sets_statistics_aside,
    training_passes,
)
from freezelint.analysis.normalization import STATISTICS_WORDS
from freezelint.analysis.stand_ins import stand_ins
from freezelint.analysis.trace import compatible, implies
from freezelint.analysis.values import Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace


class FrozenBatchnormDrifts(Rule):
    """Finds `train()` on a frozen part with BatchNorm, whose statistics then move.

    What it does:
        Reports `train()` on a model, when a part of it that is frozen by flags is
        known to hold BatchNorm, nothing puts that part back into evaluation mode, and
        forward passes of training follow.

    Why is this bad:
        `requires_grad=False` holds parameters. The running mean and variance of
        BatchNorm are buffers: every forward pass in training mode changes them, under
        `no_grad` too. The frozen part becomes another one than was loaded, depends on
        what else is in the batch, and gives other features in evaluation than it gave
        while the head was trained.

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
        for param in model.backbone.parameters():
            param.requires_grad = False
        optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            model.train()  # expect: FZ401
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

            def forward(self, x):
                return self.head(self.backbone(x))


        model = Classifier()
        for param in model.backbone.parameters():
            param.requires_grad = False
        optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            model.train()
            model.backbone.eval()
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Parts without BatchNorm or of which nothing is known, FrozenBatchNorm, a part
        that is put back into evaluation mode (after `train()`, in an override of it,
        in a hook or in `forward`), models that were never put into training mode explicitly
        (but for those that a LightningModule trains with, as they are made for it),
        parts that are frozen in some rounds of a loop, half-way or for a while, parts
        that run in training mode under another condition than that of the freeze,
        BatchNorms whose weights are trained or whose statistics an attribute keeps,
        momentum encoders and other copies, and code that adapts statistics without
        training anything.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html
        https://github.com/pytorch/pytorch/issues/86590
        https://github.com/lightly-ai/lightly/issues/1438
        https://github.com/ultralytics/ultralytics/issues/8753
    """

    code = "FZ401"
    name = "frozen-batchnorm-drifts"
    level = Level.WARNING
    claims = (Claim("drifts", "model.backbone.*"),)
    triggers = (
        ("requires_grad",),
        ("train(", "training_step"),
        STATISTICS_WORDS,
        ("step(", "backward(", "training_step", "Trainer("),
    )
    trigger_patterns = (
        FREEZES,
        (*TRAINING_CALLS, r"def training_step\("),
        (r"\.backward\(", r"\.step\(", r"def training_step\(", TRAINER_CALL),
    )
    events = ("ModeSet", "FlagWritten")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a train() that reaches a frozen part with BatchNorm, or Lightning's training."""
        if isinstance(event, FlagWritten):
            yield from _in_lightning(trace, event)
            return
        assert isinstance(event, ModeSet)
        if event.training is not True or event.repeated:
            return
        for freeze in trace.all(FlagWritten):
            if freeze.value is not False or not freeze.certain or freeze.repeated:
                continue
            if _is_half_way(trace, freeze) or _was_given_since(trace, freeze):
                continue
            for key in frozen_with_statistics(trace, freeze):
                slices = frozen_slices(trace, freeze, key, event.part.key, event.index)
                for each in (key, *slices):
                    if _drifts(trace, event, freeze, each):
                        yield _report(trace, event, freeze, each)
                        return


def _in_lightning(trace: Trace, freeze: FlagWritten) -> Iterator[Report]:
    """A frozen part that Lightning trains with in the mode in which it was made."""
    if freeze.value is not False or not freeze.certain or freeze.repeated:
        return
    if not any("training_step" in each.scopes[:1] for each in trace.all(ForwardRan)):
        return
    for key in frozen_with_statistics(trace, freeze):
        part = Part(key)
        if follows_another(trace, key) or is_teacher(trace, key):
            continue
        if not _is_frozen_throughout(trace, freeze, part):
            continue
        if sets_statistics_aside(trace, part) or _is_half_way(trace, freeze):
            continue
        for forward in lightning_passes(trace, part, freeze):
            if not _is_frozen_whenever(trace, freeze, forward) or not keeps_statistics(
                trace, key, forward.index
            ):
                continue
            label = trace.objects.label(key)
            yield Report(
                trace.meeting_place(freeze, forward),
                f"the frozen `{label}` holds BatchNorm and stays in training mode: its running "
                "statistics change with every batch",
                f"call `{label}.eval()` in `on_train_epoch_start`, or in an override of `train`",
                ((forward.place, "it runs in training mode here"),),
                about=About((label,)),
            )
            return


def _is_frozen_throughout(trace: Trace, freeze: FlagWritten, part: Part) -> bool:
    """Whether a freeze holds all of a module, and nothing with statistics is trained after it."""
    return any(trace.part_covers(each, part, freeze.index) for each in freeze.parts) and not any(
        write.value is not False
        and trace.parts_overlap(mine, part, write.index)
        and holds(trace, mine.key, write.index, LayerKind.BATCH_NORM) is not False
        for write in trace.after(freeze, FlagWritten)
        for mine in write.parts
    )


def _report(trace: Trace, event: ModeSet, freeze: FlagWritten, key: int) -> Report:
    label = trace.objects.label(key)
    frozen = f"the frozen `{label}`"
    if not trace.is_frozen(Part(key), event.index, freeze.path):
        frozen = f"what is frozen of `{label}`"
        advice = f"call `eval()` on it after each `{event.label}.train()`"
    elif event.part.key == key:
        advice = f"call `{label}.eval()` instead, and `train()` on what is trained only"
    else:
        advice = f"call `{label}.eval()` after it, each time, or override `train` to do so"
    depth = len(event.activations)
    trains_itself = any(
        each.activations[:depth] == event.activations for each in trace.after(event, ForwardRan)
    )
    return Report(
        # A function that trains is no helper that only sets the mode for its caller.
        event.place if trains_itself else trace.meeting_place(event, freeze),
        f"{frozen} holds BatchNorm and is put into training mode: its running "
        "statistics change with every batch",
        advice,
        ((trace.meeting_place(freeze, event), "frozen here, which does not hold statistics"),),
        about=None if frozen.startswith("what") else About((label,)),
    )


def _was_given_since(trace: Trace, freeze: FlagWritten) -> bool:
    """Whether a constructor froze what then came from out of sight, where it may be unfrozen."""
    return any(
        each.is_over and trace.related(key, part.key, each.index)
        for each in trace.after(freeze, HandedOver)
        for key in each.keys
        for part in freeze.parts
    )


def _is_half_way(trace: Trace, freeze: FlagWritten) -> bool:
    """Whether something was trained before: then the statistics are this training's own.

    What was trained before the frozen model was made does not count, and an `eval()` beside the
    freeze says that they are to stay.
    """
    if any(freeze_beside(trace, mode, freeze) for mode in trace.all(ModeSet)):
        return False
    born = min(
        trace.objects.module(root).born
        for part in freeze.parts
        for root in trace.objects.roots(part.key, freeze.index)
    )
    return any(step.index > born for step in trace.before(freeze, Stepped))


def _drifts(trace: Trace, train: ModeSet, freeze: FlagWritten, key: int) -> bool:
    """Whether a module, or what a name holds in the runs that made it, is trained like that."""
    if follows_another(trace, key):
        return False
    return any(
        _drifts_as(trace, train, freeze, key, Part(each))
        for each in (key, *stand_ins(trace, key, train))
    )


def _drifts_as(trace: Trace, train: ModeSet, freeze: FlagWritten, key: int, part: Part) -> bool:
    if follows_another(trace, part.key) or is_teacher(trace, part.key):
        return False
    if _is_pinned_once(trace, train, part) or sets_statistics_aside(trace, part):
        return False
    return any(
        forward.index > freeze.index
        and _is_frozen_whenever(trace, freeze, forward)
        and keeps_statistics(trace, key, forward.index)
        for forward, _ in training_passes(trace, part, train)
    )


def _is_frozen_whenever(trace: Trace, freeze: FlagWritten, forward: ForwardRan) -> bool:
    """Whether the freeze holds for this forward pass, or for all runs with some option."""
    if implies(forward.path, freeze.path):
        return True
    # What depends on the round of a loop is a schedule, and what depends on another condition may
    # ask for the same in other words.
    is_option = not set(freeze.loops) & set(forward.loops)
    return (
        is_option
        and compatible(forward.path, freeze.path)
        and not trace.may_exclude(freeze, forward)
    )


def _is_pinned_once(trace: Trace, train: ModeSet, part: Part) -> bool:
    """Whether an `eval()` in the set-up is undone: that is another rule's finding."""
    return any(
        mode.training is not True
        and mode.part != train.part
        and is_set_up(trace, mode)
        and trace.parts_overlap(mode.part, part, mode.index)
        for mode in trace.before(train, ModeSet)
    )
