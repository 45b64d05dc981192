"""An optimizer is given parameters that it holds already."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    Event,
    FlagWritten,
    GroupAdded,
    OptimizerBuilt,
    ParameterGroup,
    ParametersReplaced,
)
from freezelint.analysis.knowledge.frameworks import LIGHTNING
from freezelint.analysis.knowledge.patterns import OPTIMIZER_CONSTRUCTIONS, OPTIMIZER_WORDS
from freezelint.analysis.listings import is_listed_apart
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import ConditionTest, FlagTest, Some, flag_tests, is_total
from freezelint.analysis.rounds import comes_back
from freezelint.analysis.trace import implies
from freezelint.analysis.trainability import has_parameters
from freezelint.analysis.training import filters_by_flag, shares_activation, without_flag_tests
from freezelint.analysis.values import Part
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace


_HOOKS = {(each,) for each in (*LIGHTNING.epoch, *LIGHTNING.end) if isinstance(each, str)}


class DuplicateParamGroup(Rule):
    """Finds a parameter group with parameters that another group of the optimizer holds.

    What it does:
        Reports `add_param_group` with parameters that the optimizer was built with or was
        given before, and an optimizer built from groups that overlap.

    Why is this bad:
        It raises `ValueError: some parameters appear in more than one parameter group`.
        Where a part is to be unfrozen later, the call stands at the end of the first
        stage: the run stops after hours. An optimizer that was built over all parameters
        needs no new group; setting the flag is enough.

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
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(6):
            if epoch == 3:
                model.backbone.requires_grad_(True)
                optimizer.add_param_group(  # expect: FZ310
                    {"params": model.backbone.parameters(), "lr": 1e-4}
                )
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
        optimizer = torch.optim.AdamW(model.head.parameters(), lr=1e-3)
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
        Groups that share nothing, or of which that is not known: those that were filtered
        by `requires_grad` while the added part was frozen, parts attached or replaced after
        the optimizer was built, optimizers that another method built, those whose groups are emptied or edited by hand, and
        optimizers with an `add_param_group` of their own.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.add_param_group.html
        https://github.com/facebookresearch/detectron2/issues/898
        https://github.com/Lightning-AI/pytorch-lightning/issues/8720
    """

    code = "FZ310"
    name = "duplicate-param-group"
    level = Level.ERROR
    claims = (
        Claim(
            "raises", error="ValueError: some parameters appear in more than one parameter group"
        ),
    )
    triggers = (
        OPTIMIZER_WORDS,
        ("params", "add_param_group"),
    )
    trigger_patterns = (
        OPTIMIZER_CONSTRUCTIONS,
        (r"add_param_group\(", r"params[\"']\s*:", r"params(?<![\w.]params)\s*="),
    )
    events = ("GroupAdded", "OptimizerBuilt")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a group that overlaps one that is there."""
        if event.is_attempt:
            return
        if isinstance(event, OptimizerBuilt):
            if event.library and not event.repeated:
                yield from self._within(event, trace)
        elif isinstance(event, GroupAdded) and event.group is not None and len(event.keys) == 1:
            found = () if event.repeated else tuple(self._added(event, event.group, trace))
            yield from found or self._again(event, event.group, trace)

    def _within(self, built: OptimizerBuilt, trace: Trace) -> Iterator[Report]:
        for first, second in itertools.combinations(built.groups, 2):
            shared = _shared(trace, first, second, built, built)
            if shared is not None:
                label = trace.objects.label(shared.key)
                yield Report(
                    built.place,
                    f"`{label}` is in two of the groups: `{built.name}` raises a ValueError",
                    "leave it out of the larger group",
                )
                return

    def _added(self, added: GroupAdded, group: ParameterGroup, trace: Trace) -> Iterator[Report]:
        (key,) = added.keys
        built = next(
            (each for each in trace.before(added, OptimizerBuilt) if each.key == key), None
        )
        if built is None or not built.library:
            return
        if not shares_activation(built, added) and not _is_before_all_hooks(built, added):
            # In another method: by the time that it is called, the name may hold another one.
            return
        earlier = [each for each in trace.between(built, added, GroupAdded) if key in each.keys]
        if any(each.group is None or len(each.keys) > 1 for each in earlier):
            return
        held: list[tuple[Event, ParameterGroup]] = [(built, each) for each in built.groups]
        if len(built.groups) > 1:
            # Groups that leave out what another takes may be the whole together.
            held.append((built, ParameterGroup(built.parts, built.complete, {}, True)))
        held += [(each, each.group) for each in earlier if each.group is not None]
        for event, other in held:
            if event.place.node is added.place.node and not implies(added.path, event.path):
                # One of several rounds, which may be the only one that gets there.
                continue
            shared = _shared(trace, other, group, event, added)
            if shared is not None and not is_listed_apart(trace, event, shared.key, added):
                optimizer = trace.objects.optimizer(key).label or built.name
                label = trace.objects.label(shared.key)
                yield Report(
                    added.place,
                    f"`{optimizer}` holds `{label}` already: adding it again raises a ValueError",
                    "drop this call: what the optimizer holds trains as soon as its flag is on",
                    ((trace.meeting_place(event, added), f"`{optimizer}` got it here"),),
                )
                return

    def _again(self, added: GroupAdded, group: ParameterGroup, trace: Trace) -> Iterator[Report]:
        """The second round of a loop, which adds what the first one has added with the rest."""
        same = [each for each in trace.before(added, GroupAdded) if _is_same_call(each, added)]
        if len(same) != 1 or not comes_back(trace, same[0], added):
            return
        (first,) = same
        built = next(
            (each for each in trace.all(OptimizerBuilt) if each.key == added.keys[0]), None
        )
        if built is None or not built.library or not shares_activation(built, added):
            return
        for part in group.parts:
            is_same = any(_timeless(mine) == _timeless(part) for mine in first.parts)
            if is_same and filters_by_flag(part) and _still_holds(trace, part, first, added):
                optimizer = trace.objects.optimizer(added.keys[0]).label or built.name
                label = trace.objects.label(part.key)
                yield Report(
                    added.place,
                    f"the second time, what of `{label}` was switched on before is added to "
                    f"`{optimizer}` again, which raises a ValueError",
                    "add only what was switched on just now",
                )
                return


