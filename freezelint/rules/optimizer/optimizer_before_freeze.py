"""An optimizer is built over parameters that are frozen only afterwards."""

from __future__ import annotations

from freezelint.findings import Level
from freezelint.rules.rule import Rule


class OptimizerBeforeFreeze(Rule):
    """Finds an optimizer built over parameters that are frozen only afterwards.

    What it does:
        Reports an optimizer that was given trainable parameters and then had some of
        them frozen, with nothing that takes them out again. It is an error when a
        gradient may already exist at the freeze, that is, after a `backward()` or a
        step, and a warning otherwise.

    Why is this bad:
        An optimizer does not look at `requires_grad`. It skips a parameter only while
        its `.grad` is `None`, and freezing does not clear `.grad`: a gradient left
        from before the freeze is applied by the next step, and momentum or weight
        decay may go on from there.

        When no gradient exists yet, nothing moves, but the optimizer still holds the
        frozen parameters: parameter counts and groups are wrong, code that walks the
        groups reaches them, and LBFGS sizes its history for them.

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
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)  # expect: FZ301
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))

        # Dry run: does a full batch fit into memory?
        nn.functional.cross_entropy(model(inputs), targets).backward()

        for param in model.backbone.parameters():
            param.requires_grad = False

        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

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
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))

        # Dry run: does a full batch fit into memory?
        nn.functional.cross_entropy(model(inputs), targets).backward()

        for param in model.backbone.parameters():
            param.requires_grad = False

        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    When it is silent:
        Flags that are toggled (GAN and target networks), staged training that sets
        gradients to `None` between freeze and step, an optimizer or a parameter group
        that is rebuilt after the freeze, parameters that the optimizer was never
        given, and modules that cannot be followed.

    References:
        https://docs.pytorch.org/docs/stable/optim.html
        https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.zero_grad.html
        https://github.com/neuralmagic/sparseml/issues/965
    """

    code = "FZ301"
    name = "optimizer-before-freeze"
    level = Level.WARNING
    consequences = ("moves", "wastes")
    triggers = (("requires_grad", "freeze"), ("optim", "Optim", "Adam", "SGD", "step("))
    fixable = False
