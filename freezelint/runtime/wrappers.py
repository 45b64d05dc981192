"""What wrappers put between a model and the names that its owner knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn.parallel import DataParallel, DistributedDataParallel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

_OF_TORCH = frozenset({"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})
"""Attributes that only wrappers of torch have: for ``torch.compile``, FSDP, checkpointing."""


def is_wrapper(module: nn.Module) -> bool:
    """Whether a module only stands around another one, whose names its own replaces."""
    return isinstance(module, (DataParallel, DistributedDataParallel)) or any(
        name in _OF_TORCH
        for name in module._modules  # noqa: SLF001
    )


def own_paths(model: nn.Module, prefix: str) -> Iterator[tuple[str, str]]:
    """The path of every module in a model: as torch has it, and without what wrappers add."""
    own: dict[str, tuple[str, nn.Module]] = {}
    for path, module in model.named_modules(prefix=prefix, remove_duplicate=False):
        above, _, child = path.rpartition(".")
        if path == prefix:
            mine = prefix
        else:
            parent, outer = own[above]
            hidden = child in _OF_TORCH or (child == "module" and is_wrapper(outer))
            mine = parent if hidden else f"{parent}.{child}" if parent else child
        own[path] = mine, module
        yield path, mine


def names_within(tensor: Tensor) -> tuple[str, ...]:
    """The parameters that a flat parameter of FSDP holds, as its module names them."""
    return tuple(getattr(tensor, "_fqns", ()))
