"""A training as every tool is told of it: what it holds, what it promises, how it goes on.

No tool is named here. A case builds a `Training`; an adapter in `tools/` puts it to its tool in the
words that tool understands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Protocol

from torch import Tensor, nn

Loss = Callable[[nn.Module, Any], Tensor]


class OptimizerLike(Protocol):
    """What training loops ask of an optimizer; many in the wild are no `torch.optim.Optimizer`."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The parameters with their options."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop or zero the gradients."""

    def step(self, closure: Callable[[], Tensor] | None = None) -> Any:
        """Move the parameters."""


@dataclass
class Training:
    """One training with the promises its author makes about it.

    Patterns are globs over qualified names; with several models a name begins with the model's
    key. What no pattern names is under no promise.
    """

    models: Mapping[str, nn.Module]
    optimizers: Mapping[str, OptimizerLike]
    step: Callable[[], None]
    """One step of the author's own loop, with the bug in it."""
    loss: Loss
    """For tools that run a step of their own: of `whole()` and the batch."""
    batch: Any
    frozen: tuple[str, ...] = ()
    trainable: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    """Moved by their owner's hand only: teachers that follow, target networks."""
    statistics: tuple[str, ...] = ()
    """Buffers that may move."""
    frozen_rows: Mapping[str, slice] | None = None
    steps: int = 6

    def whole(self) -> nn.Module:
        """The one model, or all of them under their keys."""
        if len(self.models) == 1:
            return next(iter(self.models.values()))
        return nn.ModuleDict(dict(self.models))

    def run(self) -> None:
        """All steps."""
        for _ in range(self.steps):
            self.step()

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """Parameters by qualified name, the tied ones under each of their names."""
        return dict(self.whole().named_parameters(remove_duplicate=False))

    def named_buffers(self) -> dict[str, Tensor]:
        """Buffers by qualified name."""
        return dict(self.whole().named_buffers(remove_duplicate=False))

    def known_names(self) -> set[str]:
        """Whatever a message can name: parameters, buffers and modules."""
        modules = (name for name, _ in self.whole().named_modules(remove_duplicate=False))
        return {*self.named_parameters(), *self.named_buffers(), *modules} - {""}

    def parameters_under(self, patterns: Iterable[str]) -> list[str]:
        """The parameters that patterns name, for tools that want names."""
        return list(matching(self.named_parameters(), patterns))


def matching(names: Iterable[str], patterns: Iterable[str]) -> Iterator[str]:
    """The names that a pattern fits, with or without the prefix a wrapper puts before them."""
    patterns = tuple(patterns)
    for name in names:
        if any(
            fnmatchcase(name, pattern) or _unwrapped_fits(name, pattern) for pattern in patterns
        ):
            yield name


def _unwrapped_fits(name: str, pattern: str) -> bool:
    return name.startswith("module.") and fnmatchcase(name.removeprefix("module."), pattern)
