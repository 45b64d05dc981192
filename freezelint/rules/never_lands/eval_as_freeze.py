"""A module is put into eval mode as if that froze its weights."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.abouts import about_whole
from freezelint.analysis.events import (
    MODE_OVERRIDES,
    Event,
    FlagWritten,
    ModeSet,
    OptimizerBuilt,
    Stepped,
)
from freezelint.analysis.knowledge.layers import LAYERS_THAT_NORMALIZE
from freezelint.analysis.knowledge.patterns import (
    OPTIMIZER_CONSTRUCTIONS,
    OPTIMIZER_WORDS,
    TRAINER_CALL,
)
from freezelint.analysis.library_events import TrainerStarted
from freezelint.analysis.listings import is_listed_apart
from freezelint.analysis.predicates import SOME, is_total
from freezelint.analysis.trace import compatible
from freezelint.analysis.training import (
    filters_by_flag,
    forwards_between,
    steps_after,
    trained_before,
    was_out_of_sight,
    without_flag_tests,
)
from freezelint.analysis.values import Constant, Part
from freezelint.analysis.withheld import is_withheld
from freezelint.findings import Level
from freezelint.records import NamedTuple
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.findings import Fix

_SAYS_FROZEN = r"(?i)freez|froze"
_SAYS_PINNED = (
    r"(?i)batch[ _-]?norm|\bbns?\b|running|statistic|\bstats\b|dropout|determinis|on purpose"
    r"|deliberate"
)


class EvalAsFreeze(Rule):
    """Finds `eval()` on the training path used as if it froze the weights.

    What it does:
        Reports `eval()` on a part of a model that is being trained, when the
        parameters of that part are trainable and held by an optimizer that steps. It
        is an error when a name or a comment beside it says that the part is frozen,
        and a warning otherwise.

    Why is this bad:
        `eval()` changes what layers like Dropout and BatchNorm compute, and nothing
        else. The parameters still receive gradients, and the optimizer still updates
        them.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Tagger(nn.Module):
            def __init__(self):
                super().__init__()
                self.encoder = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.1))
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.encoder(x))


        model = Tagger()
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            model.train()
            model.encoder.eval()  # expect: FZ111
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Tagger(nn.Module):
            def __init__(self):
                super().__init__()
                self.encoder = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.1))
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.encoder(x))


        model = Tagger()
        model.encoder.requires_grad_(False)
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            model.train()
            model.encoder.eval()
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Validation code, parts that are frozen by flag, that are left out of the
        optimizer or whose forward pass runs under `no_grad`, `eval()` on
        normalisation layers only, and places where a comment says that statistics are
        pinned while the weights train.

    References:
        https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval
        https://github.com/alexrich021/3dvnet/issues/11
        https://github.com/huangzongmou/yolov8_Distillation/issues/16
    """

    code = "FZ111"
    name = "eval-as-freeze"
    level = Level.WARNING
    claims = (Claim("moves", "model.encoder.*"),)
    triggers = (
        ("parameters(", "TrainingArguments"),
        ("step(", "configure_optimizers", "Trainer("),
        ("eval(", "train(False", "train(mode=False"),
        (*OPTIMIZER_WORDS, "Trainer("),
    )
    trigger_patterns = ((*OPTIMIZER_CONSTRUCTIONS, TRAINER_CALL),)
    fix = "unsafe"
    events = ("ModeSet",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report an eval() that is followed by steps on the very same parameters."""
        assert isinstance(event, ModeSet)
        if event.training is not False or event.repeated or not _is_whole_module(trace, event):
            return
        _, _, layer = (trace.objects.module(event.part.key).library or "").rpartition(".")
        if layer in LAYERS_THAT_NORMALIZE:
            # Whoever asks for that layer alone asks for its statistics.
            return
        is_own = event.scopes[-1:] == (MODE_OVERRIDES["train"],)
        said = event.place.chunk.text if is_own else event.place.comments
        if re.search(_SAYS_PINNED, said) or event.label.startswith("super("):
            # What a class makes of its own `train` is a matter of modes.
            return
        for built in _takers(trace):
            # A `train` of the class runs in each epoch, wherever its own code was looked at.
            since = built.event if event.scopes[:1] == (MODE_OVERRIDES["train"],) else event
            step = next(steps_after(trace, _later(since, built.event), built.key), None)
            if step is None or not _trains(trace, event, built, step, since):
                continue
            yield self._report(event, built, step, trace)
            return

    def _report(self, event: ModeSet, built: _Taker, step: Stepped, trace: Trace) -> Report:
        optimizer = trace.objects.optimizer(built.key).label or built.name
        words = " ".join((event.place.comments, event.scope, event.label))
        return Report(
            event.place,
            f"`eval()` does not freeze `{event.label}`: its parameters are trainable, and "
            f"`{optimizer}` updates them",
            f"write `{event.label}.eval().requires_grad_(False)` if it is meant to stay as it is",
            (
                (built.event.place, f"`{optimizer}` takes its parameters here"),
                (step.place, "and steps here"),
            ),
            level=Level.ERROR if re.search(_SAYS_FROZEN, words) else None,
            fix=_fix(event),
            about=about_whole(event.part, event.label),
        )


