"""A freeze by name that meets no parameter of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import Event, FlagWritten, NumbersTested
from freezelint.analysis.knowledge.patterns import FLAG_WRITES, NAME_LISTINGS, NAME_TESTS
from freezelint.analysis.objects import Origin
from freezelint.analysis.selectors import counting_selector, listing, selectors
from freezelint.analysis.spelling import (
    PUT_IN,
    advice,
    is_clear,
    listed_with,
    misnumbered,
    nearest,
)
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
        name (unless another is nearly one), branches of one loop for several architectures of which one fits, loops
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
            "from_pretrained(",
            "create_model(",
            "Sequential(",
            "Module)",
            "DataParallel(",
            "torch.compile(",
            "get_peft_model(",
        ),
    )
    trigger_patterns = (FLAG_WRITES, NAME_TESTS, NAME_LISTINGS)
    events = ("FlagWritten", "NumbersTested")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a test of names that decides about flags and that no name passes."""
        if isinstance(event, NumbersTested):
            yield from _check_numbers(event, trace)
            return
        assert isinstance(event, FlagWritten)
        if event.value is None or not event.certain:
            return
        yield from _check_spelling(event, trace)
        yield from _check_layers(event, trace)
        for selector in _that_meet_nothing(trace, event):
            if selector.place is None or not selector.test.texts or _another_fits(trace, event):
                continue
            from freezelint.analysis.provisions import is_provided_for

            if is_provided_for(event, selector.place.place, selector.test.texts, trace.file):
                continue
            texts = ", ".join(f"`{text}`" for text in selector.test.texts)
            done = "freezes" if event.value is False else "unfreezes"
            effect = f"{done} every parameter" if selector.test.negated else f"{done} nothing"
            because = f"every name begins with `{selector.prefixes[0]}`, and "
            yield Report(
                selector.place.place,
                f"no parameter of `{event.label}` passes this test for {texts}: "
                f"{because if selector.prefixes[0] else ''}it {effect}",
                advice(selector),
                ((event.place, f"this {effect}"),),
            )


def _check_spelling(event: FlagWritten, trace: Trace) -> Iterator[Report]:
    """Report one text of a list, where others fit: it is nearly a name that none of them is."""
    for part in event.parts:
        for selector in selectors(trace, event, part):
            if selector.place is None or selector.test.negated or not is_clear(selector):
                continue
            listed = listed_with(trace, selector)
            for text in selector.test.texts:
                near = nearest(selector, text, listed)
                if near is not None:
                    yield Report(
                        selector.place.place,
                        f"no parameter of `{event.label}` passes this test for `{text}`, as some "
                        "do for the other texts",
                        f"is it `{near}`?",
                        ((event.place, "this sets the flags of what passes"),),
                    )
                    return


def _check_layers(event: FlagWritten, trace: Trace) -> Iterator[Report]:
    """Report texts of a list that count layers as another architecture does: none of them is here.

    The list is for one model only, and its other texts fit.
    """
    key = event.parts[0].key if event.parts else None
    writes = [each for each in trace.all(FlagWritten) if each.place.node is event.place.node]
    if key is None or any(part.key != key for each in writes for part in each.parts):
        return
    if trace.objects.module(key).origin is not Origin.BUILT:
        return
    if event.scopes and trace.file.call_sites(event.scopes[-1]) > 1:
        return
    loop = listing(trace, event, key)
    beside = {
        text
        for each in trace.all(FlagWritten)
        if any(part.key == key for part in each.parts) and listing(trace, each, key) is loop
        for text in _texts(trace, each)
    }
    for part in event.parts:
        for selector in selectors(trace, event, part):
            if selector.place is None or selector.test.negated or not is_clear(selector):
                continue
            lost = misnumbered(selector, beside | listed_with(trace, selector))
            if lost and lost[0] in selector.test.texts:
                texts = ", ".join(f"`{text}`" for text in lost)
                yield Report(
                    selector.place.place,
                    f"no parameter of `{event.label}` passes this test for {texts}, as some do for "
                    "the other texts",
                    advice(selector._replace(test=selector.test._replace(texts=lost))),
                    ((event.place, "this sets the flags of what passes"),),
                )
                return


def _check_numbers(event: NumbersTested, trace: Trace) -> Iterator[Report]:
    """Report texts with a number in them of which none meets a name, whatever the number is."""
    write = next(trace.after(event, FlagWritten), None)
    if event.repeated or write is None or write.value is None or not write.certain:
        return
    # Of several in one function, one may be for another architecture.
    together = [each for each in trace.all(NumbersTested) if each.activations == event.activations]
    tests = [
        counting_selector(trace, each, write, part) for each in together for part in write.parts
    ]
    if not tests or not all(map(_meets_nothing, tests)):
        return
    if any(
        other is not write
        and not other.repeated
        and any(trace.parts_overlap(mine, part, other.index) for mine in write.parts)
        for other in trace.all(FlagWritten)
        if other.place.node is write.place.node
        for part in other.parts
    ):
        return
    text = f"{event.text}{event.start}{event.after}"
    yield Report(
        event.place,
        f"no parameter of `{write.label}` passes this test for `{text}` and the numbers that follow",
        advice(tests[0]),
        ((write.place, "this sets the flags of what passes"),),
    )


def _that_meet_nothing(trace: Trace, event: FlagWritten) -> Iterator[Selector]:
    """The tests that decided about a write and meet nothing, where no other one with them fits."""
    for part in event.parts:
        tests = list(selectors(trace, event, part))
        if not any(not each.test.negated and not _meets_nothing(each) for each in tests):
            yield from filter(_meets_nothing, tests)


def _meets_nothing(selector: Selector) -> bool:
    """Whether no text of a test meets a name, as far as the names are known."""
    if selector.possible is not None and not PUT_IN.search(" ".join(selector.test.texts)):
        return not any(map(selector.may_match, selector.test.texts))
    if selector.test.kind not in ("startswith", "equals") or not all(selector.prefixes):
        return False
    return not any(
        text.startswith(prefix) or prefix.startswith(text)
        for text in selector.test.texts
        for prefix in selector.prefixes
    )


def _was_asked_for_others(trace: Trace, event: FlagWritten, other: FlagWritten) -> bool:
    """Whether a helper was called again, with other texts: each call stands for itself."""
    return event.activations != other.activations and _texts(trace, event).isdisjoint(
        _texts(trace, other)
    )


def _texts(trace: Trace, event: FlagWritten) -> set[str]:
    tests = (each for part in event.parts for each in selectors(trace, event, part))
    return {text for each in tests for text in each.test.texts}


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
            is_another_turn = other.place.node is event.place.node and not _was_asked_for_others(
                trace, event, other
            )
            if (is_branch or is_another_turn) and not all(
                map(_meets_nothing, selectors(trace, other, part))
            ):
                return True
    return False
