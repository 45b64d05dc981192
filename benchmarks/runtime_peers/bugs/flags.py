"""Flags that change while a training is under way."""

from __future__ import annotations

from functools import partial

import torch
from cases import bug
from pieces import Net, fine_tune, freeze, frozen_net, on_call
from torch import nn
from torch.optim import SGD
from training import Training


@bug("backbone.*", kind="flag-flipped")
def flags_set_by_a_helper() -> Training:
    """A helper ends with `model.requires_grad_(True)`: the backbone computes gradients again."""
    model, optimizer = frozen_net()
    unfreeze = partial(model.requires_grad_, True)
    return fine_tune(model, optimizer, after=on_call(2, unfreeze), zero_grad=model.zero_grad)


@bug("backbone.*", kind="flag-flipped")
def flags_set_and_set_back() -> Training:
    """For one step in the middle the backbone is unfrozen; the end looks like the beginning."""
    model, optimizer = frozen_net()
    thaw = on_call(3, partial(model.backbone.requires_grad_, True))
    chill = on_call(3, partial(model.backbone.requires_grad_, False))
    return fine_tune(model, optimizer, before=thaw, after=chill, zero_grad=model.zero_grad)


@bug("backbone.*", kind="flag-flipped", or_kinds=("stale-gradient",))
def flags_set_and_set_back_within_a_step() -> Training:
    """Flags are set for the backward pass only; the gradients that it made stay behind."""
    model, optimizer = frozen_net()
    thaw = partial(model.backbone.requires_grad_, True)
    chill = partial(model.backbone.requires_grad_, False)
    return fine_tune(model, optimizer, before=thaw, between=chill)


@bug("backbone.*", kind="frozen-changed", or_kinds=("flag-flipped",))
def everything_unfrozen_for_the_last_steps() -> Training:
    """A callback unfreezes all layers before the end, and the optimizer holds all of them."""
    model = Net()
    freeze(model.backbone)
    optimizer = SGD(model.parameters(), lr=0.1)
    unfreeze = partial(model.requires_grad_, True)
    return fine_tune(model, optimizer, before=on_call(4, unfreeze))


@bug("head.*", kind="flag-flipped", or_kinds=("not-trained",))
def head_frozen_by_the_validation() -> Training:
    """Validation freezes the whole network and gives back the adapter only."""
    model = Net(adapter=nn.Linear(8, 8))
    freeze(model.backbone)
    trained = [*model.adapter.parameters(), *model.head.parameters()]
    optimizer = SGD(trained, lr=0.1)

    @torch.no_grad()
    def validate() -> None:
        freeze(model)
        model(torch.zeros(1, 6))
        model.adapter.requires_grad_(True)

    validate_once = on_call(3, validate)
    return fine_tune(model, optimizer, after=validate_once, trainable=("adapter.*", "head.*"))
