"""A module is put into eval mode as if that froze its weights."""

from __future__ import annotations

from freezelint.findings import Level
from freezelint.rules.rule import Rule


class EvalAsFreeze(Rule):
    """Finds `eval()` on the training path used as if it froze the weights.

    What it does:
        Reports `eval()` on a part of a model that is being trained, when the
        parameters of that part are trainable and held by an optimizer that steps. It
        is an error when a name or a comment beside it says that the part is frozen,
        and a warning otherwise.

    Why is this bad:
        `eval()` changes what layers like Dropout and BatchNorm compute, and nothing
        else. The parameters still receive gradients, and the optimizer still updates
        them.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Tagger(nn.Module):
            def __init__(self):
                super().__init__()
                self.encoder = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.1))
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.encoder(x))


        model = Tagger()
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            model.train()
            model.encoder.eval()  # expect: FZ111
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Tagger(nn.Module):
            def __init__(self):
                super().__init__()
                self.encoder = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.1))
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.encoder(x))


        model = Tagger()
        model.encoder.requires_grad_(False)
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            model.train()
            model.encoder.eval()
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Validation code, parts that are frozen by flag, that are left out of the
        optimizer or whose forward pass runs under `no_grad`, `eval()` on
        normalisation layers only, and places where a comment says that statistics are
        pinned while the weights train.

    References:
        https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval
        https://github.com/alexrich021/3dvnet/issues/11
        https://github.com/huangzongmou/yolov8_Distillation/issues/16
    """

    code = "FZ111"
    name = "eval-as-freeze"
    level = Level.WARNING
    consequences = ("moves",)
    triggers = (("eval(", "train("), ("optim", "Optim", "Adam", "SGD", "step("))
    fixable = False
