"""Several models in one loop, each moved by who should move it."""

from __future__ import annotations

import copy

import torch
from cases import clean
from pieces import (
    FEATURES,
    Net,
    distillation,
    follow,
    freeze,
    normed,
    on_call,
    samples,
    side_by_side,
)
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam
from training import Training


@clean
def adversaries_toggle_flags() -> Training:
    """The discriminator's flags go off while the generator trains, and on again."""
    generator = nn.Sequential(nn.Linear(FEATURES, FEATURES), nn.Tanh())
    discriminator = nn.Sequential(nn.Linear(FEATURES, 4), nn.Tanh(), nn.Linear(4, 1))
    models = {"generator": generator, "discriminator": discriminator}
    optimizers = {name: Adam(model.parameters(), lr=0.01) for name, model in models.items()}
    real, _ = samples()

    def judged(inputs: Tensor, truth: float) -> Tensor:
        scores = discriminator(inputs)
        return functional.binary_cross_entropy_with_logits(scores, torch.full_like(scores, truth))

    def loss(models: nn.Module, batch: Tensor) -> Tensor:
        assert isinstance(models, nn.ModuleDict)
        return judged(batch, 1.0) + judged(models["generator"](batch), 0.5)

    def step() -> None:
        discriminator.requires_grad_(True)
        optimizers["discriminator"].zero_grad()
        (judged(real, 1.0) + judged(generator(real).detach(), 0.0)).backward()
        optimizers["discriminator"].step()
        discriminator.requires_grad_(False)
        optimizers["generator"].zero_grad()
        judged(generator(real), 1.0).backward()
        optimizers["generator"].step()

    everything = ("generator.*", "discriminator.*")
    return Training(models, optimizers, step, loss, real, trainable=everything)


def with_follower(*, soft: bool) -> Training:
    """A student and a follower of it, which no optimizer touches."""
    student = Net()
    target = copy.deepcopy(student)
    freeze(target)
    target.eval()

    def load() -> None:
        target.load_state_dict(student.state_dict())

    models = {"student": student, "teacher": target}
    return side_by_side(
        models,
        {"optimizer": SGD(student.parameters(), lr=0.1)},
        distillation,
        after=(lambda: follow(target, student)) if soft else on_call(3, load),
        trainable=("student.*",),
        targets=("teacher.*",),
    )


@clean
def average_of_the_student() -> Training:
    """A mean teacher follows the student after each step; the promise calls it a target."""
    return with_follower(soft=True)


@clean
def target_network_copied_now_and_then() -> Training:
    """A target network is overwritten by the online network every third step."""
    return with_follower(soft=False)


@clean
def distilled_from_a_frozen_teacher() -> Training:
    """A frozen teacher in eval mode, called under `no_grad`, with statistics that stay."""
    student, teacher = Net(normed()), Net(normed())
    freeze(teacher)
    return side_by_side(
        {"student": student, "teacher": teacher},
        {"optimizer": Adam(student.parameters())},
        distillation,
        before=teacher.eval,
        frozen=("teacher.*",),
        trainable=("student.*",),
        statistics=("student.*",),
    )


@clean
def one_model_two_optimizers() -> Training:
    """Backbone and head train under optimizers of their own, beside a frozen teacher."""
    student, teacher = Net(), Net()
    freeze(teacher)
    optimizers = {
        "backbone": Adam(student.backbone.parameters()),
        "head": SGD(student.head.parameters(), lr=0.1),
    }
    return side_by_side(
        {"student": student, "teacher": teacher},
        optimizers,
        distillation,
        before=teacher.eval,
        frozen=("teacher.*",),
        trainable=("student.*",),
    )
