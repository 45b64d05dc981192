"""The loss is made a leaf, so `backward()` reaches no parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    AttributeWritten,
    BackwardRan,
    Called,
    Event,
    MethodCalled,
    OptimizerBuilt,
    Stepped,
)
from freezelint.analysis.knowledge.patterns import QUOTED_FLAG
from freezelint.analysis.search import LinePattern
from freezelint.analysis.tensors import sources_of
from freezelint.analysis.values import (
    Constant,
    ElementsValue,
    ParameterValue,
    SequenceValue,
    TensorValue,
    Unknown,
)
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Value

_CUTTING = frozenset({"torch.tensor", "torch.as_tensor", "torch.autograd.Variable"})


_FROM_NUMBERS = frozenset({"torch.tensor", "torch.as_tensor", "torch.Tensor", "torch.FloatTensor"})
"""Functions whose first argument is what the tensor holds, and not its size."""


class LossMadeLeaf(Rule):
    """Finds a loss that is cut from its graph and made to require a gradient.

    What it does:
        Reports a loss whose own flag is set before `backward()`: `loss.requires_grad
        = True` or `loss.requires_grad_()` where the loss has no graph, and the forms
        that always cut it off, `Variable(loss, requires_grad=True)` and
        `torch.tensor(loss.item(), requires_grad=True)`.

    Why is this bad:
        It silences "element 0 of tensors does not require grad" and leaves its cause
        in place: the loss is not connected to the parameters. `backward()` runs,
        every gradient stays `None`, and nothing trains.

        On a loss that has a graph, `loss.requires_grad_()` changes nothing and
        training works, while `loss.requires_grad = True` raises a RuntimeError ("you
        can only change requires_grad flags of leaf variables").

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)

        model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))

        for epoch in range(3):
            predictions = model(inputs).argmax(dim=1).float()
            loss = nn.functional.mse_loss(predictions, labels.float())
            loss.requires_grad = True  # expect: FZ503
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)

        model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))

        for epoch in range(3):
            logits = model(inputs)
            loss = nn.functional.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Tensors built as leaves on purpose, such as test data, inputs that are
        optimized themselves, and `loss.requires_grad_()` on a loss that has a graph
        or may have one.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.is_leaf.html
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad_.html
    """

    code = "FZ503"
    name = "loss-made-leaf"
    level = Level.ERROR
    claims = (Claim("cut", "model.*"),)
    triggers = (("requires_grad",), ("backward", "training_step"))
    trigger_patterns = (
        (
            # A leaf whose gradient is read is there for its gradient, as are parameters.
            LinePattern(
                ".requires_grad",
                r"(?<!parameters\(\):\n)(?:[ \t]*(?P<name>\w+)|(?![^\n]*parameters\(\):)[^\n]*)"
                r"\.requires_grad(?:\s*=\s*True|_\((?:requires_grad=)?(?:True)?\))",
                unless=r"\b{name}\.grad\b",
            ),
            r"ensor\((?:[^()]*(?:\([^()]*\)[^()]*)*|[^\n]*)requires_grad\s*=\s*True",
            r"Variable\((?:[^()]*(?:\([^()]*\)[^()]*)*|[^\n]*)requires_grad\s*=\s*True",
            *QUOTED_FLAG,
        ),
        (r"\.backward\(", r"manual_backward\(", r"training_step\("),
    )
    is_local = True
    events = ("AttributeWritten", "MethodCalled", "BackwardRan")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a loss that is made a leaf before it is differentiated."""
        if isinstance(event, AttributeWritten):
            yield from self._check_write(event, trace)
        elif isinstance(event, MethodCalled):
            yield from self._check_call(event, trace)
        elif isinstance(event, BackwardRan):
            yield from self._check_backward(event, trace)

    def _check_write(self, event: AttributeWritten, trace: Trace) -> Iterator[Report]:
        if event.attribute != "requires_grad" or event.value != Constant(True):
            return
        if isinstance(event.receiver, ParameterValue) or event.receiver_node is None:
            return
        is_leaf = isinstance(event.receiver, TensorValue) and event.receiver.is_fresh
        if event.receiver_name is not None:
            yield from _report(event, event.receiver_name, trace, is_leaf=is_leaf)

    def _check_call(self, event: MethodCalled, trace: Trace) -> Iterator[Report]:
        """The method changes nothing on a loss with a graph; this must be one without."""
        if event.name != "requires_grad_" or not isinstance(event.receiver, TensorValue):
            return
        has_no_graph = event.receiver.cut_from is not None
        if has_no_graph and (*event.arguments, Constant(True))[0] == Constant(True):
            # What was computed from numbers alone may be there to be differentiated by.
            is_leaf = not event.receiver.cut_from
            yield from _report(event, event.label, trace, is_leaf=is_leaf)

    def _check_backward(self, event: BackwardRan, trace: Trace) -> Iterator[Report]:
        if not isinstance(event.loss, TensorValue) or event.loss.made is None:
            return
        made = trace.events[event.loss.made] if event.loss.made >= 0 else None
        if not isinstance(made, Called) or made.name not in _CUTTING or not made.arguments:
            return
        is_set = made.keywords.get("requires_grad") == Constant(True)
        if not is_set or _is_data(made.arguments[0], event, trace):
            return
        short = made.name.rpartition(".")[2]
        yield Report(
            made.place,
            f"`{short}(..., requires_grad=True)` makes a new leaf from the loss: `backward()` "
            "stops there, and no parameter gets a gradient",
            "call `backward()` on the loss itself",
            ((event.place, "differentiated here"),),
        )


