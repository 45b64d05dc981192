"""A frozen recurrent layer is in evaluation mode, and gradients must pass through it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    AttributeWritten,
    BackwardRan,
    Called,
    Event,
    ForwardRan,
    MethodCalled,
    OutputDetached,
)
from freezelint.analysis.knowledge.patterns import FREEZES
from freezelint.analysis.modes import put_into_evaluation, step_of
from freezelint.analysis.objects import Origin
from freezelint.analysis.tensors import graph_sources, tensors_in
from freezelint.analysis.trainability import is_born_trainable
from freezelint.analysis.values import Constant, LibraryValue, ModuleValue, Part, Value
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace

_LAYERS = frozenset({"LSTM", "GRU", "RNN"})
"""What cuDNN has kernels of its own for; the cells have none."""


class CudnnRnnEval(Rule):
    """Finds frozen LSTMs in evaluation mode that something trainable feeds, on CUDA.

    What it does:
        Reports `eval()` on a frozen `nn.LSTM`, `nn.GRU` or `nn.RNN`, in code that
        moves modules to a device, when its input is computed by a trainable module
        and `backward()` has to go through it.

    Why is this bad:
        The recurrent kernels of cuDNN keep what a backward pass needs in training
        mode only. The script runs on the CPU and raises on a GPU. The mode makes no
        difference to these layers but for their dropout, so they can stay in training
        mode with a dropout of 0.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)
        device = "cuda"

        prompt = nn.Linear(8, 16).to(device)
        encoder = nn.LSTM(16, 32, batch_first=True).to(device)
        head = nn.Linear(32, 4).to(device)
        encoder.requires_grad_(False)
        encoder.eval()  # expect: FZ407
        parameters = [*prompt.parameters(), *head.parameters()]
        optimizer = torch.optim.Adam(parameters, lr=1e-3)
        inputs, targets = torch.randn(64, 5, 8).to(device), torch.randint(4, (64,)).to(device)
        for epoch in range(3):
            states, _ = encoder(prompt(inputs))
            loss = nn.functional.cross_entropy(head(states[:, -1]), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)
        device = "cuda"

        prompt = nn.Linear(8, 16).to(device)
        encoder = nn.LSTM(16, 32, batch_first=True).to(device)
        head = nn.Linear(32, 4).to(device)
        encoder.requires_grad_(False)
        encoder.dropout = 0.0
        encoder.train()
        parameters = [*prompt.parameters(), *head.parameters()]
        optimizer = torch.optim.Adam(parameters, lr=1e-3)
        inputs, targets = torch.randn(64, 5, 8).to(device), torch.randint(4, (64,)).to(device)
        for epoch in range(3):
            states, _ = encoder(prompt(inputs))
            loss = nn.functional.cross_entropy(head(states[:, -1]), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Code that stays on the CPU, layers in training mode, layers whose input needs no
        gradient or is not known to, outputs that are detached, and code that turns
        cuDNN off.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html
        https://github.com/pytorch/pytorch/issues/5878
        https://github.com/pytorch/pytorch/issues/37965
        https://github.com/meta-pytorch/captum/issues/564
    """

    code = "FZ407"
    name = "cudnn-rnn-eval"
    level = Level.WARNING
    claims = (
        Claim(
            "raises",
            error="RuntimeError: cudnn RNN backward can only be called in training mode",
        ),
    )
    device = "cuda"
    triggers = (("cuda", ".to("), ("backward(",), ("eval(", "train(False", "train(mode=False"))
    trigger_patterns = ((r"LSTM\(", r"GRU\(", r"RNN\("), FREEZES)
    events = ("ForwardRan",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report the eval() of a recurrent layer that gradients must pass through."""
        assert isinstance(event, ForwardRan)
        package, _, layer = (trace.objects.module(event.key).library or "").rpartition(".")
        if layer not in _LAYERS or not package.startswith("torch.nn"):
            return
        part = Part(event.key)
        mode = put_into_evaluation(trace, part, event)
        if mode is None or not trace.is_frozen(part, event.index, event.path):
            return
        backward = step_of(trace, event)
        if not isinstance(backward, BackwardRan) or not _needs_gradient(trace, event):
            return
        if _is_detached(trace, event, backward) or not _may_use_cudnn(trace):
            return
        label = trace.objects.label(event.key)
        yield Report(
            trace.meeting_place(mode, event),
            f"on a GPU, `backward()` cannot pass through `{label}` in evaluation mode: cuDNN's "
            f"`{layer}` allows it in training mode only",
            f"leave `{label}` in training mode and set its `dropout` to 0",
            (
                (event.place, "its input is computed by what is trained"),
                (backward.place, "gradients pass through it here"),
            ),
        )


def _needs_gradient(trace: Trace, forward: ForwardRan) -> bool:
    """Whether something trainable computed the input, with layers without parameters between."""
    seen: set[int] = set()
    pending = [forward]
    while pending:
        each = pending.pop()
        if each.grad_enabled is not True or each.index in seen:
            continue
        seen.add(each.index)
        for key in (key for tensor in tensors_in(each.arguments) for key in graph_sources(tensor)):
            if trace.objects.module(key).origin is Origin.PARAMETER:
                if trace.flag(Part(key), each.index, each.path).value is True:
                    return True
                continue
            source = next((run for run in trace.before(each, ForwardRan) if run.key == key), None)
            if source is None or source.grad_enabled is not True:
                continue
            is_trained = is_born_trainable(trace, key, source.index)
            if is_trained and trace.flag(Part(key), source.index, source.path).value is True:
                return True
            pending.append(source)
    return False


def _is_detached(trace: Trace, forward: ForwardRan, backward: BackwardRan) -> bool:
    """Whether the output is cut before gradients come back; what is looked at later may be."""
    return any(
        forward.key in each.keys for each in trace.between(forward, backward, OutputDetached)
    )


def _may_use_cudnn(trace: Trace) -> bool:
    """Whether modules go to a device that is no CPU, and cuDNN is left on."""
    turned_off = any(
        write.attribute == "enabled"
        and isinstance(write.receiver, LibraryValue)
        and write.receiver.name == "torch.backends.cudnn"
        for write in trace.all(AttributeWritten)
    )
    if turned_off or any(each.name == "torch.backends.cudnn.flags" for each in trace.all(Called)):
        return False
    return any(
        isinstance(call.receiver, ModuleValue)
        and (call.name == "cuda" or (call.name == "to" and any(map(_is_device, call.arguments))))
        for call in trace.all(MethodCalled)
    )


def _is_device(argument: Value) -> bool:
    """Whether what is passed to ``to`` may be a GPU: it is no data type, and not the CPU."""
    if isinstance(argument, Constant):
        return str(argument.value).startswith("cuda")
    return not isinstance(argument, LibraryValue)
