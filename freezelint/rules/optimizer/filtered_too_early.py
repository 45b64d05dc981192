"""A list of trainable parameters is made before the freeze it should reflect."""

from __future__ import annotations

from freezelint.findings import Level
from freezelint.rules.rule import Rule


class FilteredTooEarly(Rule):
    """Finds a `requires_grad` filter that ran before the freeze it is meant to see.

    What it does:
        Reports a list of parameters filtered by `requires_grad` whose filter was
        evaluated while everything was still trainable, when a freeze of some of these
        parameters follows and the list is used after it.

    Why is this bad:
        The filter reads as if frozen parameters were left out, but it looked too
        early and let all of them through. The optimizer holds them for nothing, the
        reported number of trainable parameters is wrong, and whatever else goes over
        the list (weight clipping, a decay by hand, an average of the weights) writes
        into the frozen part. Gradients that existed at the freeze are applied as in
        FZ301.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Critic(nn.Module):
            def __init__(self):
                super().__init__()
                self.features = nn.Sequential(nn.Linear(8, 32), nn.LeakyReLU(0.2))
                self.score = nn.Linear(32, 1, bias=False)

            def forward(self, x):
                return self.score(self.features(x))


        critic = Critic()
        trainable = [p for p in critic.parameters() if p.requires_grad]  # expect: FZ302
        critic.features.requires_grad_(False)

        optimizer = torch.optim.RMSprop(trainable, lr=1e-3)
        for step in range(5):
            real, fake = torch.randn(32, 8) + 2, torch.randn(32, 8)
            loss = critic(fake).mean() - critic(real).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for param in trainable:  # weight clipping keeps the critic Lipschitz
                    param.clamp_(-0.05, 0.05)

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Critic(nn.Module):
            def __init__(self):
                super().__init__()
                self.features = nn.Sequential(nn.Linear(8, 32), nn.LeakyReLU(0.2))
                self.score = nn.Linear(32, 1, bias=False)

            def forward(self, x):
                return self.score(self.features(x))


        critic = Critic()
        critic.features.requires_grad_(False)
        trainable = [p for p in critic.parameters() if p.requires_grad]

        optimizer = torch.optim.RMSprop(trainable, lr=1e-3)
        for step in range(5):
            real, fake = torch.randn(32, 8) + 2, torch.randn(32, 8)
            loss = critic(fake).mean() - critic(real).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for param in trainable:  # weight clipping keeps the critic Lipschitz
                    param.clamp_(-0.05, 0.05)

    When it is silent:
        A `filter(...)`, `map(...)` or generator is lazy: it looks at the flags when
        it is consumed, so writing it above the freeze is right as long as nothing
        consumes it before. Lists that are rebuilt after the freeze, and filters by
        other conditions, are not reported.

    References:
        https://docs.pytorch.org/docs/stable/optim.html
        https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation
    """

    code = "FZ302"
    name = "filtered-too-early"
    level = Level.ERROR
    consequences = ("moves", "wastes")
    triggers = (("requires_grad",), ("optim", "Optim", "Adam", "SGD", "step("))
    fixable = False
