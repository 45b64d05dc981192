"""Optimizers that do not hold what should train, or hold what is not there."""

from __future__ import annotations

import copy
from functools import partial

from cases import bug
from pieces import CLASSES, FEATURES, WIDTH, Net, fine_tune, freeze, on_call, side_by_side
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam
from training import Training


@bug("adapter.*", kind="not-optimized", or_kinds=("not-trained",))
def adapter_left_out() -> Training:
    """The optimizer is given the head; the adapter that should train as well is forgotten."""
    model = Net(adapter=nn.Linear(WIDTH, WIDTH))
    freeze(model.backbone)
    optimizer = SGD(model.head.parameters(), lr=0.1)
    return fine_tune(model, optimizer, zero_grad=model.zero_grad, trainable=("adapter.*", "head.*"))


@bug("adapter.*", kind="not-optimized", or_kinds=("not-trained",))
def adapter_added_after_the_optimizer() -> Training:
    """The optimizer takes the network's parameters before the adapter is put into it."""
    model = Net()
    freeze(model.backbone)
    optimizer = Adam(model.parameters())
    model.adapter = nn.Linear(WIDTH, WIDTH)
    return fine_tune(model, optimizer, trainable=("adapter.*", "head.*"))


@bug("backbone.2.*", kind="not-optimized", or_kinds=("not-trained",))
def unfrozen_after_a_filtered_optimizer() -> Training:
    """A layer is unfrozen after the optimizer took what was trainable: it only piles up gradient."""
    model = Net()
    freeze(model.backbone)
    optimizer = SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model.backbone[2].requires_grad_(True)
    return fine_tune(
        model, optimizer, frozen=("backbone.0.*",), trainable=("backbone.2.*", "head.*")
    )


@bug("adapter.*", kind="not-optimized", or_kinds=("not-trained",))
def generator_used_up() -> Training:
    """The parameters are counted first; the used-up generator gives an empty group, silently."""
    model = Net(adapter=nn.Linear(WIDTH, WIDTH))
    freeze(model.backbone)
    parameters = model.adapter.parameters()
    sum(parameter.numel() for parameter in parameters)
    optimizer = SGD([{"params": parameters}, {"params": model.head.parameters()}], lr=0.1)
    return fine_tune(model, optimizer, zero_grad=model.zero_grad, trainable=("adapter.*", "head.*"))


def stacked(models: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The loss of a classifier on an encoder."""
    assert isinstance(models, nn.ModuleDict)
    inputs, labels = batch
    return functional.cross_entropy(models["classifier"](models["encoder"](inputs)), labels)


@bug("classifier.*", kind="not-optimized", or_kinds=("not-trained",))
def both_optimizers_over_the_encoder() -> Training:
    """Of two optimizers, for encoder and for classifier, both are given the encoder."""
    encoder = nn.Sequential(nn.Linear(FEATURES, WIDTH), nn.Tanh())
    classifier = nn.Linear(WIDTH, CLASSES)
    optimizers = {
        "encoder": SGD(encoder.parameters(), lr=0.1),
        "classifier": SGD(encoder.parameters(), lr=0.1),
    }
    return side_by_side(
        {"encoder": encoder, "classifier": classifier},
        optimizers,
        stacked,
        before=classifier.zero_grad,
        trainable=("encoder.*", "classifier.*"),
    )


@bug("head.*", kind="orphan", or_kinds=("not-optimized",))
def head_replaced_after_the_optimizer() -> Training:
    """The optimizer holds the old head; the new one, put in its place, never trains."""
    model = Net()
    freeze(model.backbone)
    optimizer = Adam(model.parameters())
    model.head = nn.Linear(WIDTH, CLASSES)
    return fine_tune(model, optimizer)


@bug("head.*", kind="orphan", or_kinds=("not-optimized",))
def head_replaced_in_the_loop() -> Training:
    """The head is replaced for a new task in the third step; the optimizer keeps the old one."""
    model = Net()
    freeze(model.backbone)
    optimizer = Adam(model.head.parameters())

    def replace() -> None:
        model.head = nn.Linear(WIDTH, CLASSES)

    return fine_tune(model, optimizer, before=on_call(3, replace))


@bug("head.*", kind="orphan", or_kinds=("not-optimized",))
def model_copied_after_the_optimizer() -> Training:
    """The optimizer holds the original; the loop trains a deep copy of it."""
    original = Net()
    freeze(original.backbone)
    optimizer = SGD(original.head.parameters(), lr=0.1)
    model = copy.deepcopy(original)
    return fine_tune(model, optimizer, zero_grad=model.zero_grad)


@bug("head.*", kind="orphan", or_kinds=("not-optimized",))
def optimizer_over_data() -> Training:
    """The optimizer is given `p.data`: tensors of its own, which never get a gradient."""
    model = Net()
    freeze(model.backbone)
    optimizer = SGD([parameter.data for parameter in model.head.parameters()], lr=0.1)
    return fine_tune(model, optimizer, zero_grad=model.zero_grad)


@bug("head.*", kind="orphan", or_kinds=("not-optimized",))
def checkpoint_assigned_after_the_optimizer() -> Training:
    """`load_state_dict(assign=True)` puts new parameters into the model; the optimizer is left."""
    model = Net()
    freeze(model.backbone)
    optimizer = SGD(model.head.parameters(), lr=0.1)
    load = partial(model.load_state_dict, Net().state_dict(), assign=True)
    load()
    return fine_tune(model, optimizer, zero_grad=model.zero_grad)
