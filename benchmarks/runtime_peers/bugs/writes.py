"""Writes into frozen parameters that no optimizer makes."""

from __future__ import annotations

import copy
from functools import partial

import torch
from cases import bug
from pieces import (
    WIDTH,
    LoraNet,
    Net,
    TokenNet,
    distillation,
    fine_tune,
    follow,
    freeze,
    frozen_net,
    on_call,
    sentences,
    side_by_side,
    trained_by,
)
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.optim import SGD
from training import Training


@bug("backbone.*", kind="frozen-changed")
def clamped_through_data() -> Training:
    """Weights are clipped through `.data`, the frozen ones as well."""
    model, optimizer = frozen_net()

    def clip() -> None:
        for parameter in model.parameters():
            parameter.data.clamp_(-0.1, 0.1)

    return fine_tune(model, optimizer, after=clip)


@bug("backbone.*", kind="frozen-changed")
def decayed_by_hand() -> Training:
    """Weight decay by hand, with `torch._foreach_mul_` over every `.data`."""
    model, optimizer = frozen_net()

    def decay() -> None:
        torch._foreach_mul_([parameter.data for parameter in model.parameters()], 0.999)

    return fine_tune(model, optimizer, after=decay)


@bug("backbone.*.weight", kind="frozen-changed")
def copied_over_under_no_grad() -> Training:
    """Every layer's rows are scaled to norm one with `copy_` under `no_grad`."""
    model, optimizer = frozen_net()

    @torch.no_grad()
    def normalise() -> None:
        for module in model.modules():
            if isinstance(module, nn.Linear):
                module.weight.copy_(nn.functional.normalize(module.weight, dim=1))

    return fine_tune(model, optimizer, after=normalise)


class SelfNormalising(nn.Linear):
    """A layer that normalises its own weight when it is called, as prototype layers do."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise, then apply."""
        with torch.no_grad():
            self.weight.copy_(nn.functional.normalize(self.weight, dim=1))
        return super().forward(inputs)


@bug("backbone.weight", kind="frozen-changed")
def normalised_in_forward() -> Training:
    """A frozen prototype layer normalises its weight in place each time it is called."""
    model = Net(SelfNormalising(6, WIDTH))
    freeze(model.backbone)
    return fine_tune(model, SGD(model.head.parameters(), lr=0.1))


@bug("backbone.0.weight", kind="frozen-changed")
def set_to_other_storage() -> Training:
    """A frozen weight is pointed at another tensor with `set_`."""
    model, optimizer = frozen_net()
    other = Net().backbone[0].weight.detach().clone()

    @torch.no_grad()
    def swap() -> None:
        model.backbone[0].weight.set_(other)

    return fine_tune(model, optimizer, after=on_call(2, swap))


@bug("backbone.*", kind="frozen-changed")
def data_replaced() -> Training:
    """`p.data = p.data.half().float()` after each step rounds the frozen weights too."""
    model, optimizer = frozen_net()

    def round_off() -> None:
        for parameter in model.parameters():
            parameter.data = parameter.data.half().float()

    return fine_tune(model, optimizer, after=round_off)


@bug("backbone.*", kind="frozen-changed")
def perturbed_as_a_vector() -> Training:
    """Noise is added through one long vector of all parameters, frozen ones included."""
    model, optimizer = frozen_net()

    def perturb() -> None:
        vector = parameters_to_vector(model.parameters()).detach()
        vector_to_parameters(vector + 1e-3 * torch.randn_like(vector), model.parameters())

    return fine_tune(model, optimizer, after=perturb)


@bug("backbone.*", kind="frozen-changed")
def perturbed_and_restored() -> Training:
    """An adversarial perturbation is added to all weights and subtracted again: rounding stays."""
    model, optimizer = frozen_net()
    noise = [torch.randn_like(parameter) for parameter in model.parameters()]

    @torch.no_grad()
    def perturb() -> None:
        for parameter, offset in zip(model.parameters(), noise, strict=True):
            parameter.add_(offset)
        for parameter, offset in zip(model.parameters(), noise, strict=True):
            parameter.sub_(offset)

    return fine_tune(model, optimizer, between=perturb)


@bug("backbone.*", kind="frozen-changed")
def checkpoint_copied_in_the_loop() -> Training:
    """The loop goes back to a checkpoint of another run, which holds another backbone."""
    model, optimizer = frozen_net()
    restore = partial(model.load_state_dict, Net().state_dict())
    return fine_tune(model, optimizer, after=on_call(3, restore))


@bug("backbone.*", kind="frozen-changed", or_kinds=("frozen-replaced",))
def checkpoint_assigned_in_the_loop() -> Training:
    """The same with `assign=True`: other tensors with other values take the parameters' places."""
    model, optimizer = frozen_net()
    restore = partial(model.backbone.load_state_dict, Net().backbone.state_dict(), assign=True)
    return fine_tune(model, optimizer, after=on_call(3, restore))


@bug("teacher.*", kind="frozen-changed")
def average_written_onto_the_teacher() -> Training:
    """The moving average of the student goes to the frozen teacher, not to the average net."""
    student, teacher = Net(), Net()
    average = copy.deepcopy(student)
    freeze(teacher)
    return side_by_side(
        {"student": student, "teacher": teacher, "average": average},
        {"optimizer": SGD(student.parameters(), lr=0.1)},
        distillation,
        after=lambda: follow(teacher, student),
        frozen=("teacher.*",),
        trainable=("student.*",),
        targets=("average.*",),
    )


@bug("backbone.0.bias", kind="frozen-changed")
def written_through_numpy() -> Training:
    """A NumPy view of a frozen bias is shifted in place."""
    model, optimizer = frozen_net()
    view = model.backbone[0].bias.detach().numpy()

    def shift() -> None:
        view[:] = view + 0.01

    return fine_tune(model, optimizer, after=shift)


@bug("backbone.*", kind="frozen-changed")
def initialised_again() -> Training:
    """`model.apply(...)` initialises the head for a new task, and every other layer with it."""
    model, optimizer = frozen_net()

    def initialise(module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)

    return fine_tune(model, optimizer, after=on_call(2, partial(model.apply, initialise)))


@bug("embedding.weight", kind="frozen-changed")
def embedding_renormed_in_forward() -> Training:
    """A frozen embedding with `max_norm` rewrites the rows it looks up."""
    model = TokenNet(max_norm=1.0)
    freeze(model.embedding)
    return fine_tune(
        model,
        SGD(model.head.parameters(), lr=0.1),
        batch=sentences(),
        frozen=("embedding.*",),
    )


@bug("block.base_layer.weight", kind="frozen-changed")
def adapter_merged_and_unmerged() -> Training:
    """LoRA is merged for validation and unmerged after it: the base drifts by the rounding."""
    model = LoraNet()

    def validate() -> None:
        base = model.block.base_layer.weight
        base.data += model.block.delta().detach()
        base.data -= model.block.delta().detach()

    return fine_tune(
        model,
        SGD(trained_by(model), lr=0.5),
        after=validate,
        frozen=("entry.*", "block.base_layer.*", "head.*"),
        trainable=("block.lora_*",),
    )
