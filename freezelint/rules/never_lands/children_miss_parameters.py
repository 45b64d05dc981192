"""A freeze goes over `children()`, which leaves out the parameters that the model owns itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.architectures import known_place, own_parameters
from freezelint.analysis.events import Event, FlagWritten, MethodCalled, OptimizerBuilt
from freezelint.analysis.knowledge.patterns import FREEZES, OPTIMIZER_CONSTRUCTIONS
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import OF_CHILDREN, SOME, AllButLast, NameTest, is_total
from freezelint.analysis.search import attribute_named
from freezelint.analysis.training import (
    may_be_unknown,
    steps_after,
    without_flag_tests,
)
from freezelint.analysis.values import ModuleValue, Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.predicates import Predicate
    from freezelint.analysis.trace import Trace


class ChildrenMissParameters(Rule):
    """Finds a freeze by `children()` of a model that owns parameters of its own.

    What it does:
        Reports a freeze of everything that `children()` or `named_children()` yields,
        where the model has parameters directly, such as the class token and the
        position embedding of a vision transformer, that an optimizer then trains. The
        model is a known architecture, or of a class in sight with its weights loaded.

    Why is this bad:
        `children()` yields submodules. A parameter that is an attribute of the model
        itself is in none of them, so it keeps its flag and goes on training, while
        everything around it was meant to stay as it was pretrained.

    Bad:
        import torch
        from torch import nn


        class VisionTransformer(nn.Module):
            def __init__(self, classes):
                super().__init__()
                self.cls_token = nn.Parameter(torch.zeros(1, 1, 32))
                self.patches = nn.Conv2d(3, 32, kernel_size=8, stride=8)
                self.block = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
                self.head = nn.Linear(32, classes)

            def forward(self, images):
                patches = self.patches(images).flatten(2).transpose(1, 2)
                token = self.cls_token.expand(len(images), -1, -1)
                return self.head(self.block(torch.cat([token, patches], dim=1))[:, 0])


        torch.manual_seed(0)
        pretrained = VisionTransformer(100).state_dict()
        model = VisionTransformer(100)
        model.load_state_dict(pretrained)
        for child in model.children():  # expect: FZ116
            child.requires_grad_(False)
        model.head = nn.Linear(32, 4)

        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-3)
        images, labels = torch.randn(16, 3, 32, 32), torch.randint(4, (16,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn


        class VisionTransformer(nn.Module):
            def __init__(self, classes):
                super().__init__()
                self.cls_token = nn.Parameter(torch.zeros(1, 1, 32))
                self.patches = nn.Conv2d(3, 32, kernel_size=8, stride=8)
                self.block = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
                self.head = nn.Linear(32, classes)

            def forward(self, images):
                patches = self.patches(images).flatten(2).transpose(1, 2)
                token = self.cls_token.expand(len(images), -1, -1)
                return self.head(self.block(torch.cat([token, patches], dim=1))[:, 0])


        torch.manual_seed(0)
        pretrained = VisionTransformer(100).state_dict()
        model = VisionTransformer(100)
        model.load_state_dict(pretrained)
        model.requires_grad_(False)
        model.head = nn.Linear(32, 4)

        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-3)
        images, labels = torch.randn(16, 3, 32, 32), torch.randint(4, (16,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Models without parameters of their own, own parameters that are frozen by
        another write or made with `requires_grad=False`, that are named beside the
        model (a prompt that is tuned on purpose), that no optimizer gets, classes
        whose weights are not loaded or with `strict=False`, and freezes of some
        children only.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.children
        https://docs.pytorch.org/vision/stable/models/vision_transformer.html
    """

    code = "FZ116"
    name = "children-miss-parameters"
    level = Level.WARNING
    claims = (Claim("moves", "model.cls_token"),)
    triggers = (
        ("requires_grad",),
        ("children(",),
        ("step(", "configure_optimizers"),
    )
    trigger_patterns = (FREEZES, OPTIMIZER_CONSTRUCTIONS)
    events = ("FlagWritten",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a freeze of all children where an optimizer trains what is no child."""
        assert isinstance(event, FlagWritten)
        if event.value is not False or not event.certain or event.repeated:
            return
        for part in event.parts:
            if not _is_all_children(part.predicate):
                continue
            built = _trained_by(trace, event, part.key)
            if built is None:
                continue
            missed = _missed(trace, event, part.key, built)
            if missed:
                listed = next(_listings(trace, event, part.key), event)
                yield Report(
                    trace.meeting_place(listed, built),
                    f"`children()` leaves out what `{trace.objects.label(part.key)}` owns "
                    f"itself: {_listed(missed)} {'stays' if len(missed) == 1 else 'stay'} trainable",
                    "call `requires_grad_(False)` on the model, and unfreeze what is to train",
                    ((trace.meeting_place(built, event), "this optimizer trains it"),),
                    about=About(
                        tuple(f"{trace.objects.label(part.key)}.{name}" for name in missed)
                    ),
                )
                return


def _listings(trace: Trace, freeze: FlagWritten, key: int) -> Iterator[MethodCalled]:
    """The calls that yielded the children, the latest first."""
    for call in trace.before(freeze, MethodCalled):
        if call.name in ("children", "named_children") and call.receiver == ModuleValue(key):
            yield call


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _is_all_children(predicate: Predicate) -> bool:
    """Whether all children are meant, but for some that are named, or for the last ones."""
    but_last = any(isinstance(atom, AllButLast) for atom in predicate)
    return OF_CHILDREN in predicate and all(
        atom == OF_CHILDREN
        or isinstance(atom, AllButLast)
        or (but_last and atom == SOME)
        or (isinstance(atom, NameTest) and atom.kind == "child" and atom.negated)
        for atom in predicate
    )


def _trained_by(trace: Trace, freeze: FlagWritten, key: int) -> OptimizerBuilt | None:
    """An optimizer over the whole model, by flag or not, that steps after the freeze."""
    for built in trace.all(OptimizerBuilt):
        takes_all = any(
            is_total(without_flag_tests(part).predicate)
            and OF_CHILDREN not in part.predicate
            and trace.objects.route(part.key, key, built.index) is not None
            for part in built.parts
        )
        later = max(built, freeze, key=lambda each: each.index)
        if takes_all and any(True for _ in steps_after(trace, later, built.key)):
            return None if may_be_unknown(trace, Part(key), freeze, built) else built
    return None


def _missed(trace: Trace, freeze: FlagWritten, key: int, built: OptimizerBuilt) -> tuple[str, ...]:
    """The parameters that a model owns itself and that nothing freezes."""
    if _is_written_otherwise(trace, freeze, key):
        return ()
    if known_place(trace, key) is not None:
        names = own_parameters(trace, key, freeze.index) or ()
        return () if any(map(trace.file.mentions, names)) else names
    module = trace.objects.module(key)
    loaded = _loaded_at(trace, key, built)
    if loaded is None or loaded > freeze.index or module.is_subject:
        # What is loaded after the freeze may be what was trained so far.
        return ()
    names = own_parameters(trace, key, loaded) or ()
    return () if _are_meant_to_train(trace, module, names) else names


def _are_meant_to_train(trace: Trace, module: ModuleObject, names: tuple[str, ...]) -> bool:
    """Whether the class itself goes over its children, or others speak of what it owns besides."""
    if module.owner_class is None:
        return False
    inside = module.owner_class.definition.text
    return "children()" in inside or any(
        trace.file.mentions_attribute(name) > len(re.findall(attribute_named(name), inside))
        for name in names
    )


def _is_written_otherwise(trace: Trace, freeze: FlagWritten, key: int) -> bool:
    """Whether another write than one over children may reach what a module owns itself."""
    return any(
        OF_CHILDREN not in part.predicate and _reaches_own(trace, part.key, key, write.index)
        for write in trace.all(FlagWritten)
        if write is not freeze
        for part in write.parts
    )


def _reaches_own(trace: Trace, written: int, key: int, at: int) -> bool:
    if trace.objects.route(written, key, at) is not None:
        return True
    is_parameter = trace.objects.module(written).origin is Origin.PARAMETER
    return is_parameter and trace.objects.route(key, written, at) is not None


def _loaded_at(trace: Trace, key: int, until: Event) -> int | None:
    """When all weights of a model were loaded; None if they were not, or perhaps not all."""
    for each in trace.objects.holders(key, until.index):
        module = trace.objects.module(each)
        if module.loaded is not None and module.loaded < until.index:
            return module.loaded if module.loads_all else None
    return None
