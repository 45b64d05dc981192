"""A later write turns all parameters trainable again, the frozen ones too."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.abouts import about_once_frozen
from freezelint.analysis.events import (
    BackwardRan,
    Event,
    FlagWritten,
    HandedOver,
    OptimizerBuilt,
    Stepped,
)
from freezelint.analysis.gradients import gets_gradients
from freezelint.analysis.knowledge.patterns import (
    FREEZES,
    OPTIMIZER_CONSTRUCTIONS,
    TRAINER_CALL,
)
from freezelint.analysis.short_freezes import is_used_between
from freezelint.analysis.toggles import is_toggled
from freezelint.analysis.trace import PASSED_FLAG
from freezelint.analysis.training import (
    filters_by_flag,
    flag_changes_after,
    happens_whenever,
    may_be_unknown,
    shares_activation,
)
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part


class BlanketUnfreeze(Rule):
    """Finds a freeze that a later blanket write of True undoes.

    What it does:
        Reports a write of True to the flags of a model, or of a part of it, that
        covers parameters which were frozen before, on every path from the freeze to
        the first optimizer step.

    Why is this bad:
        The flags end up as if the freeze had never been written. It happens in loops
        that sort parameters into groups, in toggling helpers, and in branches that
        "make sure" a model is trainable.

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

        decay, no_decay = [], []
        for name, param in model.named_parameters():
            param.requires_grad = True  # expect: FZ201
            (no_decay if name.endswith("bias") else decay).append(param)

        groups = [{"params": decay, "weight_decay": 0.05}, {"params": no_decay}]
        optimizer = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.0)
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
        model.backbone.requires_grad_(False)

        decay, no_decay = [], []
        for name, param in model.named_parameters():
            if param.requires_grad:
                (no_decay if name.endswith("bias") else decay).append(param)

        groups = [{"params": decay, "weight_decay": 0.05}, {"params": no_decay}]
        optimizer = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.0)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Freezing everything and then unfreezing a part, flags set by a condition,
        staged schedules, networks that are toggled back and forth (unless a part of one
        was frozen for good, and is moved since), and helpers that unfreeze but are never
        called.

    References:
        https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation
        https://github.com/ultralytics/yolov5/issues/1213
        https://github.com/alexdenker/SteerableConditionalDiffusion/issues/1
        https://github.com/Lightning-AI/pytorch-lightning/issues/712
    """

    code = "FZ201"
    name = "blanket-unfreeze"
    level = Level.ERROR
    claims = (Claim("moves", "model.backbone.*"),)
    triggers = (("requires_grad",),)
    trigger_patterns = (
        FREEZES,
        (*OPTIMIZER_CONSTRUCTIONS, r"\.backward\(", TRAINER_CALL),
    )
    events = ("FlagWritten",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a True write over all that was frozen before, with no use of it in between."""
        assert isinstance(event, FlagWritten)
        if event.value is not True or not event.certain or event.repeated:
            return
        is_chosen = _is_chosen_by_a_table(trace, event)
        for freeze in trace.before(event, FlagWritten):
            if freeze.value is not False or not freeze.certain:
                continue
            if _is_asked_back(trace, event, freeze):
                continue
            is_undone = not is_chosen and _undoes(trace, event, freeze)
            if is_undone or _is_toggled_away(trace, event, freeze):
                place = trace.meeting_place(event, freeze)
                yield Report(
                    place,
                    f"this makes all of `{event.label}` trainable again: the freeze of "
                    f"`{freeze.label}` is undone before {'the first' if is_undone else 'its'} step",
                    "freeze after this line, or leave out what is meant to stay frozen",
                    ((trace.meeting_place(freeze, event), "frozen here"),),
                    about=about_once_frozen(freeze),
                )
                return


def _is_chosen_by_a_table(trace: Trace, unfreeze: FlagWritten) -> bool:
    """Whether the same line, reached in the same way, makes something else trainable as well.

    Then a table says what trains in each stage, and in the last it may be everything.
    """
    way = [id(place.node) for place in unfreeze.stack]
    return any(
        write.place.node is unfreeze.place.node
        and write.parts != unfreeze.parts
        and [id(place.node) for place in write.stack] == way
        for write in trace.all(FlagWritten)
    )


