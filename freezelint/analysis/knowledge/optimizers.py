"""What the optimizers of torch do with a parameter that gets no gradient, or one of zeros.

Sources: runs of every class below over torch 2.0, 2.2 and 2.13 (four steps after the freeze,
compared bit by bit; for-loop, foreach and fused variants agree), and the signatures in
https://docs.pytorch.org/docs/stable/optim.html.
"""

from __future__ import annotations

from freezelint.records import NamedTuple


class OptimizerTraits(NamedTuple):
    """What one class of optimizer does beyond applying gradients."""

    arguments: tuple[str, ...]
    """Names of what may be passed by position after the parameters."""
    decay: float = 0.0
    """The default of ``weight_decay``."""
    has_history: bool = False
    """Goes on moving on gradients of zero after it has seen others, whatever it is told."""
    history_arguments: tuple[str, ...] = ()
    """Arguments that, when they are not 0, give it such a history."""
    pull: tuple[str, float] | None = None
    """Another argument that shrinks weights, with its default."""
    takes_none_for_zero: bool = False
    """Goes on moving along its history where there is no gradient at all."""
    ignores_rate: bool = False
    """Moves although its learning rate is 0."""


_ADAM = ("lr", "betas", "eps", "weight_decay")

TORCH_OPTIMIZERS = {
    "SGD": OptimizerTraits(
        ("lr", "momentum", "dampening", "weight_decay", "nesterov"),
        history_arguments=("momentum",),
    ),
    "Adam": OptimizerTraits(_ADAM, has_history=True),
    "AdamW": OptimizerTraits(_ADAM, decay=0.01, has_history=True),
    "NAdam": OptimizerTraits(_ADAM, has_history=True),
    "RAdam": OptimizerTraits(_ADAM, has_history=True),
    "Adamax": OptimizerTraits(_ADAM, has_history=True),
    "Muon": OptimizerTraits(("lr", "weight_decay", "momentum"), decay=0.1, has_history=True),
    "RMSprop": OptimizerTraits(
        ("lr", "alpha", "eps", "weight_decay", "momentum", "centered"),
        history_arguments=("momentum",),
    ),
    "Adagrad": OptimizerTraits(("lr", "lr_decay", "weight_decay")),
    "Adadelta": OptimizerTraits(("lr", "rho", "eps", "weight_decay")),
    "Adafactor": OptimizerTraits(
        ("lr", "beta2_decay", "eps", "d", "weight_decay"),
    ),
    "ASGD": OptimizerTraits(("lr", "lambd", "alpha", "t0", "weight_decay"), pull=("lambd", 1e-4)),
    "Rprop": OptimizerTraits(("lr", "etas", "step_sizes"), ignores_rate=True),
    "SparseAdam": OptimizerTraits(("lr", "betas", "eps")),
    "LBFGS": OptimizerTraits(
        ("lr", "max_iter", "max_eval"), has_history=True, takes_none_for_zero=True
    ),
}
"""By class name. A hook that zeroes gradients moves SparseAdam too, clearing them does not."""


def traits_of(library: str) -> OptimizerTraits | None:
    """What is known of an optimizer by its dotted name; None for those of other packages."""
    if not library.startswith("torch.optim."):
        return None
    return TORCH_OPTIMIZERS.get(library.rpartition(".")[2])


REVIVING_SCHEDULERS = {
    "torch.optim.lr_scheduler.OneCycleLR": ((1, "max_lr"),),
    "torch.optim.lr_scheduler.CyclicLR": ((1, "base_lr"), (2, "max_lr")),
    "torch.optim.lr_scheduler.CosineAnnealingLR": ((2, "eta_min"),),
    "torch.optim.lr_scheduler.CosineAnnealingWarmRestarts": ((3, "eta_min"),),
    "torch.optim.swa_utils.SWALR": ((1, "swa_lr"),),
}
"""Schedulers that do not keep a learning rate of 0, and the arguments that raise it.

A single number counts for all groups; a list has one for each. The other schedulers of torch
multiply the rate, so that 0 stays 0.
"""

OPTIMIZERS_ELSEWHERE = frozenset(
    {
        "transformers.AdamW",
        "transformers.Adafactor",
        "transformers.optimization.AdamW",
        "transformers.optimization.Adafactor",
        "apex.optimizers.FusedAdam",
        "apex.optimizers.FusedLAMB",
        "apex.optimizers.FusedSGD",
        "bitsandbytes.optim.Adam8bit",
        "bitsandbytes.optim.AdamW8bit",
        "bitsandbytes.optim.PagedAdamW8bit",
        "bitsandbytes.optim.Lion8bit",
        "lion_pytorch.Lion",
        "torch_optimizer.RAdam",
        "torch_optimizer.Lookahead",
        "timm.optim.AdamP",
        "timm.optim.RAdam",
        "timm.optim.Lamb",
        "timm.optim.Lion",
    }
)

SCHEDULE_FACTORIES = frozenset(
    f"{package}.{name}"
    for package in ("transformers", "transformers.optimization", "diffusers.optimization")
    for name in (
        "get_scheduler",
        "get_constant_schedule",
        "get_constant_schedule_with_warmup",
        "get_cosine_schedule_with_warmup",
        "get_cosine_with_hard_restarts_schedule_with_warmup",
        "get_cosine_with_min_lr_schedule_with_warmup",
        "get_inverse_sqrt_schedule",
        "get_linear_schedule_with_warmup",
        "get_piecewise_constant_schedule",
        "get_polynomial_decay_schedule_with_warmup",
        "get_reduce_on_plateau_schedule",
        "get_wsd_schedule",
    )
)
"""Calls that take an optimizer and change its learning rates only.

Source: ``optimization.py`` of transformers 5.23 and of diffusers 0.42.
"""
