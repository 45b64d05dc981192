"""Buffers of frozen modules that move."""

from __future__ import annotations

import torch
from cases import bug
from pieces import (
    FEATURES,
    SAMPLES,
    WIDTH,
    Net,
    distillation,
    fine_tune,
    freeze,
    normed,
    side_by_side,
)
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import SGD
from torch.optim.swa_utils import update_bn
from training import Training


def on(backbone: nn.Module, *, training_mode: bool = True) -> Training:
    """Train a head on a frozen backbone, the whole model put into train mode at every step."""
    model = Net(backbone)
    freeze(model.backbone)
    model.backbone.eval()
    optimizer = SGD(model.head.parameters(), lr=0.1)

    def begin() -> None:
        model.train()
        if not training_mode:
            model.backbone.eval()

    return fine_tune(model, optimizer, before=begin)


@bug("backbone.1.*", kind="buffer-changed")
def statistics_of_batchnorm() -> Training:
    """`model.train()` in the loop undoes the backbone's `eval()`: its running statistics drift."""
    return on(normed())


@bug("backbone.1.num_batches_tracked", kind="buffer-changed")
def batches_counted() -> Training:
    """With momentum 0 the running statistics stand still; `num_batches_tracked` counts on."""
    return on(normed(momentum=0.0))


class Sheltered(nn.Module):
    """A backbone that is always called under `no_grad`."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = normed()

    def forward(self, inputs: Tensor) -> Tensor:
        """The features, without a graph."""
        with torch.no_grad():
            return self.layers(inputs)


@bug("backbone.layers.1.*", kind="buffer-changed")
def statistics_under_no_grad() -> Training:
    """`no_grad` around the backbone is no shelter for its BatchNorm."""
    return on(Sheltered())


@bug("backbone.2.*", kind="buffer-changed")
def statistics_of_instancenorm() -> Training:
    """InstanceNorm that tracks statistics, in train mode."""
    norm = nn.InstanceNorm1d(2, track_running_stats=True)
    layers = [nn.Linear(FEATURES, WIDTH), nn.Unflatten(1, (2, WIDTH // 2)), norm]
    return on(nn.Sequential(*layers, nn.Flatten(), nn.Tanh()))


@bug("backbone.parametrizations.weight.0.*", kind="buffer-changed")
def power_iteration() -> Training:
    """Spectral norm goes on estimating u and v in train mode: the frozen layer's weight moves."""
    return on(spectral_norm(nn.Linear(FEATURES, WIDTH)))


class Memory(nn.Module):
    """Features beside a queue of those before, as contrastive learning keeps them."""

    queue: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(FEATURES, WIDTH)
        self.register_buffer("queue", torch.randn(4 * SAMPLES, WIDTH))

    def forward(self, inputs: Tensor) -> Tensor:
        """Push the features into the queue and compare them with it."""
        features = self.layer(inputs)
        self.queue[:] = torch.cat([features.detach(), self.queue[: -len(features)]])
        return features + self.queue.mean(dim=0)


@bug("backbone.queue", kind="buffer-changed")
def queue_filled() -> Training:
    """A frozen memory bank goes on taking in features."""
    return on(Memory(), training_mode=False)


class Codebook(nn.Module):
    """A vector quantiser whose codes follow the features in train mode."""

    codes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(FEATURES, WIDTH)
        self.register_buffer("codes", torch.randn(4, WIDTH))

    def forward(self, inputs: Tensor) -> Tensor:
        """The nearest codes, straight through."""
        features = self.layer(inputs)
        nearest = torch.cdist(features, self.codes).argmin(dim=1)
        if self.training:
            for code in nearest.unique():
                mean = features[nearest == code].mean(dim=0).detach()
                self.codes[code].lerp_(mean, 0.1)
        return features + (self.codes[nearest] - features).detach()


@bug("backbone.codes", kind="buffer-changed")
def codebook_moves() -> Training:
    """The codebook of a frozen tokenizer follows the data, for the tokenizer is in train mode."""
    return on(Codebook())


class Whitening(nn.Module):
    """Subtracts a mean that it keeps by putting a new tensor in its place."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(FEATURES, WIDTH)
        self.register_buffer("mean", torch.zeros(FEATURES))

    def forward(self, inputs: Tensor) -> Tensor:
        """Whiten, then apply."""
        self.mean = 0.9 * self.mean + 0.1 * inputs.mean(dim=0)
        return self.layer(inputs - self.mean)


@bug("backbone.mean", kind="buffer-changed")
def running_mean_reassigned() -> Training:
    """A frozen normaliser replaces its running mean by a new tensor at every call."""
    return on(Whitening(), training_mode=False)


@bug("backbone.1.*", kind="buffer-changed")
def statistics_recomputed() -> Training:
    """`update_bn` for the averaged weights resets the frozen backbone's statistics too."""
    model = Net(normed())
    freeze(model.backbone)
    inputs = torch.randn(SAMPLES, FEATURES)
    return fine_tune(
        model,
        SGD(model.head.parameters(), lr=0.1),
        before=model.backbone.eval,
        after=lambda: update_bn([inputs], model),
    )


@bug("teacher.backbone.1.*", kind="buffer-changed")
def statistics_copied_onto_the_teacher() -> Training:
    """Buffers are synchronised from the student to a teacher that is frozen."""
    student, teacher = Net(normed()), Net(normed())
    freeze(teacher)
    teacher.eval()

    def synchronise() -> None:
        for mine, other in zip(teacher.buffers(), student.buffers(), strict=True):
            mine.copy_(other)

    return side_by_side(
        {"student": student, "teacher": teacher},
        {"optimizer": SGD(student.parameters(), lr=0.1)},
        distillation,
        after=synchronise,
        frozen=("teacher.*",),
        trainable=("student.*",),
        statistics=("student.*",),
    )
