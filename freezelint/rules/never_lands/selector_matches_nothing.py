"""A freeze by name that meets no parameter of the model."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from freezelint.analysis.events import Event, FlagWritten
from freezelint.analysis.knowledge.names import NAME_LISTINGS, NAME_TESTS
from freezelint.analysis.knowledge.torch import FLAG_WRITES
from freezelint.analysis.selectors import listing, selectors
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.selectors import Selector
    from freezelint.analysis.trace import Trace


class SelectorMatchesNothing(Rule):
    """Finds tests of parameter names that no parameter of the model passes.

    What it does:
        Reports a test of the names of `named_parameters()` that sets flags, where all
        names are known and none passes it: a known architecture or a class in sight
        without such a part, or a model that is wrapped in DataParallel,
        DistributedDataParallel, `torch.compile` or PEFT, which put `module.`,
        `_orig_mod.` or `base_model.` before every name.

    Why is this bad:
        The loop runs to its end and changes nothing. What was to be frozen goes on
        training, or what was to train stays frozen, and a log line that says
        otherwise makes it worse.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.encoder = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.encoder(x))


        model = Classifier()
        for name, parameter in model.named_parameters():
            if name.startswith("backbone."):  # expect: FZ114
                parameter.requires_grad = False

        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-3)
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
                self.encoder = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.encoder(x))


        model = Classifier()
        for name, parameter in model.named_parameters():
            if name.startswith("encoder."):
                parameter.requires_grad = False

        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Models of which not all names are known, lists of texts of which one meets a
        name, branches of one loop for several architectures of which one fits, loops
        that are run for several models, names that are changed before they are
        tested, and parts that only some pretrained weights bring along.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.named_parameters
        https://github.com/espnet/espnet/issues/1983
        https://github.com/ecmwf/anemoi-core/issues/1159
    """

    code = "FZ114"
    name = "selector-matches-nothing"
    level = Level.ERROR
    claims = (Claim("moves", "model.encoder.*"),)
    triggers = (
        ("requires_grad",),
        ("named_parameters(", "named_children(", "named_modules("),
        (
            "torchvision",
            "Sequential(",
            "Module)",
            "DataParallel(",
            "torch.compile(",
            "get_peft_model(",
        ),
    )
    trigger_patterns = (FLAG_WRITES, NAME_TESTS, NAME_LISTINGS)
    events = ("FlagWritten",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a test of names that decides about flags and that no name passes."""
        assert isinstance(event, FlagWritten)
        if event.value is None or not event.certain:
            return
        for selector in _that_meet_nothing(trace, event):
            if selector.place is None or _another_fits(trace, event):
                continue
            texts = ", ".join(f"`{text}`" for text in selector.test.texts)
            done = "freezes" if event.value is False else "unfreezes"
            effect = f"{done} every parameter" if selector.test.negated else f"{done} nothing"
            because = f"every name begins with `{selector.prefixes[0]}`, and "
            yield Report(
                selector.place.place,
                f"no parameter of `{event.label}` passes this test for {texts}: "
                f"{because if selector.prefixes[0] else ''}it {effect}",
                _help(selector),
                ((event.place, f"this {effect}"),),
            )


def _help(selector: Selector) -> str:
    prefix = selector.prefixes[0]
    text = selector.test.texts[0]
    if prefix:
        return "test the names of the model that is wrapped, or write the text as they have it"
    steps = {part for name in selector.names or () for part in _beginnings(name)}
    near = difflib.get_close_matches(text.strip("."), sorted(steps), n=1)
    return f"is it `{near[0]}`?" if near else "compare with the names that `named_parameters()` has"


def _beginnings(name: str) -> list[str]:
    steps = name.split(".")
    return [".".join(steps[:number]) for number in range(1, len(steps) + 1)] + steps


def _that_meet_nothing(trace: Trace, event: FlagWritten) -> Iterator[Selector]:
    """The tests that decided about a write and meet nothing, where no other one with them fits."""
    for part in event.parts:
        tests = list(selectors(trace, event, part))
        if not any(not each.test.negated and not _meets_nothing(each) for each in tests):
            yield from filter(_meets_nothing, tests)


def _meets_nothing(selector: Selector) -> bool:
    """Whether no text of a test meets a name, as far as the names are known."""
    if selector.names is not None:
        return not any(map(selector.matches, selector.test.texts))
    if selector.test.kind not in ("startswith", "equals") or not all(selector.prefixes):
        return False
    return not any(
        text.startswith(prefix) or prefix.startswith(text)
        for text in selector.test.texts
        for prefix in selector.prefixes
    )


def _another_fits(trace: Trace, event: FlagWritten) -> bool:
    """Whether the loop is for several models, texts or branches, of which another fits or may."""
    keys = {part.key for part in event.parts}
    loops = {key: listing(trace, event, key) for key in keys}
    for other in trace.all(FlagWritten):
        if other is event:
            continue
        for part in other.parts:
            is_branch = (
                part.key in keys
                and other.value == event.value
                and loops[part.key] is listing(trace, other, part.key)
                and other.place.node is not event.place.node
            )
            # Run again: for another model, or with another text of a list.
            is_another_turn = other.place.node is event.place.node
            if (is_branch or is_another_turn) and not all(
                map(_meets_nothing, selectors(trace, other, part))
            ):
                return True
    return False
