"""Parameters are unfrozen that no optimizer holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    Event,
    FlagWritten,
    GroupAdded,
    HandedOver,
    OptimizerBuilt,
    Stepped,
)
from freezelint.analysis.knowledge.patterns import (
    FLAG_WRITES,
    OPTIMIZER_CONSTRUCTIONS,
    OPTIMIZER_WORDS_OR_NAMES,
)
from freezelint.analysis.predicates import NameTest, is_total
from freezelint.analysis.remainders import left_out
from freezelint.analysis.toggles import is_toggled
from freezelint.analysis.trainability import is_frozen_but_for_pieces
from freezelint.analysis.training import (
    filters_by_flag,
    flag_changes_after,
    is_handed_on,
    is_rebuilt,
    is_written_again,
    steps_after,
    without_flag_tests,
)
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part
    from freezelint.findings import Fix


_PATH = r"[^\W\d]\w*(?:\.\w+|\[-?\d+\])*"
"""What can be written again to mean the same."""


class UnfrozenNotOptimized(Rule):
    """Finds parameters unfrozen after an optimizer was built without them.

    What it does:
        Reports an unfreeze of parameters that the optimizer was built without, from a
        filtered or a partial list, when no `add_param_group` and no new optimizer
        follows.

    Why is this bad:
        The flag makes gradients flow, but no optimizer applies them, so the unfrozen
        part never changes. It costs the memory and time of training it, and its
        gradients grow from step to step, because `optimizer.zero_grad()` does not
        reach them; clipping over the whole model counts them in its norm.

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
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(6):
            if epoch == 3:
                model.backbone.requires_grad_(True)  # expect: FZ304
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
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(6):
            if epoch == 3:
                model.backbone.requires_grad_(True)
                optimizer.add_param_group({"params": model.backbone.parameters(), "lr": 1e-4})
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        An optimizer that was built over all parameters while some were frozen:
        unfreezing works there. A group added or an optimizer built afterwards,
        frameworks that do so themselves, parts unfrozen only to pass gradients on to
        an input, and optimizers whose parameters are unknown.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.add_param_group.html
        https://github.com/huggingface/peft/issues/1303
        https://github.com/fastai/fastai/issues/2133
        https://github.com/skorch-dev/skorch/issues/260
    """

    code = "FZ304"
    name = "unfrozen-not-optimized"
    level = Level.ERROR
    claims = (Claim("dead", "model.backbone.*", after=3),)
    triggers = (
        ("requires_grad", ".unfreeze("),
        OPTIMIZER_WORDS_OR_NAMES,
    )
    trigger_patterns = ((*FLAG_WRITES, r"\.unfreeze\(\)"), OPTIMIZER_CONSTRUCTIONS)
    fix = "unsafe"
    events = ("FlagWritten",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report parameters that are switched on after the last optimizer passed them over."""
        assert isinstance(event, FlagWritten)
        if event.value is not True or not event.certain or event.repeated:
            return
        parts = [piece for whole in event.parts for piece in _by_text(whole)]
        for part in (*parts, *_frozen_pieces(trace, event)):
            reports = [self._judge(event, each, trace) for each in _alternatives(trace, part)]
            if reports[0] is None or not all(each is not None for each in reports):
                continue
            if trace.objects.module(part.key).alternatives and any(trace.all(GroupAdded)):
                # Which of them the optimizer has by now is not known.
                continue
            yield reports[0] if part in parts else _of_a_piece(reports[0], event)
            return

    def _judge(self, unfreeze: FlagWritten, part: Part, trace: Trace) -> Report | None:
        candidates = [
            built
            for built in trace.before(unfreeze, OptimizerBuilt)
            if _same_tree(trace, built, part)
        ]
        if not candidates:
            return None
        holders = _holders(trace, candidates, unfreeze, part)
        if holders is None:
            return None
        built = candidates[0]
        if holders:
            rest = _rest(trace, holders, unfreeze, part)
            if rest is None:
                return None
            part = rest
        elif not is_frozen_but_for_pieces(trace, unfreeze, part):
            return None
        if is_rebuilt(trace, unfreeze, part, built.key) or _may_be_added(
            trace, unfreeze, part, built
        ):
            return None
        steps = list(steps_after(trace, unfreeze, built.key))
        if not steps and not is_handed_on(trace, unfreeze, built.key):
            return None
        if steps and is_written_again(trace, unfreeze, False, steps[0].index):
            return None
        if holders:
            until = steps[0].index if steps else trace.now
            if _is_changed(trace, unfreeze, part, until) or is_toggled(trace, unfreeze, 0):
                return None
            return _of_a_piece(self._report(unfreeze, built, steps, trace), unfreeze)
        return self._report(unfreeze, built, steps, trace)

    def _report(
        self, unfreeze: FlagWritten, built: OptimizerBuilt, steps: list[Stepped], trace: Trace
    ) -> Report:
        optimizer = trace.objects.optimizer(built.key).label or built.name
        evidence = [(trace.meeting_place(built, unfreeze), "the optimizer was built without it")]
        if steps:
            evidence.append((trace.meeting_place(steps[0], unfreeze), "and steps without it here"))
        return Report(
            trace.meeting_place(unfreeze, built),
            f"`{unfreeze.label}` is unfrozen after `{optimizer}` was built without it: "
            "it gets gradients and never trains",
            f"add it: `{optimizer}.add_param_group({{'params': {unfreeze.label}.parameters()}})`",
            tuple(evidence),
            fix=_fix(unfreeze, built, optimizer, trace),
            about=About((unfreeze.label,)),
        )


