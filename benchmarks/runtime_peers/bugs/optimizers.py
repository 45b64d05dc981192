"""Optimizers that move what is meant to be frozen."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from cases import bug
from pieces import Net, fine_tune, freeze, with_closure
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam, AdamW, Optimizer, Rprop
from torch.optim.lr_scheduler import OneCycleLR
from training import Training


@bug("backbone.*", kind="frozen-changed")
def adamw_decays_a_zeroed_gradient() -> Training:
    """The backbone is "frozen" by zeroing its gradients; AdamW's default weight decay moves it."""
    model = Net()

    def zero() -> None:
        for parameter in model.backbone.parameters():
            if parameter.grad is not None:
                parameter.grad.zero_()

    return fine_tune(model, AdamW(model.parameters()), between=zero)


@bug("backbone.*", kind="frozen-changed")
def momentum_after_a_gradient_hook() -> Training:
    """Hooks that return zeros are registered after two steps; the momentum of those goes on."""
    model = Net()
    training = fine_tune(model, SGD(model.parameters(), lr=0.1, momentum=0.9))
    warm_up(training)
    for parameter in model.backbone.parameters():
        parameter.register_hook(torch.zeros_like)
    return training


@bug("backbone.*", kind="frozen-changed", or_kinds=("stale-gradient",))
def stale_gradient_applied_for_ever() -> Training:
    """After the freeze only the head's gradients are dropped: SGD applies the backbone's last."""
    model = Net()
    training = fine_tune(model, SGD(model.parameters(), lr=0.1), zero_grad=model.head.zero_grad)
    training.step()
    freeze(model.backbone)
    return training


def trained_then_frozen(optimizer_of: Callable[[Iterable[nn.Parameter]], Optimizer]) -> Training:
    """Freeze after two steps and zero gradients rather than drop them: the state goes on moving."""
    model = Net()
    optimizer = optimizer_of(model.parameters())
    zero_grad = partial(optimizer.zero_grad, set_to_none=False)
    training = fine_tune(model, optimizer, zero_grad=zero_grad)
    warm_up(training)
    freeze(model.backbone)
    return training


def warm_up(training: Training) -> None:
    """Train for two steps before anything is frozen."""
    for _ in range(2):
        training.step()


@bug("backbone.*", kind="frozen-changed", or_kinds=("stale-gradient",))
def sgd_momentum_for_loop() -> Training:
    """Frozen after two steps, gradients zeroed but not dropped: SGD's momentum, for-loop."""
    return trained_then_frozen(partial(SGD, lr=0.1, momentum=0.9, foreach=False))


@bug("backbone.*", kind="frozen-changed", or_kinds=("stale-gradient",))
def sgd_momentum_foreach() -> Training:
    """Frozen after two steps, gradients zeroed but not dropped: SGD's momentum, foreach."""
    return trained_then_frozen(partial(SGD, lr=0.1, momentum=0.9, foreach=True))


@bug("backbone.*", kind="frozen-changed", or_kinds=("stale-gradient",))
def sgd_momentum_fused() -> Training:
    """Frozen after two steps, gradients zeroed but not dropped: SGD's momentum, fused."""
    return trained_then_frozen(partial(SGD, lr=0.1, momentum=0.9, fused=True))


@bug("backbone.*", kind="frozen-changed", or_kinds=("stale-gradient",))
def adam_foreach() -> Training:
    """Frozen after two steps, gradients zeroed but not dropped: Adam's averages, foreach."""
    return trained_then_frozen(partial(Adam, foreach=True))


@bug("backbone.*", kind="frozen-changed", or_kinds=("stale-gradient",))
def adam_fused() -> Training:
    """Frozen after two steps, gradients zeroed but not dropped: Adam's averages, fused."""
    return trained_then_frozen(partial(Adam, fused=True))


@bug("backbone.*", kind="frozen-changed", or_kinds=("stale-gradient",))
def adamw_foreach() -> Training:
    """Frozen after two steps, gradients zeroed but not dropped: AdamW, foreach."""
    return trained_then_frozen(partial(AdamW, foreach=True))


@bug("backbone.*", kind="frozen-changed", or_kinds=("stale-gradient",))
def adamw_fused() -> Training:
    """Frozen after two steps, gradients zeroed but not dropped: AdamW, fused."""
    return trained_then_frozen(partial(AdamW, fused=True))


