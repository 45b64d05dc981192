"""Rows promised frozen that move with the rest of their tensor."""

from __future__ import annotations

import torch
from cases import bug
from pieces import CLASSES, OLD_TOKENS, Net, TokenNet, fine_tune, sentences
from torch import Tensor
from torch.optim import SGD, AdamW
from training import Training

OLD = {"embedding.weight": slice(0, OLD_TOKENS)}
"""The promise that the pretrained tokens stay as they are."""


def mask_rows(gradient: Tensor, rows: int) -> Tensor:
    """The gradient without its first rows."""
    masked = gradient.clone()
    masked[:rows] = 0
    return masked


@bug("embedding.weight", kind="rows-changed")
def untouched_rows_decay() -> Training:
    """Only new tokens occur, yet AdamW's weight decay moves every row of the embedding."""
    model = TokenNet()
    return fine_tune(
        model,
        AdamW(model.parameters()),
        batch=sentences(first=OLD_TOKENS),
        frozen=(),
        frozen_rows=OLD,
    )


@bug("embedding.weight", kind="rows-changed")
def mask_is_one_row_short() -> Training:
    """The hook that masks the gradient of old tokens misses the last of them."""
    model = TokenNet()
    model.embedding.weight.register_hook(lambda grad: mask_rows(grad, OLD_TOKENS - 1))
    optimizer = SGD(model.parameters(), lr=0.1)
    return fine_tune(model, optimizer, batch=sentences(), frozen=(), frozen_rows=OLD)


@bug("embedding.weight", kind="rows-changed")
def momentum_of_masked_rows() -> Training:
    """The mask comes after two steps; the momentum of the old rows goes on."""
    model = TokenNet()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    training = fine_tune(model, optimizer, batch=sentences(), frozen=(), frozen_rows=OLD)
    training.step()
    training.step()
    model.embedding.weight.register_hook(lambda grad: mask_rows(grad, OLD_TOKENS))
    return training


@bug("embedding.weight", kind="rows-changed")
def rows_restored_from_a_view() -> Training:
    """Old rows are "restored" after each step from a view, which moved along with them."""
    model = TokenNet()
    saved = model.embedding.weight.data[:OLD_TOKENS]

    @torch.no_grad()
    def restore() -> None:
        model.embedding.weight[:OLD_TOKENS] = saved

    optimizer = SGD(model.parameters(), lr=0.1)
    return fine_tune(model, optimizer, batch=sentences(), after=restore, frozen=(), frozen_rows=OLD)


@bug("embedding.weight", kind="rows-changed")
def padding_row_decays() -> Training:
    """The padding row gets no gradient, but was initialised anew, and AdamW decays it."""
    model = TokenNet(padding_idx=0)
    torch.nn.init.normal_(model.embedding.weight)
    rows = {"embedding.weight": slice(0, 1)}
    return fine_tune(
        model, AdamW(model.parameters()), batch=sentences(), frozen=(), frozen_rows=rows
    )


@bug("head.bias", kind="rows-changed")
def bias_of_old_classes() -> Training:
    """Old classes are kept by masking the head's weight; its bias is forgotten."""
    model = Net()
    old = CLASSES - 1
    model.head.weight.register_hook(lambda grad: mask_rows(grad, old))
    rows = {"head.weight": slice(0, old), "head.bias": slice(0, old)}
    return fine_tune(model, SGD(model.head.parameters(), lr=0.1), frozen_rows=rows)
