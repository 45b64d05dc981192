"""A parameter is converted or moved right after it is made and is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import AttributeWritten, Event, OptimizerBuilt
from freezelint.analysis.objects import Origin
from freezelint.analysis.search import LinePattern
from freezelint.analysis.values import ModuleValue, TensorKind, TensorValue
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace

_NO_CHANGE = frozenset({"cpu", "float"})
"""Conversions to what a parameter usually is already."""

_DEFAULTS = ("torch.float", "torch.float32", "'cpu'", '"cpu"')


class ParameterMovedAtBirth(Rule):
    """Finds a parameter that is moved or converted in the statement that makes it.

    What it does:
        Reports `self.x = nn.Parameter(...).to(...)` and the same with `.cuda()`,
        `.half()` and the other conversions, where the result is kept in place of the
        parameter.

    Why is this bad:
        If the device or the dtype changes, the result is not a parameter but a tensor
        computed from one. The module does not register it: it is missing from
        `parameters()` and from the checkpoint, no optimizer holds it, and it never
        changes. If nothing changes, the parameter itself comes back. So the line
        works on a CPU and fails, without a message, on a GPU.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.float64


        class ScaledClassifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.gain = nn.Parameter(torch.ones(16)).to(device, dtype)  # expect: FZ605
                self.head = nn.Linear(16, 4, device=device, dtype=dtype)

            def forward(self, x):
                return self.head(self.gain * x)


        model = ScaledClassifier()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        inputs = torch.randn(64, 16, device=device, dtype=dtype)
        targets = torch.randint(4, (64,), device=device)
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.float64


        class ScaledClassifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.gain = nn.Parameter(torch.ones(16, device=device, dtype=dtype))
                self.head = nn.Linear(16, 4, device=device, dtype=dtype)

            def forward(self, x):
                return self.head(self.gain * x)


        model = ScaledClassifier()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        inputs = torch.randn(64, 16, device=device, dtype=dtype)
        targets = torch.randint(4, (64,), device=device)
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Tensors that are made with the device and dtype they are moved to, conversions
        inside the parentheses of `nn.Parameter(...)`, results wrapped in
        `nn.Parameter` again, and conversions of the whole module.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
        https://github.com/pytorch/pytorch/issues/9303
        https://github.com/pytorch/pytorch/issues/17484
        https://github.com/pytorch/pytorch/issues/94828
    """

    code = "FZ605"
    name = "parameter-moved-at-birth"
    level = Level.ERROR
    claims = (Claim("dead", "model.gain"),)
    triggers = (("Parameter(",),)
    trigger_patterns = (
        (
            (
                r"Parameter\([^()]*(?:\([^()]*(?:\([^()]*(?:\([^()]*\)[^()]*)*\)[^()]*)*\)[^()]*)*\)\s*"
                r"\.(?:to|cuda|half|double|bfloat16|type|type_as|requires_grad_)\("
            ),
            *(
                LinePattern(f".{name}(", rf"[ \t]*self\.\w+ = \w+\.{name}\(")
                for name in ("to", "cuda", "half", "double", "bfloat16")
            ),
        ),
    )
    is_local = True
    events = ("AttributeWritten",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a parameter that is converted before it is registered."""
        assert isinstance(event, AttributeWritten)
        value = event.value
        if not isinstance(event.receiver, ModuleValue) or not isinstance(value, TensorValue):
            return
        if not trace.objects.module(event.receiver.key).is_module:
            return
        if value.kind is not TensorKind.CONVERTED or len(value.parts) != 1:
            return
        made = trace.objects.module(value.parts[0].key)
        if made.origin is not Origin.PARAMETER or made.place is None:
            # Of one that was there before, another class may make something else.
            return
        if event.value_node is None or _changes_nothing(event, value.how, made.place.code):
            return
        if made.attachments or any(
            part.key == made.key for built in trace.all(OptimizerBuilt) for part in built.parts
        ):
            # The parameter is kept, beside what was made of it.
            return
        name = event.attribute
        yield Report(
            event.place,
            f"`{value.how}` returns a tensor that is no parameter: `{name}` is not registered, "
            "no optimizer gets it, and it never trains",
            f"convert the tensor inside: `nn.Parameter(tensor.{value.how}(...))`",
            about=About((f"{event.receiver_name}.{name}",)),
        )


def _changes_nothing(event: AttributeWritten, how: str, birth: str) -> bool:
    """Whether the tensor inside is certainly already what it is converted to."""
    from libcst import Attribute, Call

    node = event.value_node
    while isinstance(node, Call) and isinstance(node.func, Attribute):
        if node.func.attr.value == how:
            break
        node = node.func.value
    if not isinstance(node, Call) or not isinstance(node.func, Attribute):
        return True
    code = event.place.chunk.code
    inside = f"{code(node.func.value)} {birth}"
    if how in _NO_CHANGE:
        return True
    if not node.args:
        return f".{how}(" in inside or (how == "cuda" and "cuda" in inside)
    wanted = [code(argument.value) for argument in node.args]
    return all(each in _DEFAULTS or each in inside for each in wanted)