def _is_data(source: Value, backward: BackwardRan, trace: Trace) -> bool:
    """Whether a tensor is made from numbers that nobody computed, or may be."""
    if isinstance(source, (SequenceValue, ElementsValue)):
        return not _collects_losses(source, backward, trace)
    if isinstance(source, TensorValue) and source.is_fresh:
        made = trace.events[source.made] if source.made is not None else None
        if not isinstance(made, Called) or made.name not in _FROM_NUMBERS or not made.arguments:
            return True
        inner = made.arguments[0]
        if isinstance(inner, Unknown):
            # A score that another library computed, if something else is to be trained by it.
            return not _is_followed_by_step(trace, backward, backward)
        return not isinstance(inner, SequenceValue) or _is_data(inner, backward, trace)
    return isinstance(source, Constant)


def _collects_losses(
    numbers: SequenceValue | ElementsValue, backward: BackwardRan, trace: Trace
) -> bool:
    """Whether a list holds what was computed, and a step of other parameters is to follow."""
    items = numbers.items if isinstance(numbers, SequenceValue) else ()
    if items and all(isinstance(each, Constant) for each in items):
        return False
    loss = backward.loss
    is_bare = isinstance(loss, TensorValue) and not (loss.upstream or loss.modules)
    return is_bare and _is_followed_by_step(trace, backward, backward)


def _report(
    event: AttributeWritten | MethodCalled, name: str, trace: Trace, *, is_leaf: bool = False
) -> Iterator[Report]:
    for backward in trace.after(event, BackwardRan):
        is_same = backward.label == name and backward.scope == event.scope
        if is_same or _is_handed_back(event, backward):
            if is_leaf and not _is_followed_by_step(trace, event, backward):
                # Made from numbers to be differentiated by, as tests do.
                return
            yield Report(
                event.place,
                f"this makes `{name}` a leaf (or raises, where it has a graph): `backward()` "
                "runs, and no parameter gets a gradient",
                "find out why the loss has no graph: something frozen, detached or computed "
                "under `no_grad`",
                ((backward.place, "differentiated here"),),
            )
            return


def _is_handed_back(event: AttributeWritten | MethodCalled, backward: BackwardRan) -> bool:
    """Whether the very same goes to `backward()` under another name: what cannot have a graph.

    The attribute can be set on nothing else.
    """
    receiver, loss = event.receiver, backward.loss
    if not isinstance(receiver, TensorValue) or not isinstance(loss, TensorValue):
        return False
    is_written = isinstance(event, AttributeWritten)
    sources = sources_of(receiver) if is_written else receiver.cut_from
    return bool(sources) and loss.made == event.index


def _is_followed_by_step(trace: Trace, event: Event, backward: BackwardRan) -> bool:
    """Whether an optimizer that does not hold the leaf itself steps after it in the same scope."""
    return any(
        step.keys and step.scope == event.scope and _trains_modules(trace, step)
        for step in trace.after(backward, Stepped)
    )


def _trains_modules(trace: Trace, step: Stepped) -> bool:
    return any(
        built.key in step.keys and built.complete and built.parts
        for built in trace.all(OptimizerBuilt)
    )
