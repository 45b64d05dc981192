"""A frozen module changes in its own forward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import Event, ForwardRan, HandedOver, ModeSet
from freezelint.analysis.followers import follows_another
from freezelint.analysis.knowledge.patterns import FREEZES
from freezelint.analysis.modes import put_into_training, step_of
from freezelint.analysis.objects import Origin
from freezelint.analysis.self_updating import Update, update_in_forward
from freezelint.analysis.trace import compatible
from freezelint.analysis.trainability import freeze_of_all
from freezelint.analysis.values import Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.events import FlagWritten
    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.syntax import Place
    from freezelint.analysis.trace import Trace

_WHAT = {
    Update.POWER_ITERATION: "spectral norm updates its two vectors in each forward pass of "
    "training mode",
    Update.OWN_BUFFER: "its `forward` writes a buffer in training mode",
    Update.CLIPPED_ROWS: "`max_norm` makes every forward pass shorten the rows that it looks up, "
    "in evaluation mode too",
}


class ForwardUpdatedBuffer(Rule):
    """Finds frozen modules that change in their own forward pass.

    What it does:
        Reports layers with spectral norm, and modules of a class in sight whose
        `forward` writes its own buffers in training mode (such as a codebook that is
        an average), when they are frozen by flags and trained with in training mode.
        Of an `nn.Embedding` with `max_norm` the mode does not matter.

    Why is this bad:
        Flags tell autograd and the optimizer to leave a parameter alone. What a
        forward pass writes itself is not asked for its flag: spectral norm scales the
        weight by other vectors each time, a codebook drifts to the new data, and
        `max_norm` rewrites the rows of a frozen embedding.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Critic(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.utils.parametrizations.spectral_norm(nn.Linear(16, 32))
                self.head = nn.Linear(32, 1)

            def forward(self, x):
                return self.head(torch.relu(self.body(x)))


        model = Critic()
        model.body.requires_grad_(False)
        optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randn(64, 1)
        for epoch in range(3):
            model.train()  # expect: FZ406
            loss = nn.functional.mse_loss(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Critic(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.utils.parametrizations.spectral_norm(nn.Linear(16, 32))
                self.head = nn.Linear(32, 1)

            def forward(self, x):
                return self.head(torch.relu(self.body(x)))


        model = Critic()
        model.body.requires_grad_(False)
        optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randn(64, 1)
        for epoch in range(3):
            model.train()
            model.body.eval()
            loss = nn.functional.mse_loss(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Modules in evaluation mode (but for `max_norm`), modules that are frozen for a
        while only, modules that code out of sight had in hands, momentum encoders,
        and classes that ask for more than training mode before they write a buffer.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrizations.spectral_norm.html
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html
        https://github.com/RVC-Boss/GPT-SoVITS/issues/953
        https://github.com/lucidrains/vector-quantize-pytorch/issues/42
    """

    code = "FZ406"
    name = "forward-updated-buffer"
    level = Level.WARNING
    claims = (Claim("drifts", "model.body.*"),)
    triggers = (("requires_grad", "from_pretrained"), ("step(", "backward("))
    trigger_patterns = (
        (
            r"Embedding\w*(?:\.from_pretrained)?\((?:[^\n]*\n){0,6}?[^\n]*max_norm",
            r"\"max_norm\"",
            r"'max_norm'",
            r"dict\([^\n]*max_norm",
            r"spectral_norm(?:\(|[ ]as[ ])",
            r"register_buffer\(",
        ),
        (*FREEZES, r"Embedding\.from_pretrained\(", r"EmbeddingBag\.from_pretrained\("),
        (r"\.backward\(", r"\.step\("),
    )
    events = ("ForwardRan",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report what is frozen and changes in a forward pass of training."""
        assert isinstance(event, ForwardRan)
        if event.repeated or step_of(trace, event) is None:
            return
        called = trace.objects.module(event.key)
        for module in (called, *trace.objects.below(event.key, event.index)):
            update = update_in_forward(trace, module)
            if update is None or not _is_in_sight(trace, event, module):
                continue
            if update is not Update.CLIPPED_ROWS and not _is_in_training(trace, event, module):
                continue
            freeze = freeze_of_all(trace, module.key, event.index, event.path)
            if freeze is None and update is Update.CLIPPED_ROWS:
                freeze = _freeze_of_weight(trace, module, event)
            if freeze is None and module.flag_at_birth is not False:
                continue
            if freeze is not None and _is_unfrozen_later(trace, module, freeze):
                continue
            yield from _report(trace, module, update, freeze, event)


def _freeze_of_weight(trace: Trace, module: ModuleObject, event: ForwardRan) -> FlagWritten | None:
    """A write that froze the weight of an embedding, which is all that it has, by its name."""
    for key, attachment in trace.objects.attachments_to(module.key):
        state = trace.flag(Part(key), event.index, event.path)
        if attachment.attribute == "weight" and state.value is False:
            return state.write
    return None


def _report(
    trace: Trace,
    module: ModuleObject,
    update: Update,
    freeze: FlagWritten | None,
    forward: ForwardRan,
) -> Iterator[Report]:
    place = module.place if freeze is None else freeze.place
    if place is None:
        return
    label = trace.objects.label(module.key)
    evidence: tuple[tuple[Place, str], ...] = ()
    if freeze is not None and module.place is not None:
        evidence = ((module.place, "made here"),)
    train = put_into_training(trace, Part(module.key), forward)
    if update is Update.CLIPPED_ROWS:
        advice = f"shorten the rows of `{label}` once and leave out `max_norm`"
    else:
        advice = f"call `{label}.eval()` after each `train()`"
        if train is not None:
            evidence = ((place, "frozen here, which does not hold buffers"),)
            place = trace.meeting_place(train, forward)
    yield Report(
        place,
        f"the frozen `{label}` still changes: {_WHAT[update]}",
        advice,
        evidence,
        about=About((label,), shows=("drifts", "moves")),
    )


def _is_in_sight(trace: Trace, event: ForwardRan, module: ModuleObject) -> bool:
    """Whether everything that happened to the module until now is known."""
    if follows_another(trace, module.key):
        return False
    return not any(
        trace.related(key, module.key, handed.index)
        for handed in trace.before(event, HandedOver)
        for key in handed.keys
    )


def _is_in_training(trace: Trace, event: ForwardRan, module: ModuleObject) -> bool:
    """Whether a module is in training mode, as it is from its birth if nobody changes that."""
    part = Part(module.key)
    if put_into_training(trace, part, event) is not None:
        return not _is_pinned_inside(trace, event, part)
    if module.origin not in (Origin.BUILT, Origin.OWN_CLASS) or module.is_subject:
        return False
    return not any(
        compatible(mode.path, event.path) and trace.parts_overlap(mode.part, part, mode.index)
        for mode in trace.all(ModeSet)
    )


def _is_pinned_inside(trace: Trace, event: ForwardRan, part: Part) -> bool:
    step = step_of(trace, event)
    return step is not None and any(
        mode.training is not True and trace.parts_overlap(mode.part, part, mode.index)
        for mode in trace.between(event, step, ModeSet)
    )


def _is_unfrozen_later(trace: Trace, module: ModuleObject, freeze: FlagWritten) -> bool:
    return any(
        write.value is not False
        and any(trace.overlaps(part, module.key, write.index) for part in write.parts)
        for write in trace.after(freeze, type(freeze))
    )
