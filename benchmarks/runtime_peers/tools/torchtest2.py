"""torchtest2: `check_model` on one batch, told the names of what is frozen.

Its other checks (output ranges, batch independence, overfitting) are skipped. With several
optimizers it is called for each, and what the others hold is declared frozen for that call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from training import OptimizerLike, Training

from tools.verdict import AFTER, BEFORE, Remark, Verdict, held_by, names_in

DISTRIBUTION = "torchtest2"
MOMENTS = (BEFORE, AFTER)
CHECKS = ("loss", "optimizer_coverage", "gradient_flow", "params_change", "frozen_params")
BEYOND = {
    "buffer-changed": "names parameters only",
    "rows-changed": "names whole parameters only",
    "train-mode": "no option for modes",
}


def check(training: Training) -> Verdict:
    """Every failure and warning of the checks that concern freezing."""
    remarks: list[Remark] = []
    for optimizer, frozen in calls(training):
        remarks += remarks_of(training, optimizer, frozen)
    return Verdict(tuple(remarks))


def beyond(kind: str, training: Training) -> str:
    """Promises on buffers, rows and modes have no option."""
    return BEYOND.get(kind, "")


def calls(training: Training) -> Iterator[tuple[OptimizerLike, list[str]]]:
    """The optimizers, each with the names that must not move under it."""
    promised = training.parameters_under((*training.frozen, *training.targets))
    parameters = training.named_parameters()
    optimizers = list(training.optimizers.values())
    for optimizer in optimizers:
        others = {id_ for other in optimizers if other is not optimizer for id_ in held_by(other)}
        resting = others - held_by(optimizer)
        names = [name for name, parameter in parameters.items() if id(parameter) in resting]
        yield optimizer, [*promised, *names]


def remarks_of(training: Training, optimizer: OptimizerLike, frozen: list[str]) -> list[Remark]:
    """What one call of `check_model` says."""
    import torchtest2

    def forward(model: nn.Module, inputs: Any, targets: Any = None) -> Tensor:
        return training.loss(model, inputs)

    report = torchtest2.check_model(
        training.whole(),
        training.batch,
        loss_fn=lambda loss: loss,
        optimizer=optimizer,
        frozen=frozen,
        forward_fn=forward,
        eval_forward_fn=forward,
        skip=[name for name in torchtest2.CHECKS if name not in (*CHECKS, "forward")],
    )
    known = training.known_names()
    return [
        Remark(f"{result.name}: {result.message}", names_in(result.details, known))
        for result in [*report.failures, *report.warnings]
        if result.name in CHECKS and not result.message.startswith("raised ")
    ]
