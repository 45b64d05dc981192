"""Builds models without weights, and writes down how they are nested, equal submodules once.

A table of what models consist of would be large: a ResNet-152 has 50 blocks of the same make.
Here each make is one entry, which names its own parameters and refers to the entries of its
submodules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = 1009
"""How many classes the models are built for: a prime that no other width is a multiple of."""

Entry = list[Any]
"""``[kinds, own parameters, submodules]``; see :meth:`Trees.add`."""


class WithoutStorage(TorchFunctionMode):
    """Leaves what layers allocate without storage.

    Unlike ``torch.device("meta")`` it keeps the values of the small tensors that some
    builders compute widths and rates with.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Allocate weights and buffers on the meta device, and skip filling them."""
        given = kwargs or {}
        if func in (torch.empty, torch.ones, torch.zeros):
            return func(*args, **{**given, "device": "meta"})
        name = getattr(func, "__name__", "")
        if name.endswith("_") and not name.startswith("_"):
            target = next(iter((*args, *given.values())), None)
            if isinstance(target, torch.Tensor) and target.is_meta:
                return target
        return func(*args, **given)


class Trees:
    """Entries for modules, in the order in which they were first met; inner ones come first."""

    def __init__(self) -> None:
        """Start empty."""
        self.entries: list[Entry] = []
        self._numbers: dict[str, int] = {}

    def add(self, module: nn.Module) -> int:
        """Write a module down and return the number of its entry.

        An entry holds the letters of :func:`kinds_of`, the names of the parameters that the
        module itself owns, and its submodules: a list of numbers where they are called
        ``0, 1, 2, ...``, otherwise numbers by name; None where an attribute holds nothing.
        """
        held = {
            name: None if child is None else self.add(child)
            for name, child in module._modules.items()
        }
        numbered = list(held) == [str(each) for each in range(len(held))]
        own = " ".join(name for name, _ in module.named_parameters(recurse=False))
        entry: Entry = [kinds_of(module), own, list(held.values()) if numbered else held]
        while entry and not entry[-1]:
            entry.pop()
        return self._number(entry)

    def _number(self, entry: Entry) -> int:
        number = self._numbers.setdefault(repr(entry), len(self.entries))
        if number == len(self.entries):
            self.entries.append(entry)
        return number


def kinds_of(module: nn.Module) -> str:
    """What a module does itself, apart from its submodules.

    ``b``: it keeps running statistics of batches; ``d``: it drops something at random while
    it trains; ``r``: it is recurrent.
    """
    kinds = ""
    if isinstance(module, _NormBase) and module.running_mean is not None:
        kinds += "b"
    if _drops(module):
        kinds += "d"
    if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        kinds += "r"
    return kinds


def _drops(module: nn.Module) -> bool:
    if isinstance(module, _DropoutNd):
        return module.p > 0
    named = {name: value for name, value in vars(module).items() if "drop" in name}
    if type(module).__name__ in ("DropBlock2d", "DropBlock3d", "DropPath", "StochasticDepth"):
        named = {name: value for name, value in vars(module).items() if name in ("p", "drop_prob")}
    return any(isinstance(value, float) and value > 0 for value in named.values())


def heads_of(model: nn.Module) -> list[str]:
    """What has to be replaced for another number of classes, auxiliary heads last.

    Layers that have one output a class; where all that a module owns are such layers, several of
    them, the module. Detectors and inception have more than one head.
    """
    owners = list(
        dict.fromkeys(
            name.rpartition(".")[0]
            for name, parameter in model.named_parameters()
            if any(size > 0 and size % CLASSES == 0 for size in parameter.shape)
        )
    )
    heads = list(dict.fromkeys(_whole_head(model, owner, owners) for owner in owners))
    return sorted(heads, key=lambda head: head.lower().startswith("aux"))


def _whole_head(model: nn.Module, path: str, owners: list[str]) -> str:
    above = path.rpartition(".")[0]
    while above:
        inside = {
            f"{above}.{name}".rpartition(".")[0]
            for name, _ in model.get_submodule(above).named_parameters()
        }
        if len(inside) > 1 and inside <= set(owners):
            path = above
        above = above.rpartition(".")[0]
    return path
