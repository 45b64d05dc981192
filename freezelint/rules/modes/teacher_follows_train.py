"""A frozen teacher hangs below the model that is trained, and follows its train()."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.contents import holds
from freezelint.analysis.events import Event, ModeSet, SubmoduleReplaced
from freezelint.analysis.followers import follows_another
from freezelint.analysis.frozen_statistics import keeps_statistics
from freezelint.analysis.knowledge.layers import LayerKind
from freezelint.analysis.knowledge.patterns import FREEZES, TRAINER_CALL, TRAINING_CALLS
from freezelint.analysis.knowledge.transformers import DROPPING_WORDS
from freezelint.analysis.modes import (
    is_teacher,
    may_run_inside,
    trainer_of,
    training_passes,
)
from freezelint.analysis.normalization import MODE_WORDS
from freezelint.analysis.values import Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace


class TeacherFollowsTrain(Rule):
    """Finds a frozen teacher that `train()` of the module around it puts into training mode.

    What it does:
        Reports `train()` on a module that holds a frozen teacher: a submodule that
        only runs without a graph and whose output goes to no other module. It must be
        known to hold Dropout or BatchNorm, and forward passes of training must follow
        before anybody calls its `eval()` again.

    Why is this bad:
        An `eval()` in the constructor does not last: `train()` reaches every
        submodule. The teacher then gives other targets at each call, because its
        Dropout drops or its BatchNorm normalises by the batch, and its running
        statistics move although no parameter does.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        def network():
            return nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 4))


        class Distiller(nn.Module):
            def __init__(self, teacher, student):
                super().__init__()
                self.teacher = teacher.eval().requires_grad_(False)
                self.student = student

            def forward(self, x):
                with torch.no_grad():
                    wanted = self.teacher(x)
                return nn.functional.mse_loss(self.student(x), wanted)


        model = Distiller(network(), network())
        optimizer = torch.optim.Adam(model.student.parameters(), lr=1e-3)
        inputs = torch.randn(64, 16)
        for epoch in range(3):
            model.train()  # expect: FZ404
            loss = model(inputs)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        def network():
            return nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 4))


        class Distiller(nn.Module):
            def __init__(self, teacher, student):
                super().__init__()
                self.teacher = teacher.eval().requires_grad_(False)
                self.student = student

            def train(self, mode=True):
                super().train(mode)
                self.teacher.eval()
                return self

            def forward(self, x):
                with torch.no_grad():
                    wanted = self.teacher(x)
                return nn.functional.mse_loss(self.student(x), wanted)


        model = Distiller(network(), network())
        optimizer = torch.optim.Adam(model.student.parameters(), lr=1e-3)
        inputs = torch.randn(64, 16)
        for epoch in range(3):
            model.train()
            loss = model(inputs)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Teachers that are hidden from `train()` in a list, that an override of it puts
        back, or that are called with their own `train()`; teachers that follow the
        student (momentum encoders, averages), and teachers that hold neither Dropout
        nor BatchNorm, or of which that is not known.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.train
        https://github.com/Lightning-AI/pytorch-lightning/issues/2824
        https://github.com/yxuansu/TaCL/issues/11
    """

    code = "FZ404"
    name = "teacher-follows-train"
    level = Level.WARNING
    claims = (Claim("drifts", "model.teacher.*"), Claim("differs", "model.teacher"))
    triggers = (
        ("train(",),
        ("requires_grad",),
        (*MODE_WORDS, *DROPPING_WORDS),
        ("step(", "backward(", "Trainer("),
        ("no_grad", "inference_mode", "grad_enabled"),
    )
    trigger_patterns = (
        FREEZES,
        TRAINING_CALLS,
        (r"\.backward\(", r"\.step\(", r"def training_step\(", TRAINER_CALL),
    )
    events = ("ModeSet",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a train() that reaches a frozen teacher from above."""
        assert isinstance(event, ModeSet)
        if event.training is not True:
            return
        before = _same_before(trace, event) if event.repeated else None
        for module in trace.objects.below(event.part.key, event.index):
            teacher = Part(module.key)
            if event.repeated and (before is None or module.born < before.index):
                # What was there before was looked at then.
                continue
            if not is_teacher(trace, module.key) or may_run_inside(trace, module.key):
                continue
            if follows_another(trace, module.key):
                continue
            passed = next(training_passes(trace, teacher, event), None)
            if passed is None:
                continue
            forward, _ = passed
            if not trace.is_frozen(teacher, forward.index, forward.path):
                continue
            effect = _effect(trace, module.key, forward.index)
            if effect is not None:
                yield _report(trace, event, module.key, effect)
                return


def _same_before(trace: Trace, event: ModeSet) -> ModeSet | None:
    """The same ``train()`` in an earlier round."""
    return next(
        (each for each in trace.before(event, ModeSet) if each.place.node is event.place.node), None
    )


def _effect(trace: Trace, key: int, at: int) -> str | None:
    if keeps_statistics(trace, key, at):
        return "its BatchNorm normalises by the batch, and its running statistics change"
    if holds(trace, key, at, LayerKind.DROPOUT):
        return "its Dropout drops"
    return None


def _report(trace: Trace, event: ModeSet, key: int, effect: str) -> Report:
    label = trace.objects.label(key)
    evidence = tuple(
        (each.place, "this makes it a submodule")
        for each in trace.all(SubmoduleReplaced)
        if each.new == key
    )
    by = f"`{event.label}.train()`"
    if trainer_of(trace, event) is not None:
        by = "the trainer, by `train()` in every step,"
    return Report(
        event.place,
        f"{by} puts the frozen teacher `{label}` into training mode: {effect}",
        f"call `{label}.eval()` after it, override `train`, or keep the teacher in a list",
        evidence[:1],
        about=About((label,)),
    )
