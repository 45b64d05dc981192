"""`requires_grad` is set on the iterator that `parameters()` returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import AttributeWritten, Event, MethodCalled
from freezelint.analysis.knowledge.patterns import FLAG_WRITES
from freezelint.analysis.search import LinePattern
from freezelint.analysis.values import Constant, ModuleGroup, ParameterSequence
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.findings import Fix


class FlagOnIterator(Rule):
    """Finds `requires_grad` set on an iterator over parameters.

    What it does:
        Reports `model.parameters().requires_grad = value`, `.requires_grad_(...)`
        called on it, and the same on `named_parameters()`, `children()`, `modules()`
        and the other methods that return iterators.

    Why is this bad:
        These methods return generators, which take no attributes. The line raises
        `AttributeError: 'generator' object has no attribute 'requires_grad'` when it
        is reached, which in a branch for a rare option may be long after it was
        written.

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
        model.backbone.parameters().requires_grad = False  # expect: FZ108
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
        Classes that define such a method themselves and return something else.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.parameters
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.requires_grad_
    """

    code = "FZ108"
    name = "flag-on-iterator"
    level = Level.ERROR
    claims = (Claim("raises", error="AttributeError: 'generator' object has no attribute"),)
    triggers = (("requires_grad",), ("parameters", "children", "modules"))
    trigger_patterns = (
        FLAG_WRITES,
        (
            r"parameters\([^()]*\)\s*\.requires_grad",
            r"children\([^()]*\)\s*\.requires_grad",
            r"modules\([^()]*\)\s*\.requires_grad",
            r"setattr\([^\n]*(?:parameters|children|modules)\(\), *[\"']requires_grad",
            r"params\.requires_grad",
            r"parameters\.requires_grad",
            r"layers\.requires_grad",
            *(
                LinePattern(f"{name}()\n", rf"[^\n]*=\s*[\w.\[\]]+\.(?:named_)?{name}\(\)\n")
                for name in ("parameters", "children", "modules")
            ),
            (
                r"=\s*(?:list|filter|(?:itertools\.)?chain)\((?:[^\n]*\n){0,2}?"
                r"[^\n]*(?:parameters|children|modules)\("
            ),
        ),
    )
    is_local = True
    fix = "safe"
    events = ("AttributeWritten", "MethodCalled")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a flag that is set on what yields the parameters."""
        if isinstance(event, AttributeWritten):
            matches = event.attribute == "requires_grad"
            receiver = event.receiver
        else:
            assert isinstance(event, MethodCalled)
            matches = event.name == "requires_grad_"
            receiver = event.receiver
        if matches and isinstance(receiver, (ParameterSequence, ModuleGroup)):
            keys = (
                [part.key for part in receiver.parts]
                if isinstance(receiver, ParameterSequence)
                else [receiver.key]
            )
            names = " and ".join(dict.fromkeys(trace.objects.label(key) for key in keys[:3]))
            yield Report(
                event.place,
                "this is no parameter but a collection of them: the line raises an AttributeError",
                f"write `{names}.requires_grad_(...)`, or loop over the parameters"
                if len(keys) == 1
                else "loop over the parameters",
                fix=_fix(event),
            )


def _fix(event: Event) -> Fix | None:
    """Call the method on the module whose parameters these are."""
    from freezelint.analysis import edits

    title = "call `requires_grad_` on the module"
    if isinstance(event, AttributeWritten):
        module = edits.called_on(event.receiver_node, _WHOLE)
        is_flag = isinstance(event.value, Constant) and isinstance(event.value.value, bool)
        edit = edits.as_method_call(event.place, "requires_grad_", receiver=module)
        return None if module is None else edits.fixed(title, edit, is_safe=is_flag)
    function = getattr(event.place.node, "func", None)
    iterator = getattr(function, "value", None)
    module = edits.called_on(iterator, _WHOLE)
    if iterator is None or module is None:
        return None
    return edits.fixed(title, edits.replacement(event.place, iterator, module), is_safe=True)


_WHOLE = frozenset({"parameters", "named_parameters", "modules", "named_modules"})
"""Methods that go over all there is below a module."""
