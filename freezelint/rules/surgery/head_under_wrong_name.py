"""A new head is put under an attribute that the model never reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.architectures import KnownPlace, known_place
from freezelint.analysis.events import (
    Event,
    ForwardRan,
    GroupAdded,
    OptimizerBuilt,
    SubmoduleReplaced,
)
from freezelint.analysis.knowledge.patterns import (
    OPTIMIZER_CONSTRUCTIONS,
    OPTIMIZER_WORDS_OR_NAMES,
    TRAINER_CALL,
)
from freezelint.analysis.knowledge.shapes import Heads, heads_of
from freezelint.analysis.library_events import TrainerStarted
from freezelint.analysis.objects import Origin
from freezelint.analysis.trainability import is_born_trainable
from freezelint.analysis.training import may_be_unknown, steps_after
from freezelint.analysis.values import Constant, Part, TypedValue
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace

_CHOSEN_BY_NAME = {
    "torchvision.models.get_model": "torchvision.models",
    "timm.create_model": "timm",
}
"""What builds a model by its name, and what the models of it are known by."""

_NEW = (Origin.BUILT, Origin.OWN_CLASS)


class HeadUnderWrongName(Rule):
    """Finds a new module under an attribute that the known model does not have.

    What it does:
        Reports a module that is assigned to an attribute of a known model
        under which that architecture holds nothing (`model.classifier` of a ResNet,
        whose head is `fc`), when an optimizer trains the new module and the model is
        called as a whole.

    Why is this bad:
        A module accepts any attribute. The forward of the model reads the names that it
        was written with, so the new head takes no part in it: the old one computes the
        output, the new one gets no gradient and stays at its random weights. The
        optimizer skips it without a word.

    Bad:
        import torch
        from torch import nn
        from torchvision.models import shufflenet_v2_x0_5

        torch.manual_seed(0)
        model = shufflenet_v2_x0_5(weights=None)
        model.classifier = nn.Linear(1024, 4)  # expect: FZ609
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

        images, labels = torch.randn(8, 3, 64, 64), torch.randint(4, (8,))
        model.train()
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn
        from torchvision.models import shufflenet_v2_x0_5

        torch.manual_seed(0)
        model = shufflenet_v2_x0_5(weights=None)
        model.fc = nn.Linear(1024, 4)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

        images, labels = torch.randn(8, 3, 64, 64), torch.randint(4, (8,))
        model.train()
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Attributes that the architecture has, attributes that the file computes with
        (`model.classifier(features)`), a `forward` that is exchanged, modules that no
        optimizer gets, and models that are no known architecture, that were built with
        other layers, or that went through code out of sight.

    References:
        https://docs.pytorch.org/vision/stable/models.html
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    code = "FZ609"
    name = "head-under-wrong-name"
    level = Level.ERROR
    claims = (Claim("dead", "model.classifier.*", instead="model.fc.*"),)
    triggers = (
        ("torchvision", "timm", "transformers"),
        (*OPTIMIZER_WORDS_OR_NAMES, "train("),
        ("step(", "configure_optimizers", "train("),
    )
    trigger_patterns = (
        (*OPTIMIZER_CONSTRUCTIONS, TRAINER_CALL),
        (
            r"setattr\(",
            r"add_module\(",
            r"register_module\(",
            # What another assignment than one of a number or a text may put there.
            r"\.(?<!self\.)(?!requires_grad|grad|data|training)[a-z_]\w* = (?!True|False|None)[\w(]",
        ),
    )
    events = ("SubmoduleReplaced",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a trained module under an attribute that nothing reads."""
        assert isinstance(event, SubmoduleReplaced)
        if event.new is None or event.repeated:
            return
        new = trace.objects.module(event.new)
        place = (event.parent, event.attribute)
        if new.origin not in _NEW or any(each[:2] != place for each in new.attachments):
            # What hangs elsewhere too is only called by one more name.
            return
        heads = _heads_of_another_name(trace, event)
        if heads is None:
            return
        if not is_born_trainable(trace, event.new, event.index):
            return
        built = _trained_by(trace, event, event.new)
        if built is None or not _runs_whole(trace, event):
            return
        if trace.file.computes_with(event.attribute):
            return
        named = " and ".join(f"`{head}`" for head in heads.names)
        has = f"its head is {named}" if len(heads.names) == 1 else f"its heads are {named}"
        yield Report(
            trace.meeting_place(event, built),
            f"`{heads.title}` has no `{event.attribute}`, {has}: nothing calls the new module, "
            "and it never trains",
            f"assign it to {named}",
            ((trace.meeting_place(built, event), "this optimizer is to train it"),),
            about=About((event.label,)),
        )


def _heads_of_another_name(trace: Trace, event: SubmoduleReplaced) -> Heads | None:
    """The heads of a known model that has nothing under the attribute that is assigned."""
    place = known_place(trace, event.parent)
    if place is not None:
        is_unknown = not place.path and _is_unknown_to(place, event.attribute)
        return Heads(place.title, place.heads) if is_unknown else None
    model = trace.objects.module(event.parent)
    given = model.arguments
    if model.origin is not Origin.BUILT or given is None or "trust_remote_code" in given.keywords:
        return None
    asked = next(iter(given.positional), None)
    package = _CHOSEN_BY_NAME.get(model.library or "")
    if isinstance(asked, TypedValue) and package is not None:
        return None if event.path else _heads_by_default(package, asked, event.attribute)
    name = asked.value if isinstance(asked, Constant) else None
    heads = heads_of(model.library or "", name)
    is_unknown = heads is not None and event.attribute not in heads.taken
    return heads if is_unknown and event.attribute.isidentifier() else None


def _heads_by_default(package: str, option: TypedValue, attribute: str) -> Heads | None:
    """The heads of the model that an option names where nobody sets it.

    Where another model is to get another attribute, the code asks for it.
    """
    text = "" if option.default is None else str(option.default.value)
    place = KnownPlace(f"{package}.{text.partition('.')[0]}")
    return Heads(place.title, place.heads) if _is_unknown_to(place, attribute) else None


def _is_unknown_to(place: KnownPlace, attribute: str) -> bool:
    names, own = place.submodule_names, place.own_parameters
    if names is None or own is None or not place.heads:
        return False
    return attribute.isidentifier() and attribute not in names and attribute not in own


def _trained_by(trace: Trace, event: SubmoduleReplaced, new: int) -> Event | None:
    """An optimizer that gets the new module and steps."""
    got: list[tuple[OptimizerBuilt | GroupAdded, tuple[int, ...]]] = [
        *((built, (built.key,)) for built in trace.after(event, OptimizerBuilt)),
        *((added, added.keys) for added in trace.after(event, GroupAdded)),
    ]
    for each, keys in got:
        steps = any(True for key in keys for _ in steps_after(trace, each, key))
        if steps and any(
            trace.parts_overlap(part, Part(new), each.index)
            or _is_in_one_of_several(trace, event, part)
            for part in each.parts
        ):
            return each
    for started in trace.after(event, TrainerStarted):
        if trace.objects.route(started.key, new, started.index) is not None:
            return started
    return None


def _is_in_one_of_several(trace: Trace, event: SubmoduleReplaced, part: Part) -> bool:
    """Whether a part is one of several models, or what each has under the same attribute."""
    module = trace.objects.module(part.key)
    if module.parent is not None and module.attribute == event.attribute:
        module = trace.objects.module(module.parent)
    return event.parent in module.alternatives


def _runs_whole(trace: Trace, event: SubmoduleReplaced) -> bool:
    """Whether the model, or something around it, is called, and stayed in sight until then."""
    runs: list[TrainerStarted | ForwardRan] = [*trace.after(event, TrainerStarted)]
    runs += trace.after(event, ForwardRan)
    for run in runs:
        is_one_of_several = event.parent in trace.objects.module(run.key).alternatives
        if is_one_of_several or trace.objects.route(run.key, event.parent, run.index) is not None:
            return not may_be_unknown(trace, Part(event.parent), event, run)
    return False
