"""Frozen tensors that are hard to compare, and stay as they are."""

from __future__ import annotations

import torch
from cases import clean
from pieces import (
    FEATURES,
    TOKENS,
    WIDTH,
    Net,
    fine_tune,
    freeze,
    sentences,
    trained_by,
)
from torch import Tensor, nn
from torch.optim import SGD, AdamW
from training import Training


class Odd(nn.Module):
    """A frozen layer that keeps other tensors beside its weights."""

    def __init__(self, **buffers: Tensor) -> None:
        super().__init__()
        self.layer = nn.Linear(FEATURES, WIDTH)
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer)

    def forward(self, inputs: Tensor) -> Tensor:
        """The layer alone."""
        return self.layer(inputs)


def beside(**buffers: Tensor) -> Training:
    """Train a head on a frozen layer with such buffers."""
    model = Net(Odd(**buffers))
    freeze(model.backbone)
    return fine_tune(model, AdamW(trained_by(model)))


@clean
def not_a_number() -> Training:
    """A frozen buffer is full of NaN, which is unequal to itself."""
    return beside(mask=torch.full((3, 3), float("nan")))


@clean
def integers_and_truths() -> Training:
    """Frozen buffers of integers and of truth values, a scalar and an empty one."""
    table = torch.arange(12).reshape(3, 4)
    mask = torch.eye(4, dtype=torch.bool)
    return beside(table=table, mask=mask, scalar=torch.tensor(7), empty=torch.zeros(0, 3))


@clean
def no_storage() -> Training:
    """A frozen buffer is on the meta device: it has a shape and no values."""
    return beside(shape=torch.empty(4, 4, device="meta"))


@clean
def expanded_and_complex() -> Training:
    """A frozen buffer is one value expanded to many, another is complex, a third transposed."""
    spectrum = torch.fft.fft(torch.arange(8.0))
    grid = torch.arange(6.0).reshape(2, 3).t()
    return beside(constant=torch.tensor([1.5]).expand(64), spectrum=spectrum, grid=grid)


@clean
def negative_zero() -> Training:
    """A frozen weight holds -0.0, which equals 0.0 and is another bit pattern."""
    model = Net()
    freeze(model.backbone)
    model.backbone[0].weight.data.fill_(-0.0)
    return fine_tune(model, AdamW(trained_by(model)))


class LanguageModel(nn.Module):
    """An embedding, a frozen middle, and a decoder tied to the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, WIDTH)
        self.middle = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh())
        self.decoder = nn.Linear(WIDTH, TOKENS, bias=False)
        self.decoder.weight = self.embedding.weight
        freeze(self.middle)

    def forward(self, tokens: Tensor) -> Tensor:
        """The scores of what comes next."""
        return self.decoder(self.middle(self.embedding(tokens).mean(dim=1)))


@clean
def tied_inside_the_trained_part() -> Training:
    """Embedding and decoder are one tensor, and both train; the frozen middle is between them."""
    model = LanguageModel()
    return fine_tune(
        model,
        SGD(trained_by(model), lr=0.1),
        batch=sentences(),
        frozen=("middle.*",),
        trainable=("embedding.*", "decoder.*"),
    )


@clean
def shared_inside_the_frozen_part() -> Training:
    """One frozen layer stands in two places."""
    model = Net()
    layer = nn.Linear(WIDTH, WIDTH)
    model.backbone = nn.Sequential(nn.Linear(FEATURES, WIDTH), layer, nn.Tanh(), layer)
    freeze(model.backbone)
    return fine_tune(model, AdamW(trained_by(model)))
