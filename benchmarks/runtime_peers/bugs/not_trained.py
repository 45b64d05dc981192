"""What should train and stands still."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from cases import bug
from pieces import (
    WIDTH,
    Net,
    classification,
    distillation,
    fine_tune,
    freeze,
    samples,
    side_by_side,
    trained_by,
)
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.checkpoint import checkpoint
from training import Training

BOTH = ("adapter.*", "head.*")


def adapted(adapter: nn.Module) -> Training:
    """Train an adapter and a head beside a frozen backbone."""
    model = Net(adapter=adapter)
    freeze(model.backbone)
    return fine_tune(model, SGD(trained_by(model), lr=0.1), trainable=BOTH)


class Forgetful(Net):
    """A network that was given another layer, and a forward pass that was not."""

    def __init__(self) -> None:
        super().__init__()
        self.projector = nn.Linear(WIDTH, WIDTH)


@bug("projector.*", kind="not-trained")
def never_called() -> Training:
    """The forward pass never calls the new layer: no gradient."""
    model = Forgetful()
    freeze(model.backbone)
    both = ("projector.*", "head.*")
    return fine_tune(model, SGD(trained_by(model), lr=0.1), trainable=both)


class Gated(nn.Module):
    """A layer behind a gate that was meant to be opened."""

    gate: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, WIDTH)
        self.register_buffer("gate", torch.tensor(0.0))

    def forward(self, inputs: Tensor) -> Tensor:
        """The layer times the gate."""
        return self.gate * self.layer(inputs)


@bug("adapter.*", kind="not-trained")
def gate_stays_shut() -> Training:
    """The adapter is multiplied by a constant zero: its gradient is zero for ever."""
    return adapted(Gated())


class Dead(nn.Module):
    """A layer before a ReLU that lets nothing through."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, WIDTH)
        nn.init.constant_(self.layer.bias, -100.0)

    def forward(self, inputs: Tensor) -> Tensor:
        """Zeros."""
        return functional.relu(self.layer(inputs))


@bug("adapter.*", kind="not-trained")
def relu_is_dead() -> Training:
    """The adapter's bias is far below zero: its ReLU passes neither value nor gradient."""
    return adapted(Dead())


class Detached(nn.Linear):
    """A layer whose output leaves the graph."""

    def forward(self, inputs: Tensor) -> Tensor:
        """The output's values only."""
        return super().forward(inputs).detach()


@bug("adapter.*", kind="not-trained")
def output_detached() -> Training:
    """The adapter's output is detached before the head."""
    return adapted(Detached(WIDTH, WIDTH))


class Prompted(nn.Module):
    """A trainable prompt before a frozen backbone."""

    def __init__(self) -> None:
        super().__init__()
        self.prompt = nn.Parameter(torch.zeros(6))
        self.net = Net()

    def forward(self, inputs: Tensor) -> Tensor:
        """The scores of the prompted inputs."""
        with torch.no_grad():
            features = self.net.backbone(inputs + self.prompt)
        return self.net.head(features)


@bug("prompt", kind="not-trained")
def prompt_behind_no_grad() -> Training:
    """The frozen backbone runs under `no_grad`; the prompt before it gets no gradient."""
    model = Prompted()
    freeze(model.net.backbone)
    optimizer = SGD(trained_by(model), lr=0.1)
    both = ("prompt", "net.head.*")
    return fine_tune(model, optimizer, frozen=("net.backbone.*",), trainable=both)


class Checkpointed(nn.Linear):
    """A layer under reentrant checkpointing."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Recomputed in the backward pass."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return checkpoint(super().forward, inputs, use_reentrant=True)


@bug("adapter.*", kind="not-trained")
def reentrant_checkpoint() -> Training:
    """Frozen features need no gradient, so reentrant checkpointing drops the adapter's."""
    return adapted(Checkpointed(WIDTH, WIDTH))


@bug("head.*", kind="not-trained")
def learning_rate_zero() -> Training:
    """The head is in a group whose learning rate is 0."""
    model = Net(adapter=nn.Linear(WIDTH, WIDTH))
    freeze(model.backbone)
    groups = [{"params": model.adapter.parameters()}]
    optimizer = SGD([*groups, {"params": model.head.parameters(), "lr": 0.0}], lr=0.1)
    return fine_tune(model, optimizer, trainable=BOTH)


