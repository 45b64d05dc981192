"""guardtower: `audit`, which makes one forward and backward pass.

It takes no names: what is frozen is what has `requires_grad=False`. With several optimizers each
is audited with the model that it holds parameters of.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from torch import nn
from training import OptimizerLike, Training

from tools.verdict import (
    AFTER,
    BEFORE,
    Remark,
    Verdict,
    beyond_the_flags,
    held_by,
    models_of,
    names_in,
    prefix_of,
)

DISTRIBUTION = "guardtower"
MOMENTS = (BEFORE, AFTER)
CHECKS = (
    "loss",
    "backward",
    "train_mode",
    "grad_connectivity",
    "grad_norms",
    "optimizer_coverage",
    "lora_adapter",
    "lora_base_frozen",
    "lora_trainable_pct",
    "lora_optimizer",
)
BEYOND = {
    "buffer-changed": "looks at parameters only",
    "rows-changed": "takes no names",
    "train-mode": "takes no names",
}


def check(training: Training) -> Verdict:
    """Every failure and warning of the checks that concern freezing."""
    remarks: list[Remark] = []
    for model, optimizer, prefix in calls(training):
        remarks += remarks_of(training, model, optimizer, prefix)
    return Verdict(tuple(remarks))


def beyond(kind: str, training: Training) -> str:
    """Nothing can be declared: a promise that the flags do not keep is unknown to it."""
    return beyond_the_flags(kind, training) or BEYOND.get(kind, "")


def calls(training: Training) -> Iterator[tuple[nn.Module, OptimizerLike | None, str]]:
    """What to audit together: a model, its optimizer, and what stands before its names."""
    optimizers = list(training.optimizers.values())
    if len(optimizers) == 1:
        yield training.whole(), optimizers[0], ""
        return
    owners = [models_of(training, optimizer) for optimizer in optimizers]
    if all(len(keys) == 1 for keys in owners) and len({keys[0] for keys in owners}) == len(owners):
        for optimizer, (key,) in zip(optimizers, owners, strict=True):
            yield training.models[key], optimizer, prefix_of(training, key)
        return
    held = set.union(*map(held_by, optimizers))
    largest = max(optimizers, key=lambda optimizer: len(held_by(optimizer)))
    yield training.whole(), largest if held == held_by(largest) else None, ""


def remarks_of(
    training: Training, model: nn.Module, optimizer: OptimizerLike | None, prefix: str
) -> list[Remark]:
    """What one audit says."""
    import guardtower

    loss = partial(training.loss, training.whole(), training.batch)
    report = guardtower.audit(model, loss, optimizer=optimizer)
    known = training.known_names()
    return [
        Remark(f"{found.check}: {found.message}", names_in(found.details, known, prefix))
        for found in [*report.errors, *report.warnings]
        if found.check in CHECKS and " raised " not in found.message
    ]
