"""Correct freezes, by every means there is."""

from __future__ import annotations

from functools import partial

import torch
from cases import clean
from pieces import (
    CLASSES,
    FEATURES,
    OLD_TOKENS,
    WIDTH,
    LoraNet,
    Net,
    TokenNet,
    classification,
    fine_tune,
    freeze,
    normed,
    sentences,
    trained_by,
    with_closure,
)
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam, AdamW
from training import Training


@clean
def frozen_backbone_filtered_optimizer() -> Training:
    """A frozen backbone, a head, and an optimizer of what is trainable."""
    model = Net()
    freeze(model.backbone)
    return fine_tune(model, AdamW(trained_by(model)))


@clean
def frozen_backbone_unfiltered_optimizer() -> Training:
    """AdamW holds the frozen parameters too; without a gradient it does not decay them."""
    model = Net()
    freeze(model.backbone)
    return fine_tune(model, AdamW(model.parameters()))


@clean
def zeroed_gradients_frozen_from_the_start() -> Training:
    """`zero_grad(set_to_none=False)` zeroes nothing where no gradient ever was."""
    model = Net()
    freeze(model.backbone)
    optimizer = AdamW(model.parameters())
    return fine_tune(model, optimizer, zero_grad=partial(optimizer.zero_grad, set_to_none=False))


@clean
def frozen_by_being_left_out() -> Training:
    """The flags of the backbone stay on; no optimizer holds it."""
    model = Net()
    optimizer = SGD(model.head.parameters(), lr=0.1)
    return fine_tune(model, optimizer, zero_grad=model.zero_grad)


@clean
def frozen_by_learning_rate_zero() -> Training:
    """The backbone is in a group with learning rate 0, which AdamW respects to the bit."""
    model = Net()
    groups = [{"params": model.backbone.parameters(), "lr": 0.0}]
    return fine_tune(model, AdamW([*groups, {"params": model.head.parameters()}], lr=0.01))


@clean
def batchnorm_put_into_eval_each_epoch() -> Training:
    """`model.train()`, then `backbone.eval()`, at the beginning of every epoch."""
    model = Net(normed())
    freeze(model.backbone)

    def begin() -> None:
        model.train()
        model.backbone.eval()

    return fine_tune(model, AdamW(trained_by(model)), before=begin)


@clean
def batchnorm_drift_on_purpose() -> Training:
    """The frozen backbone adapts its statistics to the new domain, and the promise says so."""
    model = Net(normed())
    freeze(model.backbone)
    return fine_tune(
        model,
        AdamW(trained_by(model)),
        before=model.train,
        statistics=("backbone.1.*",),
    )


@clean
def harmless_layers_in_train_mode() -> Training:
    """A frozen backbone in train mode with LayerNorm and Dropout(0): nothing depends on the mode."""
    backbone = nn.Sequential(nn.Linear(FEATURES, WIDTH), nn.LayerNorm(WIDTH), nn.Dropout(0.0))
    model = Net(backbone)
    freeze(model.backbone)
    return fine_tune(model, AdamW(trained_by(model)), before=model.train)


@clean
def lora_begins_at_zero() -> Training:
    """LoRA's B begins at zero, so that A has a zero gradient in the first step."""
    model = LoraNet()
    return fine_tune(
        model,
        AdamW(trained_by(model), lr=0.01),
        frozen=("entry.*", "block.base_layer.*", "head.*"),
        trainable=("block.lora_*",),
    )


class Prompted(nn.Module):
    """A prompt before a frozen network."""

    def __init__(self) -> None:
        super().__init__()
        self.prompt = nn.Parameter(torch.zeros(FEATURES))
        self.net = Net()
        freeze(self.net)

    def forward(self, inputs: Tensor) -> Tensor:
        """The scores of the prompted inputs."""
        return self.net(inputs + self.prompt)


@clean
def prompt_tuning() -> Training:
    """Only a prompt trains; gradients pass through the frozen network to it."""
    model = Prompted()
    optimizer = Adam([model.prompt])
    return fine_tune(model, optimizer, frozen=("net.*",), trainable=("prompt",))


@clean
def lbfgs_over_the_head() -> Training:
    """LBFGS holds the head only."""
    model = Net()
    freeze(model.backbone)
    return with_closure(model, LBFGS(model.head.parameters(), lr=0.1, max_iter=4))


@clean
def checkpoint_loaded_before_training() -> Training:
    """A checkpoint is loaded into frozen and trainable parameters before the first step."""
    model = Net()
    freeze(model.backbone)
    optimizer = AdamW(trained_by(model))
    model.load_state_dict(Net().state_dict())
    return fine_tune(model, optimizer)


@clean
def head_replaced_before_the_optimizer() -> Training:
    """The network is frozen, then gets a new head, then an optimizer."""
    model = Net()
    freeze(model)
    model.head = nn.Linear(WIDTH, CLASSES)
    return fine_tune(model, AdamW(trained_by(model)))


@clean
def everything_trains() -> Training:
    """Nothing is frozen and nothing is promised frozen; BatchNorm moves as it should."""
    model = Net(normed())
    both = ("backbone.*", "head.*")
    return fine_tune(
        model, AdamW(model.parameters()), frozen=(), trainable=both, statistics=("backbone.1.*",)
    )


@clean
def wrapped_in_data_parallel() -> Training:
    """The names begin with "module.", as those of every wrapped model."""

    class Wrapper(nn.Module):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

        def forward(self, inputs: Tensor) -> Tensor:
            return self.module(inputs)

    model = Net()
    freeze(model.backbone)
    wrapped = Wrapper(model)
    return fine_tune(wrapped, AdamW(trained_by(wrapped)))


@clean
def frozen_rows_restored_by_hand() -> Training:
    """Old rows of the embedding are put back after each step, from a copy."""
    model = TokenNet()
    saved = model.embedding.weight.detach()[:OLD_TOKENS].clone()

    @torch.no_grad()
    def restore() -> None:
        model.embedding.weight[:OLD_TOKENS] = saved

    return fine_tune(
        model,
        AdamW(model.parameters()),
        batch=sentences(),
        after=restore,
        frozen=(),
        trainable=("embedding.weight", "head.*"),
        frozen_rows={"embedding.weight": slice(0, OLD_TOKENS)},
    )


@clean
def frozen_rows_masked_by_a_hook() -> Training:
    """The gradient of old rows is masked from the start, under SGD without momentum or decay."""
    model = TokenNet()

    def mask(gradient: Tensor) -> Tensor:
        masked = gradient.clone()
        masked[:OLD_TOKENS] = 0
        return masked

    model.embedding.weight.register_hook(mask)
    return fine_tune(
        model,
        SGD(model.parameters(), lr=0.1),
        loss=classification,
        batch=sentences(),
        frozen=(),
        trainable=("embedding.weight", "head.*"),
        frozen_rows={"embedding.weight": slice(0, OLD_TOKENS)},
    )
