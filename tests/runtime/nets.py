"""Small networks, and the loop that most tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezelint.runtime import Watch
    from freezelint.runtime.violations import Violation

RELEASE = tuple(map(int, torch.__version__.split(".")[:2]))
"""Of torch, whose oldest supported one has less to watch."""

FUSED = pytest.mark.skipif(RELEASE < (2, 4), reason="no fused optimizers on the CPU")

HOOKS = pytest.mark.skipif(RELEASE < (2, 3), reason="a call of torch.compile takes the hooks out")

WIDTH = 4
INPUTS = torch.linspace(-1, 1, 8 * WIDTH).reshape(8, WIDTH)


class Net(nn.Module):
    """A backbone and a head."""

    def __init__(self, backbone: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone = nn.Linear(WIDTH, WIDTH) if backbone is None else backbone
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        """The scores."""
        return self.head(torch.tanh(self.backbone(inputs)))


class Words(nn.Module):
    """Two sparse embeddings, for optimizers that take nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Embedding(8, 2, sparse=True)
        self.head = nn.Embedding(8, 2, sparse=True)

    def forward(self, inputs: Tensor) -> Tensor:
        """The sum of both."""
        tokens = torch.arange(len(inputs))
        return self.backbone(tokens) + self.head(tokens)


def frozen_net(backbone: nn.Module | None = None) -> Net:
    """A network whose backbone is frozen the way it works."""
    model = Net(backbone)
    model.backbone.requires_grad_(False)
    return model


def fine_tuned(backbone: nn.Module | None = None) -> tuple[Net, torch.optim.Optimizer]:
    """A frozen backbone, and an optimizer of the head."""
    model = frozen_net(backbone)
    return model, torch.optim.SGD(model.head.parameters(), lr=0.1)


def loss_of(model: nn.Module) -> Tensor:
    """Of the one batch there is."""
    return (model(INPUTS) - 1).square().mean()  # type: ignore[no-any-return]


def step(model: nn.Module, *optimizers: Any) -> None:
    """One step of the textbook loop."""
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss_of(model).backward()
    for optimizer in optimizers:
        optimizer.step()


def said(violations: Watch | Iterable[Violation]) -> set[tuple[str, str | None]]:
    """Kinds and tensors of what was seen."""
    found = getattr(violations, "violations", violations)
    return {(str(each.kind), each.tensor) for each in found}


def on(*names: str, kind: str) -> set[tuple[str, str | None]]:
    """The same kind of several tensors, as `said` gives it."""
    return {(kind, name) for name in names}