def _is_before_all_hooks(built: OptimizerBuilt, added: GroupAdded) -> bool:
    """Whether Lightning asks for the optimizers before it calls what adds to them."""
    return built.scopes[:1] == ("configure_optimizers",) and added.scopes[:1] in _HOOKS


def _is_same_call(one: GroupAdded, other: GroupAdded) -> bool:
    return one.place.node is other.place.node and one.keys == other.keys


def _timeless(part: Part) -> Part:
    """A part, whenever its flags were asked for."""
    atoms = tuple(
        each._replace(at=None) if isinstance(each, FlagTest) else each for each in part.predicate
    )
    return part._replace(predicate=atoms)


def _still_holds(trace: Trace, part: Part, first: Event, second: Event) -> bool:
    """Whether something was on as it was added first, and nothing was switched off since."""
    everything = without_flag_tests(part)
    if not is_total(everything.predicate):
        return False
    is_on = any(
        write.value is True
        and write.certain
        and implies(first.path, write.path)
        and any(trace.parts_overlap(mine, everything, write.index) for mine in write.parts)
        for write in trace.before(first, FlagWritten)
    )
    changes = trace.between(first, second, FlagWritten)
    return is_on and not any(
        write.value is not True
        and any(trace.parts_overlap(mine, everything, write.index) for mine in write.parts)
        for write in changes
    )


def _shared(
    trace: Trace, held: ParameterGroup, added: ParameterGroup, first: Event, second: Event
) -> Part | None:
    """What the added group certainly has in common with one that is there."""
    for mine in held.parts:
        for other in added.parts:
            if _is_replaced(trace, mine, first, second):
                continue
            if _holds(trace, mine, other, first) and not _may_be_empty(other):
                return other
            if _holds(trace, other, mine, second) and not _may_be_empty(mine):
                return mine
            if _are_nested(trace, mine, other) or _share_a_piece(trace, mine, other, first):
                return other
            if filters_by_flag(mine) and filters_by_flag(other):
                lasting = _trains_all_along(trace, mine, other, second)
                if lasting is not None:
                    return lasting
    return None


def _share_a_piece(trace: Trace, one: Part, other: Part, event: Event) -> bool:
    """Whether a module with parameters hangs below both of two modules."""
    if one.predicate or other.predicate or not trace.objects.share(one.key, other.key, event.index):
        return False
    return any(
        each.origin is not Origin.CHILD
        and len(each.attachments) > 1
        and has_parameters(trace, each.key, event.index)
        and trace.objects.route(other.key, each.key, event.index) is not None
        for each in trace.objects.below(one.key, event.index)
    )


def _are_nested(trace: Trace, one: Part, other: Part) -> bool:
    """Whether two slices of the same container begin or end alike, so that they share layers."""
    first, second = trace.objects.module(one.key), trace.objects.module(other.key)
    if first.bounds is None or second.bounds is None or first.source != second.source:
        return False
    if one.predicate or other.predicate:
        return False
    (low, high), (lower, higher) = first.bounds, second.bounds
    if high is None and higher is None:
        return (low < 0) is (lower < 0)
    if min(low, lower) < 0 or high is None or higher is None:
        return False
    return max(low, lower) < min(high, higher)


def _trains_all_along(trace: Trace, mine: Part, other: Part, added: Event) -> Part | None:
    """What two filters of the same model let through both, since it was trainable each time."""
    if mine.key != other.key or not all(
        is_total(without_flag_tests(part).predicate) for part in (mine, other)
    ):
        return None
    moments = [test.at for part in (mine, other) for test in flag_tests(part.predicate)]
    for key in trace.objects.held_by(mine.key, min(each or 0 for each in moments)):
        if has_parameters(trace, key, added.index) and all(
            at is not None and trace.flag(Part(key), at, added.path).value is True for at in moments
        ):
            return Part(key)
    return None


def _holds(trace: Trace, whole: Part, piece: Part, event: Event) -> bool:
    """Whether a part certainly holds a piece, as things were at an event."""
    if not trace.part_covers(without_flag_tests(whole), without_flag_tests(piece), event.index):
        return False
    return all(
        test.at is not None
        and trace.flag(without_flag_tests(piece), test.at, event.path).value is test.value
        for test in flag_tests(whole.predicate)
    )


def _may_be_empty(part: Part) -> bool:
    """Whether a condition of which nothing is known picks what is in a part."""
    return any(isinstance(atom, (Some, ConditionTest)) for atom in part.predicate)


def _is_replaced(trace: Trace, part: Part, first: Event, second: Event) -> bool:
    return any(
        trace.related(each.key, part.key, each.index)
        for each in trace.between(first, second, ParametersReplaced)
    )
