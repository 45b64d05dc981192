"""Gradients are clipped by a norm that counts parameters which no optimizer holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import BackwardRan, Called, Event, GradientsCleared, Stepped
from freezelint.analysis.gradients import gets_gradients, holders_of
from freezelint.analysis.knowledge.patterns import OPTIMIZER_CONSTRUCTIONS, OPTIMIZER_WORDS_OR_NAMES
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import is_total
from freezelint.analysis.remainders import has_more
from freezelint.analysis.trainability import is_born_trainable
from freezelint.analysis.training import without_flag_tests
from freezelint.analysis.values import ParameterSequence, Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace

_CLIPPING = frozenset({"torch.nn.utils.clip_grad_norm_", "torch.nn.utils.clip_grad_norm"})


class ClipOverOmitted(Rule):
    """Finds clipping over parameters that were left out of the optimizer but still get gradients.

    What it does:
        Reports `clip_grad_norm_` over a model of which a part is in no optimizer, while
        that part is not frozen by its flag and only `optimizer.zero_grad()` clears
        gradients.

    Why is this bad:
        A part that is left out of the optimizer does not move, but gradients are still
        computed for it, and nothing clears them: they add up from step to step. The norm
        over the whole model grows with them, so the part that trains is scaled down more
        and more, as if its learning rate decayed to nothing.

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
        optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for step in range(6):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs), targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)  # expect: FZ313
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
        optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for step in range(6):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs), targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.head.parameters(), 0.1)
            optimizer.step()

    When it is silent:
        Parts frozen by flag or run under `no_grad` (they have no gradients to count),
        `model.zero_grad()`, parts that another optimizer holds, models whose flags are not
        known because somebody else made them, and clipping by value, which takes each
        element for itself.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html
        https://discuss.pytorch.org/t/58156
        https://github.com/allenai/rslearn/issues/217
    """

    code = "FZ313"
    name = "clip-over-omitted"
    level = Level.WARNING
    claims = (Claim("wastes", "model.backbone.*"),)
    triggers = (
        ("clip_grad_norm",),
        OPTIMIZER_WORDS_OR_NAMES,
    )
    trigger_patterns = (
        OPTIMIZER_CONSTRUCTIONS,
        (r"clip_grad_norm_?\(",),
    )
    events = ("Called",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report clipping whose norm counts gradients that nobody clears or applies."""
        assert isinstance(event, Called)
        if event.name not in _CLIPPING or event.repeated:
            return
        clipped = event.arguments[0] if event.arguments else event.keywords.get("parameters")
        if not isinstance(clipped, ParameterSequence):
            return
        step = next((each for each in trace.after(event, Stepped) if each.keys), None)
        backward = next(trace.before(event, BackwardRan), None)
        if step is None or backward is None or not _is_cleared_by(step, trace):
            return
        for part in clipped.parts:
            for key in (part.key, *_pieces(part, event, trace)):
                is_whole = key != part.key or is_total(without_flag_tests(part).predicate)
                omitted = _omitted(key, event, trace, is_whole=is_whole)
                if omitted is not None:
                    yield Report(
                        event.place,
                        f"the norm counts gradients of {omitted}, which is in no optimizer: "
                        "nothing clears them, and they grow from step to step",
                        "freeze it with `requires_grad_(False)`, "
                        "or clip only what the optimizer holds",
                        (
                            (
                                trace.meeting_place(step, event),
                                "the optimizer steps without it here",
                            ),
                        ),
                        about=About((trace.objects.label(key),)),
                    )
                    return


def _is_cleared_by(step: Stepped, trace: Trace) -> bool:
    """Whether somebody clears the gradients of just what an optimizer holds."""
    return any(set(step.keys) & set(each.optimizers) for each in trace.all(GradientsCleared))


def _pieces(part: Part, event: Event, trace: Trace) -> list[int]:
    """What hangs below a module, and lies in a part of it as a whole."""
    return [
        key
        for key in trace.objects.held_by(part.key, event.index)
        if trace.part_covers(without_flag_tests(part), Part(key), event.index)
        and trace.objects.module(key).origin is not Origin.PARAMETER
    ]


def _omitted(key: int, event: Event, trace: Trace, *, is_whole: bool) -> str | None:
    """What of a module certainly gets gradients that nobody clears, in words.

    Where not all of the module is clipped, none of it may be in an optimizer.
    """
    if not is_born_trainable(trace, key, event.index):
        return None
    if trace.flag(Part(key), event.index, event.path).value is not True:
        return None
    held = holders_of(trace, key)
    if held is None or not gets_gradients(trace, key, event):
        return None
    if any(
        trace.parts_overlap(mine, Part(key), each.index)
        for each in trace.all(GradientsCleared)
        for mine in each.parts
    ):
        return None
    label = trace.objects.label(key)
    if not held:
        return f"`{label}`"
    if not is_whole:
        return None
    return f"the rest of `{label}`" if has_more(trace, key, held, event.index) else None
