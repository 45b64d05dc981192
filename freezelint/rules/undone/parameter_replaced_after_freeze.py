"""A frozen parameter is replaced by a new one, which is trainable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import Called, Event, FlagWritten, OptimizerBuilt, SubmoduleReplaced
from freezelint.analysis.knowledge.layers import LAYERS_WITH_WEIGHT, PARAMETER_ATTRIBUTES
from freezelint.analysis.knowledge.patterns import FREEZES
from freezelint.analysis.lost_freeze import (
    is_decided_again,
    is_part_of_more,
    latest_freeze,
    takers,
)
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import OwnTest
from freezelint.analysis.search import LinePattern
from freezelint.analysis.slices import is_computed_from
from freezelint.analysis.tensors import sources_of
from freezelint.analysis.training import shares_activation, trained_before
from freezelint.analysis.values import ParameterValue, Part, TensorValue
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Value


class ParameterReplacedAfterFreeze(Rule):
    """Finds a frozen parameter that is replaced by a new, trainable one.

    What it does:
        Reports `module.weight = nn.Parameter(...)`, `register_parameter(...)` or
        `setattr(...)` that puts a new parameter in the place of a frozen one, when the
        new one is not frozen in its turn: where just that parameter or its layer was
        frozen, or where the new values are computed from the old ones and an optimizer
        takes the whole model.

    Why is this bad:
        The flag belongs to the parameter object, not to its name. `nn.Parameter(...)`
        is trainable unless it is told otherwise, so the freeze is gone with the old
        object, without a message. It happens where weights are loaded, resized,
        rescaled or converted after the freeze.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class TextClassifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding = nn.EmbeddingBag(100, 16)
                self.head = nn.Linear(16, 3)

            def forward(self, tokens):
                return self.head(self.embedding(tokens))


        model = TextClassifier()
        model.embedding.requires_grad_(False)
        pretrained = torch.randn(100, 16)
        model.embedding.weight = nn.Parameter(pretrained)  # expect: FZ202

        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        tokens, labels = torch.randint(100, (64, 12)), torch.randint(3, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(tokens), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class TextClassifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding = nn.EmbeddingBag(100, 16)
                self.head = nn.Linear(16, 3)

            def forward(self, tokens):
                return self.head(self.embedding(tokens))


        model = TextClassifier()
        pretrained = torch.randn(100, 16)
        model.embedding.weight = nn.Parameter(pretrained)
        model.embedding.requires_grad_(False)

        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        tokens, labels = torch.randint(100, (64, 12)), torch.randint(3, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(tokens), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        A new head module after everything was frozen, parameters under a new name
        (prompts, adapters), fresh values in a model that was frozen as a whole, a
        parameter that the optimizer is handed by name, `requires_grad` passed to the
        constructor, flags written again afterwards, and values written into the old
        parameter (`.data`, `copy_`, `load_state_dict`), which keep its flag.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
        https://github.com/huggingface/transformers/issues/26861
        https://github.com/pytorch/torchtitan/issues/3885
    """

    code = "FZ202"
    name = "parameter-replaced-after-freeze"
    level = Level.ERROR
    claims = (Claim("moves", "model.embedding.*"),)
    triggers = (("requires_grad",), ("Parameter(", "register_parameter"))
    trigger_patterns = (
        FREEZES,
        (
            LinePattern(
                "Parameter(",
                r"[^\n]*\.(?<!self\.)\w+\s*=\s*(?:torch\.)?(?:nn\.)?(?:parameter\.)?Parameter\(",
            ),
            LinePattern(
                "Parameter(",
                r"[ \t]*self\.(\w+)\s*=\s*(?:torch\.)?(?:nn\.)?Parameter\("
                r"(?:[^\n]*self\.\1\b|(?!torch\b)[A-Za-z_]\w*(?:\)|\.(?:permute|reshape|flatten|view"
                r"|transpose|contiguous|clone|detach|squeeze|unsqueeze)\())",
            ),
            r"register_parameter\(",
            r"setattr\(",
        ),
    )
    events = ("SubmoduleReplaced",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a trainable parameter in the place of a frozen one."""
        assert isinstance(event, SubmoduleReplaced)
        if event.old is None or event.new is None or event.repeated:
            return
        new = trace.objects.module(event.new)
        if new.origin is not Origin.PARAMETER or new.flag_at_birth is not True:
            return
        made = _construction(trace, event)
        if made is None or "requires_grad" in made.keywords or len(made.arguments) > 1:
            return
        old, piece = _parts(trace, event)
        freeze = latest_freeze(trace, event, old)
        if freeze is None or trained_before(trace, event, freeze) is not None:
            return
        if trace.may_exclude(freeze, event):
            return
        if is_decided_again(trace, event, piece) or _is_handed_by_name(trace, event):
            return
        built = takers(trace, event, piece)
        if _is_about(trace, freeze, event):
            is_lost = bool(built) or shares_activation(freeze, event)
        else:
            is_taken = bool(built) and _is_taken_from(trace, made, old, event)
            is_lost = is_taken and is_part_of_more(trace, freeze, built, event)
        if not is_lost:
            return
        evidence = [(trace.meeting_place(freeze, event), f"`{freeze.label}` is frozen here")]
        if built:
            evidence.append((trace.meeting_place(built[0], event), "the optimizer takes it here"))
        yield Report(
            trace.meeting_place(event, freeze),
            f"`{event.label}` was frozen and is a new parameter from here on: that one is "
            "trainable, and the freeze is lost with the old one",
            "freeze after this line, pass `requires_grad=False`, or copy the values into "
            "the old parameter",
            tuple(evidence),
            about=About((event.label,)),
        )


def _construction(trace: Trace, event: SubmoduleReplaced) -> Called | None:
    """The call of ``nn.Parameter`` that made what is new."""
    assert event.new is not None
    place = trace.objects.module(event.new).place
    for called in trace.before(event, Called):
        if place is not None and called.call is place.node:
            return called
    return None


def _parts(trace: Trace, event: SubmoduleReplaced) -> tuple[Part, Part]:
    """What was replaced and what is new; for a loop variable over modules, in each of them."""
    assert event.old is not None
    assert event.new is not None
    owner = trace.objects.module(event.parent)
    if owner.origin is Origin.ELEMENT and owner.parent is not None:
        (part,) = trace.objects.parts_of(event.parent, (OwnTest(event.attribute),))[:1]
        return part, part
    return Part(event.old), Part(event.new)


def _is_about(trace: Trace, freeze: FlagWritten, event: SubmoduleReplaced) -> bool:
    """Whether just this parameter was frozen, or just the layer that it belongs to."""
    owner = trace.objects.module(event.parent)
    package, _, last = (owner.library or "").rpartition(".")
    is_layer = package == "torch.nn" and last in LAYERS_WITH_WEIGHT
    is_layer = is_layer or (owner.owner_class is None and event.attribute in PARAMETER_ATTRIBUTES)
    return all(
        part.key == event.old or (is_layer and part.key == event.parent) for part in freeze.parts
    )


def _is_taken_from(trace: Trace, made: Called, old: Part, event: SubmoduleReplaced) -> bool:
    """Whether the new values are computed from the old ones."""
    value: Value | None = made.arguments[0] if made.arguments else made.keywords.get("data")
    if isinstance(value, (ParameterValue, TensorValue)) and any(
        trace.parts_overlap(part, old, made.index) for part in value.parts
    ):
        return True
    if isinstance(value, TensorValue) and event.old in sources_of(value):
        return True
    return "." in event.label and is_computed_from(made.place, event.label)


def _is_handed_by_name(trace: Trace, event: SubmoduleReplaced) -> bool:
    """Whether an optimizer gets the new parameter for itself: it is meant to train."""
    return any(
        part.key == event.new
        for built in trace.after(event, OptimizerBuilt)
        for part in built.parts
    )