def _is_asked_back(trace: Trace, unfreeze: FlagWritten, freeze: FlagWritten) -> bool:
    """Whether who had an object built switches on what its constructor had frozen.

    Just that, or by a method of the object: that is how it came, and not what was asked for,
    unless a flag was passed.
    """
    if not shares_activation(freeze, unfreeze):
        return False
    level = sum(
        one == other for one, other in zip(freeze.activations, unfreeze.activations, strict=False)
    )
    if _called_from(freeze, level) != "__init__":
        return False
    if any(re.search(PASSED_FLAG, place.code) for place in freeze.stack[level - 1 : level]):
        return False
    if unfreeze.parts == freeze.parts:
        return True
    method = _called_from(unfreeze, level)
    said = (unfreeze.place.statement_code, *(each.code for each in unfreeze.stack[level - 1 :]))
    if not any(re.search(r"\bTrue\b|requires_grad_\(\)", each) for each in said):
        # A mode that is set, of which the flags are a part.
        return False
    owners = (trace.objects.module(part.key).owner_class for part in unfreeze.parts)
    return any(owner is not None and method in owner.definition.methods for owner in owners)


def _called_from(event: FlagWritten, level: int) -> str:
    """The function in which something happened, as called by the one at a level of the stack."""
    at = level - 1 + len(event.scopes) - len(event.stack)
    return event.scopes[at] if at < len(event.scopes) else ""


def _undoes(trace: Trace, unfreeze: FlagWritten, freeze: FlagWritten) -> bool:
    covered = all(
        any(trace.part_covers(whole, part, unfreeze.index) for whole in unfreeze.parts)
        for part in _without_sources(trace, freeze)
    )
    if not covered or not happens_whenever(unfreeze, freeze):
        return False
    if is_used_between(trace, freeze, unfreeze) or _is_frozen_again(trace, unfreeze, freeze):
        return False
    return any(
        True
        for kind in (Stepped, BackwardRan, OptimizerBuilt, HandedOver)
        for _ in trace.after(unfreeze, kind)
    )


def _is_toggled_away(trace: Trace, unfreeze: FlagWritten, freeze: FlagWritten) -> bool:
    """Whether a network is switched off and on again, with a part that was frozen for good.

    And the next step moves that part: its optimizer was given all of the network.
    """
    frozen = _without_sources(trace, freeze)
    toggled = {part.key for part in unfreeze.parts}
    if not frozen or not _is_for_good(unfreeze, freeze):
        return False
    if any(part.key in toggled for part in frozen) or not all(
        any(trace.part_covers(whole, part, unfreeze.index) for whole in unfreeze.parts)
        for part in frozen
    ):
        return False
    if not happens_whenever(unfreeze, freeze) or not is_toggled(trace, unfreeze, freeze.index):
        return False
    for built in trace.before(unfreeze, OptimizerBuilt):
        step = next(
            (each for each in trace.after(unfreeze, Stepped) if built.key in each.keys),
            None,
        )
        if step is None or not built.complete or any(map(filters_by_flag, built.parts)):
            continue
        if all(_is_moved(trace, part, built, unfreeze, step) for part in frozen):
            return True
    return False


def _is_for_good(unfreeze: FlagWritten, freeze: FlagWritten) -> bool:
    """Whether a constructor freezes, or the loop in which it is undone comes only then."""
    if "__init__" in freeze.scopes:
        return "__init__" not in unfreeze.scopes
    outer = len(freeze.loops)
    is_before = len(unfreeze.loops) > outer and unfreeze.loops[:outer] == freeze.loops
    return is_before and shares_activation(freeze, unfreeze)


def _is_moved(
    trace: Trace,
    part: Part,
    built: OptimizerBuilt,
    unfreeze: FlagWritten,
    step: Stepped,
) -> bool:
    """Whether the step of an optimizer moves a part that is trainable by then."""
    if not any(trace.part_covers(whole, part, built.index) for whole in built.parts):
        return False
    if may_be_unknown(trace, part, unfreeze, step) or not gets_gradients(trace, part.key, step):
        return False
    return not any(
        later.value is not True
        and any(trace.parts_overlap(mine, part, later.index) for mine in later.parts)
        for later in trace.between(unfreeze, step, FlagWritten)
    )


def _without_sources(trace: Trace, freeze: FlagWritten) -> list[Part]:
    """What was frozen; a container made of another model's submodules stands for those."""
    sources = {trace.objects.module(part.key).source for part in freeze.parts}
    return [part for part in freeze.parts if part.key not in sources]


def _is_frozen_again(trace: Trace, unfreeze: FlagWritten, freeze: FlagWritten) -> bool:
    return any(
        later.value is not True
        and any(
            trace.parts_overlap(mine, part, later.index)
            for mine in later.parts
            for part in freeze.parts
        )
        for later in flag_changes_after(trace, unfreeze)
    )
