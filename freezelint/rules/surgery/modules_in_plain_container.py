"""Modules are kept in a plain list or dict, where `parameters()` does not find them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    BackwardRan,
    Event,
    ForwardRan,
    GroupAdded,
    HandedOver,
    OptimizerBuilt,
    OutputDetached,
)
from freezelint.analysis.index import attribute_named
from freezelint.analysis.knowledge.torch import OPTIMIZER_CONSTRUCTIONS
from freezelint.analysis.objects import Origin
from freezelint.analysis.training import is_born_trainable, without_flag_tests
from freezelint.analysis.values import Part
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.objects import Hidden, ModuleObject
    from freezelint.analysis.trace import Trace

_REGISTERING = re.compile(r"add_module|register_module|setattr|__dict__|_modules")
"""Other ways in which a constructor may make its modules known."""


class ModulesInPlainContainer(Rule):
    """Finds modules in a plain list, tuple or dict of a module that is trained.

    What it does:
        Reports an attribute that keeps several modules in a list, tuple or dict, in a
        class whose `forward` uses them, where an optimizer is built from the
        `parameters()` of the whole and gets theirs in no other way.

    Why is this bad:
        Only modules that are attributes themselves, or sit in an `nn.ModuleList`,
        `nn.ModuleDict` or `nn.Sequential`, are registered. The others are not trained,
        not frozen, not moved to the device, not saved and not switched to evaluation,
        without a message (on a GPU the first call fails).

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class TwoBranches(nn.Module):
            def __init__(self, left, right):
                super().__init__()
                self.branches = [left, right]  # expect: FZ606
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(torch.cat([branch(x).relu() for branch in self.branches], 1))


        left, right = nn.Linear(16, 16), nn.Linear(16, 16)
        model = TwoBranches(left, right)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

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


        class TwoBranches(nn.Module):
            def __init__(self, left, right):
                super().__init__()
                self.branches = nn.ModuleList([left, right])
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(torch.cat([branch(x).relu() for branch in self.branches], 1))


        left, right = nn.Linear(16, 16), nn.Linear(16, 16)
        model = TwoBranches(left, right)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        A single module in a list (a teacher that is hidden on purpose), attributes that
        begin with an underscore, modules that are registered as well (`add_module`,
        `setattr`, another attribute, an `nn.Sequential` of the same list), frozen ones
        and those that run without gradients, parameters that an optimizer gets
        separately, and collections that anything but the constructor and `forward`
        works with.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html
        https://github.com/pytorch/pytorch/issues/59925
        https://github.com/ikostrikov/pytorch-meta-optimizer/issues/11
    """

    code = "FZ606"
    name = "modules-in-plain-container"
    level = Level.WARNING
    claims = (Claim("dead", "left.*"),)
    triggers = (("parameters(",), ("Module",), ("def forward",))
    trigger_patterns = (
        OPTIMIZER_CONSTRUCTIONS,
        (r"self\.[a-z]\w*(?:: [^=\n]+)? = (?:\[|\{|\(|list\(|dict\(|tuple\()",),
    )
    fixable = False
    events = ("OptimizerBuilt",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report modules that an optimizer is meant to get and that are out of its sight."""
        assert isinstance(event, OptimizerBuilt)
        if not event.complete:
            return
        for owner in trace.objects.modules():
            if not owner.hidden or not any(
                trace.covers(without_flag_tests(part), owner.key, event.index)
                for part in event.parts
            ):
                continue
            for attribute, hidden in owner.hidden.items():
                if not _is_worked_with(trace, owner, attribute) and _is_left_out(
                    trace, event, owner, hidden
                ):
                    yield self._report(event, attribute, hidden, trace)

    def _report(
        self, event: OptimizerBuilt, attribute: str, hidden: Hidden, trace: Trace
    ) -> Report:
        optimizer = trace.objects.optimizer(event.key).label or event.name
        return Report(
            hidden.place,
            f"`{attribute}` is a plain {hidden.kind}: the modules in it are not registered, and "
            f"`{event.label}` does not hold their parameters, so they never train",
            f"use `nn.Module{hidden.kind.capitalize()}`",
            ((event.place, f"`{optimizer}` is built here"),),
        )


def _is_worked_with(trace: Trace, owner: ModuleObject, attribute: str) -> bool:
    """Whether anything is done with a collection but to fill it and to run what is in it."""
    if owner.owner_class is None or attribute.startswith("_"):
        return True
    methods = owner.owner_class.definition.methods
    if "__init__" not in methods or "forward" not in methods:
        return True
    constructor, forward = methods["__init__"].text, methods["forward"].text
    mention = attribute_named(attribute)
    filled = len(
        re.findall(
            rf"self\.{attribute}(?:(?:: [^=\n]+)? = |\.append\(|\[[^\]\n]*\] = )", constructor
        )
    )
    run = len(re.findall(mention, forward))
    if run == 0 or filled < len(re.findall(mention, constructor)):
        return True
    return trace.file.mentions_attribute(attribute) > filled + run or (
        _REGISTERING.search(constructor) is not None
    )


def _is_left_out(trace: Trace, event: OptimizerBuilt, owner: ModuleObject, hidden: Hidden) -> bool:
    """Whether trainable modules take part in the training, and no optimizer has them."""
    if len(hidden.keys) < 2 and not hidden.are_many:
        return False
    if not all(_is_built_to_train(trace, key, event.index) for key in hidden.keys):
        return False
    if any(trace.objects.module(key).attachments for key in hidden.keys):
        return False
    if any(trace.is_frozen(Part(key), event.index, event.path) for key in hidden.keys):
        return False
    return not _is_in_other_hands(trace, event, owner, hidden) and _trains(
        trace, event, owner, hidden
    )


def _is_built_to_train(trace: Trace, key: int, at: int) -> bool:
    """Whether this is a new layer, and no network that somebody trained before."""
    module = trace.objects.module(key)
    is_own = module.origin is Origin.OWN_CLASS
    is_layer = module.origin is Origin.BUILT and (module.library or "").startswith("torch.nn.")
    return (is_own or is_layer) and is_born_trainable(trace, key, at)


def _is_in_other_hands(
    trace: Trace, event: OptimizerBuilt, owner: ModuleObject, hidden: Hidden
) -> bool:
    """Whether an optimizer has the modules after all, or code out of sight may see to it."""
    takers: list[OptimizerBuilt | GroupAdded] = [
        *trace.all(OptimizerBuilt),
        *trace.all(GroupAdded),
    ]
    if any(part.key in hidden.keys for each in takers for part in each.parts):
        return True
    if any(not added.complete for added in trace.after(event, GroupAdded)):
        return True
    return any(
        key in hidden.keys or trace.related(key, owner.key, each.index)
        for each in trace.before(event, HandedOver)
        if each.index >= owner.born
        for key in each.keys
    )


def _trains(trace: Trace, event: OptimizerBuilt, owner: ModuleObject, hidden: Hidden) -> bool:
    """Whether the owner runs with gradients on, and its hidden modules with it."""
    if any(set(hidden.keys) & set(each.keys) for each in trace.all(OutputDetached)):
        return False
    runs = list(trace.after(event, ForwardRan))
    own = [each for each in runs if each.key in hidden.keys]
    around = [
        each for each in runs if trace.objects.route(each.key, owner.key, each.index) is not None
    ]
    return any(
        each.grad_enabled is True and any(True for _ in trace.after(each, BackwardRan))
        for each in own or around
    )