class _Taker(NamedTuple):
    """An optimizer, and the moment at which it took parameters."""

    event: Event
    key: int
    parts: tuple[Part, ...]
    name: str


def _takers(trace: Trace) -> list[_Taker]:
    """The optimizers that are built in sight, and those that trainers build for a whole model."""
    return [
        *(_Taker(each, each.key, each.parts, each.name) for each in trace.all(OptimizerBuilt)),
        *(
            _Taker(each, each.optimizer, (Part(each.key),), "Trainer")
            for each in trace.all(TrainerStarted)
            if each.builds_optimizer
        ),
    ]


def _is_whole_module(trace: Trace, event: ModeSet) -> bool:
    """Whether all layers of a module are put into eval mode; which of a ``ModuleDict`` may be open."""
    part = event.part
    return is_total(part.predicate) or (
        part.predicate == (SOME,)
        and trace.objects.module(part.key).library == "torch.nn.ModuleDict"
    )


def _later(first: Event, other: Event) -> Event:
    return first if first.index > other.index else other


def _trains(trace: Trace, event: ModeSet, built: _Taker, step: Stepped, since: Event) -> bool:
    """Whether the module is, on this path, trained by the optimizer after all."""
    if not compatible(event.path, built.event.path) or not compatible(event.path, step.path):
        return False
    key = event.part.key
    if trace.may_exclude(event, built.event) or is_listed_apart(trace, built.event, key, event):
        return False
    holds = [
        part
        for part in built.parts
        if trace.covers(without_flag_tests(part), key, built.event.index)
        and not _stands_still(built.event, part)
    ]
    if not holds or any(built.key in each.keys for each in trace.before(since, Stepped)):
        return False
    is_whole = any(part.key == key for part in holds)
    if not _is_trainable(trace, event, built, step, is_whole=is_whole):
        return False
    if _is_reverted(trace, event, step, is_whole=is_whole):
        return False
    if is_withheld(trace, key, step):
        return False
    forwards = forwards_between(trace, key, since, step)
    return any(forward.grad_enabled is True for forward in forwards)


def _stands_still(built: Event, part: Part) -> bool:
    """Whether a part is in a group of an optimizer whose learning rate is 0."""
    if not isinstance(built, OptimizerBuilt):
        return False
    groups = [each for each in built.groups if part in each.parts]
    return bool(groups) and all(
        isinstance(rate := each.options.get("lr"), Constant) and rate.value == 0 for each in groups
    )


def _is_trainable(
    trace: Trace, event: ModeSet, built: _Taker, step: Stepped, *, is_whole: bool
) -> bool:
    key = event.part.key
    if (trace.objects.module(key).library or "").startswith("peft."):
        # What PEFT put around a model it has frozen, but for what it added.
        return False
    # What a trainer may do besides, nobody knows; what it starts with it trains.
    until = step if isinstance(built.event, OptimizerBuilt) else built.event
    flag = trace.flag(event.part, until.index, until.path)
    if any(
        write.value is not True
        and (
            write.label == event.label
            or any(trace.overlaps(part, key, write.index) for part in write.parts)
        )
        for write in trace.all(FlagWritten)
    ):
        # Frozen in another method or under an option: it is known how that is done here.
        return False
    if flag.value is True:
        return True
    if flag.value is False or is_whole or flag.write is not None:
        return False
    if any(filters_by_flag(part) for part in built.parts):
        # Somebody froze something, and it is not in sight what.
        return False
    # Flags of an argument are not known; a part that nobody touches follows the whole.
    touched = any(
        trace.overlaps(part, key, write.index)
        for write in trace.all(FlagWritten)
        for part in write.parts
    )
    return not touched and not was_out_of_sight(trace, event.part, until)


def _is_reverted(trace: Trace, event: ModeSet, step: Stepped, *, is_whole: bool) -> bool:
    """Whether train() takes the eval() back in a way that shows it was meant for a while."""
    key = event.part.key
    for later in trace.between(event, step, ModeSet):
        if later.training is False or not trace.covers(later.part, key, later.index):
            continue
        if is_whole or later.part.key == key:
            return True
        if trained_before(trace, later, event) is not None:
            return True
        used = forwards_between(trace, key, event, later)
        if any(forward.grad_enabled is not True for forward in used):
            return True
    return False


def _fix(event: ModeSet) -> Fix | None:
    """Freeze beside `eval()`, where that is a statement of its own."""
    from freezelint.analysis import edits, rearrangement

    receiver = edits.called_on(event.place.node, {"eval"})
    if receiver is None or edits.expression_statement(event.place) is None:
        return None
    frozen = f"{event.place.chunk.code(receiver)}.requires_grad_(False)"
    return rearrangement.statement_below("freeze it as well", event.place, frozen)
