"""BatchNorm is to be frozen by an attribute that does something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.contents import holds
from freezelint.analysis.events import AttributeWritten, Event, FlagWritten, ForwardRan, ModeSet
from freezelint.analysis.knowledge.layers import LayerKind
from freezelint.analysis.knowledge.patterns import FLAG_WRITES
from freezelint.analysis.modes import step_of
from freezelint.analysis.normalization import is_batch_norm, picked_batch_norms
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import OwnTest
from freezelint.analysis.trace import compatible
from freezelint.analysis.values import Constant, ModuleValue, Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace


class WrongBatchnormKnob(Rule):
    """Finds BatchNorm that is frozen by `track_running_stats` or `momentum`.

    What it does:
        Reports `track_running_stats = False` and `momentum = 0` on existing BatchNorm
        layers whose parameters are frozen too, when nothing puts these layers into
        evaluation mode.

    Why is this bad:
        Both keep the running mean and variance as they are (with `momentum = 0` the
        layer still counts its batches), but neither makes the layer use them: in
        training mode it normalises by the batch as before. The head is trained on
        other features than those that it gets in evaluation mode.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.backbone(x))


        model = Classifier()
        model.backbone.requires_grad_(False)
        for layer in model.backbone.modules():
            if isinstance(layer, nn.BatchNorm1d):
                layer.track_running_stats = False  # expect: FZ403
        optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-3)
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


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.backbone(x))


        model = Classifier()
        model.backbone.requires_grad_(False)
        for layer in model.backbone.modules():
            if isinstance(layer, nn.BatchNorm1d):
                layer.eval()
        optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Constructor arguments, layers that are trained or are in evaluation mode,
        layers whose statistics are dropped altogether as test-time adaptation does,
        and attributes that get their value back later.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html
        https://github.com/pytorch/pytorch/issues/37823
        https://github.com/speediedan/finetuning-scheduler/issues/13
        https://discuss.pytorch.org/t/25176
    """

    code = "FZ403"
    name = "wrong-batchnorm-knob"
    level = Level.WARNING
    claims = (Claim("differs", "model.backbone"),)
    triggers = (("track_running_stats", ".momentum", 'momentum"', "momentum'"), ("requires_grad",))
    trigger_patterns = (
        (
            r"\.track_running_stats\s*=\s*False",
            r"\.momentum\s*=\s*0(?:\.0*)?\s",
            r"track_running_stats[\"'],\s*False",
            r"momentum[\"'],\s*0(?:\.0*)?\)",
        ),
        FLAG_WRITES,
    )
    events = ("AttributeWritten",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report an attribute that keeps a frozen layer's statistics, but does not use them."""
        assert isinstance(event, AttributeWritten)
        part = _written_layers(trace, event)
        if part is None or event.repeated or _is_changed_otherwise(trace, event, part):
            return
        freeze = _freeze_of(trace, event, part)
        if freeze is None or not _trains_in_training_mode(trace, event, part):
            return
        name = event.receiver_name or "the layer"
        yield Report(
            event.place,
            f"`{event.attribute}` does not freeze `{name}`: in training mode it normalises by the "
            "batch all the same, and in evaluation mode by its running statistics",
            f"write `{name}.eval()` instead, after each `train()`",
            ((trace.meeting_place(freeze, event), "its parameters are frozen here"),),
            about=About((name,)),
        )


def _written_layers(trace: Trace, event: AttributeWritten) -> Part | None:
    """The layers whose knob is turned, if that is what this is."""
    value = event.value.value if isinstance(event.value, Constant) else None
    if not isinstance(event.receiver, ModuleValue):
        return None
    key = event.receiver.key
    (part, *_) = trace.objects.parts_of(key)
    if event.attribute == "track_running_stats":
        # Only layers that keep statistics have this.
        return part if value is False else None
    is_norm = is_batch_norm(trace.objects.module(key).library)
    if event.attribute != "momentum" or not (is_norm or picked_batch_norms(part.predicate)):
        return None
    return part if type(value) in (int, float) and value == 0 else None


def _is_changed_otherwise(trace: Trace, event: AttributeWritten, part: Part) -> bool:
    """Whether the statistics are dropped, or the attribute gets another value later."""
    for write in trace.all(AttributeWritten):
        if not isinstance(write.receiver, ModuleValue) or not compatible(write.path, event.path):
            continue
        dropped = write.attribute in ("running_mean", "running_var")
        restored = (
            write.attribute == event.attribute
            and write.index > event.index
            and write.value != event.value
        )
        if (dropped or restored) and any(
            trace.parts_overlap(mine, part, write.index)
            for mine in trace.objects.parts_of(write.receiver.key)
        ):
            return True
    return False


def _freeze_of(trace: Trace, event: AttributeWritten, part: Part) -> FlagWritten | None:
    """The write that froze parameters of these layers, if nothing trains any of them."""
    found: FlagWritten | None = None
    for write in trace.all(FlagWritten):
        if not compatible(write.path, event.path):
            continue
        if write.value is False:
            if write.certain and any(
                _is_of_layers(trace, write, _of_each(write, event, each), part)
                for each in write.parts
            ):
                found = write
        elif any(_may_train(trace, write, each, part) for each in write.parts):
            return None
    return found


def _may_train(trace: Trace, write: FlagWritten, trained: Part, part: Part) -> bool:
    return trace.parts_overlap(trained, part, write.index) and (
        holds(trace, trained.key, write.index, LayerKind.BATCH_NORM) is not False
    )


def _of_each(write: FlagWritten, event: AttributeWritten, frozen: Part) -> Part:
    """What a loop over modules freezes: of each its own, and so all of what the knob is on."""
    is_same = write.label == event.receiver_name and write.scope == event.scope
    if not is_same or event.receiver_name is None:
        return frozen
    return frozen._replace(predicate=tuple(test for test in frozen.predicate if test != OwnTest()))


def _is_of_layers(trace: Trace, write: FlagWritten, frozen: Part, part: Part) -> bool:
    if trace.part_covers(frozen, part, write.index):
        return True
    return frozen.key == part.key and set(part.predicate) <= set(frozen.predicate)


def _trains_in_training_mode(trace: Trace, event: AttributeWritten, part: Part) -> bool:
    """Whether the layers are in training mode: when they are trained with, or for all one sees."""
    # The layers of a slice are in the network that it was taken from.
    pieces = [part, *(Part(key) for key in trace.objects.sources(part.key, event.index))]
    modes = [
        mode
        for mode in trace.all(ModeSet)
        if compatible(mode.path, event.path)
        and any(trace.parts_overlap(mode.part, each, mode.index) for each in pieces)
    ]
    passes = [
        forward
        for forward in trace.after(event, ForwardRan)
        if any(
            trace.objects.route(forward.key, each.key, forward.index) is not None for each in pieces
        )
        and step_of(trace, forward) is not None
    ]
    if not passes:
        return all(mode.training is True for mode in modes)
    for forward in passes:
        before = [mode for mode in modes if mode.index < forward.index]
        if before and before[-1].training is True:
            return any(
                trace.part_covers(before[-1].part, each, before[-1].index) for each in pieces
            )
        if not before and trace.objects.module(part.key).origin is not Origin.GIVEN:
            return True
    return False
