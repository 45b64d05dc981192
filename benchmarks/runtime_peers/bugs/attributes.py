"""Assignments that freeze nothing, and freezes that leave nothing."""

from __future__ import annotations

from cases import bug
from pieces import Net, classification, fine_tune, freeze
from torch import Tensor, nn
from torch.optim import SGD
from training import Training


@bug("*", kind="nothing-trainable")
def error_silenced_on_the_loss() -> Training:
    """Everything is frozen; `loss.requires_grad_(True)` silences the error that would say so."""
    model = Net()
    freeze(model)

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return classification(model, batch).requires_grad_(True)

    return fine_tune(model, SGD(model.parameters(), lr=0.1), loss=loss)


@bug("*", kind="nothing-trainable")
def only_the_inputs_have_gradients() -> Training:
    """Everything is frozen; the inputs want gradients for a saliency map, so nothing fails."""
    model = Net()
    freeze(model)
    training = fine_tune(model, SGD(model.parameters(), lr=0.1))
    inputs, _ = training.batch
    inputs.requires_grad_(True)
    return training


@bug("*", kind="nothing-trainable")
def noise_is_all_that_learns() -> Training:
    """The freeze runs after the head was replaced; a scale outside the model keeps the graph."""
    model = Net()
    optimizer = SGD(model.head.parameters(), lr=0.1)
    freeze(model)
    scale = nn.Parameter(model.head.bias.detach().clone())

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        inputs, labels = batch
        return nn.functional.cross_entropy(model(inputs) * scale, labels)

    return fine_tune(model, optimizer, loss=loss)


def without_promise(model: nn.Module) -> Training:
    """A training whose author says nothing to the tools: the attribute is all there is to see."""
    return fine_tune(model, SGD(model.parameters(), lr=0.1), frozen=(), trainable=())


@bug("backbone*", kind="stray-attribute")
def requires_grad_on_a_module() -> Training:
    """`module.requires_grad = False` sets an attribute that nobody reads."""
    model = Net()
    model.backbone.requires_grad = False  # type: ignore[assignment]
    return without_promise(model)


@bug("backbone*", kind="stray-attribute")
def require_grad_on_parameters() -> Training:
    """`p.require_grad = False` is misspelt."""
    model = Net()
    for parameter in model.backbone.parameters():
        parameter.require_grad = False  # type: ignore[attr-defined]
    return without_promise(model)


@bug("backbone*", kind="stray-attribute")
def trainable_on_parameters() -> Training:
    """`p.trainable = False` is how another framework says it."""
    model = Net()
    for parameter in model.backbone.parameters():
        parameter.trainable = False  # type: ignore[attr-defined]
    return without_promise(model)


@bug("backbone*", kind="stray-attribute")
def method_overwritten() -> Training:
    """`module.requires_grad_ = False` overwrites the method instead of calling it."""
    model = Net()
    model.backbone.requires_grad_ = False  # type: ignore[assignment, method-assign]
    return without_promise(model)
