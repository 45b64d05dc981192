"""A model is built under `no_grad`, which does not freeze it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    BackwardRan,
    Called,
    Event,
    FlagWritten,
    ForwardRan,
    MethodCalled,
    OptimizerBuilt,
    ParametersReplaced,
)
from freezelint.analysis.knowledge.patterns import OPTIMIZER_CONSTRUCTIONS
from freezelint.analysis.objects import Origin
from freezelint.analysis.training import (
    filters_by_flag,
    is_handed_on,
    steps_after,
    was_out_of_sight,
    without_flag_tests,
)
from freezelint.analysis.values import Part
from freezelint.analysis.withheld import is_withheld
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.trace import Trace


class BuiltUnderNoGrad(Rule):
    """Finds a model that is built under `no_grad` and trains with the rest.

    What it does:
        Reports a model that is built or loaded inside `torch.no_grad()` or
        `torch.inference_mode()`, is part of a larger one that is not, runs with
        gradients on, and reaches an optimizer that does not ask for it by name, while
        nothing writes its flags.

    Why is this bad:
        `no_grad` acts on what is computed inside it, not on what is made there. A
        parameter is created with `requires_grad=True` in either case, so the model
        trains with everything else, without a message. Under `inference_mode` it is made of
        tensors that no gradient gets past: training raises a RuntimeError instead
        ("Inference tensors cannot be saved for backward"), so a model that is built there
        is reported when it is trained on its own too.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Encoder(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.Sequential(nn.Linear(16, 32), nn.ReLU())

            def forward(self, x):
                return self.layers(x)


        class Fusion(nn.Module):
            def __init__(self):
                super().__init__()
                with torch.no_grad():
                    self.encoder = Encoder()  # expect: FZ112
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.encoder(x))


        model = Fusion()
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
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


        class Encoder(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.Sequential(nn.Linear(16, 32), nn.ReLU())

            def forward(self, x):
                return self.layers(x)


        class Fusion(nn.Module):
            def __init__(self):
                super().__init__()
                self.encoder = Encoder().requires_grad_(False)
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.encoder(x))


        model = Fusion()
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Weights that are copied or initialised under `no_grad`, single layers, a model
        that is handed to the optimizer by name, a model of which no other part trains,
        flags that are written, and a model that only runs without gradients.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
        https://docs.pytorch.org/docs/stable/notes/autograd.html#grad-modes
        https://github.com/Vibashan/Image-Fusion-Transformer/issues/7
    """

    code = "FZ112"
    name = "built-under-no-grad"
    level = Level.WARNING
    claims = (Claim("moves", "model.encoder.*"),)
    triggers = (
        ("no_grad", "inference_mode", "set_grad_enabled"),
        ("parameters(",),
        ("backward(", "training_step"),
    )
    trigger_patterns = (OPTIMIZER_CONSTRUCTIONS,)
    events = ("OptimizerBuilt",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report what was built without gradients and is trained with other things."""
        assert isinstance(event, OptimizerBuilt)
        if not any(steps_after(trace, event, event.key)) and not is_handed_on(
            trace, event, event.key
        ):
            return
        for module in trace.objects.modules():
            if module.born_with_grad is not False or module.born > event.index:
                continue
            if module.place is None or not (_is_model(module) or module.born_in_inference):
                continue
            if module.born_in_inference:
                if _is_to_train(trace, event, module):
                    yield _report_inference(trace, event, module)
                continue
            for piece in _pieces(trace, event, module):
                if not _is_swept_in(trace, event, piece, module) or not _trains(
                    trace, event, piece
                ):
                    continue
                optimizer = trace.objects.optimizer(event.key).label or event.name
                label = trace.objects.label(piece.key)
                yield Report(
                    module.place,
                    f"`{label}` is built without gradients, which "
                    f"does not freeze it: `{optimizer}` trains it with the rest",
                    "freeze it with `requires_grad_(False)`",
                    ((event.place, "the optimizer takes it here"),),
                    about=About((label,)),
                )
                break


def _report_inference(trace: Trace, event: OptimizerBuilt, module: ModuleObject) -> Report:
    assert module.place is not None
    optimizer = trace.objects.optimizer(event.key).label or event.name
    return Report(
        module.place,
        f"`{trace.objects.label(module.key)}` is built in inference mode, which does not freeze "
        f"it, and `{optimizer}` is to train it: this raises a RuntimeError",
        "build it with gradients, and freeze with `requires_grad_(False)` what is to stay",
        ((event.place, "the optimizer takes it here"),),
    )


