"""Tiny networks and the loop that most cases share. A case shows only what is its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Optimizer
from training import Loss, OptimizerLike, Training

FEATURES = 6
WIDTH = 8
CLASSES = 3
SAMPLES = 16
TOKENS = 12
OLD_TOKENS = 6
"""The tokens a pretrained vocabulary had; those after them are new."""

Action = Callable[[], Any]


class Net(nn.Module):
    """A backbone and a head: the shape of most fine-tuning.

    `tanh` rather than ReLU, so that no unit is dead by chance.
    """

    def __init__(self, backbone: nn.Module | None = None, adapter: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone = dense() if backbone is None else backbone
        if adapter is not None:
            self.adapter = adapter
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        """The scores."""
        features = self.backbone(inputs)
        if hasattr(self, "adapter"):
            features = features + self.adapter(features)
        return self.head(features)


class TokenNet(nn.Module):
    """An embedding and a head."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, WIDTH, **options)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, tokens: Tensor) -> Tensor:
        """The scores."""
        return self.head(self.embedding(tokens).mean(dim=1))


class LoraLinear(nn.Module):
    """A frozen layer with a low-rank update beside it, named as PEFT names it."""

    def __init__(self, width: int, rank: int = 1) -> None:
        super().__init__()
        self.base_layer = nn.Linear(width, width).requires_grad_(False)
        self.lora_A = nn.Linear(width, rank, bias=False)
        self.lora_B = nn.Linear(rank, width, bias=False)
        nn.init.zeros_(self.lora_B.weight)

    def delta(self) -> Tensor:
        """What the update adds to the base weight."""
        return self.lora_B.weight @ self.lora_A.weight

    def forward(self, inputs: Tensor) -> Tensor:
        """The sum of both."""
        return self.base_layer(inputs) + self.lora_B(self.lora_A(inputs))


class LoraNet(nn.Module):
    """A frozen network with one low-rank update, which alone trains."""

    def __init__(self) -> None:
        super().__init__()
        wide = 4 * WIDTH
        self.entry = nn.Linear(FEATURES, wide).requires_grad_(False)
        self.block = LoraLinear(wide)
        self.head = nn.Linear(wide, CLASSES).requires_grad_(False)

    def forward(self, inputs: Tensor) -> Tensor:
        """The scores."""
        return self.head(torch.tanh(self.block(self.entry(inputs))))


def dense() -> nn.Sequential:
    """Two layers without state."""
    return nn.Sequential(nn.Linear(FEATURES, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH))


def normed(**options: Any) -> nn.Sequential:
    """A layer and a BatchNorm."""
    return nn.Sequential(nn.Linear(FEATURES, WIDTH), nn.BatchNorm1d(WIDTH, **options), nn.Tanh())


def freeze(module: nn.Module) -> None:
    """Freeze the way it works."""
    for parameter in module.parameters():
        parameter.requires_grad = False


def frozen_net() -> tuple[Net, SGD]:
    """A network with a frozen backbone, and an optimizer that holds its head only."""
    model = Net()
    freeze(model.backbone)
    return model, SGD(model.head.parameters(), lr=0.1)


@torch.no_grad()
def follow(follower: nn.Module, leader: nn.Module, rate: float = 0.1) -> None:
    """The step of an exponential moving average."""
    for mine, other in zip(follower.parameters(), leader.parameters(), strict=True):
        mine.lerp_(other, rate)


def samples() -> tuple[Tensor, Tensor]:
    """One batch."""
    return torch.randn(SAMPLES, FEATURES), torch.randint(0, CLASSES, (SAMPLES,))


def sentences(first: int = 0) -> tuple[Tensor, Tensor]:
    """One batch of tokens, of the vocabulary from `first` on."""
    tokens = torch.arange(SAMPLES * 4).reshape(SAMPLES, 4) % (TOKENS - first) + first
    return tokens, torch.randint(0, CLASSES, (SAMPLES,))


def classification(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The usual loss."""
    inputs, labels = batch
    return functional.cross_entropy(model(inputs), labels)


def trained_by(model: nn.Module) -> list[nn.Parameter]:
    """What an optimizer is usually given: the parameters that are not frozen."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def nothing() -> None:
    """For the places of a loop where nothing is done."""


def fine_tune(
    model: nn.Module,
    optimizer: OptimizerLike,
    *,
    loss: Loss = classification,
    batch: Any = None,
    before: Action = nothing,
    between: Action = nothing,
    after: Action = nothing,
    zero_grad: Action | None = None,
    frozen: tuple[str, ...] = ("backbone.*",),
    trainable: tuple[str, ...] = ("head.*",),
    **promises: Any,
) -> Training:
    """The textbook loop: `before` the forward pass, `between` backward and step, `after` both."""
    batch = samples() if batch is None else batch

    def step() -> None:
        before()
        (zero_grad or optimizer.zero_grad)()
        loss(model, batch).backward()
        between()
        optimizer.step()
        after()

    return Training(
        models={"model": model},
        optimizers={"optimizer": optimizer},
        step=step,
        loss=loss,
        batch=batch,
        frozen=frozen,
        trainable=trainable,
        **promises,
    )


def with_closure(
    model: nn.Module,
    optimizer: Optimizer,
    frozen: tuple[str, ...] = ("backbone.*",),
    trainable: tuple[str, ...] = ("head.*",),
) -> Training:
    """The loop of optimizers that call the model themselves."""
    batch = samples()

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = classification(model, batch)
        loss.backward()
        return loss

    return Training(
        models={"model": model},
        optimizers={"optimizer": optimizer},
        step=lambda: optimizer.step(closure),
        loss=classification,
        batch=batch,
        frozen=frozen,
        trainable=trainable,
    )


def side_by_side(
    models: Mapping[str, nn.Module],
    optimizers: Mapping[str, OptimizerLike],
    loss: Loss,
    *,
    after: Action = nothing,
    before: Action = nothing,
    **promises: Any,
) -> Training:
    """Several models in one loop; the loss sees all of them under their keys."""
    whole = nn.ModuleDict(dict(models))
    batch = samples()

    def step() -> None:
        before()
        for optimizer in optimizers.values():
            optimizer.zero_grad()
        loss(whole, batch).backward()
        for optimizer in optimizers.values():
            optimizer.step()
        after()

    return Training(models, optimizers, step, loss, batch, **promises)


def distillation(models: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The student learns the labels and what the teacher says."""
    assert isinstance(models, nn.ModuleDict)
    inputs, labels = batch
    scores = models["student"](inputs)
    with torch.no_grad():
        taught = models["teacher"](inputs)
    return functional.cross_entropy(scores, labels) + functional.mse_loss(scores, taught)


def on_call(number: int, action: Action) -> Action:
    """An action that happens at one step of the loop only, the first being 1."""
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            action()

    return count
