"""The method `requires_grad_` is overwritten instead of called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.abouts import about_lost_flag
from freezelint.analysis.events import AttributeWritten, Event
from freezelint.analysis.values import Constant, ModuleValue, ParameterValue, TensorValue
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.findings import Fix


class RequiresGradMethodOverwritten(Rule):
    """Finds an assignment to `requires_grad_`, which is a method.

    What it does:
        Reports `x.requires_grad_ = value` where `x` is a module, a parameter or a
        tensor.

    Why is this bad:
        The assignment hides the method behind a value on this one object and changes
        no flag. Nothing is said until somebody calls `x.requires_grad_(...)` later
        and gets `TypeError: 'bool' object is not callable`.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Regressor(nn.Module):
            def __init__(self):
                super().__init__()
                self.encoder = nn.ModuleList([nn.Linear(32, 32) for _ in range(3)])
                self.head = nn.Linear(32, 1)

            def forward(self, x):
                for layer in self.encoder:
                    x = torch.tanh(layer(x))
                return self.head(x)


        model = Regressor()
        for layer in model.encoder[:-1]:
            layer.requires_grad_ = False  # expect: FZ103

        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 32), torch.randn(64, 1)
        for epoch in range(3):
            loss = nn.functional.mse_loss(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Regressor(nn.Module):
            def __init__(self):
                super().__init__()
                self.encoder = nn.ModuleList([nn.Linear(32, 32) for _ in range(3)])
                self.head = nn.Linear(32, 1)

            def forward(self, x):
                for layer in self.encoder:
                    x = torch.tanh(layer(x))
                return self.head(x)


        model = Regressor()
        for layer in model.encoder[:-1]:
            layer.requires_grad_(False)

        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 32), torch.randn(64, 1)
        for epoch in range(3):
            loss = nn.functional.mse_loss(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Objects of classes that define such a field themselves, and objects that
        cannot be shown to come from torch.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.requires_grad_
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad_.html
    """

    code = "FZ103"
    name = "requires-grad-method-overwritten"
    level = Level.ERROR
    claims = (Claim("moves", "model.encoder.[01].*"),)
    triggers = (("requires_grad_",),)
    trigger_patterns = (
        (r"\.requires_grad_\s*=(?!=)", r"requires_grad_[\"'](?<=[\"']requires_grad_[\"'])"),
    )
    is_local = True
    fix = "safe"
    events = ("AttributeWritten",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report an assignment to the name of the method."""
        assert isinstance(event, AttributeWritten)
        if event.attribute != "requires_grad_" or event.declared:
            return
        if not isinstance(event.receiver, (ModuleValue, ParameterValue, TensorValue)):
            return
        target = event.place.chunk.code(event.receiver_node) if event.receiver_node else "it"
        value = event.value.value if isinstance(event.value, Constant) else "..."
        yield Report(
            event.place,
            f"this replaces the method `requires_grad_` of `{target}` and sets no flag",
            f"write `{target}.requires_grad_({value})`",
            fix=_fix(event),
            about=about_lost_flag(target, event.value),
        )


def _fix(event: AttributeWritten) -> Fix | None:
    from freezelint.analysis import edits

    is_flag = isinstance(event.value, Constant) and isinstance(event.value.value, bool)
    edit = edits.as_method_call(event.place, "requires_grad_")
    return edits.fixed("call the method", edit, is_safe=is_flag)
