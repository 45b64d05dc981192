"""What happens to the tensors that a claim is about, from the moment on that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from freezelint.judgement.outputs import Outputs
from freezelint.judgement.tensors import own_values
from freezelint.runtime.quiet import quietly
from freezelint.runtime.structure import parameters_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torch import Tensor, nn
    from torch.optim import Optimizer

    from freezelint.findings import Consequence
    from freezelint.judgement.memory import Change, Memory
    from freezelint.judgement.tensors import Named


_ASK_FOR_GRADIENTS = ("dead", "cut", "wastes")


class Observed(Protocol):
    """What a claim is about."""

    @property
    def label(self) -> str:
        """What people call it."""

    def tensors(self) -> Mapping[str, Named]:
        """Its tensors, as they stand under their names at this moment."""

    def modules(self) -> Mapping[str, nn.Module]:
        """The modules whose outputs it is about, by path, outer ones first."""


class Observation:
    """Looks at what one claim is about while a program runs."""

    def __init__(self, about: Observed, consequence: Consequence, memory: Memory) -> None:
        """Nothing is looked at before :meth:`begin`."""
        self.about = about
        self.consequence = consequence
        self.memory = memory
        self.named: Mapping[str, Named] = {}
        """Its tensors at the beginning; empty before that."""
        self.gradients: dict[str, int] = {}
        """Bytes of the gradients that arrived since, and were not zero."""
        self.held: dict[str, dict[str, int]] = {}
        """By optimizer, frozen parameters that it held in a step, and their bytes."""
        self.outputs: Outputs | None = None
        self.steps = 0
        self.passes = 0
        """Backward passes."""
        self._stale: dict[str, tuple[int, int]] = {}

    def begin(self) -> bool:
        """Look from now on, and forget what was seen before; False if there is nothing yet."""
        named = self.about.tensors()
        if not named:
            return False
        Observation.end(self)
        self.named = named
        self.remember()
        self.gradients, self.held = {}, {}
        self._stale = {
            name: (id(gradient), gradient._version)  # noqa: SLF001
            for name, gradient in self._arrived()
        }
        self.steps = self.passes = 0
        if self.consequence == "differs":
            self.outputs = Outputs(self.about.modules())
        return True

    def remember(self) -> None:
        """Let what is in the tensors now be what later values are compared with."""
        self.memory.keep({name: each.tensor for name, each in self.named.items()})

    def end(self) -> None:
        """Look no more."""
        if self.outputs is not None:
            self.outputs.remove()

    def changes(self, observed: Iterable[Named]) -> dict[str, Change]:
        """How each tensor differs, bit by bit, from what stood under its name."""
        now = self.about.tensors()
        return self.memory.changes(
            {each.name: now.get(each.name, each).tensor for each in observed}
        )

    # -- moments -------------------------------------------------------------

    def before_step(self, optimizer: Optimizer, *, looks: bool = True) -> None:
        """Look at who holds what, and at gradients that were written without a backward pass."""
        if not self.named:
            return
        self.steps += 1
        if not looks:
            return
        self._look_at_gradients()
        if self.consequence == "wastes":
            self._look_at_holder(optimizer)

    def after_backward(self, *, looks: bool = True) -> None:
        """Look at which gradients arrived."""
        if self.named:
            self.passes += 1
            if looks:
                self._look_at_gradients()

    def _look_at_gradients(self) -> None:
        if self.consequence not in _ASK_FOR_GRADIENTS:
            return
        for name, gradient in self._arrived():
            is_stale = self._stale.get(name) == (id(gradient), gradient._version)  # noqa: SLF001
            if name not in self.gradients and not is_stale:
                with quietly():
                    values = own_values(gradient)
                    values = values.coalesce().values() if values.is_sparse else values
                    if bool(values.ne(0).any()):
                        self.gradients[name] = values.nbytes

    def _arrived(self) -> Iterator[tuple[str, Tensor]]:
        for name, each in self.named.items():
            if each.tensor.is_leaf and each.tensor.grad is not None:
                yield name, each.tensor.grad

    def _look_at_holder(self, optimizer: Optimizer) -> None:
        names: dict[int, str] = {}
        for name, each in self.named.items():
            names.setdefault(id(each.tensor), name)
        for _, parameter in parameters_of(optimizer):
            if id(parameter) in names and not parameter.requires_grad:
                held = self.held.setdefault(type(optimizer).__name__, {})
                held[names[id(parameter)]] = parameter.nbytes
