"""The flag is set on the tensors of a `state_dict()` instead of the parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import AttributeWritten, Event, MethodCalled
from freezelint.analysis.knowledge.patterns import FLAG_WRITES
from freezelint.analysis.values import TensorValue
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace


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
    events = ("AttributeWritten", "MethodCalled")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a flag that is set on a tensor of a state dict and goes with it."""
        assert isinstance(event, (AttributeWritten, MethodCalled))
        value = event.receiver
        if not isinstance(value, TensorValue) or value.how != "state_dict":
            return
        from freezelint.analysis.dropped_tensors import is_discarded, lost_at

        if isinstance(event, AttributeWritten):
            node = event.receiver_node if event.attribute == "requires_grad" else None
        else:
            sets_flag = event.name == "requires_grad_" and is_discarded(event.place)
            function = getattr(event.place.node, "func", None)
            node = getattr(function, "value", None) if sets_flag else None
        place = None if node is None else lost_at(event, node, trace.file)
        if node is not None and place is not None:
            yield Report(
                place,
                "`state_dict()` makes new tensors: the flag is set on those and lost with "
                "them, and the parameters keep theirs",
                "loop over `named_parameters()`, or pass `keep_vars=True`",
                about=About((event.place.chunk.code(node),), among="frozen"),
            )
