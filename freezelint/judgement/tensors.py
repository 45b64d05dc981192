"""What the variables of a program hold: models, optimizers and tensors, by the names it gives."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor, nn, strided
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from freezelint.records import NamedTuple
from freezelint.runtime.names import matches

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["parameter", "buffer", "tensor"]

_DEPTH = 2
"""How many plain objects deep a model is looked for: ``run.trainer.model``."""


class Named(NamedTuple):
    """A tensor under one of its names."""

    name: str
    tensor: Tensor
    kind: Kind
    """A ``tensor`` is one that no module has registered."""


def tensors_of(namespace: Mapping[str, Any], subject: str) -> dict[str, Named]:
    """The tensors that a subject names, registered with a module or not."""
    return {
        named.name: named
        for variable, value in _variables(namespace, subject)
        for named in tensors_in(variable, value)
        if matches(subject, named.name)
    }


def models_of(namespace: Mapping[str, Any], subject: str) -> dict[str, nn.Module]:
    """The models, each once, except that the subject's variables are always among them."""
    found = {
        name: value
        for name, value in _things(namespace)
        if isinstance(value, nn.Module) and not name.startswith("_")
    }
    found.update(
        (name, value)
        for variable, owner in _variables(namespace, subject)
        for name, value in _attributes(variable, owner, _DEPTH)
        if isinstance(value, nn.Module)
    )
    wanted = {variable for variable, _ in _variables(namespace, subject)}
    within = {id(inner) for model in found.values() for inner in [*model.modules()][1:]}
    chosen: dict[str, nn.Module] = {}
    for name, model in found.items():
        is_again = id(model) in within or any(model is each for each in chosen.values())
        if not is_again or name.partition(".")[0] in wanted:
            chosen[name] = model
    return chosen


def optimizers_of(namespace: Mapping[str, Any]) -> dict[str, Optimizer]:
    """The optimizers among the variables and their attributes, each once."""
    found: dict[str, Optimizer] = {}
    for variable, owner in _things(namespace):
        for name, value in ((variable, owner), *_attributes(variable, owner, 1)):
            known = any(value is each for each in found.values())
            if isinstance(value, Optimizer) and not known:
                found[name] = value
    return found


def all_names(namespace: Mapping[str, Any]) -> list[str]:
    """The names of all registered tensors, for messages."""
    return [
        named.name
        for variable, value in _things(namespace)
        if isinstance(value, nn.Module)
        for named in _registered(variable, value)
    ]


def own_values(tensor: Tensor) -> Tensor:
    """The values of a tensor; of one that is shared out, those that this process has."""
    detached = tensor.detach()
    own: Tensor = detached.to_local() if hasattr(detached, "to_local") else detached
    return own


def has_values(tensor: Tensor) -> bool:
    """Whether a tensor's memory is there: FSDP gives it back while it needs it no more."""
    own = own_values(tensor)
    is_freed = own.layout is strided and own.numel() > 0 and own.data_ptr() == 0
    return not is_freed


def tensors_within(thing: object) -> Iterator[Tensor]:
    """The tensors in nested sequences and mappings: what a module was given, or gave."""
    if isinstance(thing, Tensor):
        yield thing
    elif isinstance(thing, Mapping):
        yield from tensors_within(tuple(thing.values()))
    elif isinstance(thing, (list, tuple)):
        for each in thing:
            yield from tensors_within(each)


def _things(namespace: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        (name, value)
        for name, value in list(namespace.items())
        if not name.startswith("__") and not isinstance(value, (type, ModuleType))
    ]


def _variables(namespace: Mapping[str, Any], subject: str) -> list[tuple[str, Any]]:
    first = subject.partition(".")[0]
    return [each for each in _things(namespace) if fnmatch.fnmatchcase(each[0], first)]


def tensors_in(name: str, value: object, outside: tuple[int, ...] = ()) -> Iterator[Named]:
    """The tensors in something that has a name: a model, a tensor, a collection, an object.

    Args:
        name: What it is called; the names of its tensors begin with it.
        value: The thing itself.
        outside: Identities of what it was found in, which is not entered again.
    """
    if id(value) in outside:
        return
    inside = (*outside, id(value))
    if isinstance(value, Tensor):
        yield Named(name, value, "parameter" if isinstance(value, nn.Parameter) else "tensor")
    elif isinstance(value, nn.Module):
        yield from _registered(name, value)
        for path, module in value.named_modules(prefix=name):
            for attribute, inner in vars(module).items():
                is_kept = isinstance(inner, (Tensor, nn.Module, list, tuple, dict))
                if is_kept and attribute not in _OWN:
                    yield from tensors_in(f"{path}.{attribute}", inner, inside)
    elif isinstance(value, (list, tuple, dict)) or len(outside) < _DEPTH:
        for path, inner in _parts(name, value):
            yield from tensors_in(path, inner, inside)


_OWN = frozenset(vars(nn.Module()))
"""Where a module keeps what is registered, and its hooks."""


def _registered(prefix: str, module: nn.Module) -> Iterator[Named]:
    for name, parameter in module.named_parameters(prefix, remove_duplicate=False):
        if not is_lazy(parameter):
            yield Named(name, parameter, "parameter")
    for name, buffer in module.named_buffers(prefix, remove_duplicate=False):
        if not is_lazy(buffer):
            yield Named(name, buffer, "buffer")


def _parts(name: str, value: object) -> Iterator[tuple[str, Any]]:
    """What a collection holds, or a plain object has."""
    if isinstance(value, dict):
        yield from ((f"{name}.{key}", each) for key, each in value.items())
    elif isinstance(value, (list, tuple)):
        yield from ((f"{name}.{position}", each) for position, each in enumerate(value))
    else:
        yield from _attributes(name, value, 1)


def _attributes(name: str, owner: object, depth: int) -> Iterator[tuple[str, Any]]:
    if depth == 0 or isinstance(owner, (Tensor, nn.Module, Optimizer, type, ModuleType)):
        return
    for attribute, value in list(getattr(owner, "__dict__", {}).items()):
        yield f"{name}.{attribute}", value
        yield from _attributes(f"{name}.{attribute}", value, depth - 1)
