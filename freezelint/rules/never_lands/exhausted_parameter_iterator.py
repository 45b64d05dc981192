"""An iterator over parameters is consumed a second time, when it is empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import Event, IteratorConsumed
from freezelint.analysis.search import LinePattern
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.findings import Fix


class ExhaustedParameterIterator(Rule):
    """Finds an iterator over parameters that is consumed twice.

    What it does:
        Reports the second use of a one-shot iterator over parameters (`parameters()`,
        `filter`, `map`, `chain`, `zip` or a generator expression) that is bound to a
        name and already consumed on the same path. A use inside a loop that does not
        create the iterator counts as two.

    Why is this bad:
        The second consumer sees nothing, mostly without a message. A parameter group
        stays empty, so its parameters never train; `clip_grad_norm_` clips nothing; a
        freezing loop freezes nothing. Only an optimizer that is given the bare
        iterator stops, with `ValueError: optimizer got an empty parameter list`; an
        empty group in a dict is accepted.

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
        backbone_params = filter(lambda p: p.requires_grad, model.backbone.parameters())
        print("backbone:", sum(p.numel() for p in backbone_params), "trainable parameters")

        groups = [
            {"params": backbone_params, "lr": 1e-4},
            {"params": model.head.parameters()},
        ]
        optimizer = torch.optim.AdamW(groups, lr=1e-3)  # expect: FZ113
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
        backbone_params = [p for p in model.backbone.parameters() if p.requires_grad]
        print("backbone:", sum(p.numel() for p in backbone_params), "trainable parameters")

        groups = [
            {"params": backbone_params, "lr": 1e-4},
            {"params": model.head.parameters()},
        ]
        optimizer = torch.optim.AdamW(groups, lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Lists and tuples, names that are bound again between the two uses,
        `itertools.tee`, uses on branches that exclude each other, and the bound
        method `model.parameters` itself.

    References:
        https://docs.pytorch.org/docs/stable/optim.html
        https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html
        https://github.com/PixArt-alpha/PixArt-alpha/issues/160
        https://github.com/pytorch/pytorch/issues/148259
    """

    code = "FZ113"
    name = "exhausted-parameter-iterator"
    level = Level.ERROR
    claims = (Claim("dead", "model.backbone.*"),)
    triggers = (("parameters(",),)
    trigger_patterns = (
        (
            *(
                rf"={space}{name}\((?:[^\n]*\n){{0,3}}?[^\n]*parameters\("
                for space in (" ", "")
                for name in ("filter", "map", "zip")
            ),
            LinePattern("iter(", r"[^\n]*=\s*iter\([^\n]*parameters\("),
            LinePattern(
                "chain",
                r"[^\n]*=\s*(?:itertools\.)?chain(?:\.from_iterable)?\((?:[^\n]*\n){0,3}?"
                r"[^\n]*parameters\(",
            ),
            LinePattern(
                "parameters()",
                r"[^\n]*(?:"
                r"=\s*[\w.\[\]]+(?:\(\))?\.(?:named_)?parameters\(\)\s*(?:#.*)?\n"
                # One of two, or several names at once; an argument has no spaces around its sign.
                r"| = [\w.\[\]]+\.(?:named_)?parameters\(\)(?:,| if )"
                # In a dict, which is no group of an optimizer on the spot.
                r"|[\"'](?!params[\"'])\w+[\"']: ?[\w.]+\.(?:named_)?parameters\(\)"
                r"| = \{[\"']params[\"']: ?[\w.]+\.parameters\(\))",
            ),
            LinePattern(" = filter(", r"[^\n]* = filter\(lambda \w+: \w+\.requires_grad, ?\w+\)"),
            # Handed to a function of the file's own, which may go over it twice.
            LinePattern(
                "filter(lambda",
                r"[^\n]*\b(?!clip_grad)[a-z]+_[a-z_]*\((?:[\w.]+, ?)*(?:\w+=)?filter\(lambda",
            ),
            LinePattern(
                "_optimizer(",
                r"[^\n]*_optimizer\((?:[\w.]+, ?)*(?:\w+=)?[\w.]+\.parameters\(\)[,)]",
            ),
            LinePattern(" = param", r"[ \t]*self\.\w+ = param\w*s[ \t]*\n"),
            LinePattern(
                "yield ",
                r"[ \t]*yield (?:(?:p|param|parameter|weight)[ \t]*\n|from [^\n]*\.parameters\()",
            ),
            r"= \((?:[^\n]*\n){0,2}?[^\n]*\sfor\s[^\n]*parameters\(",
            r"=\((?:[^\n]*\n){0,2}?[^\n]*\sfor\s[^\n]*parameters\(",
            r"return \((?:[^\n]*\n){0,2}?[^\n]*\sfor\s[^\n]*parameters\(",
            r"return filter\([^\n]*parameters\(",
            # A function that goes over its first argument twice.
            LinePattern(
                " for ",
                r"(?![ \t]*return\b)[^\n]* for \w+ in (?P<name>\w+)[:)\]][^\n]*\n(?:[^\n]+\n){0,5}?"
                r"[^\n]* for \w+ in (?P=name)[:)\]]",
                unless=r"\A(?![\s\S]*\bdef \w+\((?:self, )?{name}\b(?!: ?(?:list|dict|List|Dict)\b))",
            ),
        ),
    )
    is_local = False
    fix = "safe"
    events = ("IteratorConsumed",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report the second time that a one-shot iterator is run to its end."""
        assert isinstance(event, IteratorConsumed)
        earlier = [
            each
            for each in trace.before(event, IteratorConsumed)
            if each.iterator == event.iterator
        ]
        if len(earlier) != 1 or event.place.statement_code.startswith("assert "):
            # An assertion may be about just that: nothing is left.
            return
        first = earlier[0]
        label = event.label
        place, taken = trace.meeting_place(event, first), trace.meeting_place(first, event)
        if taken.node is not place.node and trace.may_exclude(first, event):
            return
        if taken.node is place.node:
            yield Report(
                event.place,
                f"`{label}` is a one-shot iterator made outside of this loop: from the second "
                "iteration on it is empty",
                f"make it a list: `{label} = list(...)`",
                fix=_fix(event, trace),
            )
            return
        if event.place.node is first.place.node and label.startswith("self."):
            yield Report(
                event.place,
                f"`{label}` is a one-shot iterator made outside of this function: from its second "
                "call on it is empty",
                f"make it a list: `{label} = list(...)`",
                ((place, "it is called again here"),),
                fix=_fix(event, trace),
            )
            return
        yield Report(
            place,
            f"`{first.label}` is a one-shot iterator and already used up: this gets none of its "
            "parameters",
            f"make it a list: `{first.label} = list(...)`",
            ((taken, "all its parameters are taken here"),),
            fix=_fix(first, trace),
            about=About(tuple(trace.objects.label(part.key) for part in first.parts)),
        )


def _fix(taken: IteratorConsumed, trace: Trace) -> Fix | None:
    """Make a list of the iterator where it gets its name."""
    from freezelint.analysis import edits

    given = edits.only_value_of(trace.file, taken.place, taken.label)
    if given is None:
        return None
    return edits.fixed("make it a list", edits.wrapped(given, given.node, "list"), is_safe=True)
