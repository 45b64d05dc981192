"""Loops that do more than the textbook's, and are right."""

from __future__ import annotations

import copy
from functools import partial

import torch
from cases import clean
from pieces import (
    FEATURES,
    WIDTH,
    Net,
    TokenNet,
    classification,
    fine_tune,
    freeze,
    normed,
    on_call,
    samples,
    sentences,
    trained_by,
)
from torch import Tensor, nn
from torch.optim import SGD, AdamW, SparseAdam
from torch.optim.lr_scheduler import LambdaLR
from training import Training


def frozen_net() -> tuple[Net, AdamW]:
    """A network with a frozen backbone, and an optimizer that holds the rest."""
    model = Net()
    freeze(model.backbone)
    return model, AdamW(trained_by(model))


@clean
def gradual_unfreezing() -> Training:
    """The second layer is unfrozen in the fourth step, with a group of its own."""
    model = Net()
    freeze(model.backbone)
    optimizer = AdamW(trained_by(model))

    def unfreeze() -> None:
        model.backbone[2].requires_grad_(True)
        optimizer.add_param_group({"params": model.backbone[2].parameters(), "lr": 1e-4})

    return fine_tune(model, optimizer, before=on_call(4, unfreeze), frozen=("backbone.0.*",))


@clean
def gradient_accumulation() -> Training:
    """The optimizer is stepped after every second micro-batch."""
    model, optimizer = frozen_net()
    training = fine_tune(model, optimizer)
    calls = 0

    def step() -> None:
        nonlocal calls
        calls += 1
        (classification(model, training.batch) / 2).backward()
        if calls % 2 == 0:
            optimizer.step()
            optimizer.zero_grad()

    training.step = step
    return training


@clean
def autocast() -> Training:
    """The forward pass runs in bfloat16; weights stay in float32."""
    model, optimizer = frozen_net()

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return classification(model, batch)

    return fine_tune(model, optimizer, loss=loss)


@clean
def scaled_gradients_with_a_skipped_step() -> Training:
    """The first batch overflows: the gradient scaler skips its step, and all is well after it."""
    model, optimizer = frozen_net()
    training = fine_tune(model, optimizer)
    scaler = torch.amp.GradScaler("cpu")
    weights = iter([float("inf")])

    def step() -> None:
        optimizer.zero_grad()
        loss = classification(model, training.batch) * next(weights, 1.0)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    training.step = step
    return training


@clean
def warm_up_from_zero() -> Training:
    """The learning rate of the first step is 0."""
    model = Net()
    freeze(model.backbone)
    optimizer = SGD(trained_by(model), lr=0.1)
    scheduler = LambdaLR(optimizer, lambda step: min(step / 4, 1.0))
    return fine_tune(model, optimizer, after=scheduler.step)


@clean
def clipped_gradients() -> Training:
    """The norm is clipped over all parameters; the frozen ones have no gradient to clip."""
    model, optimizer = frozen_net()
    clip = partial(nn.utils.clip_grad_norm_, list(model.parameters()), 0.1)
    return fine_tune(model, optimizer, between=clip)


@clean
def validation_between_steps() -> Training:
    """Each step is followed by a validation, which goes to eval mode and back to the right one."""
    model = Net(normed())
    freeze(model.backbone)
    model.backbone.eval()
    inputs, _ = samples()

    @torch.no_grad()
    def validate() -> None:
        model.eval()
        model(inputs)
        model.train()
        model.backbone.eval()

    return fine_tune(model, AdamW(trained_by(model)), after=validate)


@clean
def best_weights_restored() -> Training:
    """The best checkpoint of this run is loaded again: its frozen part is what it always was."""
    model, optimizer = frozen_net()
    best = copy.deepcopy(model.state_dict())
    restore = partial(model.load_state_dict, best)
    return fine_tune(model, optimizer, after=on_call(3, restore))


class Routed(nn.Module):
    """Two experts, of which the first steps use one only."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Linear(FEATURES, WIDTH)
        self.experts = nn.ModuleList(nn.Linear(WIDTH, 3) for _ in range(2))
        self.calls = 0

    def forward(self, inputs: Tensor) -> Tensor:
        """The scores by one expert, or by both."""
        self.calls += 1
        features = self.backbone(inputs)
        scores = self.experts[0](features)
        return scores if self.calls <= 2 else scores + self.experts[1](features)


@clean
def expert_chosen_late() -> Training:
    """One expert gets no gradient in the first two steps, and trains from the third on."""
    model = Routed()
    freeze(model.backbone)
    return fine_tune(model, AdamW(trained_by(model)), trainable=("experts.*",))


@clean
def sparse_embedding() -> Training:
    """A sparse embedding trains under SparseAdam; the head is frozen."""
    model = TokenNet(sparse=True)
    freeze(model.head)
    return fine_tune(
        model,
        SparseAdam(model.embedding.parameters(), lr=0.01),
        batch=sentences(),
        frozen=("head.*",),
        trainable=("embedding.*",),
    )


@clean
def memory_format_changed() -> Training:
    """Frozen convolutions are laid out anew in the second step: another address, the same values."""
    layers = [nn.Unflatten(1, (2, 1, 3)), nn.Conv2d(2, 2, 1), nn.Flatten(), nn.Linear(6, WIDTH)]
    model = Net(nn.Sequential(*layers))
    freeze(model.backbone)
    relayout = partial(model.to, memory_format=torch.channels_last)
    return fine_tune(model, AdamW(trained_by(model)), after=on_call(2, relayout))


@clean
def widened_and_narrowed() -> Training:
    """An export goes to float64 and back: other storage, and the same bits."""
    model, optimizer = frozen_net()

    def export() -> None:
        model.backbone.double()
        model.backbone.float()

    return fine_tune(model, optimizer, after=on_call(3, export))
