"""Code that pins the statistics of BatchNorm knows only some kinds of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.architectures import known_place
from freezelint.analysis.contents import holds
from freezelint.analysis.events import (
    MODE_OVERRIDES,
    Event,
    FlagWritten,
    KindsTested,
    MethodCalled,
    ModeSet,
    Wrapped,
)
from freezelint.analysis.knowledge.layers import LayerKind
from freezelint.analysis.normalization import (
    BATCH_NORM_BASES,
    is_batch_norm,
    picked_batch_norms,
)
from freezelint.analysis.objects import Origin
from freezelint.analysis.search import LinePattern
from freezelint.analysis.values import ModuleValue, Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.syntax import Place
    from freezelint.analysis.trace import Trace
    from freezelint.findings import Fix

_KINDS = {"torchvision.models": "BatchNorm2d", "torchvision.models.video": "BatchNorm3d"}
"""What the models of a package hold, where they hold any BatchNorm."""

_HELP = "test for `nn.modules.batchnorm._BatchNorm`: every BatchNorm derives from it"


_AS_A_CLASS = r"[^\n]*(?:BatchNorm[123]d|SyncBatchNorm)[\"']?\s*[,)\]}:\n]"
_EVALUATES = r"\.(?:eval\(\)|train\((?:mode=)?False\))"


class IncompleteBatchnormCheck(Rule):
    """Finds a test by class that lets some of a frozen model's BatchNorms escape.

    What it does:
        Reports code that puts BatchNorm layers into evaluation mode and picks them by
        a class such as `nn.BatchNorm2d`, when the same frozen model holds a BatchNorm
        of another class, or was converted to `SyncBatchNorm` before. In a helper that
        takes any model it is reported as info, since nobody knows what it will get, as
        are layers that go on training where a loaded model's others are frozen.

    Why is this bad:
        `BatchNorm1d`, `BatchNorm3d` and `SyncBatchNorm` are no `BatchNorm2d`: they
        share a base class, and none derives from another. Those that the test does
        not know stay in training mode, and their statistics change with every batch.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Encoder(nn.Module):
            def __init__(self):
                super().__init__()
                self.image = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
                self.vector = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16))

            def forward(self, x):
                return self.vector(self.image(x).mean((2, 3)))


        def pin_statistics(module):
            for layer in module.modules():
                if isinstance(layer, nn.BatchNorm2d):  # expect: FZ405
                    layer.eval()


        encoder, head = Encoder(), nn.Linear(16, 4)
        encoder.requires_grad_(False)
        optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
        inputs, targets = torch.randn(32, 3, 8, 8), torch.randint(4, (32,))
        for epoch in range(3):
            encoder.train()
            pin_statistics(encoder)
            loss = nn.functional.cross_entropy(head(encoder(inputs)), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Encoder(nn.Module):
            def __init__(self):
                super().__init__()
                self.image = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
                self.vector = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16))

            def forward(self, x):
                return self.vector(self.image(x).mean((2, 3)))


        def pin_statistics(module):
            for layer in module.modules():
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    layer.eval()


        encoder, head = Encoder(), nn.Linear(16, 4)
        encoder.requires_grad_(False)
        optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
        inputs, targets = torch.randn(32, 3, 8, 8), torch.randint(4, (32,))
        for epoch in range(3):
            encoder.train()
            pin_statistics(encoder)
            loss = nn.functional.cross_entropy(head(encoder(inputs)), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Models that hold no other kind of BatchNorm, or that are not in sight, and
        BatchNorms that escape the test but are trained, or are in evaluation mode
        for another reason.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html
        https://docs.pytorch.org/docs/stable/generated/torch.nn.SyncBatchNorm.html
        https://github.com/huggingface/pytorch-image-models/issues/876
    """

    code = "FZ405"
    name = "incomplete-batchnorm-check"
    level = Level.WARNING
    claims = (Claim("drifts", "encoder.vector.*"),)
    triggers = (
        ("isinstance(", "type(", "__class__"),
        ("BatchNorm",),
        ("eval(", "train(False", "train(mode=False"),
    )
    trigger_patterns = (
        # As a class, not as what makes a layer.
        (
            # Tested where something is put into evaluation mode, or named to be tested elsewhere.
            LinePattern("BatchNorm", rf"{_AS_A_CLASS}(?:[^\n]*\n){{0,20}}?[^\n]*{_EVALUATES}"),
            LinePattern("BatchNorm", rf"(?:\w+ = |[ \t]+[\w.]+ = [\[({{])(?={_AS_A_CLASS})"),
            LinePattern("BatchNorm", rf"[ \t]*(?:return\b|def \w+)(?={_AS_A_CLASS})"),
        ),
        (r"\.eval\(\)", r"\.train\(False\)", r"\.train\(mode=False\)"),
    )
    fix = "safe"
    events = ("ModeSet",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report an eval() of BatchNorms picked by class where others are left out."""
        assert isinstance(event, ModeSet)
        picked = picked_batch_norms(event.part.predicate)
        if event.training is not False or not picked or picked & BATCH_NORM_BASES:
            return
        names = " and ".join(f"`{each}`" for each in sorted(picked))
        key, label = event.part.key, trace.objects.label(event.part.key)
        conversion = _conversion_before(trace, event)
        if conversion is not None and "SyncBatchNorm" not in picked:
            yield Report(
                _place(trace, event, picked),
                f"this picks {names}, but every BatchNorm of `{label}` is a `SyncBatchNorm` by now",
                _HELP,
                ((conversion.place, "converted here"),),
                fix=_fix(event, "SyncBatchNorm"),
                about=About((label,)),
            )
            return
        escapes = [
            (each, kind)
            for each in trace.objects.below(key, event.index)
            if is_batch_norm(each.library)
            and (kind := (each.library or "").rpartition(".")[2]) not in picked
        ]
        if conversion is None:
            escapes += [
                (each, kind)
                for each in (trace.objects.module(key), *trace.objects.below(key, event.index))
                if (kind := _kind_in_known(trace, each, event.index)) and kind not in picked
            ]
        for escaped, kind in escapes:
            if trace.is_frozen(Part(escaped.key), trace.now, event.path) and not (
                _is_pinned_otherwise(trace, event, Part(escaped.key))
            ):
                route = trace.objects.route(key, escaped.key, event.index)
                yield Report(
                    _place(trace, event, picked),
                    f"this picks {names}, but the frozen `{label}` also holds a `{kind}`: its "
                    "statistics still change in training mode",
                    _HELP,
                    ((escaped.place, f"a `{kind}`"),) if escaped.place is not None else (),
                    fix=_fix(event, kind),
                    about=About((trace.objects.label(escaped.key), f"{label}.{route}")),
                )
                return
        if escapes and _is_loaded(trace, event) and _freezes_them(trace, event):
            yield Report(
                _place(trace, event, picked),
                f"this picks {names}, but `{label}` also holds a `{escapes[0][1]}`, which goes on "
                "training",
                _HELP,
                level=Level.INFO,
            )
        elif event.scope and _is_of_others(trace, key, event.index):
            yield Report(
                _place(trace, event, picked),
                f"this picks {names} only: other kinds of BatchNorm in `{label}` would stay in "
                "training mode",
                _HELP,
                level=Level.INFO,
            )


def _kind_in_known(trace: Trace, module: ModuleObject, at: int) -> str:
    """The one kind of BatchNorm that a model of torchvision, or a part of one, has."""
    place = known_place(trace, module.key)
    if place is None or not holds(trace, module.key, at, LayerKind.BATCH_NORM):
        return ""
    package = place.builder.rpartition(".")[0]
    return _KINDS.get(package, "") if place.holds(LayerKind.BATCH_NORM) else ""


def _fix(event: ModeSet, kind: str) -> Fix | None:
    """Pick the kind that escapes as well."""
    from freezelint.analysis import edits

    edit = edits.class_also_tested(event.place, kind)
    return edits.fixed(f"test for `{kind}` too", edit, is_safe=True)


def _place(trace: Trace, event: ModeSet, picked: frozenset[str]) -> Place:
    """The test that picked them, or else what is done to those that it picked."""
    for test in trace.before(event, KindsTested):
        if picked.issuperset(each.rpartition(".")[2] for each in test.kinds):
            return test.place
    return event.place


def _conversion_before(trace: Trace, event: ModeSet) -> Wrapped | None:
    for each in trace.before(event, Wrapped):
        if each.wrapper.endswith(("convert_sync_batchnorm", "convert_syncbn_model")) and (
            trace.objects.route(each.key, event.part.key, event.index) is not None
        ):
            return each
    return None


def _is_of_others(trace: Trace, key: int, at: int) -> bool:
    """Whether the layers are not in sight: of an argument, or of a class that is mixed in."""
    module = trace.objects.module(key)
    if module.origin is Origin.GIVEN:
        return True
    return module.is_subject and not any(
        each.origin in (Origin.BUILT, Origin.OWN_CLASS) for each in trace.objects.below(key, at)
    )


def _is_loaded(trace: Trace, event: ModeSet) -> bool:
    """Whether all of the model got weights before, so that no layer of it is new."""
    return any(
        call.name == "load_state_dict"
        and isinstance(call.receiver, ModuleValue)
        and trace.objects.route(call.receiver.key, event.part.key, call.index) is not None
        for call in trace.before(event, MethodCalled)
    )


def _freezes_them(trace: Trace, event: ModeSet) -> bool:
    """Whether the same layers are frozen as well: normalisation is to stay as it was."""
    return any(
        write.value is False and event.part in write.parts
        for write in (*trace.before(event, FlagWritten), *trace.after(event, FlagWritten))
    )


def _is_pinned_otherwise(trace: Trace, event: ModeSet, escaped: Part) -> bool:
    """Whether what the test does not know may be in evaluation mode anyway."""
    for mode in trace.before(event, ModeSet):
        if trace.part_covers(mode.part, escaped, mode.index):
            # An override of `train` passes its own mode on: it matters where that is True.
            is_passed_on = mode.training is None and MODE_OVERRIDES["train"] in mode.scopes
            if mode.training is not True and not is_passed_on:
                return True
            break
    return any(
        mode.training is not True
        and trace.parts_overlap(mode.part, escaped, mode.index)
        and trace.objects.route(mode.part.key, event.part.key, mode.index) is None
        for mode in trace.all(ModeSet)
    )
