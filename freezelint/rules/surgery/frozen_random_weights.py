"""A model that was built without weights is frozen, and only its new head trains."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    Event,
    FlagWritten,
    HandedOver,
    MethodCalled,
    OptimizerBuilt,
    ParametersReplaced,
    Stepped,
)
from freezelint.analysis.knowledge.patterns import (
    FREEZES,
    OPTIMIZER_CONSTRUCTIONS,
    TRAINER_CALL,
)
from freezelint.analysis.library_events import TrainerStarted
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import NameTest, is_total
from freezelint.analysis.random_backbones import heads_on, made_as, model_without_weights
from freezelint.analysis.training import steps_after
from freezelint.analysis.values import ModuleValue, ParameterValue, Part, TensorValue
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.predicates import Predicate
    from freezelint.analysis.trace import Trace

_LOADING = "load_state_dict"
_LOADED = r"(?<![\w.])([\w.]+)\.load_state_dict\("

_LOADING_WORDS = (
    *("load_checkpoint", "load_model", "load_weights", "load_pretrained"),
    *("load_from_checkpoint", "copy_", "set_model_state_dict", "load_safetensors"),
)
"""Where one of these stands in a file, weights may get into a model that nothing else shows."""


class FrozenRandomWeights(Rule):
    """Finds a backbone that is frozen at the weights that its constructor drew.

    What it does:
        Reports a model of torchvision or timm that is built without pretrained weights, or
        one of transformers that is built from a configuration, and then frozen but for its
        head, where a head in it or on top of it trains and no weights are loaded into it in
        between, or anywhere in the file but after the training.

    Why is this bad:
        The head learns on features of random layers. The loss goes down, the script
        ends, and the result is far below what the pretrained model gives. torchvision
        and timm load nothing unless they are told to, and a configuration of
        transformers describes a model, but holds no weights.

    Bad:
        import torch
        from torch import nn
        from torchvision.models import squeezenet1_1

        torch.manual_seed(0)
        model = squeezenet1_1(weights=None)  # expect: FZ608
        model.requires_grad_(False)
        model.classifier[1] = nn.Conv2d(512, 4, kernel_size=1)

        optimizer = torch.optim.AdamW(model.classifier.parameters(), lr=1e-3)
        images, labels = torch.randn(8, 3, 64, 64), torch.randint(4, (8,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import tempfile
        from pathlib import Path

        import torch
        from torch import nn
        from torchvision.models import squeezenet1_1

        # Stands for a checkpoint that somebody has trained.
        checkpoint = Path(tempfile.mkdtemp()) / "squeezenet.pt"
        generator = torch.Generator().manual_seed(1)
        names = squeezenet1_1(weights=None).state_dict()
        trained = {
            name: 0.05 * torch.randn(tensor.shape, generator=generator)
            for name, tensor in names.items()
        }
        torch.save(trained, checkpoint)

        torch.manual_seed(0)
        model = squeezenet1_1(weights=None)
        model.load_state_dict(torch.load(checkpoint))
        model.requires_grad_(False)
        model.classifier[1] = nn.Conv2d(512, 4, kernel_size=1)

        optimizer = torch.optim.AdamW(model.classifier.parameters(), lr=1e-3)
        images, labels = torch.randn(8, 3, 64, 64), torch.randint(4, (8,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Weights that are loaded, copied or may be loaded by code out of sight, models
        that are unfrozen later, frozen networks that are targets of another one and
        have no head of their own that trains, parts that are frozen alone, models of a
        size of their own (`BertConfig(hidden_size=64)`), code that only builds models,
        and tests.

    References:
        https://docs.pytorch.org/vision/stable/models.html
        https://github.com/zshn25/DINOv2_mmseg/issues/1
    """

    code = "FZ608"
    name = "frozen-random-weights"
    level = Level.WARNING
    claims = (Claim("random", "model.features.*weight"),)
    triggers = (
        ("requires_grad",),
        ("torchvision", "timm", "transformers"),
        ("step(", "Trainer("),
    )
    trigger_patterns = (FREEZES, (*OPTIMIZER_CONSTRUCTIONS, TRAINER_CALL))
    events = ("FlagWritten",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a freeze of a whole model that nobody gave weights."""
        assert isinstance(event, FlagWritten)
        if event.value is not False or not event.certain or event.repeated:
            return
        if any(scope.startswith("test") for scope in event.scopes):
            return
        for part in event.parts:
            if not _is_all_but_named(part.predicate):
                continue
            model = model_without_weights(trace, part.key)
            if model is None:
                continue
            head = _trained_head(trace, event, part, model.key)
            made = made_as(trace, model)
            if head is None or any(
                _may_get_weights(trace, each.key, head) for each in (model, *made)
            ):
                continue
            if _is_unfrozen(trace, event, part):
                continue
            yield Report(
                made[0].place or event.place,
                f"`{trace.objects.label(part.key)}` is built without weights and then frozen: it "
                "stays as its constructor drew it, and only its head trains",
                "build it with pretrained weights, or load some before freezing",
                (
                    (trace.meeting_place(event, head), "frozen here"),
                    (trace.meeting_place(head, event), "the head is trained from here"),
                ),
            )
            return


def _is_all_but_named(predicate: Predicate) -> bool:
    """Whether everything is meant, but for parts that are named."""
    others = tuple(atom for atom in predicate if not (isinstance(atom, NameTest) and atom.negated))
    return is_total(others)


def _trained_head(trace: Trace, freeze: FlagWritten, part: Part, root: int) -> Event | None:
    """What trains something on top of the backbone that is not frozen."""
    heads = list(dict.fromkeys(heads_on(trace, freeze, part, root)))
    for built in trace.all(OptimizerBuilt):
        later = max(built, freeze, key=lambda each: each.index)
        if not any(True for _ in steps_after(trace, later, built.key)):
            continue
        if any(
            trace.parts_overlap(mine, head, built.index)
            and trace.flag(head, built.index, built.path, trusting=True).value is not False
            for mine in built.parts
            for head in heads
        ):
            return built
    for started in trace.after(freeze, TrainerStarted):
        if any(
            trace.part_covers(Part(started.key), head, started.index)
            and trace.flag(head, started.index, started.path, trusting=True).value is not False
            for head in heads
        ):
            return started
    return None


def _last_training(trace: Trace) -> int:
    """The moment after which weights come too late."""
    return max(
        (each.index for kind in (Stepped, TrainerStarted) for each in trace.all(kind)), default=0
    )


def _may_get_weights(trace: Trace, key: int, until: Event) -> bool:
    """Whether something may have put weights into a model that the code does not show."""
    if any(map(trace.file.mentions, _LOADING_WORDS)):
        return True
    if trace.file.mentions(_LOADING) and not _loads_elsewhere(trace, key):
        return True
    if trace.was_handed_over(key, until.index) or _was_passed_in(trace, key):
        return True
    if any(
        trace.related(change.key, key, change.index) for change in trace.all(ParametersReplaced)
    ):
        return True
    last = _last_training(trace)
    return any(
        call.index < last
        and _is_related(trace, call, key)
        and (call.name.startswith("load") or call.name == "copy_")
        for call in trace.all(MethodCalled)
    )


def _was_passed_in(trace: Trace, key: int) -> bool:
    """Whether a model is, or is a part of, what a function got from code out of sight."""
    return any(
        handed.is_over and any(trace.related(each, key, handed.index) for each in handed.keys)
        for handed in trace.all(HandedOver)
    )


def _loads_elsewhere(trace: Trace, key: int) -> bool:
    """Whether all loading in the file is that of something else, or of a result."""
    last = _last_training(trace)
    loads = [each for each in trace.all(MethodCalled) if each.name == _LOADING]
    if any(each.index < last and _may_be_about(trace, each, key) for each in loads):
        return False
    places = {(id(each.place.chunk), id(each.place.node)) for each in loads}
    text = trace.file.text
    optimizers = sum(
        re.search(rf"(?<![\w.]){name}\.(?:step|update)\(", text) is not None
        for name in map(re.escape, re.findall(_LOADED, text))
    )
    return trace.file.mentions_attribute(_LOADING) == len(places) + optimizers


def _may_be_about(trace: Trace, call: MethodCalled, key: int) -> bool:
    """Whether a model gets weights, or something of which nobody knows what it is."""
    receiver = call.receiver
    if not isinstance(receiver, ModuleValue):
        return True
    is_known = trace.objects.module(receiver.key).origin in (
        *(Origin.BUILT, Origin.OWN_CLASS, Origin.CHILD, Origin.COPY),
    )
    return not is_known or trace.related(receiver.key, key, call.index)


def _is_related(trace: Trace, call: MethodCalled, key: int) -> bool:
    receiver = call.receiver
    if isinstance(receiver, ModuleValue):
        return trace.related(receiver.key, key, call.index)
    if isinstance(receiver, (ParameterValue, TensorValue)):
        return any(trace.related(part.key, key, call.index) for part in receiver.parts)
    return False


def _is_unfrozen(trace: Trace, freeze: FlagWritten, part: Part) -> bool:
    """Whether all of a model is, or may be, unfrozen later: a stage of its training."""
    return any(
        write.value is not False
        and any(
            trace.objects.route(mine.key, part.key, write.index) is not None
            and not any(isinstance(atom, NameTest) for atom in mine.predicate)
            for mine in write.parts
        )
        for write in trace.after(freeze, FlagWritten)
    )
