"""An optimizer of the project moves parameters that have no gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import Event, UpdatedWithoutGradient
from freezelint.analysis.search import LinePattern
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace


class OptimizerIgnoresMissingGrad(Rule):
    """Finds an optimizer class whose `step` scales parameters that have no gradient.

    What it does:
        Reports, in a class that derives from `torch.optim.Optimizer`, a line of `step`
        (or of a method that it calls) that scales a parameter, or adds random numbers or a
        part of itself to it, before it is asked whether there is a gradient. Where zeros
        take the place of a missing gradient, while decay or momentum move the parameter on,
        the line that makes them is reported.

    Why is this bad:
        That `.grad` is `None` is how an optimizer learns that a parameter is frozen or
        took no part in this step; every optimizer of torch but LBFGS skips it then. One that decays
        weights first shrinks all that it was given, and frozen layers fade to zero.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class DecayedSGD(torch.optim.Optimizer):
            def __init__(self, params, lr=0.1, weight_decay=0.01):
                super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

            @torch.no_grad()
            def step(self):
                for group in self.param_groups:
                    for p in group["params"]:
                        p.mul_(1 - group["lr"] * group["weight_decay"])  # expect: FZ308
                        if p.grad is None:
                            continue
                        p.add_(p.grad, alpha=-group["lr"])


        backbone, head = nn.Linear(16, 32), nn.Linear(32, 4)
        model = nn.Sequential(backbone, nn.ReLU(), head)
        backbone.requires_grad_(False)
        optimizer = DecayedSGD(model.parameters())
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for step in range(5):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class DecayedSGD(torch.optim.Optimizer):
            def __init__(self, params, lr=0.1, weight_decay=0.01):
                super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

            @torch.no_grad()
            def step(self):
                for group in self.param_groups:
                    for p in group["params"]:
                        if p.grad is None:
                            continue
                        p.mul_(1 - group["lr"] * group["weight_decay"])
                        p.add_(p.grad, alpha=-group["lr"])


        backbone, head = nn.Linear(16, 32), nn.Linear(32, 4)
        model = nn.Sequential(backbone, nn.ReLU(), head)
        backbone.requires_grad_(False)
        optimizer = DecayedSGD(model.parameters())
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for step in range(5):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()

    When it is silent:
        Any question for the gradient or the flag that may come first, lists that were
        filtered, functions that update the parameters out of sight, and code that fails with
        an error where a gradient is missing. Zeros in the place of missing gradients are
        not reported where nothing but the gradient moves the parameter.

    References:
        https://docs.pytorch.org/docs/stable/optim.html
        https://github.com/KellerJordan/Muon/issues/54
    """

    code = "FZ308"
    name = "optimizer-ignores-missing-grad"
    level = Level.WARNING
    claims = (Claim("moves", "backbone.*"),)
    triggers = (
        ("step(",),
        ("param_groups",),
        ("_(", "*=", "-=", "+=", ".data = "),
    )
    trigger_patterns = (
        (r"def step\(",),
        # A loop, but those over the groups, that does not begin with the guard.
        (
            LinePattern(
                "for ",
                r"[ \t]*for [^\n]* in (?![^\n]*param_groups)[^\n]*:[ \t]*(?:#[^\n]*)?\n"
                r"(?!(?:[ \t]*#[^\n]*\n)*[ \t]*if \w+\.grad is None:\s*continue)",
            ),
            r"_foreach_",
        ),
    )
    events = ("UpdatedWithoutGradient",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a line that scales what has no gradient."""
        assert isinstance(event, UpdatedWithoutGradient)
        name = event.parameter
        whether = "" if "missing" in event.how else " whether or not there is a gradient"
        yield Report(
            event.place,
            f"`{event.optimizer}.step` {event.how} `{name}`{whether}: frozen parameters move",
            f"skip those without first: `if {name}.grad is None: continue`",
            about=About((name,), among="frozen"),
        )
