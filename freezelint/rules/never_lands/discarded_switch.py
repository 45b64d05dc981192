"""A statement looks like a switch and does nothing."""

from __future__ import annotations

from freezelint.findings import Level
from freezelint.rules.rule import Rule


class DiscardedSwitch(Rule):
    """Finds a statement that looks like a switch and does nothing.

    What it does:
        Reports `torch.no_grad()`, `torch.inference_mode()` and `torch.enable_grad()`
        as statements without `with`; `model.eval`, `model.train` and
        `x.requires_grad_` without a call; `p.detach()` whose result is dropped; and
        `with torch.no_grad:` without a call.

    Why is this bad:
        A context manager acts only in a `with`, a method only when it is called, and
        `detach()` only through its result. The line is evaluated and forgotten:
        gradients flow, Dropout stays active, and nothing is said. Only `with
        torch.no_grad:` stops, with a TypeError.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)

        encoder = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.2))
        head = nn.Linear(32, 4)
        optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))

        encoder.eval  # expect: FZ110
        for epoch in range(3):
            torch.no_grad()  # expect: FZ110
            features = encoder(inputs)
            loss = nn.functional.cross_entropy(head(features), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)

        encoder = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.2))
        head = nn.Linear(32, 4)
        optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))

        encoder.eval()
        for epoch in range(3):
            with torch.no_grad():
                features = encoder(inputs)
            loss = nn.functional.cross_entropy(head(features), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Context managers that are assigned, returned, chosen by a condition, passed to
        `enter_context` or used as decorators (with or without a call),
        `torch.set_grad_enabled(...)`, which acts at once, `detach_()`, which works in
        place, and the last expression of a notebook cell.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.detach.html
        https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix/issues/822
    """

    code = "FZ110"
    name = "discarded-switch"
    level = Level.ERROR
    consequences = ("moves", "differs")
    triggers = (
        ("no_grad", "inference_mode", "enable_grad", "eval", "train", "requires_grad_", "detach"),
    )
    fixable = False