def _is_to_train(trace: Trace, event: OptimizerBuilt, module: ModuleObject) -> bool:
    """Whether an optimizer gets what was made in inference mode, and gradients are to reach it."""
    holders = trace.objects.holders(module.key, event.index)
    if any(trace.objects.module(each).born_in_inference for each in holders[1:]):
        return False
    piece = Part(module.key)
    if not any(trace.parts_overlap(part, piece, event.index) for part in event.parts):
        return False
    is_frozen = any(
        trace.parts_overlap(part, piece, write.index)
        for write in trace.all(FlagWritten)
        if write.value is not True
        for part in write.parts
    )
    is_replaced = any(
        trace.related(each.key, module.key, each.index) for each in trace.all(ParametersReplaced)
    )
    return not is_frozen and not is_replaced and _is_run(trace, event, module)


def _is_model(module: ModuleObject) -> bool:
    """Whether this is more than a layer: made of a class of the file, or by a library whole."""
    if module.origin is Origin.OWN_CLASS:
        return not module.is_subject
    library = module.library or "torch.nn."
    return module.origin is Origin.BUILT and not library.startswith("torch.nn.")


def _pieces(trace: Trace, event: OptimizerBuilt, module: ModuleObject) -> list[ModuleObject]:
    """The model; of one of which only a part is kept, as `vgg16().features`, that part."""
    if len(trace.objects.holders(module.key, event.index)) > 1:
        return [module]
    below = [each for each in trace.objects.modules() if _made_of(trace, each) == module.key]
    asked = {part.key for part in event.parts}
    return [module] if any(each.key in asked for each in below) else [module, *below]


def _made_of(trace: Trace, module: ModuleObject) -> int | None:
    """The model that a part was taken out of."""
    key = None
    while module.origin in (Origin.CHILD, Origin.DERIVED):
        key = module.source if module.origin is Origin.DERIVED else module.parent
        if key is None:
            return None
        module = trace.objects.module(key)
    return key


def _is_swept_in(
    trace: Trace, event: OptimizerBuilt, module: ModuleObject, whole: ModuleObject
) -> bool:
    """Whether the optimizer takes the model for being part of something that is to train."""
    holders = trace.objects.holders(module.key, event.index)
    above = [trace.objects.module(each) for each in holders[1:] if each != whole.key]
    if any(each.born_with_grad is False for each in above):
        return False
    for part in event.parts:
        if part.key == module.key:
            others = [each for each in event.parts if each.key not in holders]
            if filters_by_flag(part) and others:
                return True
        elif trace.covers(without_flag_tests(part), module.key, event.index):
            return True
    return False


def _trains(trace: Trace, event: OptimizerBuilt, module: ModuleObject) -> bool:
    """Whether gradients reach the model, and nobody says what is to become of it."""
    piece = Part(module.key)
    if any(
        trace.parts_overlap(part, piece, write.index)
        for write in trace.all(FlagWritten)
        for part in write.parts
    ):
        return False
    if _is_filled_in(trace, event, module):
        return False
    return _is_run(trace, event, module)


def _is_run(trace: Trace, event: OptimizerBuilt, module: ModuleObject) -> bool:
    """Whether a loss is differentiated that came out of the module, as far as is in sight."""
    step = next(steps_after(trace, event, event.key), event)
    if is_withheld(trace, module.key, step) or was_out_of_sight(trace, Part(module.key), step):
        return False
    own, around = [], []
    for forward in trace.after(event, ForwardRan):
        if trace.objects.route(module.key, forward.key, forward.index) is not None:
            own.append(forward)
        elif trace.objects.route(forward.key, module.key, forward.index) is not None:
            around.append(forward)
    return any(
        forward.grad_enabled is True and any(True for _ in trace.after(forward, BackwardRan))
        for forward in own or around
    )


def _is_filled_in(trace: Trace, event: OptimizerBuilt, module: ModuleObject) -> bool:
    """Whether values are written without gradients meanwhile: that is what it is for."""
    calls: list[Called | MethodCalled] = [
        *trace.before(event, Called),
        *trace.before(event, MethodCalled),
    ]
    return any(
        each.index >= module.born
        and each.grad_enabled is False
        and (each.name.startswith("torch.nn.init.") or each.name.endswith("_"))
        for each in calls
    )
