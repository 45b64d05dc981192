"""The method `requires_grad_` is used as a condition without being called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import ConditionTested, Event
from freezelint.analysis.values import (
    BoundMethod,
    ComparisonValue,
    ModuleValue,
    ParameterValue,
    TensorValue,
)
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from libcst import CSTNode

    from freezelint.analysis.trace import Trace
    from freezelint.findings import Fix


class BoundMethodAsCondition(Rule):
    """Finds `requires_grad_` used as a condition, which is always true.

    What it does:
        Reports `x.requires_grad_`, without a call, as the condition of an `if`, a
        comprehension, a `filter(...)` or another test.

    Why is this bad:
        Without a call this is a bound method, and a bound method is always true. The
        filter lets every parameter through: frozen ones end up in the optimizer,
        counts of trainable parameters are wrong, and whatever else is done to
        "trainable" parameters, such as weight decay by hand or re-initialisation, is
        done to the frozen ones too. (Adding the parentheses would be worse: the call
        unfreezes the parameter.)

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
        model.backbone.requires_grad_(False)
        trainable = [p for p in model.parameters() if p.requires_grad_]  # expect: FZ104

        optimizer = torch.optim.SGD(trainable, lr=0.05, momentum=0.9)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for param in trainable:  # decoupled weight decay
                    param.mul_(1 - 0.05 * 0.01)

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
        model.backbone.requires_grad_(False)
        trainable = [p for p in model.parameters() if p.requires_grad]

        optimizer = torch.optim.SGD(trainable, lr=0.05, momentum=0.9)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for param in trainable:  # decoupled weight decay
                    param.mul_(1 - 0.05 * 0.01)

    When it is silent:
        Tests for the method's existence (`hasattr`, `is None`), the method passed on
        or stored to be called later, and objects whose class defines a field of that
        name.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad.html
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad_.html
    """

    code = "FZ104"
    name = "bound-method-as-condition"
    level = Level.ERROR
    claims = (
        Claim("moves", "model.backbone.*"),
        Claim("wastes", "model.backbone.*"),
    )
    triggers = (("requires_grad_",),)
    trigger_patterns = ((r"\.requires_grad_(?!\w|\s*[(=][^=])",),)
    is_local = True
    fix = "safe"
    events = ("ConditionTested",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a method that is tested instead of a flag."""
        assert isinstance(event, ConditionTested)
        value = event.value
        node: CSTNode | None = event.expression
        if isinstance(value, ComparisonValue):
            value, node = value.left, getattr(node, "left", None)
        if not isinstance(value, BoundMethod) or value.name != "requires_grad_":
            return
        if node is not None and isinstance(
            value.receiver, (ModuleValue, ParameterValue, TensorValue)
        ):
            code = event.place.chunk.code(node)
            if not code.endswith("requires_grad_"):
                # A name that holds the method, to be called if it is there.
                return
            yield Report(
                event.place,
                f"`{code}` is a method, and a method is always true: "
                "frozen parameters pass this test too"
                if node is event.expression
                else f"`{code}` is a method, and a method is no flag: this compares the two",
                f"write `{code[:-1]}`, without the underscore",
                fix=_fix(event, node),
                about=_about(value.receiver, trace),
            )


def _fix(event: ConditionTested, node: CSTNode) -> Fix | None:
    from freezelint.analysis import edits

    edit = edits.attribute_renamed(event.place, node, "requires_grad")
    return edits.fixed("test the flag instead", edit, is_safe=True)


def _about(receiver: object, trace: Trace) -> About | None:
    """What is frozen of the models whose parameters are tested."""
    if not isinstance(receiver, ParameterValue):
        return None
    labels = dict.fromkeys(trace.objects.label(part.key) for part in receiver.parts)
    return About(tuple(labels), among="frozen")
