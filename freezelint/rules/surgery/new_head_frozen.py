"""A new head is attached and then frozen together with everything else."""

from __future__ import annotations

from freezelint.findings import Level
from freezelint.rules.rule import Rule


class NewHeadFrozen(Rule):
    """Finds a freeze of everything that also freezes a head attached just before.

    What it does:
        Reports a freeze of a whole model that reaches a submodule which was newly
        made and attached before, when nothing unfreezes that submodule afterwards and
        the model is trained.

    Why is this bad:
        The new head starts from random weights and stays there. If something else
        still trains, a second model or a loss with weights of its own, nothing is
        said. Otherwise `backward()` raises a RuntimeError ("element 0 of tensors does
        not require grad"), or an optimizer over the filtered parameters raises
        `ValueError: optimizer got an empty parameter list`.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Embedder(nn.Module):
            def __init__(self):
                super().__init__()
                self.trunk = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.embed = nn.Linear(32, 64)

            def forward(self, x):
                return nn.functional.normalize(self.embed(self.trunk(x)), dim=1)


        model = Embedder()
        model.embed = nn.Linear(32, 8)
        model.requires_grad_(False)  # expect: FZ602
        centres = nn.Linear(8, 5, bias=False)  # one learnable centre per class

        params = [p for p in (*model.parameters(), *centres.parameters()) if p.requires_grad]
        optimizer = torch.optim.AdamW(params, lr=1e-3)
        inputs, labels = torch.randn(64, 16), torch.randint(5, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(centres(model(inputs)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Embedder(nn.Module):
            def __init__(self):
                super().__init__()
                self.trunk = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.embed = nn.Linear(32, 64)

            def forward(self, x):
                return nn.functional.normalize(self.embed(self.trunk(x)), dim=1)


        model = Embedder()
        model.requires_grad_(False)
        model.embed = nn.Linear(32, 8)
        centres = nn.Linear(8, 5, bias=False)  # one learnable centre per class

        params = [p for p in (*model.parameters(), *centres.parameters()) if p.requires_grad]
        optimizer = torch.optim.AdamW(params, lr=1e-3)
        inputs, labels = torch.randn(64, 16), torch.randint(5, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(centres(model(inputs)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Freezing first and attaching the head afterwards, a head that is unfrozen
        again, a head that has weights loaded or copied into it, and models that are
        only evaluated.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.requires_grad_
        https://github.com/facebookresearch/pytext/issues/76
        https://github.com/jina-ai/finetuner/issues/435
    """

    code = "FZ602"
    name = "new-head-frozen"
    level = Level.ERROR
    consequences = ("dead",)
    triggers = (("requires_grad", "freeze"),)
    fixable = False