@bug("head.*", kind="not-trained")
def warm_up_never_ends() -> Training:
    """A warm-up by integer division keeps the learning rate at 0 for a thousand steps."""
    model = Net()
    freeze(model.backbone)
    optimizer = SGD(model.head.parameters(), lr=0.1)
    scheduler = LambdaLR(optimizer, lambda step: step // 1000)
    return fine_tune(model, optimizer, after=scheduler.step)


@bug("head.*", kind="not-trained")
def gradients_dropped_before_the_step() -> Training:
    """`zero_grad()` stands between `backward()` and `step()`."""
    model = Net()
    freeze(model.backbone)
    optimizer = Adam(model.head.parameters())
    return fine_tune(model, optimizer, between=optimizer.zero_grad)


@bug("head.*", kind="not-trained")
def update_rounds_away() -> Training:
    """In bfloat16 a step of 1e-7 is lost in rounding."""
    model = Net().to(torch.bfloat16)
    freeze(model.backbone)
    inputs, labels = samples()
    nn.init.ones_(model.head.bias)
    optimizer = SGD(model.head.parameters(), lr=1e-7)
    return fine_tune(model, optimizer, batch=(inputs.to(torch.bfloat16), labels))


@bug("adapter.*", kind="not-trained", or_kinds=("flag-flipped", "not-optimized"))
def flag_left_off() -> Training:
    """The whole network is frozen after the adapter was put in; only the head is unfrozen."""
    model = Net(adapter=nn.Linear(WIDTH, WIDTH))
    freeze(model)
    model.head.requires_grad_(True)
    return fine_tune(model, SGD(model.parameters(), lr=0.1), trainable=BOTH)


@bug("student.*", kind="not-trained")
def second_optimizer_never_stepped() -> Training:
    """Of two optimizers only one is stepped."""
    student, critic = Net(), Net()
    optimizers = {
        "student": SGD(student.parameters(), 0.1),
        "critic": SGD(critic.parameters(), 0.1),
    }
    batch = samples()

    def loss(models: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return sum((classification(model, batch) for model in models.children()), torch.zeros(()))

    whole = nn.ModuleDict({"student": student, "critic": critic})

    def step() -> None:
        whole.zero_grad()
        loss(whole, batch).backward()
        optimizers["critic"].step()

    models = {"student": student, "critic": critic}
    both = ("student.*", "critic.*")
    return Training(models, optimizers, step, loss, batch, trainable=both)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Nothing is recorded, and the mode is put back."""
    training = model.training
    model.eval()
    with torch.no_grad():
        yield
    model.train(training)


@bug("student.*", kind="not-trained")
def scores_of_the_wrong_net() -> Training:
    """The loss is taken of the teacher's scores twice; the student only runs."""
    student, teacher = Net(), Net()
    freeze(teacher)
    probe = nn.Linear(3, 3)

    def loss(models: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        assert isinstance(models, nn.ModuleDict)
        inputs, labels = batch
        with evaluating(models["student"]):
            models["student"](inputs)
        return functional.cross_entropy(models["probe"](models["teacher"](inputs)), labels)

    return side_by_side(
        {"student": student, "teacher": teacher, "probe": probe},
        {"optimizer": SGD([*student.parameters(), *probe.parameters()], lr=0.1)},
        loss,
        frozen=("teacher.*",),
        trainable=("student.*", "probe.*"),
    )


@bug("student.*", kind="not-trained")
def step_skipped_for_ever() -> Training:
    """A guard against bad gradients compares the norm the wrong way round and skips every step."""
    student, teacher = Net(), Net()
    freeze(teacher)
    optimizer = SGD(student.parameters(), lr=0.1)
    training = side_by_side(
        {"student": student, "teacher": teacher},
        {"optimizer": optimizer},
        distillation,
        frozen=("teacher.*",),
        trainable=("student.*",),
    )

    def step() -> None:
        optimizer.zero_grad()
        training.loss(training.whole(), training.batch).backward()
        norm = nn.utils.clip_grad_norm_(student.parameters(), 10.0)
        if norm > 10.0:
            optimizer.step()

    training.step = step
    return training
