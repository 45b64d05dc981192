"""Parameters are unfrozen that no optimizer holds."""

from __future__ import annotations

from freezelint.findings import Level
from freezelint.rules.rule import Rule


class UnfrozenNotOptimized(Rule):
    """Finds parameters unfrozen after an optimizer was built without them.

    What it does:
        Reports an unfreeze of parameters that the optimizer was built without, from a
        filtered or a partial list, when no `add_param_group` and no new optimizer
        follows.

    Why is this bad:
        The flag makes gradients flow, but no optimizer applies them, so the unfrozen
        part never changes. It costs the memory and time of training it, and its
        gradients grow from step to step, because `optimizer.zero_grad()` does not
        reach them; clipping over the whole model counts them in its norm.

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
        model.backbone.requires_grad_(False)
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(6):
            if epoch == 3:
                model.backbone.requires_grad_(True)  # expect: FZ304
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
        model.backbone.requires_grad_(False)
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(6):
            if epoch == 3:
                model.backbone.requires_grad_(True)
                optimizer.add_param_group({"params": model.backbone.parameters(), "lr": 1e-4})
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        An optimizer that was built over all parameters while some were frozen:
        unfreezing works there. A group added or an optimizer built afterwards,
        frameworks that do so themselves, parts unfrozen only to pass gradients on to
        an input, and optimizers whose parameters are unknown.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.add_param_group.html
        https://github.com/huggingface/peft/issues/1303
        https://github.com/fastai/fastai/issues/2133
        https://github.com/skorch-dev/skorch/issues/260
    """

    code = "FZ304"
    name = "unfrozen-not-optimized"
    level = Level.ERROR
    consequences = ("dead",)
    triggers = (("requires_grad", "freeze"), ("optim", "Optim", "Adam", "SGD", "step("))
    fixable = False
