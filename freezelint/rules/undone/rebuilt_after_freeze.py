"""A frozen model is built anew, and the flags of the first one are forgotten."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.abouts import about_once_frozen
from freezelint.analysis.events import (
    Borrowed,
    Event,
    FlagWritten,
    ForwardRan,
    HandedOver,
    MethodCalled,
    NameRebound,
    OptimizerBuilt,
    SubmoduleReplaced,
)
from freezelint.analysis.knowledge.modules import MODULE_ITERATORS
from freezelint.analysis.knowledge.patterns import FREEZES, OPTIMIZER_CONSTRUCTIONS, OPTIMIZER_WORDS
from freezelint.analysis.lost_freeze import are_of_one_kind, is_loaded_anew
from freezelint.analysis.trainability import freeze_of_all
from freezelint.analysis.training import happens_whenever, trained_before
from freezelint.analysis.values import ModuleValue
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part

    Rebinding = NameRebound | SubmoduleReplaced


class RebuiltAfterFreeze(Rule):
    """Finds a frozen model whose name is given to a freshly built one.

    What it does:
        Reports a name that held a model of which something was frozen and is bound to a
        new model of the same kind, which an optimizer takes: one into which a checkpoint is
        loaded (by `from_pretrained`, or afterwards), or one that is built in every run that
        freezes the first. The first model is gone, and its flags with it.

    Why is this bad:
        `requires_grad` is not part of a `state_dict`. What was frozen on the first model
        trains on the second, without a message, and only in those runs that take the
        branch: often the resumed ones.

    Bad:
        import copy

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


        checkpoint = copy.deepcopy(Classifier().state_dict())

        model = Classifier()
        model.backbone.requires_grad_(False)
        if checkpoint is not None:
            model = Classifier()  # expect: FZ204
            model.load_state_dict(checkpoint)

        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import copy

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


        checkpoint = copy.deepcopy(Classifier().state_dict())

        model = Classifier()
        if checkpoint is not None:
            model.load_state_dict(checkpoint)
        model.backbone.requires_grad_(False)

        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        A checkpoint loaded into the same object, copies and `torch.load` of a whole
        model (both keep the flags), flags written again on the new model, a first model
        that was used, is still held by another name or was frozen as a whole (a teacher,
        a list of models),
        models of another kind, and new models without a checkpoint in some runs, or after
        the first one was looked at.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.state_dict
        https://github.com/huggingface/transformers/issues/11294
        https://github.com/mosaicml/composer/issues/1002
    """

    code = "FZ204"
    name = "rebuilt-after-freeze"
    level = Level.ERROR
    claims = (Claim("moves", "model.backbone.*"),)
    triggers = (
        ("requires_grad",),
        OPTIMIZER_WORDS,
    )
    trigger_patterns = (FREEZES, OPTIMIZER_CONSTRUCTIONS)
    events = ("NameRebound", "SubmoduleReplaced")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a model that replaces a frozen one of its kind under the same name."""
        assert isinstance(event, (NameRebound, SubmoduleReplaced))
        if event.repeated or not _is_rebuilt(trace, event) or _is_held(trace, event):
            return
        freeze = _freeze_of(trace, event)
        if freeze is None or _is_used(trace, event, freeze) or _is_kept(trace, event, freeze):
            return
        taker = next(
            (
                built
                for built in trace.after(event, OptimizerBuilt)
                if any(_stands_for(trace, part.key, event, built) for part in built.parts)
            ),
            None,
        )
        if taker is None or _is_touched(trace, event) or _is_teacher(trace, event, taker):
            return
        if not _is_loaded(trace, event, taker) and not _is_in_vain(trace, event, freeze):
            return
        yield Report(
            trace.meeting_place(event, freeze),
            f"`{event.name if isinstance(event, NameRebound) else event.label}` is a new model from here on: what was frozen on the first one "
            "is trainable again",
            "load the checkpoint into the model that is there, or freeze after this line",
            (
                (trace.meeting_place(freeze, event), f"`{freeze.label}` is frozen here"),
                (trace.meeting_place(taker, event), "the optimizer takes the new model here"),
            ),
            about=about_once_frozen(freeze),
        )


def _is_rebuilt(trace: Trace, event: Rebinding) -> bool:
    """Whether the new model was built from scratch, of the same kind as the old one."""
    if event.old is None or event.new is None:
        return False
    if isinstance(event, SubmoduleReplaced) and not is_loaded_anew(trace, event.old, event.new):
        # A fresh submodule in the place of another is what FZ601 is about.
        return False
    return are_of_one_kind(trace, event.old, event.new)


def _is_held(trace: Trace, event: Rebinding) -> bool:
    """Whether something holds the first model still."""
    if isinstance(event, NameRebound):
        return event.is_held
    assert event.old is not None
    return any(each.until is None for each in trace.objects.module(event.old).attachments)


