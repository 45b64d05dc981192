"""`requires_grad` is compared where it should be assigned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.abouts import about_lost_flag
from freezelint.analysis.events import Event, ExpressionDiscarded
from freezelint.analysis.search import LinePattern
from freezelint.analysis.values import (
    UNKNOWN,
    ComparisonValue,
    ElementsValue,
    FlagValue,
    SequenceValue,
)
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.findings import Fix


class ComparisonInsteadOfAssignment(Rule):
    """Finds `p.requires_grad == False` written as a statement.

    What it does:
        Reports an expression statement that compares `requires_grad` with `==` or
        `is`. The result is thrown away.

    Why is this bad:
        One character too many turns the freeze into a question that nobody reads the
        answer to. The flag stays as it was, without a message.

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
        for param in model.backbone.parameters():
            param.requires_grad == False  # expect: FZ105

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
        for param in model.backbone.parameters():
            param.requires_grad = False

        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Comparisons whose result is used: in `assert`, `if`, `return`, an argument or
        an assignment; the last expression of a notebook cell, which is displayed; and
        doctest prompts.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad.html
    """

    code = "FZ105"
    name = "comparison-instead-of-assignment"
    level = Level.ERROR
    claims = (Claim("moves", "model.backbone.*"),)
    triggers = (("requires_grad",),)
    trigger_patterns = (
        (
            # In a statement that does not need the answer.
            LinePattern(
                ".requires_grad",
                r"(?![ \t]*(?:(?:if|elif|assert|return|while|and|or|not)\b|[\w.]+ = )[^\n:;]*"
                r"\.requires_grad)"
                r"[^\n]*\.requires_grad\s*(?:==|is\b)",
            ),
        ),
    )
    is_local = True
    fix = "safe"
    events = ("ExpressionDiscarded",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a comparison of the flag that is a whole statement."""
        assert isinstance(event, ExpressionDiscarded)
        value, code = event.value, event.place.code
        if type(event.expression).__name__ not in _COMPARING:
            # A call may give back such an answer, and what is behind `or` is done without it.
            return
        if isinstance(value, (ElementsValue, SequenceValue)) and code.startswith("["):
            # A list that is made for what its elements do.
            made = value.items if isinstance(value, SequenceValue) else (value.element,)
            value, code = made[0] if made else UNKNOWN, code[1:].partition(" for ")[0]
        if event.is_last or not isinstance(value, ComparisonValue):
            return
        if isinstance(value.left, FlagValue) and value.operator in ("==", "is"):
            left, _, right = code.partition(f" {value.operator} ")
            yield Report(
                event.place,
                "this compares the flag and drops the answer; no flag is set",
                f"write `{left} = {right}`",
                fix=_fix(event),
                about=about_lost_flag(left.rpartition(".")[0], value.right),
            )


_COMPARING = ("Comparison", "ListComp", "List")


def _fix(event: ExpressionDiscarded) -> Fix | None:
    from freezelint.analysis import edits

    return edits.fixed("assign instead", edits.comparison_assigned(event.place), is_safe=True)