def _of_a_piece(report: Report, unfreeze: FlagWritten) -> Report:
    """The report on a whole of which the optimizer has the rest."""
    return report._replace(
        message=f"`{unfreeze.label}` is unfrozen after the optimizer was built with a part of it: "
        "the rest gets gradients and never trains",
        help="add the rest to the optimizer with `add_param_group`, or build a new one",
        fix=None,
    )


def _by_text(part: Part) -> Iterator[Part]:
    """The parts that each of several beginnings of names picks: some of them may train already."""
    yield part
    for atom in part.predicate:
        if isinstance(atom, NameTest) and not atom.negated and len(atom.texts) > 1:
            for text in atom.texts:
                rest = tuple(each for each in part.predicate if each is not atom)
                yield part._replace(predicate=(*rest, atom._replace(texts=(text,))))


def _frozen_pieces(trace: Trace, unfreeze: FlagWritten) -> Iterator[Part]:
    """What was frozen by names, of a whole that is unfrozen."""
    for freeze in trace.before(unfreeze, FlagWritten):
        if freeze.value is not False or not freeze.certain:
            continue
        for piece in freeze.parts:
            if not is_total(piece.predicate) and any(
                whole.key == piece.key and is_total(whole.predicate) for whole in unfreeze.parts
            ):
                yield piece


def _alternatives(trace: Trace, part: Part) -> Iterator[Part]:
    """The part of each module that a name may stand for."""
    others = trace.objects.module(part.key).alternatives
    if not others:
        yield part
    for key in others:
        # One that stands for each of several is some part of what holds them.
        for each in trace.objects.parts_of(key, part.predicate):
            yield from _alternatives(trace, each)


def _may_be_added(trace: Trace, unfreeze: FlagWritten, part: Part, built: OptimizerBuilt) -> bool:
    """Whether code out of sight gets the optimizer and some of the model.

    What gets the whole model besides is taken for a training loop, or for a checkpoint.
    """
    whole = _trees(trace, part.key, unfreeze)
    return any(
        built.key in each.optimizers
        and any(key not in whole and _trees(trace, key, each) & whole for key in each.keys)
        for each in trace.after(unfreeze, HandedOver)
    )


def _trees(trace: Trace, key: int, event: Event) -> set[int]:
    """The models that a module, or what it is a slice of, hangs in."""
    sources = trace.objects.sources(key, event.index)
    return {root for source in sources for root in trace.objects.roots(source, event.index)}


def _same_tree(trace: Trace, built: OptimizerBuilt, part: Part) -> bool:
    """Whether the optimizer is about the same model: one holds the other, or both hang below it."""
    roots = trace.objects.roots(part.key, built.index)
    return any(trace.objects.roots(held.key, built.index) & roots for held in built.parts)


def _holders(
    trace: Trace, candidates: list[OptimizerBuilt], unfreeze: FlagWritten, part: Part
) -> list[Part] | None:
    """What optimizers hold of a part, or may hold; None where not all of that is in sight."""
    keys = {built.key for built in candidates}
    added = [each for each in trace.before(unfreeze, GroupAdded) if keys & set(each.keys)]
    if not all(each.complete for each in candidates) or not all(each.complete for each in added):
        return None
    holders = []
    events: list[OptimizerBuilt | GroupAdded] = [*candidates, *added]
    for event in events:
        for held in event.parts:
            if not trace.parts_overlap(without_flag_tests(held), part, event.index):
                continue
            if not filters_by_flag(held) or not is_frozen_but_for_pieces(trace, event, part):
                holders.append(held)
    return holders


def _is_changed(trace: Trace, unfreeze: FlagWritten, part: Part, until: int) -> bool:
    """Whether flags in a part may be switched off again before a moment."""
    return any(
        later.value is not True
        and any(trace.parts_overlap(mine, part, later.index) for mine in later.parts)
        for later in flag_changes_after(trace, unfreeze)
        if later.index < until
    )


def _rest(trace: Trace, holders: list[Part], unfreeze: FlagWritten, part: Part) -> Part | None:
    """What was frozen of a part until now and is certainly in no optimizer."""
    if not is_total(part.predicate) or any(map(filters_by_flag, holders)):
        return None
    rest = left_out(trace, part.key, holders, unfreeze.index)
    if rest is None or not is_frozen_but_for_pieces(trace, unfreeze, rest):
        return None
    return rest


def _fix(unfreeze: FlagWritten, built: OptimizerBuilt, optimizer: str, trace: Trace) -> Fix | None:
    """Hand the parameters over below the unfreeze, if the optimizer has its name there."""
    from freezelint.analysis import rearrangement

    place = trace.meeting_place(unfreeze, built)
    is_written_here = place.node is unfreeze.place.node
    if unfreeze.activations != built.activations or not is_written_here:
        return None
    if not re.fullmatch(_PATH, optimizer) or not re.fullmatch(_PATH, unfreeze.label):
        return None
    return rearrangement.statement_below(
        "add it to the optimizer",
        place,
        f'{optimizer}.add_param_group({{"params": {unfreeze.label}.parameters()}})',
    )
