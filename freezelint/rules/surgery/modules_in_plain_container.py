"""Modules are kept in a plain list or dict, where `parameters()` does not find them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    BackwardRan,
    Event,
    FlagWritten,
    ForwardRan,
    GroupAdded,
    HandedOver,
    ModulesHidden,
    OptimizerBuilt,
    OutputDetached,
    SubmoduleReplaced,
)
from freezelint.analysis.knowledge.patterns import OPTIMIZER_CONSTRUCTIONS
from freezelint.analysis.objects import Origin
from freezelint.analysis.plain_collections import is_worked_with
from freezelint.analysis.predicates import NameTest
from freezelint.analysis.search import LinePattern
from freezelint.analysis.trainability import has_no_parameters, is_born_trainable
from freezelint.analysis.training import without_flag_tests
from freezelint.analysis.values import Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.definitions import ClassDefinition
    from freezelint.analysis.objects import Hidden, ModuleObject
    from freezelint.analysis.trace import Trace

_SEES_TO_THEM = re.compile(
    r"\bdef (?:named_)?(?:parameters|modules|children)\b|\bdef (?:state_dict|_apply|to|cuda|train)\b"
    r"|parameters\(|load_state_dict|requires_grad|no_grad|inference_mode|\.eval\(|deepcopy"
)
"""What a class may hold that trains its modules in a way of its own, or does not want to."""

_FILLED_WITH_LAYERS = tuple(
    LinePattern(
        empty,
        r"[^\n]*self\.(?P<list>[a-z]\w*) ?= ?(?:\[\]|list\(\))\n(?:[^\n]*\n){0,12}?"
        r"[^\n]*self\.(?P=list)\.append\((?:torch\.)?nn\.[A-Z]",
    )
    for empty in ("= []\n", "=[]\n", "list()\n")
)
"""An empty list that layers are appended to, a few lines below."""


_KEPT_AS_FILLED = (
    r"= \[\]\n(?:[^\n]*\n){0,10}?[ \t]*(?P<filled>[a-z]\w*)\.append\((?!\()[^\n]*\n"
    r"(?:[^\n]*\n){0,4}?[ \t]*self\.[a-z]\w* = (?P=filled)\n"
)
"""A list that is filled and then kept as it is."""

_HOLDS_LAYERS = r"[ \t]*self\.[a-z]\w* ?= ?\[(?:torch\.)?nn\.[A-Z]"


class ModulesInPlainContainer(Rule):
    """Finds modules in a plain list, tuple or dict of a module that is trained.

    What it does:
        Reports an attribute that keeps several modules in a list, tuple or dict, in a
        class whose `forward` uses them, where an optimizer is built from the
        `parameters()` of the whole and gets theirs in no other way, or where the whole is
        frozen and takes part in the training. In a file that knows no optimizer, as those with
        nothing but models do, the class is enough.

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
        works with. Without an optimizer in sight also classes with a base other than
        `nn.Module`, with `parameters()` or the like of their own, and with anything that
        does without gradients.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html
        https://github.com/pytorch/pytorch/issues/59925
        https://github.com/ikostrikov/pytorch-meta-optimizer/issues/11
    """

    code = "FZ606"
    name = "modules-in-plain-container"
    level = Level.WARNING
    claims = (Claim("dead", "left.*"),)
    triggers = (
        ("parameters(", "= [nn.", "=[nn.", "append(nn.", "= [torch.nn.", "append(torch.nn."),
        ("Module",),
        ("def forward",),
    )
    trigger_patterns = (
        (
            *OPTIMIZER_CONSTRUCTIONS,
            *(
                LinePattern(word, _HOLDS_LAYERS, unless=r"\.add_module\(")
                for word in ("[nn.", "[torch.nn.")
            ),
            *_FILLED_WITH_LAYERS,
        ),
        (
            *(
                LinePattern(f"={space}{word}", rf"[^\n]*self\.[a-z]\w*(?:: [^=\n]+)? ?= ?\{word}")
                for word in ("[", "{", "(")
                for space in (" ", "")
            ),
            *(
                LinePattern(word, rf"[^\n]*self\.[a-z]\w*(?:: [^=\n]+)? ?= ?[\w.]*{word}\(")
                for word in ("list", "dict", "Dict", "tuple")
            ),
            # A method that makes the list.
            r"= \[\]\n(?:[^\n]*\n){1,12}? +return [a-z]\w*\n",
            r"return \[(?:\w+\.)*[A-Z]\w*\([^\n]*\bfor ",
            _KEPT_AS_FILLED,
        ),
    )
    reads_classes = True
    events = ("OptimizerBuilt", "FlagWritten", "ModulesHidden")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report modules that an optimizer is meant to get and that are out of its sight."""
        if isinstance(event, ModulesHidden):
            yield from self._check_class(event, trace)
            return
        if isinstance(event, FlagWritten):
            yield from self._check_freeze(event, trace)
            return
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
                if not is_worked_with(trace, owner, attribute) and _is_left_out(
                    trace, event, owner, hidden
                ):
                    yield self._report(event, attribute, hidden, trace)

    def _check_freeze(self, event: FlagWritten, trace: Trace) -> Iterator[Report]:
        if event.value is not False or not event.certain or event.repeated:
            return
        for owner in _owners_below(trace, event):
            for attribute, hidden in owner.hidden.items():
                if (
                    _is_meant(trace, event, owner, attribute)
                    and not is_worked_with(trace, owner, attribute)
                    and _escapes(trace, event, owner, hidden)
                ):
                    yield Report(
                        hidden.place,
                        f"`{attribute}` is a plain {hidden.kind}: the modules in it are not "
                        f"registered, and the freeze of `{trace.objects.label(owner.key)}` "
                        "does not reach them",
                        f"use `nn.Module{hidden.kind.capitalize()}`",
                        ((event.place, "frozen here"),),
                    )

    def _check_class(self, event: ModulesHidden, trace: Trace) -> Iterator[Report]:
        owner = trace.objects.module(event.owner)
        if owner.owner_class is None or _SEES_TO_THEM.search(owner.owner_class.definition.text):
            return
        if any(map(trace.file.mentions, ("optim", "optimizer", "optimizers"))):
            # There, what the optimizers get decides.
            return
        for attribute, hidden in owner.hidden.items():
            if (
                _are_unregistered_layers(trace, event, hidden)
                and not is_worked_with(trace, owner, attribute)
                and _run_with_gradients(trace, owner.owner_class.definition, hidden)
            ):
                yield Report(
                    hidden.place,
                    f"`{attribute}` is a plain {hidden.kind}: the modules in it are not "
                    f"registered, and `parameters()` of `{owner.owner_class.definition.name}` "
                    "leaves them out",
                    f"use `nn.Module{hidden.kind.capitalize()}`",
                )

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
            about=About((f"self.{attribute}", f"{event.label}.{attribute}")),
        )


