"""The models of a running program, found among the objects that live in it."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from torch import Tensor


def models_of(parameters: Iterable[Tensor]) -> list[nn.Module]:
    """The outermost modules that hold any of some parameters, in no particular order.

    Found by a look at all objects that Python's collector knows, so that it does not
    matter how a model was made: built, copied, unpickled, wrapped.
    """
    wanted = {id(each) for each in parameters}
    # The type, not `__class__`: a proxy must not be asked, since an answer may build something.
    modules = [each for each in gc.get_objects() if issubclass(type(each), nn.Module)]
    holders = {id(each): each for each in modules if _owns_any(each, wanted)}
    above: dict[int, list[nn.Module]] = {}
    for module in modules:
        for child in vars(module).get("_modules", {}).values():
            if child is not None:
                above.setdefault(id(child), []).append(module)
    pending = list(holders.values())
    for module in pending:
        for parent in above.get(id(module), []):
            if id(parent) not in holders:
                holders[id(parent)] = parent
                pending.append(parent)
    return [each for each in holders.values() if not above.get(id(each))]


def _owns_any(module: nn.Module, wanted: Collection[int]) -> bool:
    own = vars(module).get("_parameters") or {}
    return any(id(each) in wanted for each in own.values())


def named_models(models: Iterable[nn.Module], names: Mapping[str, Any]) -> dict[str, nn.Module]:
    """Give each model the name of the variable that holds it, else that of its class."""
    variables: dict[int, str] = {}
    for name, value in list(names.items()):
        if issubclass(type(value), nn.Module):
            variables.setdefault(id(value), name)
    named: dict[str, nn.Module] = {}
    # Those with a variable first, so that no class takes a variable's name.
    for model in sorted(models, key=lambda each: id(each) not in variables):
        base = name = variables.get(id(model), type(model).__name__)
        number = 1
        while name in named:
            number += 1
            name = f"{base}{number}"
        named[name] = model
    return named
