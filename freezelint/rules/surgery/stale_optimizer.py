"""A module is replaced after the optimizer was built over its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    AttributeWritten,
    BackwardRan,
    Borrowed,
    Called,
    Event,
    ForwardRan,
    GroupAdded,
    NameRebound,
    OptimizerBuilt,
    ParametersReplaced,
    Stepped,
    SubmoduleReplaced,
)
from freezelint.analysis.knowledge.patterns import OPTIMIZER_CONSTRUCTIONS, OPTIMIZER_WORDS_OR_NAMES
from freezelint.analysis.listings import is_listed_apart
from freezelint.analysis.objects import Origin
from freezelint.analysis.rounds import leaves_its_loop
from freezelint.analysis.trainability import is_born_trainable
from freezelint.analysis.training import is_handed_on, is_rebuilt, shares_activation, steps_after
from freezelint.analysis.values import ModuleValue, Part, Unknown
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace

_NEW = (Origin.BUILT, Origin.OWN_CLASS, Origin.COPY)


class StaleOptimizer(Rule):
    """Finds parameters replaced after an optimizer was built over the old ones.

    What it does:
        Reports a change that gives a model new parameter objects after an optimizer
        was built over the old ones, when no optimizer is rebuilt and no group is
        added: a submodule assigned anew, a deep copy that takes the model's place,
        `load_state_dict(assign=True)`, `to_empty()` of a model on the meta device,
        `get_peft_model`, `fully_shard`, a wrap in FSDP without `use_orig_params=True`,
        and `parametrizations.weight_norm`.

    Why is this bad:
        An optimizer holds the parameter objects it was given, not the model. It goes
        on updating the old ones, which no longer take part in the loss, and the new
        ones never change, without a message.

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
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        model.head = nn.Linear(32, 6)  # expect: FZ603

        inputs, targets = torch.randn(64, 16), torch.randint(6, (64,))
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
        model.head = nn.Linear(32, 6)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        inputs, targets = torch.randn(64, 16), torch.randint(6, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Copies made for evaluation or as moving averages, changes that keep the
        parameter objects (`.to()`, `.cuda()`, `.half()`, `torch.compile`,
        DistributedDataParallel, plain `load_state_dict`), new parameters handed over
        by `add_param_group`, an optimizer built again, and libraries that rebuild it
        themselves.

    References:
        https://docs.pytorch.org/docs/stable/optim.html
        https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.add_param_group.html
        https://github.com/skorch-dev/skorch/issues/317
        https://github.com/Trusted-AI/adversarial-robustness-toolbox/issues/1580
        https://github.com/openvinotoolkit/nncf/issues/327
    """

    code = "FZ603"
    name = "stale-optimizer"
    level = Level.ERROR
    claims = (Claim("dead", "model.head.*"),)
    triggers = (
        ("parameters(",),
        OPTIMIZER_WORDS_OR_NAMES,
        ("step(", "minimize(", "train", "fit", "configure_optimizers"),
    )
    trigger_patterns = (OPTIMIZER_CONSTRUCTIONS,)
    events = ("SubmoduleReplaced", "ParametersReplaced", "NameRebound", "AttributeWritten")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report parameters that appear after the optimizer was built over their model."""
        if isinstance(event, NameRebound):
            yield from self._check_name(event, trace)
        elif event.repeated:
            return
        elif isinstance(event, AttributeWritten):
            yield from self._check_attribute(event, trace)
        elif isinstance(event, SubmoduleReplaced):
            yield from self._check_submodule(event, trace)
        elif isinstance(event, ParametersReplaced):
            yield from self._check_conversion(event, trace)

    def _check_submodule(self, event: SubmoduleReplaced, trace: Trace) -> Iterator[Report]:
        if event.new is None or trace.objects.module(event.new).origin not in _NEW:
            return
        if not is_born_trainable(trace, event.new, event.index):
            return
        if event.old is not None and _contains(trace, event.new, event.old, event.index):
            return
        built = _builder_of(trace, event, event.parent)
        if built is None or not _is_left_out(trace, event, built, event.new):
            return
        yield self._report(event, built, event.label, "is replaced by a new module", trace)

    def _check_conversion(self, event: ParametersReplaced, trace: Trace) -> Iterator[Report]:
        # Of a loop over modules, what it is about is what they are in.
        whole = trace.objects.container_of(event.key)
        built = _builder_of(trace, event, whole)
        if built is None or not _is_left_out(trace, event, built, whole):
            return
        yield self._report(
            event, built, event.label, f"gets new parameters by `{event.how}`", trace
        )

    def _check_name(self, event: NameRebound, trace: Trace) -> Iterator[Report]:
        if trace.objects.module(event.new).origin not in _NEW:
            return
        if trace.related(event.new, event.old, event.index):
            # A wrapper around the same model, or the model out of its wrapper.
            return
        built = _builder_of(trace, event, event.old)
        if built is None or all(part.key != event.old for part in built.parts):
            return
        # One of several that the optimizer holds, each in its turn, is no new one.
        if any(trace.parts_overlap(part, Part(event.new), built.index) for part in built.parts):
            return
        if event.repeated:
            if not _comes_up_late(trace, event):
                return
            stays = all(each.name != event.name for each in trace.after(event, NameRebound))
            if stays and _trains_in_next_round(trace, event, built, event.old):
                yield self._report(event, built, event.name, "is bound to another model", trace)
            return
        if not _is_left_out(trace, event, built, event.new):
            return
        trains = any(
            forward.grad_enabled is not False
            and _is_of(trace, forward, event.new)
            and any(True for _ in trace.after(forward, BackwardRan))
            and any(True for _ in steps_after(trace, forward, built.key))
            for forward in trace.after(event, ForwardRan)
        )
        if trains:
            yield self._report(event, built, event.name, "is bound to another model", trace)

    def _check_attribute(self, event: AttributeWritten, trace: Trace) -> Iterator[Report]:
        """Report a copy of what was kept in another attribute, whatever that is by now."""
        if not isinstance(event.value, Unknown) or not event.loops or event.receiver_name is None:
            return
        call = next(trace.before(event, Called), None)
        if call is None or call.name != "copy.deepcopy" or call.call is not event.value_node:
            return
        old = _held_before(trace, event)
        built = None if old is None else _builder_of(trace, event, old)
        if old is None or built is None or all(part.key != old for part in built.parts):
            return
        stays = not any(
            each.attribute == event.attribute and not each.repeated
            for each in trace.after(event, AttributeWritten)
        )
        if stays and _trains_in_next_round(trace, event, built, old):
            label = f"{event.receiver_name}.{event.attribute}"
            yield self._report(event, built, label, "is bound to another model", trace)

    def _report(
        self, event: Event, built: OptimizerBuilt, label: str, what: str, trace: Trace
    ) -> Report:
        optimizer = trace.objects.optimizer(built.key).label or built.name
        return Report(
            trace.meeting_place(event, built),
            f"`{label}` {what} after `{optimizer}` was built: the optimizer holds the old "
            "parameters, and the new ones never train",
            "build the optimizer after this line, or add the new parameters with `add_param_group`",
            ((trace.meeting_place(built, event), f"`{optimizer}` is built here"),),
            about=About((label,)),
        )


def _comes_up_late(trace: Trace, event: NameRebound) -> bool:
    """Whether a name is bound anew for the first time when a loop has gone round once."""
    return not any(each.place.node is event.place.node for each in trace.before(event, NameRebound))


def _held_before(trace: Trace, event: AttributeWritten) -> int | None:
    """The module that an attribute of an object held until now."""
    for each in trace.before(event, AttributeWritten):
        if each.attribute == event.attribute and each.receiver == event.receiver:
            return each.value.key if isinstance(each.value, ModuleValue) else None
    return None


def _trains_in_next_round(trace: Trace, event: Event, built: OptimizerBuilt, old: int) -> bool:
    """Whether a loop, in which the old module was trained, goes on with the new one."""
    around = set(event.loops)
    if not around or around.intersection(built.loops) or leaves_its_loop(trace, event):
        return False
    if any(
        each.index > event.index or around.intersection(each.loops)
        for kind in (OptimizerBuilt, GroupAdded)
        for each in trace.all(kind)
    ):
        return False
    runs = [each for each in trace.before(event, ForwardRan) if each.key == old]
    runs_elsewhere = [each for each in trace.before(event, Borrowed) if old in each.keys]
    return any(
        around.intersection(run.loops)
        and run.grad_enabled is not False
        and any(
            around.intersection(step.loops) and built.key in step.keys
            for step in trace.between(run, event, Stepped)
        )
        for run in (*runs, *runs_elsewhere)
    )


def _is_of(trace: Trace, forward: ForwardRan, new: int) -> bool:
    """Whether the new module ran, or a part of it, or what may be it on another path."""
    return any(
        each == new or new in trace.objects.module(each).alternatives
        for each in trace.objects.holders(forward.key, forward.index)
    )


def _contains(trace: Trace, new: int, old: int, at: int) -> bool:
    return trace.objects.route(new, old, at) is not None


def _builder_of(trace: Trace, event: Event, key: int) -> OptimizerBuilt | None:
    """The latest optimizer that was built over a module before an event."""
    for built in trace.before(event, OptimizerBuilt):
        if trace.may_exclude(built, event) or is_listed_apart(trace, built, key, event):
            continue
        if any(trace.covers(part, key, built.index) for part in built.parts):
            return built
        if any(
            part.key == key or trace.objects.route(part.key, key, built.index) is not None
            for part in built.parts
        ):
            return built
    return None


def _is_left_out(trace: Trace, event: Event, built: OptimizerBuilt, new: int) -> bool:
    """Whether the optimizer goes on to step and never gets what is new."""
    if is_rebuilt(trace, event, Part(new), built.key):
        return False
    if any(True for _ in steps_after(trace, event, built.key)):
        return True
    return shares_activation(built, event) and is_handed_on(trace, event, built.key)
