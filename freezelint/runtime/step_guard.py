"""For every optimizer that steps: what it holds and is frozen must not move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezelint.records import NamedTuple
from freezelint.runtime.causes import why_moved_without_flag
from freezelint.runtime.fingerprint import Digester
from freezelint.runtime.hooks import Hooks
from freezelint.runtime.quiet import quietly
from freezelint.runtime.structure import parameters_of
from freezelint.runtime.violations import FreezeViolated, Kind, Violation

if TYPE_CHECKING:
    from types import TracebackType

    from torch import Tensor
    from typing_extensions import Self


class _Held(NamedTuple):
    group: int
    position: int
    tensor: Tensor
    digest: int | None


class StepGuard:
    """Looks at every step in the program, of optimizers that nobody named.

    No model is known here, so what is frozen is what has ``requires_grad=False`` when
    the step begins.
    """

    def __init__(self) -> None:
        """Guard nothing yet."""
        self._hooks = Hooks()
        self._digester = Digester()
        self._held: list[_Held] = []
        self._steps = 0

    def __enter__(self) -> Self:
        """Guard every step from here on."""
        self._hooks.around_steps((), self._before, self._after)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Guard no more."""
        self._hooks.remove()

    def _before(self, optimizer: Any, _has_closure: bool) -> None:
        positions: dict[int, int] = {}
        frozen = []
        for group, tensor in parameters_of(optimizer):
            position = positions[group] = positions.get(group, -1) + 1
            if not tensor.requires_grad:
                frozen.append((group, position, tensor))
        digests = self._digests([tensor for _, _, tensor in frozen])
        self._held = [_Held(*each, digest) for each, digest in zip(frozen, digests, strict=True)]

    def _after(self, optimizer: Any) -> None:
        __tracebackhide__ = True
        self._steps += 1
        digests = self._digests([held.tensor for held in self._held])
        moved = tuple(
            self._violation(optimizer, held)
            for held, digest in zip(self._held, digests, strict=True)
            if digest != held.digest
        )
        self._held = []
        if moved:
            raise FreezeViolated(moved)

    def _digests(self, tensors: list[Tensor]) -> list[int | None]:
        with quietly():
            return self._digester.digests(tensors)

    def _violation(self, optimizer: Any, held: _Held) -> Violation:
        options = optimizer.param_groups[held.group]
        names = options.get("param_names")
        shape = tuple(held.tensor.shape)
        name = names[held.position] if names else f"parameter {held.position} of shape {shape}"
        reason = why_moved_without_flag(held.tensor, optimizer)
        kind = type(optimizer).__name__
        return Violation(
            Kind.FROZEN_CHANGED,
            name if names else None,
            self._steps,
            f"{name} in group {held.group} of {kind} has requires_grad=False and changed in "
            f"a step: {reason.text}",
            cause=reason.cause,
            optimizer=kind,
            group=held.group,
        )