def _owners_below(trace: Trace, freeze: FlagWritten) -> Iterator[ModuleObject]:
    """What was frozen as a whole, and all in it, with their collections looked into."""
    for owner in list(trace.objects.modules()):
        if owner.owner_class is None or owner.is_subject or owner.born > freeze.index:
            continue
        if any(
            part.key == owner.key or trace.covers(part, owner.key, freeze.index)
            for part in freeze.parts
        ):
            trace.look_inside(owner.key)
            if owner.hidden:
                yield owner


def _is_meant(trace: Trace, freeze: FlagWritten, owner: ModuleObject, attribute: str) -> bool:
    """Whether a freeze, perhaps by name, would reach what an attribute holds if it could."""
    return any(
        trace.covers(part, owner.key, freeze.index)
        or (
            part.key == owner.key
            and all(
                isinstance(test, NameTest) and test.decide(attribute) is True
                for test in part.predicate
            )
        )
        for part in freeze.parts
    )


def _escapes(trace: Trace, freeze: FlagWritten, owner: ModuleObject, hidden: Hidden) -> bool:
    """Whether a frozen module goes on to train with modules that no freeze reached."""
    is_touched = any(
        trace.parts_overlap(part, Part(key), write.index)
        for write in trace.all(FlagWritten)
        for part in write.parts
        for key in hidden.keys
    )
    takers = trace.all(OptimizerBuilt)
    return (
        not is_touched
        and bool(takers)
        and _are_unregistered(trace, freeze, hidden)
        and not _is_in_other_hands(trace, freeze, owner, hidden)
        and _trains(trace, freeze, owner, hidden)
    )


def _is_left_out(trace: Trace, event: OptimizerBuilt, owner: ModuleObject, hidden: Hidden) -> bool:
    """Whether trainable modules take part in the training, and no optimizer has them."""
    return (
        _are_unregistered_layers(trace, event, hidden)
        and not _is_in_other_hands(trace, event, owner, hidden)
        and _trains(trace, event, owner, hidden)
    )


def _are_unregistered_layers(trace: Trace, event: Event, hidden: Hidden) -> bool:
    """Whether several new layers are nobody's submodules, and no networks trained before.

    One that was trained before counts if it has a new layer, which is to be trained.
    """
    return _are_unregistered(trace, event, hidden) and all(
        has_no_parameters(trace, key)
        or _is_layer(trace, key)
        or any(
            _is_new_layer_in(trace, change, key)
            for change in trace.before(event, SubmoduleReplaced)
        )
        for key in hidden.keys
    )


def _is_new_layer_in(trace: Trace, change: SubmoduleReplaced, key: int) -> bool:
    return (
        change.new is not None
        and _is_layer(trace, change.new)
        and trace.objects.route(key, change.new, change.index) is not None
        and is_born_trainable(trace, change.new, change.index)
    )


def _are_unregistered(trace: Trace, event: Event, hidden: Hidden) -> bool:
    """Whether several modules that are trainable from the start are nobody's submodules."""
    keys = [key for key in hidden.keys if not has_no_parameters(trace, key)]
    if not keys or (len(keys) < 2 and not hidden.are_many):
        return False
    return all(
        is_born_trainable(trace, key, event.index)
        and not trace.objects.module(key).attachments
        and not trace.is_frozen(Part(key), event.index, event.path)
        for key in keys
    )


def _run_with_gradients(trace: Trace, definition: ClassDefinition, hidden: Hidden) -> bool:
    """Whether modules are called where gradients are on, and what they return is not cut off.

    Calls of elements by number are not known; then no tensor of the class may be cut off.
    """
    keys = set(hidden.keys)
    calls = [each for each in trace.all(ForwardRan) if each.key in keys]
    if not calls:
        return re.search(r"detach|\.data\b", definition.methods["forward"].text) is None
    return all(each.grad_enabled is True for each in calls) and not any(
        keys & set(each.keys) for each in trace.all(OutputDetached)
    )


def _is_layer(trace: Trace, key: int) -> bool:
    module = trace.objects.module(key)
    is_library = module.origin is Origin.BUILT and (module.library or "").startswith("torch.nn.")
    return module.origin is Origin.OWN_CLASS or is_library


def _is_in_other_hands(
    trace: Trace, event: OptimizerBuilt | FlagWritten, owner: ModuleObject, hidden: Hidden
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
        if each.index >= owner.born and not each.is_over
        for key in each.keys
    )


def _trains(
    trace: Trace, event: OptimizerBuilt | FlagWritten, owner: ModuleObject, hidden: Hidden
) -> bool:
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
