"""The flag of a computed tensor is cleared, which only a leaf allows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    AttributeWritten,
    BackwardRan,
    Event,
    ForwardRan,
    MethodCalled,
)
from freezelint.analysis.knowledge.patterns import QUOTED_FLAG
from freezelint.analysis.knowledge.transformers import REAL_OUTPUTS
from freezelint.analysis.trace import implies
from freezelint.analysis.trainability import has_no_parameters, is_known_to_have_parameters
from freezelint.analysis.values import (
    UNKNOWN,
    BoundMethod,
    Constant,
    Part,
    TensorKind,
    TensorValue,
    Value,
)
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeGuard

    from freezelint.analysis.trace import Trace

_BARE_NAME = "|".join(rf"(?<=\s\w{{{length}}}\.requires_grad)" for length in range(1, 17))
"""What stands before the attribute: lookbehinds have to have one length each."""

_REAL = frozenset(
    {"", "amax", "amin", "clamp", "gather", "index_select", "logsumexp", "masked_fill"}
)
"""Methods whose result has a graph wherever the tensor has one; "" for those that say nothing."""

_TRUE, _FALSE = Constant(True), Constant(False)

_OF_A_LAYER = re.compile(r"self\.(\w+)\(\w+\)(?:\.(?:flatten|squeeze|unsqueeze|view)\([^()]*\))?")
"""What a layer computes of one tensor, in whatever shape."""


class FlagOnNonLeaf(Rule):
    """Finds `requires_grad` cleared on a tensor that was computed from parameters.

    What it does:
        Reports `requires_grad = False` or `requires_grad_(False)` on what a trainable
        module returned, and any write of the flag of an element or a slice of a
        parameter, such as `embedding.weight[:100].requires_grad = False`.

    Why is this bad:
        Only a leaf of the graph has a flag of its own. On a tensor that was computed
        from trainable parameters the write raises a RuntimeError: "you can only change
        requires_grad flags of leaf variables". An element of a parameter is computed
        from it too: the flag belongs to the parameter as a whole, and a part of it
        cannot be frozen this way. Where the parameter is frozen already, nothing is
        raised and nothing happens either.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)

        backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
        head = nn.Linear(32, 4)
        optimizer = torch.optim.SGD([*backbone.parameters(), *head.parameters()], lr=0.1)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            features = backbone(inputs)
            features.requires_grad = False  # expect: FZ506
            loss = nn.functional.cross_entropy(head(features), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)

        backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
        head = nn.Linear(32, 4)
        backbone.requires_grad_(False)
        optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            features = backbone(inputs)
            loss = nn.functional.cross_entropy(head(features), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Inputs and other leaves, outputs of frozen modules or of modules of which it is
        not known whether they are, what is computed under `no_grad`, code that is not
        seen to train, and `requires_grad_(True)`, which changes nothing on a tensor
        that has a graph.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.is_leaf.html
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad.html
        https://docs.pytorch.org/docs/stable/notes/autograd.html#setting-requires-grad
        https://github.com/lm-sys/FastChat/issues/581
    """

    code = "FZ506"
    name = "flag-on-non-leaf"
    level = Level.ERROR
    claims = (
        Claim("raises", error="RuntimeError: you can only change requires_grad flags of leaf"),
    )
    triggers = (("requires_grad",),)
    trigger_patterns = (
        (
            r"\]\.requires_grad(?:_\(|\s*=(?!=))",
            # Of the writes to a name, leave out those that go over parameters.
            (
                rf"\.requires_grad(?:{_BARE_NAME})(?<!\sp\.requires_grad)(?<!\sparam\.requires_grad)"
                r"(?:\s*=\s*False|_\((?:requires_grad=)?False)"
            ),
            # What other than a model is made and changed in one expression?
            r"\)\.requires_grad_\((?:requires_grad=)?False\)(?<!eval\(\)\.requires_grad_\(False\))",
            *QUOTED_FLAG,
        ),
        # Elements of parameters need no more; outputs are for training.
        (r"\]\.requires_grad", r"backward\(", r"training_step\("),
    )
    is_local = True
    events = ("AttributeWritten", "MethodCalled")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a flag that is written on a computed tensor."""
        if isinstance(event, AttributeWritten):
            if event.attribute == "requires_grad":
                yield from _judge(event, event.receiver, event.value, trace)
        elif isinstance(event, MethodCalled) and event.name == "requires_grad_":
            passed = event.keywords.get("requires_grad", (*event.arguments, _TRUE)[0])
            yield from _judge(event, event.receiver, passed, trace)


def _judge(event: Event, receiver: Value, flag: Value, trace: Trace) -> Iterator[Report]:
    if isinstance(receiver, BoundMethod) and receiver.name in REAL_OUTPUTS:
        receiver = receiver.receiver
    if not isinstance(receiver, TensorValue) or event.repeated or event.is_attempt:
        return
    if receiver.kind is TensorKind.PIECE:
        yield from _judge_piece(event, receiver, flag)
    elif flag == _FALSE and (
        _is_real_output(receiver) or _is_one_of_real_outputs(trace, receiver, event)
    ):
        yield from _judge_output(event, receiver, trace)


def _judge_piece(event: Event, piece: TensorValue, flag: Value) -> Iterator[Report]:
    node = getattr(event, "receiver_node", None) or event.place.node
    if flag not in (_TRUE, _FALSE) or not _is_subscript(node):
        # Bound to a name, it may be an input of its own.
        return
    yield Report(
        event.place,
        "an element of a parameter is computed from it, and has no flag of its own: this raises a "
        "RuntimeError, or does nothing where the parameter is frozen",
        "set the flag of the whole parameter, or split it into a part that trains and one that "
        "does not",
    )


def _is_subscript(node: object) -> bool:
    """Whether an expression is an element, or a call of a method of one."""
    from libcst import Attribute, Call, Subscript

    if isinstance(node, Call) and isinstance(node.func, Attribute):
        node = node.func.value
    return isinstance(node, Subscript)


def _judge_output(event: Event, output: TensorValue, trace: Trace) -> Iterator[Report]:
    if not any(True for _ in trace.after(event, BackwardRan)):
        return
    for key in (*output.modules, *_behind_plain_layers(trace, output, event)):
        forward = next((each for each in trace.before(event, ForwardRan) if each.key == key), None)
        if (
            forward is not None
            and forward.grad_enabled is True
            and implies(event.path, forward.path)
            and is_known_to_have_parameters(trace, key, event.index)
            and trace.flag(Part(key), event.index, event.path).value is True
        ):
            label = trace.objects.label(key)
            yield Report(
                event.place,
                f"this was computed by `{label}`, which is trainable, so it is no leaf of the "
                "graph: the write raises a RuntimeError",
                f"freeze `{label}` if it is meant to stay, or use `.detach()` to cut the graph",
                ((forward.place, f"computed by `{label}` here"),),
            )
            return


def _behind_plain_layers(trace: Trace, output: TensorValue, event: Event) -> Iterator[int]:
    """The modules whose output came through layers without parameters, as a pooling is one.

    These hand on the graph, whatever they compute.
    """
    for key in output.modules:
        library = trace.objects.module(key).library or ""
        if not library.startswith("torch.nn.") or not has_no_parameters(trace, key):
            continue
        run = next((each for each in trace.before(event, ForwardRan) if each.key == key), None)
        given = UNKNOWN if run is None or len(run.arguments) != 1 else run.arguments[0]
        if run is None or not _is_real_output(given) or run.grad_enabled is not True:
            continue
        yield from given.modules
        yield from _behind_plain_layers(trace, given, run)


def _is_real_output(value: Value) -> TypeGuard[TensorValue]:
    """Whether a module computed something that has a graph wherever a tensor has one."""
    return (
        isinstance(value, TensorValue)
        and value.kind is TensorKind.OUTPUT
        and value.how in _REAL
        and value.cut_from is None
    )


def _is_one_of_real_outputs(trace: Trace, output: TensorValue, event: Event) -> bool:
    """Whether a class of the file returns several tensors, each from a layer of its that trains."""
    if output.kind is not TensorKind.OUTPUT or output.how != "[...]" or output.cut_from is not None:
        return False
    (key, *more) = output.modules or (-1,)
    owner = None if more or key < 0 else trace.objects.module(key).owner_class
    method = None if owner is None else owner.definition.methods.get("forward")
    returned = [] if method is None else re.findall(r"\breturn (.+)", method.text)
    if method is None or len(returned) != 1 or "no_grad" in method.text:
        return False
    layers = {
        each.attribute: other
        for other, each in trace.objects.attachments_to(key)
        if each.until is None
    }
    for name in map(str.strip, returned[0].split(",")):
        called = _OF_A_LAYER.fullmatch(_given(name, method.text))
        layer = None if called is None else layers.get(called[1])
        if (
            layer is None
            or not (trace.objects.module(layer).library or "").startswith("torch.nn.")
            or not is_known_to_have_parameters(trace, layer, event.index)
        ):
            return False
    return True


def _given(name: str, text: str) -> str:
    """What a name stands for that a function gives to nothing else; what is no name, for itself."""
    if not name.isidentifier():
        return name
    given = re.findall(rf"\b{name}\b[^=\n(]*=(?!=)", text)
    alone = re.search(rf"^[ \t]*{name} = (.+)", text, re.MULTILINE)
    return alone[1] if alone is not None and len(given) == 1 else ""
