"""Tensors made under `inference_mode` are used in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import BackwardRan, Called, Event, ForwardRan
from freezelint.analysis.knowledge.layers import LAYERS_KEEPING_INPUT, LOSSES_KEEPING_TARGET
from freezelint.analysis.search import LinePattern
from freezelint.analysis.tensors import graph_sources, sources_of, tensors_in
from freezelint.analysis.trainability import has_parameters
from freezelint.analysis.values import BoundMethod, Part, TensorValue
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Value


class InferenceModeFeatures(Rule):
    """Finds tensors made under `inference_mode` that a graph has to keep.

    What it does:
        Reports the output of something that ran under `torch.inference_mode()` where it
        goes, outside of it, into a trainable layer that keeps its input for the
        backward pass, or into a loss as the target of what trains.

    Why is this bad:
        Tensors made under `inference_mode` can never be saved for a backward pass. The
        forward pass raises a RuntimeError: "Inference tensors cannot be saved for
        backward". `no_grad` saves nearly the same time and memory, and its tensors can
        be used in training.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)

        backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
        head = nn.Linear(32, 4)
        optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            with torch.inference_mode():
                features = backbone(inputs)
            loss = nn.functional.cross_entropy(head(features), labels)  # expect: FZ505
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)

        backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
        head = nn.Linear(32, 4)
        optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            with torch.no_grad():
                features = backbone(inputs)
            loss = nn.functional.cross_entropy(head(features), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Copies (`.clone()`) and other operations that make a normal tensor first, such as
        a sum, a mean or a ReLU, layers that are frozen or that do not keep their input
        (recurrent layers, attention), losses that do not keep their target
        (`l1_loss`), layers of which nothing is known, and code that is not seen to
        train.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.inference_mode.html
        https://docs.pytorch.org/docs/stable/notes/autograd.html#inference-mode
        https://github.com/facebookresearch/dinov2/issues/399
        https://github.com/open-mmlab/mmsegmentation/issues/3499
    """

    code = "FZ505"
    name = "inference-mode-features"
    level = Level.ERROR
    claims = (
        Claim("raises", error="RuntimeError: Inference tensors cannot be saved for backward"),
    )
    triggers = (("inference_mode",), ("backward", "training_step"))
    trigger_patterns = (
        (
            # Neither an argument of that name nor a mention in a docstring.
            LinePattern(
                "inference_mode",
                r"(?P<indent>[ \t]*)(?:"
                # A block that names what it computes, or returns or collects it.
                r"with [^\n]*\binference_mode\([^\n]*:(?:[^\n]*=|[ \t]*(?:#[^\n]*)?\n(?:(?P=indent)[ \t]+[^\s][^\n]*\n|[ \t]*\n)*?"
                r"(?P=indent)[ \t]+(?:[\w., ()*:]+ =[^=]|return\b|yield\b|[\w.]+\.append\(|[\w.]+\[[^,\n]+\] =))"
                # A decorator, a switch, or a context that is entered elsewhere.
                r"|@[\w.]*\binference_mode[ \t]*[\n#]|(?![ \t]*with )[^\n#\"'`]*\binference_mode\()",
            ),
        ),
        (r"backward\(", r"def training_step\("),
    )
    events = ("ForwardRan", "Called")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report what a graph must keep, and cannot."""
        if event.grad_enabled is not True or event.repeated or event.is_attempt:
            return
        if not any(True for _ in trace.after(event, BackwardRan)):
            # Perhaps it is only ever called where gradients are off.
            return
        if isinstance(event, ForwardRan):
            yield from _check_layer(event, trace)
        elif isinstance(event, Called):
            function = event.name.removeprefix("torch.nn.functional.")
            values = (*event.arguments, *event.keywords.values())
            if function != event.name and function in LOSSES_KEEPING_TARGET.values():
                yield from _check_loss(event, values, trace)


def _check_layer(event: ForwardRan, trace: Trace) -> Iterator[Report]:
    library = trace.objects.module(event.key).library or ""
    if library.removeprefix("torch.nn.") in LOSSES_KEEPING_TARGET:
        yield from _check_loss(event, event.arguments, trace)
        return
    given = event.arguments[0] if event.arguments else None
    if isinstance(given, BoundMethod):
        # An attribute that is read and not called, such as `.last_hidden_state`.
        given = given.receiver
    if not isinstance(given, TensorValue) or not given.is_inference:
        return
    if _keeps_input(trace, event.key, event):
        label = trace.objects.label(event.key)
        yield _report(event, given, f"`{label}` is trainable and has to keep its input", trace)


def _keeps_input(trace: Trace, key: int, event: Event) -> bool:
    """Whether a module first does something for whose gradient it needs what it was given."""
    package, _, last = (trace.objects.module(key).library or "").rpartition(".")
    if package != "torch.nn":
        return False
    if last == "Sequential":
        for held in trace.objects.held_by(key, event.index):
            kind = trace.objects.module(held).library
            if kind not in ("torch.nn.Identity", "torch.nn.Flatten"):
                return _keeps_input(trace, held, event)
    if last not in LAYERS_KEEPING_INPUT:
        return False
    return trace.flag(Part(key), event.index, event.path).value is True


def _check_loss(event: Event, values: tuple[Value, ...], trace: Trace) -> Iterator[Report]:
    tensors = list(tensors_in(values))
    kept = next((each for each in tensors if each.is_inference), None)
    if kept is not None and any(_trains(trace, each, event) for each in tensors):
        yield _report(event, kept, "the loss has to keep it", trace)


def _trains(trace: Trace, tensor: TensorValue, event: Event) -> bool:
    """Whether a tensor was certainly computed by something trainable, with a graph."""
    return any(
        has_parameters(trace, key, event.index)
        and trace.flag(Part(key), event.index, event.path).value is True
        and any(each.key == key and each.grad_enabled is True for each in trace.all(ForwardRan))
        for key in graph_sources(tensor)
    )


def _report(event: Event, tensor: TensorValue, reason: str, trace: Trace) -> Report:
    made = next(
        (
            each
            for each in trace.before(event, ForwardRan)
            if each.key in sources_of(tensor) and each.grad_enabled is False
        ),
        None,
    )
    return Report(
        event.place if made is None else trace.common_place(event, made),
        f"this uses what was made under `inference_mode`, and {reason}: it raises a RuntimeError",
        "use `torch.no_grad()` there instead, or `.clone()` what it made",
        () if made is None else ((made.place, "made under `inference_mode` here"),),
    )
