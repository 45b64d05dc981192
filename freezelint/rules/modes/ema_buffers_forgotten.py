"""A hand-written average follows parameters only, and the model has BatchNorm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.contents import holds
from freezelint.analysis.events import (
    AttributeWritten,
    Event,
    HandedOver,
    MethodCalled,
    ModeSet,
    Stepped,
)
from freezelint.analysis.knowledge.layers import LayerKind
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import is_total
from freezelint.analysis.values import (
    ModuleGroup,
    ModuleValue,
    ParameterValue,
    Part,
    TensorValue,
)
from freezelint.findings import Level
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Value

_UPDATES = frozenset({"mul_", "lerp_", "copy_"})
"""What is called on each parameter of an average."""

_REACH_BUFFERS = frozenset(
    {"buffers", "named_buffers", "load_state_dict", "modules", "named_modules", "apply"}
)
"""Methods by which statistics may be copied after all."""


class EmaBuffersForgotten(Rule):
    """Finds averages of a model whose BatchNorm statistics stay those of the beginning.

    What it does:
        Reports the update of a copy in evaluation mode that goes over `parameters()`
        while the model is trained, when the model is known to hold BatchNorm and
        nothing copies its buffers.

    Why is this bad:
        Running statistics are buffers, which `parameters()` does not yield. The
        average normalises with the statistics that the model had when it was copied,
        often those of its first minute, while its weights are those of the end.

    Bad:
        import copy

        import torch
        from torch import nn

        torch.manual_seed(0)

        model = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 4))
        average = copy.deepcopy(model).eval().requires_grad_(False)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        inputs, targets = torch.randn(64, 16) + 3.0, torch.randint(4, (64,))
        for epoch in range(20):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for mine, other in zip(average.parameters(), model.parameters()):
                    mine.lerp_(other, 0.1)  # expect: FZ408

    Good:
        import copy

        import torch
        from torch import nn

        torch.manual_seed(0)

        model = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 4))
        average = copy.deepcopy(model).eval().requires_grad_(False)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        inputs, targets = torch.randn(64, 16) + 3.0, torch.randint(4, (64,))
        for epoch in range(20):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for mine, other in zip(average.parameters(), model.parameters()):
                    mine.lerp_(other, 0.1)
                for mine, other in zip(average.buffers(), model.buffers()):
                    mine.copy_(other)

    When it is silent:
        Models without BatchNorm or of which nothing is known, averages that run in
        training mode and so keep statistics of their own, buffers or state dicts that
        are copied anywhere, and averages that code out of sight has in hands.

    References:
        https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema
        https://github.com/saltoricristiano/cosmix-uda/issues/21
    """

    code = "FZ408"
    name = "ema-buffers-forgotten"
    level = Level.INFO
    claims = ()
    unproven = (
        "a copy that lags behind is no part that is frozen: its weights are meant to move, and "
        "what is wrong is that its buffers do not"
    )
    triggers = (("deepcopy",), ("parameters(",), ("step(",), ("eval(", "train(False"))
    trigger_patterns = (
        (r"\.lerp_\(", r"\.mul_\(", r"\.copy_\(", r"\.data\s*="),
        (r"zip\(",),
    )
    events = ("MethodCalled", "AttributeWritten")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report an update of a copy's parameters where its statistics are forgotten."""
        value = _updated(event)
        if value is None or event.repeated or next(trace.before(event, Stepped), None) is None:
            return
        for part in value.parts:
            average = trace.objects.module(part.key)
            if average.origin is not Origin.COPY or not is_total(part.predicate):
                continue
            assert average.source is not None
            if not holds(trace, average.source, average.born, LayerKind.BATCH_NORM):
                continue
            if _is_evaluated(trace, average) and not _may_be_copied(trace, average):
                label = trace.objects.label(average.key)
                model = trace.objects.label(average.source)
                yield Report(
                    event.place,
                    f"`{label}` follows the parameters of `{model}` only: its BatchNorm keeps the "
                    "statistics of the moment when it was copied",
                    f"copy the buffers too: `for mine, other in zip({label}.buffers(), "
                    f"{model}.buffers()): mine.copy_(other)`",
                    ((average.place, "copied here"),) if average.place is not None else (),
                )
                return


def _updated(event: Event) -> ParameterValue | TensorValue | None:
    """The parameters that an event writes, each of several."""
    if isinstance(event, MethodCalled) and event.name in _UPDATES:
        receiver: Value = event.receiver
    elif isinstance(event, AttributeWritten) and event.attribute == "data":
        receiver = event.receiver
    else:
        return None
    return receiver if isinstance(receiver, (ParameterValue, TensorValue)) else None


def _is_evaluated(trace: Trace, average: ModuleObject) -> bool:
    """Whether the copy is put into evaluation mode and stays there."""
    part = Part(average.key)
    modes = [
        mode for mode in trace.all(ModeSet) if trace.parts_overlap(mode.part, part, mode.index)
    ]
    return bool(modes) and all(mode.training is False for mode in modes)


def _may_be_copied(trace: Trace, average: ModuleObject) -> bool:
    for call in trace.all(MethodCalled):
        if call.name in _REACH_BUFFERS and isinstance(call.receiver, (ModuleValue, ModuleGroup)):
            key = call.receiver.key
            if call.index > average.born and trace.related(key, average.key, call.index):
                return True
    return any(
        trace.related(key, average.key, handed.index)
        for handed in trace.all(HandedOver)
        for key in handed.keys
    )
