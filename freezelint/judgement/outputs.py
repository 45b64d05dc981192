"""Whether a module that runs in a training gives what a copy in eval mode gives."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch

from freezelint.judgement.tensors import tensors_within
from freezelint.records import NamedTuple
from freezelint.runtime.quiet import quietly

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

_TOLERANCE = 1e-5
"""Below, another order of the same additions may be the reason."""


class Comparison(NamedTuple):
    """How far the outputs of a module were from those of its copy, at most."""

    largest: float = 0.0
    is_different: bool = False
    was_training: bool = False
    times: int = 0


class Outputs:
    """Runs a copy of each of some modules before the module itself runs."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        """Copy the modules as they are now, by path, and hook into them."""
        self.compared: dict[str, Comparison] = {}
        """By path; what runs inside of another one that does comes after it."""
        self._handles: list[Any] = []
        copies: dict[str, nn.Module] = {}
        for path, module in modules.items():
            above, _, name = path.rpartition(".")
            inner = getattr(copies[above], name, None) if above in copies else None
            if inner is None:
                with quietly():
                    inner = copy.deepcopy(module).eval()
            copies[path] = inner
        for path, module in modules.items():
            self._compare(path, module, copies[path])

    def remove(self) -> None:
        """Compare no more."""
        for handle in self._handles:
            handle.remove()

    def _compare(self, path: str, module: nn.Module, evaluated: nn.Module) -> None:
        expected: list[list[Tensor]] = []

        # Functions, which a copy of the module keeps as they are.
        def before(running: nn.Module, args: Any, kwargs: Any) -> None:
            if running is module:
                with torch.no_grad(), torch.random.fork_rng():
                    result = evaluated(*_cloned(args), **_cloned(kwargs))
                expected.append([each.clone() for each in tensors_within(result)])

        def after(running: nn.Module, _args: Any, result: Any) -> None:
            if running is module and expected:
                self._note(path, module, expected.pop(), list(tensors_within(result)))

        self._handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        self._handles.append(module.register_forward_hook(after))

    def _note(
        self, path: str, module: nn.Module, expected: list[Tensor], given: list[Tensor]
    ) -> None:
        known = self.compared.get(path, Comparison())
        largest, is_different = known.largest, known.is_different
        for one, other in zip(expected, given, strict=True):
            is_close = torch.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
            distance = float((one.detach().double() - other.detach().double()).abs().max())
            largest = max(largest, distance)
            is_different = is_different or not is_close
        mode = module.training or known.was_training
        self.compared[path] = Comparison(largest, is_different, mode, known.times + 1)


def _cloned(thing: Any) -> Any:
    """The same arguments with tensors of their own, since a module may write to them."""
    if isinstance(thing, torch.Tensor):
        return thing.detach().clone()
    if isinstance(thing, dict):
        return {key: _cloned(value) for key, value in thing.items()}
    if type(thing) in (list, tuple):
        return type(thing)(_cloned(each) for each in thing)
    return thing
