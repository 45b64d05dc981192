"""Writes down how modules are nested, equal submodules once.

A table of what models consist of would be large: a ResNet-152 has 50 blocks of the same make.
Here each make is one entry, which names its own parameters and refers to the entries of its
submodules.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

Entry = list[Any]
"""``[kinds, own parameters, submodules]``; see :meth:`Trees.add`."""


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
