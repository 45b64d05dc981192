"""A list of trainable parameters is made before the freeze it should reflect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.abouts import about_frozen
from freezelint.analysis.events import Event, FlagWritten, OptimizerBuilt
from freezelint.analysis.gradients import waits_for_an_epoch
from freezelint.analysis.knowledge.patterns import (
    FREEZES,
    LIBRARY_FREEZES,
    OPTIMIZER_CONSTRUCTIONS,
    OPTIMIZER_WORDS_OR_NAMES,
)
from freezelint.analysis.predicates import flag_tests
from freezelint.analysis.syntax import walk
from freezelint.analysis.trace import compatible
from freezelint.analysis.trainability import lasting_freeze
from freezelint.analysis.training import (
    is_dropped,
    is_rebuilt,
    is_said_before,
    is_written_again,
    region_inside,
    shares_activation,
    steps_after,
    trained_before,
    trains_later,
    without_flag_tests,
)
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.predicates import FlagTest
    from freezelint.analysis.syntax import Place
    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part
    from freezelint.findings import Fix


class FilteredTooEarly(Rule):
    """Finds a `requires_grad` filter that ran before the freeze it is meant to see.

    What it does:
        Reports a list of parameters filtered by `requires_grad` whose filter was
        evaluated while everything was still trainable, when a freeze of some of these
        parameters follows and the list is used after it.

    Why is this bad:
        The filter reads as if frozen parameters were left out, but it looked too
        early and let all of them through. The optimizer holds them for nothing, the
        reported number of trainable parameters is wrong, and whatever else goes over
        the list (weight clipping, a decay by hand, an average of the weights) writes
        into the frozen part. Gradients that existed at the freeze are applied as in
        FZ301.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Critic(nn.Module):
            def __init__(self):
                super().__init__()
                self.features = nn.Sequential(nn.Linear(8, 32), nn.LeakyReLU(0.2))
                self.score = nn.Linear(32, 1, bias=False)

            def forward(self, x):
                return self.score(self.features(x))


        critic = Critic()
        trainable = [p for p in critic.parameters() if p.requires_grad]  # expect: FZ302
        critic.features.requires_grad_(False)

        optimizer = torch.optim.RMSprop(trainable, lr=1e-3)
        for step in range(5):
            real, fake = torch.randn(32, 8) + 2, torch.randn(32, 8)
            loss = critic(fake).mean() - critic(real).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for param in trainable:  # weight clipping keeps the critic Lipschitz
                    param.clamp_(-0.05, 0.05)

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Critic(nn.Module):
            def __init__(self):
                super().__init__()
                self.features = nn.Sequential(nn.Linear(8, 32), nn.LeakyReLU(0.2))
                self.score = nn.Linear(32, 1, bias=False)

            def forward(self, x):
                return self.score(self.features(x))


        critic = Critic()
        critic.features.requires_grad_(False)
        trainable = [p for p in critic.parameters() if p.requires_grad]

        optimizer = torch.optim.RMSprop(trainable, lr=1e-3)
        for step in range(5):
            real, fake = torch.randn(32, 8) + 2, torch.randn(32, 8)
            loss = critic(fake).mean() - critic(real).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for param in trainable:  # weight clipping keeps the critic Lipschitz
                    param.clamp_(-0.05, 0.05)

    When it is silent:
        A `filter(...)`, `map(...)` or generator is lazy: it looks at the flags when
        it is consumed, so writing it above the freeze is right as long as nothing
        consumes it before. Lists that are rebuilt after the freeze, and filters by
        other conditions, are not reported.

    References:
        https://docs.pytorch.org/docs/stable/optim.html
        https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation
    """

    code = "FZ302"
    name = "filtered-too-early"
    level = Level.ERROR
    claims = (
        Claim("moves", "critic.features.*"),
        Claim("wastes", "critic.features.*"),
    )
    triggers = (
        ("requires_grad", *LIBRARY_FREEZES),
        OPTIMIZER_WORDS_OR_NAMES,
    )
    trigger_patterns = (FREEZES, OPTIMIZER_CONSTRUCTIONS)
    fix = "unsafe"
    events = ("OptimizerBuilt",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a filter by flag that ran before the freeze it is meant to see."""
        assert isinstance(event, OptimizerBuilt)
        for part in event.parts:
            for test in flag_tests(part.predicate):
                if test.value and test.at is not None:
                    report = self._judge(event, part, test, trace)
                    if report is not None:
                        yield report
                        return

    def _judge(
        self, built: OptimizerBuilt, held: Part, test: FlagTest, trace: Trace
    ) -> Report | None:
        assert test.at is not None
        if is_dropped(trace, built):
            return None
        region = without_flag_tests(held)
        for freeze in trace.all(FlagWritten):
            if freeze.index < test.at or freeze.value is not False or not freeze.certain:
                continue
            if freeze.repeated or not compatible(freeze.path, built.path):
                continue
            if any(trace.may_exclude(each, freeze) for each in (built, trace.events[test.at - 1])):
                continue
            if is_said_before(trace, freeze, test.at) or _is_asked_again(held, test, freeze):
                continue
            inside = [
                part
                for part in freeze.parts
                if region_inside(trace, region, part, freeze.index)
                and not trace.is_frozen(part, test.at, (*built.path, *freeze.path))
            ]
            if not inside or is_written_again(trace, freeze, True, trace.now):
                continue
            if any(trains_later(trace, freeze, part, built.key) for part in inside):
                continue
            if freeze.index > built.index and not self._stays_wrong(built, freeze, inside, trace):
                continue
            return self._report(built, freeze, test, trace)
        return None

    def _stays_wrong(
        self, built: OptimizerBuilt, freeze: FlagWritten, inside: list[Part], trace: Trace
    ) -> bool:
        """Whether nothing after a late freeze puts the optimizer right, or makes it a schedule."""
        if trained_before(trace, freeze, built) is not None or waits_for_an_epoch(
            trace, freeze, built
        ):
            return False
        if set(freeze.path) - set(built.path) and set(freeze.loops) - set(built.loops):
            return False
        if is_rebuilt(trace, freeze, inside[0], built.key):
            return False
        return shares_activation(built, freeze) or any(steps_after(trace, freeze, built.key))

    def _report(
        self, built: OptimizerBuilt, freeze: FlagWritten, test: FlagTest, trace: Trace
    ) -> Report:
        return Report(
            _place_of(test, freeze, trace),
            f"this filter ran before `{freeze.label}` was frozen: its parameters passed it",
            "move the filter below the freeze",
            (
                (trace.meeting_place(freeze, built), f"`{freeze.label}` is frozen here, too late"),
                (built.place, "the optimizer is built from the result"),
            ),
            fix=_fix(built, freeze, test, trace),
            about=about_frozen(freeze),
        )


