"""Whether a script trains anything: how many steps are taken, and whether a parameter moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from freezelint.judgement.tensors import has_values, own_values
from freezelint.runtime.quiet import quietly
from freezelint.runtime.structure import parameters_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch.optim import Optimizer


class Progress:
    """Keeps the first values of all parameters of the script's models and optimizers."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        """Nothing was seen yet."""
        self.steps = 0
        self._namespace = namespace
        self._first: dict[int, tuple[Tensor, Tensor]] = {}

    def before_step(self, optimizer: Optimizer) -> None:
        """Count the step, and keep what it may move."""
        self.steps += 1
        self.note()
        self._keep([tensor for _, tensor in parameters_of(optimizer)])

    def note(self) -> None:
        """Keep the parameters of all models that are there now."""
        for value in list(self._namespace.values()):
            if isinstance(value, nn.Module):
                self._keep(list(value.parameters()))

    def has_trained(self) -> bool:
        """Whether any of them is another now."""
        with quietly():
            pairs = [
                (own_values(each), before)
                for each, before in self._first.values()
                if has_values(each)
            ]
            return any(
                now.dtype == before.dtype
                and now.device == before.device
                and not torch.equal(now, before)
                for now, before in pairs
            )

    def _keep(self, parameters: list[Tensor]) -> None:
        with quietly():
            for each in parameters:
                if id(each) not in self._first and has_values(each):
                    self._first[id(each)] = (each, own_values(each).clone())
