"""Frozen modules that run in train mode: whose buffers drift, whose outputs are random."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from freezelint.runtime.contract import Role
from freezelint.runtime.violations import Kind, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezelint.runtime.inventory import Inventory


def runs_compiled(model: nn.Module) -> bool:
    """Whether a compiler runs some of a model: by torch's wrapper, in place, or by Lightning's."""
    marks = ("_orig_mod", "_compiled_call_impl", "_compiler_ctx")
    return any(
        getattr(module, mark, None) is not None for module in model.modules() for mark in marks
    )


class ModeWatch:
    """Knows which modules must not run in train mode, and notes those that do."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._sensitive: dict[int, tuple[nn.Module, str, str]] = {}
        self._seen: dict[str, str] = {}
        self.ran: set[int] = set()
        """Identities of the modules that ran while this was listening."""

    def look_at(self, inventory: Inventory) -> None:
        """Look for layers in frozen parts that behave differently in train mode."""
        self._sensitive.clear()
        frozen = _frozen_parts(inventory)
        drifting = {
            entry.name.rpartition(".")[0]
            for entry in inventory.entries
            if entry.is_buffer and entry.role is Role.FROZEN
        }
        for path, module in inventory.modules.items():
            effect = _effect_of(module)
            if effect is None:
                continue
            if path in (drifting if effect == _DRIFTS else frozen):
                self._sensitive[id(module)] = (module, path, effect)

    def records(self) -> Iterable[object]:
        """The collections in which this holds modules."""
        return self._sensitive.values()

    def note(self, module: nn.Module, arguments: object) -> None:
        """A forward pre-hook for every module."""
        self.ran.add(id(module))
        if not module.training or id(module) not in self._sensitive:
            return
        _, path, effect = self._sensitive[id(module)]
        if effect == _RANDOM and _take_gradients(arguments):
            # What trains lies below, such as an adapter: it is regularised, as it should be.
            return
        del self._sensitive[id(module)]
        self._seen[path] = effect

    def take_for_running(self) -> None:
        """Note all as they are now, where their forward cannot be listened to."""
        for module, _, _ in list(self._sensitive.values()):
            self.note(module, None)

    def violations(self, step: int) -> list[Violation]:
        """What was noted since the last call."""
        seen, self._seen = self._seen, {}
        return [
            Violation(
                Kind.TRAIN_MODE,
                path or None,
                step,
                f"{path or 'the model'} is frozen and ran in train mode: {effect}",
                cause=_CAUSES[effect],
            )
            for path, effect in seen.items()
        ]


_DRIFTS = "its running statistics drift, and it normalises with those of the batch"
_BATCH = "without running statistics it normalises with those of the batch"
_RANDOM = "its dropout is active"
_CAUSES = {_DRIFTS: "FZ401", _BATCH: "FZ403", _RANDOM: "FZ402"}


def _take_gradients(arguments: object) -> bool:
    given = arguments if isinstance(arguments, tuple) else ()
    return any(isinstance(each, Tensor) and each.requires_grad for each in given)


def _effect_of(module: nn.Module) -> str | None:
    if isinstance(module, _NormBase):
        if module.running_mean is None:
            # It has no other way, in eval mode either.
            return None
        return _DRIFTS if module.track_running_stats else _BATCH
    if isinstance(module, _DropoutNd):
        return _RANDOM if module.p > 0 else None
    if isinstance(module, (nn.RNNBase, nn.MultiheadAttention)):
        return _RANDOM if module.dropout > 0 else None
    return None


def _frozen_parts(inventory: Inventory) -> set[str]:
    """Paths at or below the nearest module that has parameters, if all of those are frozen."""
    roles: dict[str, set[Role]] = {}
    for entry in inventory.entries:
        if entry.is_buffer:
            continue
        for name in entry.names:
            path = name
            while path:
                path = path.rpartition(".")[0]
                roles.setdefault(path, set()).add(entry.role)
    frozen = set()
    for path in inventory.modules:
        nearest = path
        while nearest and nearest not in roles:
            nearest = nearest.rpartition(".")[0]
        if roles.get(nearest) == {Role.FROZEN}:
            frozen.add(path)
    return frozen