@bug("backbone.*", kind="frozen-changed")
def lbfgs_history() -> Training:
    """Frozen after three steps, gradients dropped: LBFGS goes on along its history."""
    model = Net()
    training = with_closure(model, LBFGS(model.parameters(), lr=0.1, max_iter=4))
    for _ in range(3):
        training.step()
    freeze(model.backbone)
    model.zero_grad()
    return training


@bug("backbone.*", kind="frozen-changed")
def rprop_with_learning_rate_zero() -> Training:
    """A group with learning rate 0 is no freeze in Rprop, which adapts its step sizes."""
    model = Net()
    groups = [{"params": model.backbone.parameters(), "lr": 0.0}]
    optimizer = Rprop([*groups, {"params": model.head.parameters()}], lr=0.01)
    return fine_tune(model, optimizer)


@bug("backbone.*", kind="frozen-changed")
def scheduler_lifts_learning_rate_zero() -> Training:
    """The backbone is "frozen" by learning rate 0; OneCycleLR sets a rate of its own."""
    model = Net()
    groups = [{"params": model.backbone.parameters(), "lr": 0.0}]
    optimizer = SGD([*groups, {"params": model.head.parameters()}], lr=0.1)
    scheduler = OneCycleLR(optimizer, max_lr=0.1, total_steps=40)
    return fine_tune(model, optimizer, after=scheduler.step)


class DecayingSGD(Optimizer):
    """SGD that decays whatever it holds, with a gradient or without."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        super().__init__(parameters, {"lr": 0.1, "decay": 0.01})

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> None:  # type: ignore[override]
        """Decay, then descend."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.mul_(1 - group["lr"] * group["decay"])
                if parameter.grad is not None:
                    parameter.add_(parameter.grad, alpha=-group["lr"])


@bug("backbone.*", kind="frozen-changed")
def optimizer_decays_without_gradient() -> Training:
    """A hand-written optimizer decays every parameter it holds, also those without gradient."""
    model = Net()
    freeze(model.backbone)
    return fine_tune(model, DecayingSGD(model.parameters()))


class Lookahead:
    """Pulls the weights towards a slow copy every second step; no `torch.optim.Optimizer`."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.slow = {p: p.detach().clone() for group in self.param_groups for p in group["params"]}
        self.steps = 0

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Those of the optimizer within."""
        return self.optimizer.param_groups

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients."""
        self.optimizer.zero_grad(set_to_none)

    def step(self, closure: Callable[[], Tensor] | None = None) -> None:
        """Step, and look back every second time."""
        self.optimizer.step(closure)
        self.steps += 1
        if self.steps % 2 == 0:
            for parameter, slow in self.slow.items():
                slow.add_(parameter.detach() - slow, alpha=0.5)
                parameter.data.copy_(slow)

    def state_dict(self) -> dict[str, Any]:
        """The state of the optimizer within."""
        return self.optimizer.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the optimizer within."""
        self.optimizer.load_state_dict(copy.deepcopy(state))


@bug("backbone.*", kind="frozen-changed")
def lookahead_made_before_the_checkpoint() -> Training:
    """A Lookahead wrapper copied the random weights; it pulls the loaded, frozen ones to them."""
    model = Net()
    optimizer = Lookahead(SGD(model.parameters(), lr=0.1))
    model.load_state_dict(Net().state_dict())
    freeze(model.backbone)
    return fine_tune(model, optimizer)


@bug("backbone*", kind="frozen-changed", or_kinds=("stray-attribute",))
def flag_set_on_the_module() -> Training:
    """`backbone.requires_grad = False` makes an attribute; every parameter goes on training."""
    model = Net()
    model.backbone.requires_grad = False  # type: ignore[assignment]
    return fine_tune(model, AdamW(model.parameters()))


@bug("backbone.*", kind="frozen-changed")
def name_filter_matches_nothing() -> Training:
    """The freeze looks for names that begin with "encoder."; there are none."""
    model = Net()
    for name, parameter in model.named_parameters():
        if name.startswith("encoder."):
            parameter.requires_grad = False
    return fine_tune(model, SGD(model.parameters(), lr=0.1))


@bug("backbone.*.bias", kind="frozen-changed")
def only_weights_frozen() -> Training:
    """The weights of the backbone are frozen; its biases are forgotten."""
    model = Net()
    for module in model.backbone.modules():
        if isinstance(module, nn.Linear):
            module.weight.requires_grad = False
    return fine_tune(model, SGD(model.parameters(), lr=0.1))
