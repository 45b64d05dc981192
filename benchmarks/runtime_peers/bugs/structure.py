"""Frozen parameters that give way to other objects."""

from __future__ import annotations

import copy
from functools import partial

from cases import bug
from pieces import TOKENS, WIDTH, Net, TokenNet, fine_tune, freeze, on_call, sentences
from torch import nn
from torch.optim import SGD
from training import Training


@bug("backbone.0.weight", kind="frozen-replaced", or_kinds=("flag-flipped",))
def parameter_wrapped_anew() -> Training:
    """`nn.Parameter(w.clone())` has the same values, and `requires_grad` on."""
    model = Net()
    freeze(model.backbone)

    def wrap() -> None:
        model.backbone[0].weight = nn.Parameter(model.backbone[0].weight.detach().clone())

    optimizer = SGD(model.head.parameters(), lr=0.1)
    return fine_tune(model, optimizer, after=on_call(2, wrap), zero_grad=model.zero_grad)


@bug("backbone.*", kind="frozen-replaced")
def same_values_assigned() -> Training:
    """`load_state_dict(assign=True)` of the backbone's own values: other objects, same bits."""
    model = Net()
    freeze(model.backbone)
    saved = copy.deepcopy(model.backbone.state_dict())
    restore = partial(model.backbone.load_state_dict, saved, assign=True)
    optimizer = SGD(model.head.parameters(), lr=0.1)
    return fine_tune(model, optimizer, after=on_call(3, restore))


@bug("backbone.0.*", kind="frozen-replaced")
def layer_replaced_by_a_copy() -> Training:
    """A conversion puts a copy of a frozen layer into its place."""
    model = Net()
    freeze(model.backbone)

    def convert() -> None:
        model.backbone[0] = copy.deepcopy(model.backbone[0])

    optimizer = SGD(model.head.parameters(), lr=0.1)
    return fine_tune(model, optimizer, after=on_call(2, convert))


@bug("embedding.weight", kind="frozen-replaced", or_kinds=("frozen-changed", "flag-flipped"))
def embedding_resized() -> Training:
    """A frozen embedding is made larger: new rows, and all of them trainable."""
    model = TokenNet()
    freeze(model.embedding)

    def resize() -> None:
        larger = nn.Embedding(TOKENS + 2, WIDTH)
        larger.weight.data[:TOKENS] = model.embedding.weight.data
        model.embedding = larger

    return fine_tune(
        model,
        SGD(model.head.parameters(), lr=0.1),
        batch=sentences(),
        after=on_call(2, resize),
        zero_grad=model.zero_grad,
        frozen=("embedding.*",),
    )
