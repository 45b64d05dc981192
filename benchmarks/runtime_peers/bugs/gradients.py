"""Gradients where none should be, or where nobody takes them up."""

from __future__ import annotations

from functools import partial

import torch
from cases import bug
from pieces import WIDTH, Net, classification, fine_tune, freeze, on_call, samples, trained_by
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam
from training import Training


@bug("backbone.*", kind="stale-gradient", or_kinds=("frozen-changed",))
def frozen_between_backward_and_step() -> Training:
    """The freeze comes after `backward()`: the step still applies what that computed."""
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1)
    return fine_tune(model, optimizer, between=on_call(1, partial(freeze, model.backbone)))


@bug("backbone.*", kind="stale-gradient", or_kinds=("frozen-changed",))
def frozen_between_micro_batches() -> Training:
    """The freeze comes between two micro-batches; the gradient of the first is applied."""
    model = Net()
    optimizer = SGD(model.parameters(), lr=0.1)
    batch = samples()
    classification(model, batch).backward()
    freeze(model.backbone)
    return fine_tune(model, optimizer, batch=batch, zero_grad=on_call(2, optimizer.zero_grad))


@bug("backbone.*", kind="stale-gradient")
def live_gradient_at_learning_rate_zero() -> Training:
    """A frozen group at learning rate 0 keeps its gradients: the first warm step applies them."""
    model = Net()
    groups = [{"params": model.backbone.parameters(), "lr": 0.0}]
    optimizer = SGD([*groups, {"params": model.head.parameters()}], lr=0.1)
    training = fine_tune(model, optimizer, zero_grad=model.head.zero_grad)
    training.step()
    freeze(model.backbone)
    return training


@bug("backbone.*", kind="stale-gradient", or_kinds=("frozen-changed",))
def gradient_assigned_by_hand() -> Training:
    """Averaged gradients of another worker are assigned to every parameter, frozen or not."""
    model = Net()
    freeze(model.backbone)
    optimizer = SGD(model.parameters(), lr=0.1)
    averaged = [torch.randn_like(parameter) for parameter in model.parameters()]

    def receive() -> None:
        for parameter, gradient in zip(model.parameters(), averaged, strict=True):
            parameter.grad = gradient

    return fine_tune(model, optimizer, between=receive)


class LoosePrompt(Net):
    """A prompt that is a plain tensor, so that no module registers it."""

    def __init__(self) -> None:
        super().__init__()
        self.prompt = torch.zeros(6, requires_grad=True)

    def forward(self, inputs: Tensor) -> Tensor:
        """The scores of the prompted inputs."""
        return super().forward(inputs + self.prompt)


@bug(kind="unowned-gradient")
def prompt_is_no_parameter() -> Training:
    """A prompt that should train is a plain tensor: no optimizer ever sees it."""
    model = LoosePrompt()
    freeze(model.backbone)
    return fine_tune(model, Adam(trained_by(model)))


class LooseLayers(Net):
    """Layers in a Python list, so that no module registers them."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = [nn.Linear(6, 6) for _ in range(2)]

    def forward(self, inputs: Tensor) -> Tensor:
        """The scores of the sum of both."""
        return super().forward(sum(expert(inputs) for expert in self.experts) + inputs)


@bug(kind="unowned-gradient")
def layers_in_a_list() -> Training:
    """Layers that should train are kept in a plain list: `parameters()` does not give them."""
    model = LooseLayers()
    freeze(model.backbone)
    return fine_tune(model, SGD(trained_by(model), lr=0.1))


@bug(kind="unowned-gradient")
def loss_with_parameters() -> Training:
    """The loss has class centres to learn; the optimizer is given the model's parameters only."""
    model = Net()
    freeze(model.backbone)
    centres = nn.Parameter(torch.randn(3, WIDTH))

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        inputs, labels = batch
        features = model.backbone(inputs)
        pull = functional.mse_loss(features, centres[labels])
        return functional.cross_entropy(model.head(features), labels) + pull

    return fine_tune(model, SGD(model.head.parameters(), lr=0.1), loss=loss)
