"""`requires_grad` of a tensor is given something that is not a bool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import AttributeWritten, Called, Event, MethodCalled
from freezelint.analysis.search import LinePattern
from freezelint.analysis.values import (
    ChoiceValue,
    Constant,
    ParameterValue,
    TensorValue,
    TypedValue,
)
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from libcst import CSTNode

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Value
    from freezelint.findings import Fix


_JUDGED = (Constant, ChoiceValue, TypedValue)
"""Values that tell by themselves whether they are bools."""

_FALSE = ("False", "false", "0")
"""Strings that are true for Python and not meant so."""


class NonBooleanFlag(Rule):
    """Finds a flag that is given a number, a string or `None`.

    What it does:
        Reports `requires_grad` of a parameter or a tensor set to a number, a string
        or `None`, by assignment, by `requires_grad_(...)` or as a keyword argument of
        a function that makes a tensor. An option that `argparse` parses with
        `type=int` is a number, and one without a type a string.

    Why is this bad:
        The flag takes a bool and nothing that merely acts like one. The assignment
        raises `RuntimeError: requires_grad must be a bool`, the call and the keyword
        a TypeError. NumPy bools and bool tensors raise as well. On a module the
        assignment passes without a message; that is FZ101.

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
            param.requires_grad = 0  # expect: FZ118

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
        Values whose type is not known, comparisons and other expressions that give a
        bool, objects that are not tensors, and tests that expect the error.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad.html
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad_.html
    """

    code = "FZ118"
    name = "non-boolean-flag"
    level = Level.ERROR
    claims = (Claim("raises", error="RuntimeError: requires_grad must be a bool"),)
    triggers = (("requires_grad",),)
    trigger_patterns = (
        (
            (
                r"requires_grad(?:_\(|[\"'],|\s*=(?!=))\s*(?:requires_grad\s*=\s*)?"
                r"(?:\d|None|[\"']|(?:int|len|sum|str)\(|\w+\[|\[|\{"
                r"|\w+\.(?:count|find|lower|upper|strip|match|search|findall)\(|(?!self\.)\w+\.(?!requires_grad)\w+\)?\s*(?:#.*)?\n)"
            ),
            LinePattern(
                "requires_grad",
                r"[^\n]*requires_grad(?:_\(|[\"'],|\s*=(?!=))\s*(?:requires_grad\s*=\s*)?"
                r"(?!True|False|not\b|requires_grad)(?P<name>\w+)\)?\s*(?:#.*)?\n",
                unless=r"\b{name}(?:: bool\b| ?= ?(?:True|False|not|any|all|bool)\b)",
            ),
        ),
    )
    is_local = True
    fix = "safe"
    events = ("AttributeWritten", "MethodCalled", "Called")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a literal that is no bool where a flag is expected."""
        if isinstance(event, AttributeWritten):
            if event.attribute == "requires_grad" and _has_flag(event.receiver):
                yield from _report(event, event.value, "RuntimeError")
                if not isinstance(event.value, _JUDGED):
                    yield from _report_written(event, event.value_node, "RuntimeError", trace)
        elif isinstance(event, MethodCalled):
            if event.name == "requires_grad_":
                passed = event.keywords.get("requires_grad")
                if passed is None and event.arguments:
                    passed = event.arguments[0]
                if passed is not None:
                    yield from _report(event, passed, "TypeError")
                if passed is not None and not isinstance(passed, _JUDGED):
                    node = _argument(event)
                    yield from _report_written(event, node, "TypeError", trace)
        elif isinstance(event, Called) and event.name.startswith("torch."):
            passed = event.keywords.get("requires_grad")
            if passed is not None:
                yield from _report(event, passed, "TypeError")


def _has_flag(receiver: Value) -> bool:
    return isinstance(receiver, (ParameterValue, TensorValue))


def _argument(event: MethodCalled) -> CSTNode | None:
    from freezelint.analysis import edits

    return edits.argument_of(event.place.node, "requires_grad", 0)


def _report_written(
    event: Event, node: CSTNode | None, error: str, trace: Trace
) -> Iterator[Report]:
    """Report an expression whose value is not known, but is no bool by how it is written."""
    from freezelint.analysis.plain_types import certain_type

    what = certain_type(node, event.place.chunk, trace.file)
    if what is not None:
        yield Report(
            event.place,
            f"`requires_grad` must be a bool, not {what}: this raises a {error}",
            "make it a bool first: `bool(...)`",
        )


def _report(event: Event, value: Value, error: str) -> Iterator[Report]:
    told = _wrong_type(value)
    if told is not None:
        what, remedy = told
        message = f"`requires_grad` must be a bool, not {what}: this raises a {error}"
        yield Report(event.place, message, remedy, fix=_fix(event, value))


def _fix(event: Event, value: Value) -> Fix | None:
    """Write the flag that a literal stands for, where it stands."""
    from freezelint.analysis import edits

    if not isinstance(value, Constant):
        return None
    meant = value.value not in _FALSE and bool(value.value)
    if isinstance(event, AttributeWritten):
        literal = event.value_node if edits.assignment_to(event.place) is not None else None
    else:
        literal = edits.argument_of(event.place.node, "requires_grad", 0)
    edit = edits.literal_replaced(event.place, literal, str(meant))
    return edits.fixed(f"write `{meant}`", edit, is_safe=True)


def _wrong_type(value: Value) -> tuple[str, str] | None:
    """What a value is that certainly is no bool, and what to write instead."""
    if isinstance(value, TypedValue):
        article = "an" if value.type == "int" else "a"
        return f"{article} {value.type}", "make it a bool first, or parse the option as one"
    choices = value.choices if isinstance(value, ChoiceValue) else (value,)
    literals = [each.value for each in choices if isinstance(each, Constant)]
    if len(literals) < len(choices) or any(isinstance(each, bool) for each in literals):
        return None
    meant = dict.fromkeys(each not in _FALSE and bool(each) for each in literals)
    remedy = f"write {' or '.join(f'`{each}`' for each in meant)}"
    return " or ".join(map(repr, literals)), remedy
