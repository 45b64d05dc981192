"""A network is frozen for the step of another one, and stays frozen for its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import Event, OptimizerBuilt, Stepped
from freezelint.analysis.knowledge.patterns import FREEZES, OPTIMIZER_CONSTRUCTIONS
from freezelint.analysis.toggles import is_left_off, step_in_between
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace


class OneSidedToggle(Rule):
    """Finds a network that is switched off for another's step and never switched on again.

    What it does:
        Reports a freeze of all that one optimizer holds, made for the step of another
        optimizer, that is still in force when the frozen network's own optimizer steps.

    Why is this bad:
        Freezing the discriminator (or the critic) while the generator (or the actor)
        learns saves time. Without the write of True that belongs to it, the network
        gets no gradient from then on: its optimizer steps over nothing, without a
        message if its loss still reaches the other network, and with "element 0 of
        tensors does not require grad" if it does not.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)

        generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
        discriminator = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
        generator_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2)
        discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-2)

        for step in range(3):
            real, noise = torch.randn(32, 2) + 3, torch.randn(32, 4)
            for param in discriminator.parameters():
                param.requires_grad = False  # expect: FZ205
            generator_optimizer.zero_grad()
            nn.functional.softplus(-discriminator(generator(noise))).mean().backward()
            generator_optimizer.step()

            discriminator_optimizer.zero_grad()
            on_real = nn.functional.softplus(-discriminator(real)).mean()
            on_fake = nn.functional.softplus(discriminator(generator(noise))).mean()
            (on_real + on_fake).backward()
            discriminator_optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)

        generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
        discriminator = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
        generator_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2)
        discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-2)

        for step in range(3):
            real, noise = torch.randn(32, 2) + 3, torch.randn(32, 4)
            for param in discriminator.parameters():
                param.requires_grad = False
            generator_optimizer.zero_grad()
            nn.functional.softplus(-discriminator(generator(noise))).mean().backward()
            generator_optimizer.step()

            for param in discriminator.parameters():
                param.requires_grad = True
            discriminator_optimizer.zero_grad()
            on_real = nn.functional.softplus(-discriminator(real)).mean()
            on_fake = nn.functional.softplus(discriminator(generator(noise))).mean()
            (on_real + on_fake).backward()
            discriminator_optimizer.step()

    When it is silent:
        Adversarial training without any toggling, which is right too; networks that
        are switched on again, in whatever way; freezes under a condition (a schedule)
        and before the loop (for good); steps that apply gradients from before the
        freeze; and networks that code out of sight had in hands meanwhile.

    References:
        https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation
        https://github.com/junyanz/BicycleGAN/issues/63
    """

    code = "FZ205"
    name = "one-sided-toggle"
    level = Level.WARNING
    claims = (Claim("dead", "discriminator.*"),)
    triggers = (("requires_grad",), (".step(",))
    trigger_patterns = (FREEZES, OPTIMIZER_CONSTRUCTIONS)
    events = ("Stepped",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a step of an optimizer whose parameters were frozen for another one's."""
        assert isinstance(event, Stepped)
        for built in trace.before(event, OptimizerBuilt):
            freeze = is_left_off(trace, built, event)
            if freeze is None:
                continue
            other = step_in_between(trace, freeze, event)
            optimizer = trace.objects.optimizer(built.key).label or built.name
            step, freezing = trace.meeting_place(event, freeze), trace.meeting_place(freeze, event)
            yield Report(
                freezing,
                f"`{freeze.label}` is frozen here and not unfrozen before `{optimizer}` steps: "
                "that step changes nothing",
                f"set its flags back to True before the loss of `{optimizer}` is computed",
                (
                    (trace.meeting_place(other, freeze), "another optimizer steps here"),
                    (step, f"`{optimizer}` steps here, over frozen parameters"),
                ),
                about=About((freeze.label,)),
            )