def _is_kept(trace: Trace, event: Rebinding, freeze: FlagWritten) -> bool:
    """Whether a generator gave the first model away, or the method of some object got it."""
    for each in trace.between(freeze, event, Borrowed):
        called = each.place.node
        if (
            isinstance(called, cst.Call)
            and isinstance(called.func, cst.Attribute)
            and any(trace.related(key, _old(event), each.index) for key in each.keys)
        ):
            return True
    if not isinstance(event, NameRebound):
        return False
    lines = trace.file.text.split("\n")
    first = trace.meeting_place(freeze, event).span.line
    given = re.compile(rf"\byield\b.*(?<![\w.]){re.escape(event.name)}\b(?!\.)")
    return any(given.search(line) for line in lines[first : event.place.span.line])


def _is_teacher(trace: Trace, event: Rebinding, taker: OptimizerBuilt) -> bool:
    """Whether the first model was frozen as a whole, and the optimizer takes the new one only.

    Then nothing would have been left to train: they are a pair, of which the first one teaches.
    """
    return all(_stands_for(trace, part.key, event, taker) for part in taker.parts) and (
        freeze_of_all(trace, _old(event), event.index, event.path) is not None
    )


def _old(event: Rebinding) -> int:
    assert event.old is not None
    return event.old


def _new(event: Rebinding) -> int:
    assert event.new is not None
    return event.new


def _freeze_of(trace: Trace, event: Rebinding) -> FlagWritten | None:
    """The latest freeze of something in the old model, if some of that is frozen still."""
    unfrozen: list[Part] = []
    for write in trace.before(event, FlagWritten):
        inside = [part for part in write.parts if _is_in_old(trace, part, event, write)]
        if not inside:
            continue
        if write.value is True:
            unfrozen += write.parts
        elif write.value is False and write.certain:
            is_left = write.index < trace.objects.module(_new(event)).born and not all(
                any(trace.part_covers(whole, part, write.index) for whole in unfrozen)
                for part in inside
            )
            return write if is_left else None
        else:
            return None
    return None


def _is_in_old(trace: Trace, part: Part, event: Rebinding, at: Event) -> bool:
    return trace.objects.route(_old(event), part.key, at.index) is not None


def _is_used(trace: Trace, event: Rebinding, freeze: FlagWritten) -> bool:
    """Whether the first model did anything with its frozen part, or may have."""
    if trained_before(trace, event, freeze) is not None:
        return True
    return any(
        trace.related(key, _old(event), each.index)
        for kind in (ForwardRan, HandedOver, OptimizerBuilt)
        for each in trace.between(freeze, event, kind)
        for key in _keys(each)
    )


def _is_in_vain(trace: Trace, event: Rebinding, freeze: FlagWritten) -> bool:
    """Whether every run that freezes builds the model anew, and nobody looked at the first one.

    Below the first one and line by line, it may be shown how else it could be done.
    """
    is_elsewhere = event.activations != freeze.activations[: len(event.activations)]
    if not is_elsewhere and set(event.loops) <= set(freeze.loops):
        return False
    return happens_whenever(event, freeze) and not any(
        called.name in MODULE_ITERATORS
        and isinstance(called.receiver, ModuleValue)
        and trace.related(called.receiver.key, _old(event), called.index)
        for called in trace.between(freeze, event, MethodCalled)
    )


def _keys(event: Event) -> tuple[int, ...]:
    if isinstance(event, ForwardRan):
        return (event.key,)
    if isinstance(event, HandedOver):
        return event.keys
    assert isinstance(event, OptimizerBuilt)
    return tuple(part.key for part in event.parts)


def _is_loaded(trace: Trace, event: Rebinding, until: Event) -> bool:
    """Whether weights are loaded into the new model before the optimizer takes it."""
    born = trace.objects.module(_new(event)).born
    if (trace.objects.module(_new(event)).library or "").endswith(".from_pretrained"):
        return True
    return any(
        called.name == "load_state_dict"
        and born <= called.index < until.index
        and isinstance(called.receiver, ModuleValue)
        and _stands_for(trace, called.receiver.key, event, called)
        for called in trace.before(until, MethodCalled)
    )


def _is_touched(trace: Trace, event: Rebinding) -> bool:
    """Whether flags of the new model are written, or may be out of sight, since it was built."""
    born = trace.objects.module(_new(event)).born
    keys: list[tuple[int, Event]] = [
        (part.key, write)
        for write in trace.all(FlagWritten)
        if write.index >= born
        for part in write.parts
    ]
    first = next(trace.after(event, OptimizerBuilt))
    keys += [
        (key, each)
        for each in trace.before(first, HandedOver)
        if each.index >= born
        for key in each.keys
    ]
    return any(_stands_for(trace, key, event, each) for key, each in keys)


def _stands_for(trace: Trace, key: int, event: Rebinding, at: Event) -> bool:
    """Whether a module is the new model, a part of it, or what may be it on another path."""
    return any(
        each == _new(event) or _new(event) in trace.objects.module(each).alternatives
        for each in trace.objects.holders(key, at.index)
    )
