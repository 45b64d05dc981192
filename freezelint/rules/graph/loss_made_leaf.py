"""The loss is made a leaf, so `backward()` reaches no parameter."""

from __future__ import annotations

from freezelint.findings import Level
from freezelint.rules.rule import Rule


class LossMadeLeaf(Rule):
    """Finds a loss that is cut from its graph and made to require a gradient.

    What it does:
        Reports a loss whose own flag is set before `backward()`: `loss.requires_grad
        = True` or `loss.requires_grad_()` where the loss has no graph, and the forms
        that always cut it off, `Variable(loss, requires_grad=True)` and
        `torch.tensor(loss.item(), requires_grad=True)`.

    Why is this bad:
        It silences "element 0 of tensors does not require grad" and leaves its cause
        in place: the loss is not connected to the parameters. `backward()` runs,
        every gradient stays `None`, and nothing trains.

        On a loss that has a graph, `loss.requires_grad_()` changes nothing and
        training works, while `loss.requires_grad = True` raises a RuntimeError ("you
        can only change requires_grad flags of leaf variables").

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)

        model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))

        for epoch in range(3):
            predictions = model(inputs).argmax(dim=1).float()
            loss = nn.functional.mse_loss(predictions, labels.float())
            loss.requires_grad = True  # expect: FZ503
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)

        model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))

        for epoch in range(3):
            logits = model(inputs)
            loss = nn.functional.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Tensors built as leaves on purpose, such as test data, inputs that are
        optimized themselves, and `loss.requires_grad_()` on a loss that has a graph
        or may have one.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.is_leaf.html
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad_.html
    """

    code = "FZ503"
    name = "loss-made-leaf"
    level = Level.ERROR
    consequences = ("cut",)
    triggers = (("requires_grad",), ("backward",))
    fixable = False
