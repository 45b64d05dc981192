"""The flag is set on the tensors of a `state_dict()` instead of the parameters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import AttributeWritten, Event, ExpressionDiscarded
from freezelint.analysis.knowledge.torch import FLAG_WRITES
from freezelint.analysis.values import TensorValue
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    import libcst as cst

    from freezelint.analysis.trace import Trace


_ASKED = r"(?:requires_grad|numel\(\)|shape\b|size\(|dtype\b|dim\(\)|ndim\b)"
"""What is set, or asked for a count or a message: neither needs the tensor itself."""


class FlagOnStateDict(Rule):
    """Finds the flag set on what `state_dict()` hands out.

    What it does:
        Reports `requires_grad` written, by assignment or by `requires_grad_()`, on the
        tensors of a `state_dict()` that serve no other purpose.

    Why is this bad:
        `state_dict()` makes a new, detached tensor for each parameter. The flag is set
        on that one, which is dropped with the dict, and the parameter trains on,
        without a message.

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
        for name, tensor in model.state_dict().items():
            tensor.requires_grad = name.startswith("head")  # expect: FZ107

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


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.backbone(x))


        model = Classifier()
        for name, param in model.named_parameters():
            param.requires_grad = name.startswith("head")

        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        `state_dict(keep_vars=True)`, which hands out the parameters themselves, tensors
        that are also stored or passed on, and a dict that is used for something else
        (`torch.func.functional_call`, an optimizer over its values, saving).

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.state_dict
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.named_parameters
    """

    code = "FZ107"
    name = "flag-on-state-dict"
    level = Level.ERROR
    claims = (Claim("moves", "model.backbone.*"),)
    triggers = (("requires_grad",), ("state_dict(",))
    trigger_patterns = (
        FLAG_WRITES,
        (
            r"state_dict\([^()\n]*\)\.(?:items|values)\(\)",
            r"state_dict\([^()\n]*\)\[",
            r"state_dict\(\)[ \t]*(?:#.*)?\n",
        ),
    )
    is_local = True
    events = ("AttributeWritten", "ExpressionDiscarded")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a flag that is set on a tensor of a state dict and goes with it."""
        if isinstance(event, AttributeWritten):
            if event.attribute != "requires_grad":
                return
            value, node = event.receiver, event.receiver_node
        elif isinstance(event, ExpressionDiscarded):
            function = getattr(event.expression, "func", None)
            if getattr(getattr(function, "attr", None), "value", None) != "requires_grad_":
                return
            value, node = event.value, getattr(function, "value", None)
        else:
            return
        if not isinstance(value, TensorValue) or value.how != "state_dict" or node is None:
            return
        if _is_dropped(event, node, trace.file.text):
            yield Report(
                event.place,
                "`state_dict()` makes new tensors: the flag is set on those and lost with "
                "them, and the parameters keep theirs",
                "loop over `named_parameters()`, or pass `keep_vars=True`",
                about=About((event.place.chunk.code(node),), among="frozen"),
            )


def _is_dropped(event: Event, node: cst.CSTNode, text: str) -> bool:
    """Whether a tensor is taken out of a state dict for nothing but its flag."""
    from libcst import Attribute, Call, Name, Subscript

    chunk = event.place.chunk
    if isinstance(node, Subscript):
        return _serves_nothing_else(event, node.value, text)
    loop = chunk.loop_over(node) if isinstance(node, Name) else None
    if loop is None or not isinstance(node, Name):
        return False
    body = chunk.code(loop.body)
    if _count(rf"{node.value}\b", body) > _count(rf"{node.value}\.{_ASKED}", body):
        return False
    source = loop.iter.func if isinstance(loop.iter, Call) else None
    return isinstance(source, Attribute) and _serves_nothing_else(event, source.value, text)


def _serves_nothing_else(event: Event, container: cst.CSTNode, text: str) -> bool:
    """Whether the dict is made on the spot, or bound to a name that is used for flags only."""
    from libcst import Call, Name

    if isinstance(container, Call):
        return True
    if not isinstance(container, Name):
        return False
    # A global name may be used in all of the file.
    return _is_for_flags(container.value, event.place.chunk.text if event.scope else text)


def _is_for_flags(name: str, text: str) -> bool:
    harmless = (
        rf"{name} = ",
        rf"{name}\.(?:items|values|keys)\(\)",
        rf"{name}\[[^\]\n]*\]\.{_ASKED}",
        rf"(?<= in ){name}\b(?![.\[(])",
        rf"(?<=\bset\(){name}\)",
        rf"(?<=\blen\(){name}\)",
        rf"(?<=load_state_dict\(){name}\)",
    )
    mentioned = len(re.findall(rf"\b{re.escape(name)}\b", text))
    return mentioned == sum(_count(each, text) for each in harmless)


def _count(pattern: str, text: str) -> int:
    return len(re.findall(rf"(?<![\w.]){pattern}", text))
