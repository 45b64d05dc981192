"""An optimizer is built from a filtered list that is empty."""

from __future__ import annotations

from freezelint.findings import Level
from freezelint.rules.rule import Rule


class NothingToOptimize(Rule):
    """Finds an optimizer built over parameters that are all frozen and filtered out.

    What it does:
        Reports an optimizer whose parameters are filtered by `requires_grad` when
        everything the filter looks at is frozen and nothing new was attached.

    Why is this bad:
        The constructor raises `ValueError: optimizer got an empty parameter list`.
        Given as a group in a dict the empty list is accepted, and `step()` does
        nothing.

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
        model.requires_grad_(False)
        trainable = filter(lambda p: p.requires_grad, model.parameters())
        optimizer = torch.optim.AdamW(trainable, lr=1e-3)  # expect: FZ309

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
        model.requires_grad_(False)
        model.head.requires_grad_(True)
        trainable = filter(lambda p: p.requires_grad, model.parameters())
        optimizer = torch.optim.AdamW(trainable, lr=1e-3)

        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        A part that is unfrozen or attached after the freeze, subclasses and callers
        that add a head, and filters by anything but the flag.

    References:
        https://docs.pytorch.org/docs/stable/optim.html
        https://github.com/lxztju/pytorch_classification/issues/26
        https://github.com/scverse/scvi-tools/issues/859
    """

    code = "FZ309"
    name = "nothing-to-optimize"
    level = Level.ERROR
    consequences = ("raises",)
    triggers = (("requires_grad", "freeze"), ("optim", "Optim", "Adam", "SGD", "step("))
    fixable = False