def _is_asked_again(held: Part, test: FlagTest, freeze: FlagWritten) -> bool:
    """Whether the flags are looked at after the freeze too, or may be in the same round of a loop."""
    again = (each for each in flag_tests(held.predicate) if each is not test and each.value)
    if any(each.at is None or each.at > freeze.index for each in again):
        return True
    chunk = test.place.chunk
    mentioned = (each for each in walk(test.place.node) if isinstance(each, cst.Name))
    loops = filter(None, map(chunk.loop_over, mentioned))
    nodes = {id(each.node) for each in (freeze.place, *freeze.stack) if each.chunk is chunk}
    return any(id(each) in nodes for loop in loops for each in walk(loop.body))


def _place_of(test: FlagTest, freeze: FlagWritten, trace: Trace) -> Place:
    """Where the filter comes before the freeze; a helper that filters is called too early."""
    assert test.at is not None
    ran = trace.events[test.at - 1]
    common = trace.common_place(ran, freeze)
    is_generator = ran.place.chunk is not test.place.chunk
    return test.place if common.node is ran.place.node and not is_generator else common


def _fix(built: OptimizerBuilt, freeze: FlagWritten, test: FlagTest, trace: Trace) -> Fix | None:
    """Take the filter below the freeze, and with it the optimizer that was built before."""
    from freezelint.analysis import rearrangement

    if _place_of(test, freeze, trace) is not test.place:
        return None
    if all(lasting_freeze(trace, part.key, freeze.index + 1, built) for part in built.parts):
        # Nothing would pass the filter, and an optimizer refuses that.
        return None
    moved = [test.place, built.place] if built.index < freeze.index else [test.place]
    return rearrangement.moved_below(
        "filter below the freeze",
        trace.file.text,
        moved,
        [trace.meeting_place(freeze, built)],
    )
