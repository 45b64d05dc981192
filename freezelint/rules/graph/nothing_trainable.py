"""Everything that an optimizer holds is frozen when the loss is differentiated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.cuts import WITHOUT_FORWARD
from freezelint.analysis.events import (
    BackwardRan,
    Event,
    FlagWritten,
    GroupAdded,
    MethodCalled,
    OptimizerBuilt,
    Stepped,
    SubmoduleReplaced,
)
from freezelint.analysis.gradients import needs_no_gradient
from freezelint.analysis.knowledge.patterns import (
    FREEZES,
    OPTIMIZER_CONSTRUCTIONS,
    OPTIMIZER_WORDS_OR_NAMES,
)
from freezelint.analysis.module_hooks import may_exchange_values
from freezelint.analysis.objects import Origin
from freezelint.analysis.tensors import graph_sources
from freezelint.analysis.trainability import lasting_freeze
from freezelint.analysis.training import filters_by_flag, shares_activation, steps_after
from freezelint.analysis.values import ModuleValue, Part, TensorValue
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace


_BEFORE_TRAINING = frozenset(
    (name,) for name in ("__init__", "setup", "configure_model", "on_fit_start", "on_train_start")
)
"""What Lightning runs of a module before the first batch, once."""


class NothingTrainable(Rule):
    """Finds training of which every parameter is frozen.

    What it does:
        Reports `backward()` where all parameters that the stepping optimizer holds are
        frozen: the whole model was frozen, and nothing was unfrozen or attached after.
        So it does where the loss was computed from data and from frozen networks only,
        as when an input that is to change does not require a gradient.

    Why is this bad:
        No gradient has anywhere to go. `backward()` raises a RuntimeError ("element 0
        of tensors does not require grad and does not have a grad_fn"), or, where
        something outside of the optimizer requires a gradient, the optimizer steps
        without ever changing anything. What was meant is mostly a freeze of one part:
        of the backbone instead of the model around it.

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
        for parameter in model.parameters():
            parameter.requires_grad = False
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), labels)
            optimizer.zero_grad()
            loss.backward()  # expect: FZ502
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
        for parameter in model.backbone.parameters():
            parameter.requires_grad = False
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Inputs that require a gradient, as in attacks and style transfer, parts that are
        unfrozen, attached or handed to other code after the freeze, an `unfreeze` that
        is defined beside it, models of which only a part is known, networks that
        were trained before the freeze, as in GANs, and modules with hooks that may put
        something else in the place of what goes in or comes out.

    References:
        https://docs.pytorch.org/docs/stable/notes/autograd.html#setting-requires-grad
        https://github.com/jina-ai/finetuner/issues/435
        https://github.com/cfzd/Ultra-Fast-Lane-Detection/issues/282
        https://github.com/lucidrains/vector-quantize-pytorch/issues/68
    """

    code = "FZ502"
    name = "nothing-trainable"
    level = Level.ERROR
    claims = (Claim("raises", error="RuntimeError: element 0 of tensors does not require grad"),)
    triggers = (
        ("requires_grad", ".freeze()"),
        ("backward", "training_step"),
        ("step(", ".sign()"),
        (*OPTIMIZER_WORDS_OR_NAMES, ".sign()"),
    )
    trigger_patterns = (
        FREEZES,
        (*OPTIMIZER_CONSTRUCTIONS, r"\.grad(?:\.data|\.detach\(\))?\.sign\(\)"),
    )
    events = ("BackwardRan",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a backward pass after which an optimizer steps that holds nothing trainable."""
        assert isinstance(event, BackwardRan)
        if event.repeated or event.is_attempt:
            return
        frozen = _frozen_behind(trace, event)
        if frozen is not None:
            yield _report_loss(event, frozen, trace)
            return
        if _has_no_graph(event, trace):
            yield _report_without_graph(event, trace)
            return
        for built in trace.before(event, OptimizerBuilt):
            step = next(steps_after(trace, event, built.key), None)
            if step is None or not _is_first(trace, event, step, built):
                continue
            freeze = _freeze_of_all(trace, event, built)
            if freeze is not None:
                yield _report(event, built, freeze, trace)
                return


def _frozen_behind(trace: Trace, event: BackwardRan) -> int | None:
    """A module that a loss was computed from, where nothing that it was computed from trains."""
    loss = event.loss
    if not isinstance(loss, TensorValue) or loss.cut_from is not None or not graph_sources(loss):
        return None
    if (
        trace.makes_leaves
        or may_exchange_values(trace)
        or event.grad_enabled is not True
        or not needs_no_gradient(trace, loss, event)
    ):
        return None
    if any(filters_by_flag(part) for built in trace.all(OptimizerBuilt) for part in built.parts):
        # Built after the freeze, it is empty, and its constructor has raised.
        return None
    if any(_is_changed(trace, key, event) for key in graph_sources(loss)):
        return None
    if any(
        trace.objects.module(holder).is_subject
        for key in graph_sources(loss)
        for holder in trace.objects.holders(key, event.index)
    ):
        # Whoever uses the class may switch on a part of it.
        return None
    return next(
        (key for key in graph_sources(loss) if trace.is_frozen(Part(key), event.index, event.path)),
        None,
    )


