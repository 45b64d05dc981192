"""`requires_grad` is assigned on a module, which only creates an attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.abouts import about_lost_flag
from freezelint.analysis.events import AttributeWritten, Event
from freezelint.analysis.knowledge.patterns import QUOTED_FLAG
from freezelint.analysis.search import LinePattern
from freezelint.analysis.values import Constant, ModuleValue
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.trace import Trace
    from freezelint.findings import Fix


_IS_A_TENSOR = (
    r"\b{name} = (?:torch\.(?!compile\(|load\()\w+\(|[\w.]+\[[^\]\n]*,)"
    r"|\b{name}\[(?:[^\]\n]*:[^\]\n]*,|[^\]\n]*,[^\]\n]*:)"
    r"|\b{name}\.grad\b"
)
"""A name that is bound to what a function of torch returned, or used as only tensors are."""


class ModuleAttributeFreeze(Rule):
    """Finds `requires_grad` assigned on a module instead of on its parameters.

    What it does:
        Reports `requires_grad` assigned as an attribute of an `nn.Module`: a model, a
        submodule, an element of `children()` or `modules()`, or `self` inside a
        module class.

    Why is this bad:
        Modules have no such property. The assignment creates a plain Python attribute
        that nothing reads, without a message, and every parameter keeps its flag.
        `requires_grad_()`, with a trailing underscore, is the method that reaches the
        parameters.

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
        model.backbone.requires_grad = False  # expect: FZ101
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
        model.backbone.requires_grad_(False)
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)

        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Parameters and tensors, loop variables over `parameters()` whatever their
        name, classes that define `requires_grad` themselves, and objects that cannot
        be shown to be modules.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.requires_grad_
        https://github.com/catalyst-team/catalyst/issues/81
    """

    code = "FZ101"
    name = "module-attribute-freeze"
    level = Level.ERROR
    claims = (Claim("moves", "model.backbone.*"),)
    triggers = (("requires_grad",),)
    trigger_patterns = (
        (r"\.requires_grad\s*=(?!=)", *QUOTED_FLAG),
        (
            # The usual loop over parameters() cannot be it, and is what most files hold.
            LinePattern(
                ".requires_grad",
                r"(?:(?<!parameters\(\):\n)[ \t]*(?P<name>\w+)|[^\n]*(?:[:;][ \t]*\w+|\.(?!weight|bias)\w+|[\])]))"
                r"\.requires_grad\s*=(?!=)",
                unless=_IS_A_TENSOR,
            ),
            *QUOTED_FLAG,
        ),
    )
    is_local = True
    fix = "safe"
    events = ("AttributeWritten",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report the attribute where the receiver is certainly a module."""
        assert isinstance(event, AttributeWritten)
        if event.attribute != "requires_grad" or event.declared or event.is_handling:
            return
        if not isinstance(event.receiver, ModuleValue):
            return
        module = trace.objects.module(event.receiver.key)
        if not module.is_module or _keeps_an_option(event, module):
            return
        target = event.place.chunk.code(event.receiver_node) if event.receiver_node else "it"
        value = event.value.value if isinstance(event.value, Constant) else "..."
        made = () if module.place is None else ((module.place, "this makes it a module"),)
        yield Report(
            event.place,
            f"`{target}` is a module: this stores an attribute, and no parameter's flag changes",
            f"write `{target}.requires_grad_({value})`",
            made,
            fix=_fix(event, trace),
            about=about_lost_flag(target, event.value),
        )


def _fix(event: AttributeWritten, trace: Trace) -> Fix | None:
    from freezelint.analysis import edits

    path = f"{event.receiver_name}.requires_grad"
    is_flag = isinstance(event.value, Constant) and isinstance(event.value.value, bool)
    return edits.fixed(
        "call `requires_grad_`",
        edits.as_method_call(event.place, "requires_grad_"),
        # Who reads the attribute, reads what was stored here.
        is_safe=is_flag and not trace.file.reads_path(path),
    )


def _keeps_an_option(event: AttributeWritten, module: ModuleObject) -> bool:
    """Whether a class stores what its constructor was told, in a field of its own."""
    is_own = event.receiver_name == "self" and module.owner_class is not None
    return is_own and not isinstance(event.value, Constant)
