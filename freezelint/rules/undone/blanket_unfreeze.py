"""A later write turns all parameters trainable again, the frozen ones too."""

from __future__ import annotations

from freezelint.findings import Level
from freezelint.rules.rule import Rule


class BlanketUnfreeze(Rule):
    """Finds a freeze that a later blanket write of True undoes.

    What it does:
        Reports a write of True to the flags of a model, or of a part of it, that
        covers parameters which were frozen before, on every path from the freeze to
        the first optimizer step.

    Why is this bad:
        The flags end up as if the freeze had never been written. It happens in loops
        that sort parameters into groups, in toggling helpers, and in branches that
        "make sure" a model is trainable.

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

        decay, no_decay = [], []
        for name, param in model.named_parameters():
            param.requires_grad = True  # expect: FZ201
            (no_decay if name.endswith("bias") else decay).append(param)

        groups = [{"params": decay, "weight_decay": 0.05}, {"params": no_decay}]
        optimizer = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.0)
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
        model.backbone.requires_grad_(False)

        decay, no_decay = [], []
        for name, param in model.named_parameters():
            if param.requires_grad:
                (no_decay if name.endswith("bias") else decay).append(param)

        groups = [{"params": decay, "weight_decay": 0.05}, {"params": no_decay}]
        optimizer = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.0)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Freezing everything and then unfreezing a part, flags set by a condition,
        staged schedules, networks that are toggled back and forth, and helpers that
        unfreeze but are never called.

    References:
        https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation
        https://github.com/ultralytics/yolov5/issues/1213
        https://github.com/alexdenker/SteerableConditionalDiffusion/issues/1
        https://github.com/Lightning-AI/pytorch-lightning/issues/712
    """

    code = "FZ201"
    name = "blanket-unfreeze"
    level = Level.ERROR
    consequences = ("moves",)
    triggers = (("requires_grad", "freeze"),)
    fixable = False