def _has_no_graph(event: BackwardRan, trace: Trace) -> bool:
    """Whether a loss came from modules without a graph, and no optimizer trains one of these.

    What an optimizer trains, and cannot, is another mistake.
    """
    loss = event.loss
    if not isinstance(loss, TensorValue) or not loss.cut_from or event.grad_enabled is not True:
        return False
    if trace.makes_leaves or not any(True for _ in trace.after(event, Stepped)):
        return False
    return not any(
        trace.overlaps(part, key, built.index)
        for built in trace.all(OptimizerBuilt)
        for part in built.parts
        for key in loss.cut_from
    )


def _report_without_graph(event: BackwardRan, trace: Trace) -> Report:
    assert isinstance(event.loss, TensorValue)
    label = trace.objects.label((event.loss.cut_from or (0,))[0])
    return Report(
        event.place,
        f"the loss was computed from what `{label}` gave without gradients, and from nothing that "
        "requires one: `backward()` raises a RuntimeError",
        "let what is meant to change require a gradient (`requires_grad_()`, `nn.Parameter`)",
    )


def _is_changed(trace: Trace, key: int, event: BackwardRan) -> bool:
    """Whether a head was exchanged, which other rules judge, or unknown methods may do more."""
    models = (key, *trace.objects.module(key).alternatives)
    return any(
        change.old is not None
        and any(
            trace.objects.route(each, change.parent, change.index) is not None for each in models
        )
        for change in trace.before(event, SubmoduleReplaced)
    ) or any(
        isinstance(call.receiver, ModuleValue)
        and call.name not in WITHOUT_FORWARD
        and trace.related(call.receiver.key, key, call.index)
        and trace.objects.module(call.receiver.key).origin is Origin.GIVEN
        for call in trace.before(event, MethodCalled)
    )


def _report_loss(event: BackwardRan, frozen: int, trace: Trace) -> Report:
    label = trace.objects.label(frozen)
    write = trace.flag(Part(frozen), event.index, event.path).write
    evidence = () if write is None else ((write.place, "frozen here"),)
    is_implicit = any(event.place.node is each.place.node for each in trace.all(OptimizerBuilt))
    return Report(
        event.place if write is None or not is_implicit else write.place,
        f"the loss was computed from data and from what is frozen, as `{label}` is: `backward()` "
        "raises a RuntimeError",
        "let what is meant to change require a gradient: an input by `requires_grad_()`, a part of "
        "the model by leaving it out of the freeze",
        evidence,
    )


def _is_first(trace: Trace, event: BackwardRan, step: Stepped, built: OptimizerBuilt) -> bool:
    """Whether this is the backward pass of a step before which this optimizer made none."""
    if any(built.key in each.keys for each in trace.before(event, Stepped)):
        return False
    return step.loops[: len(event.loops)] == event.loops


def _freeze_of_all(trace: Trace, event: BackwardRan, built: OptimizerBuilt) -> FlagWritten | None:
    """One of the writes that froze all parameters of an optimizer; None if one may train."""
    if not built.complete or any(built.key in each.keys for each in trace.all(GroupAdded)):
        return None
    if any(
        other.key != built.key and not _is_done_with(trace, other, built)
        for other in trace.all(OptimizerBuilt)
    ):
        # What the others hold may take part in the loss.
        return None
    if any(map(filters_by_flag, built.parts)):
        # Built after the freeze, it is empty, and its constructor has raised.
        return None
    writes = [lasting_freeze(trace, part.key, event.index, event) for part in built.parts]
    found = [
        each
        for each in writes
        if each is not None
        and (shares_activation(each, event) or _is_for_lightning(trace, each, event))
    ]
    if any(
        write.value is not False and trace.parts_overlap(mine, part, write.index)
        for freeze in found[:1]
        for write in trace.all(FlagWritten)
        # What a later write of the same run undoes was meant until then.
        if write.index > freeze.index or write.activations[:1] != freeze.activations[:1]
        for mine in write.parts
        for part in built.parts
    ):
        return None
    return found[0] if found and len(found) == len(built.parts) else None


def _is_for_lightning(trace: Trace, freeze: FlagWritten, event: BackwardRan) -> bool:
    """Whether a LightningModule froze itself before its training, and no other code may undo it."""
    is_implicit = any(event.place.node is each.place.node for each in trace.all(OptimizerBuilt))
    before = freeze.scopes[:1] in _BEFORE_TRAINING
    if not is_implicit or not before or freeze.repeated:
        return False
    rest = trace.file.text
    for module in trace.objects.modules():
        if module.is_subject and module.owner_class is not None:
            rest = rest.replace(module.owner_class.definition.text, "")
    return re.search(r"unfreeze|requires_grad|Finetuning", rest) is None


def _is_done_with(trace: Trace, other: OptimizerBuilt, built: OptimizerBuilt) -> bool:
    """Whether an optimizer did all of its steps before another one was built."""
    steps = [each.index for each in trace.all(Stepped) if other.key in each.keys]
    return bool(steps) and max(steps) < built.index


def _report(event: BackwardRan, built: OptimizerBuilt, freeze: FlagWritten, trace: Trace) -> Report:
    optimizer = trace.objects.optimizer(built.key).label or built.name
    is_implicit = event.place.node is built.place.node
    return Report(
        # Where a framework differentiates, no line of the file does.
        freeze.place if is_implicit else event.place,
        f"every parameter that `{optimizer}` holds is frozen: `backward()` raises a RuntimeError, "
        "or gives them no gradient",
        f"freeze a part of `{freeze.label}` only, or unfreeze the part that is meant to train",
        (
            (trace.meeting_place(freeze, event), f"all of `{freeze.label}` is frozen here"),
            (trace.meeting_place(built, event), f"`{optimizer}` is built over it here"),
        ),
    )
