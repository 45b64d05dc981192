"""What can be told of models and optimizers without a step: ties, strays, who is held by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from freezelint.runtime.contract import Role
from freezelint.runtime.fingerprint import has_bits, is_dense
from freezelint.runtime.quiet import quietly
from freezelint.runtime.violations import Kind, Violation
from freezelint.spelling import FLAG, FOREIGN, METHOD, meant_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from freezelint.runtime.inventory import Entry, Inventory


def parameters_of(optimizer: Any) -> Iterator[tuple[int, Tensor]]:
    """Every parameter that an optimizer holds, with the index of its group."""
    for number, group in enumerate(optimizer.param_groups):
        for parameter in group["params"]:
            yield number, parameter


def not_optimized(inventory: Inventory, optimizers: Iterable[Any], step: int) -> list[Violation]:
    """What should train, would take a gradient, and is held by none of the optimizers."""
    held = {id(each) for optimizer in optimizers for _, each in parameters_of(optimizer)}
    return [
        Violation(
            Kind.NOT_OPTIMIZED,
            entry.name,
            step,
            f"{entry.name} should train and is in none of the optimizers: "
            "it gets gradients and no step",
            # It was switched on after the optimizer had passed it over, or never handed over.
            cause="FZ312" if entry.requires_grad else "FZ304",
        )
        for entry in inventory.entries
        if entry.role is Role.TRAINABLE
        and entry.tensor.requires_grad
        and id(entry.tensor) not in held
    ]


def orphans(inventory: Inventory, optimizers: Mapping[str, Any], step: int) -> list[Violation]:
    """What an optimizer holds and no watched model has."""
    owned = set(inventory.by_identity())
    found = []
    for name, optimizer in optimizers.items():
        lost = [(group, each) for group, each in parameters_of(optimizer) if id(each) not in owned]
        if lost:
            group, first = lost[0]
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            found.append(
                Violation(
                    Kind.ORPHAN,
                    None,
                    step,
                    f"{name} holds a parameter of shape {tuple(first.shape)} in group {group}"
                    f"{more} that no watched model has: it was replaced, copied or never part "
                    "of one",
                    cause="FZ603",
                    optimizer=name,
                    group=group,
                )
            )
    return found


def nothing_trainable(inventory: Inventory, step: int) -> list[Violation]:
    """Whether not a single parameter takes gradients."""
    parameters = [entry for entry in inventory.entries if not entry.is_buffer]
    if not parameters or any(entry.tensor.requires_grad for entry in parameters):
        return []
    return [
        Violation(
            Kind.NOTHING_TRAINABLE,
            None,
            step,
            f"none of {len(parameters)} parameters has requires_grad=True: nothing can train",
            cause="FZ502",
        )
    ]


def aliases(inventory: Inventory) -> list[Violation]:
    """Ties and shared memory between what must stay and what trains."""
    found = [
        Violation(
            Kind.ALIAS,
            entry.name,
            0,
            f"{entry.name} and {entry.contradicted_by} are one object: it cannot stay and train",
            cause="FZ604" if _is_one_model(inventory, entry) else "FZ607",
        )
        for entry in inventory.entries
        if entry.contradicted_by is not None
    ]
    by_storage: dict[int, list[Entry]] = {}
    for entry in inventory.entries:
        if entry.pointer and has_bits(entry.tensor):
            by_storage.setdefault(entry.tensor.untyped_storage().data_ptr(), []).append(entry)
    for sharers in by_storage.values():
        found += [
            Violation(
                Kind.ALIAS,
                frozen.name,
                0,
                f"{frozen.name} must stay and shares its memory with {other.name}, which trains",
                cause="FZ604",
            )
            for frozen in sharers
            if frozen.role is Role.FROZEN
            for other in sharers
            if other.role is Role.TRAINABLE and _overlap(frozen.tensor, other.tensor)
        ]
    return found


def _is_one_model(inventory: Inventory, entry: Entry) -> bool:
    """Whether an entry has names that contradict because one model was handed over under two."""

    def home(name: str) -> tuple[nn.Module | None, str]:
        for prefix, model in inventory.models.items():
            if name.startswith(f"{prefix}."):
                return model, name[len(prefix) :]
        return None, name

    return home(entry.name) == home(entry.contradicted_by or "")


def _overlap(first: Tensor, second: Tensor) -> bool:
    def stretch(tensor: Tensor) -> tuple[int, int]:
        size = tensor.element_size()
        start = int(tensor.storage_offset()) * size
        reach = sum(
            (int(length) - 1) * int(stride)
            for length, stride in zip(tensor.shape, tensor.stride(), strict=True)
        )
        return start, start + (reach + 1) * size if tensor.numel() else start

    (begin, end), (other_begin, other_end) = stretch(first), stretch(second)
    if begin >= other_end or other_begin >= end:
        return False
    if is_dense(first) and is_dense(second):
        return True
    # Rows in turn, or the columns of one matrix: the stretches overlap, and the elements may not.
    if max(first.nbytes, second.nbytes) > _COMPARED:
        return False
    with quietly():
        return bool(torch.isin(_places(first), _places(second)).any())


_COMPARED = 1 << 20
"""Bytes up to which the places of two tensors with gaps are compared one by one."""


def _places(tensor: Tensor) -> Tensor:
    """Where in the storage each byte of a tensor lies."""
    size = tensor.element_size()
    places = torch.arange(size, device="cpu") + int(tensor.storage_offset()) * size
    for length, stride in zip(tensor.shape, tensor.stride(), strict=True):
        steps = torch.arange(int(length), device="cpu") * int(stride) * size
        places = (places[:, None] + steps).flatten()
    return places


def stray_attributes(inventory: Inventory, step: int) -> Iterator[Violation]:
    """Flags that were set on something that has none, or under a name that is none."""
    for path, module in (*inventory.wrappers, *inventory.modules.items()):
        for name in vars(module):
            cause = _stray_on_module(module, name)
            if cause is None:
                continue
            where = path or type(module).__name__
            yield Violation(
                Kind.STRAY_ATTRIBUTE,
                path or None,
                step,
                f"{where}.{name} = {vars(module)[name]!r} is an attribute that nothing reads: "
                f"a module is frozen with {METHOD}(False)",
                cause=cause,
            )
    for entry in inventory.entries:
        for name, value in getattr(entry.tensor, "__dict__", {}).items():
            cause = _stray_on_parameter(name, value)
            if cause is not None:
                yield Violation(
                    Kind.STRAY_ATTRIBUTE,
                    entry.name,
                    step,
                    f"{entry.name}.{name} = {value!r} is an attribute that nothing reads: "
                    f"the flag is called {FLAG}",
                    cause=cause,
                )


def instead_of_freezing(entry: Entry) -> tuple[str, str] | None:
    """What was set to freeze a tensor and is read by nothing, and the rule that says so."""
    for owner in entry.owners:
        for name, value in vars(owner).items():
            cause = _stray_on_module(owner, name) if value is False else None
            if cause is not None:
                return f"{name} was set on its module, where it does nothing", cause
    for name, value in getattr(entry.tensor, "__dict__", {}).items():
        cause = _stray_on_parameter(name, value)
        if cause is not None and value is (name in _ON_IF_FROZEN):
            return f"{name} was set on it instead of {FLAG}", cause
    return None


_ON_IF_FROZEN = FOREIGN - {"trainable"}


def _stray_on_module(module: nn.Module, name: str) -> str | None:
    if (name in (FLAG, METHOD) or meant_by(name) is not None) and not _declares(module, name):
        return {FLAG: "FZ101", METHOD: "FZ103"}.get(name, "FZ102")
    return None


def _stray_on_parameter(name: str, value: object) -> str | None:
    if name == METHOD:
        return "FZ103"
    if meant_by(name) is not None:
        return "FZ102"
    return "FZ109" if name in FOREIGN and isinstance(value, bool) else None


def _declares(module: nn.Module, name: str) -> bool:
    """Whether the class knows the attribute, so that something may read it."""
    return any(
        name in vars(each) or name in getattr(each, "__annotations__", {})
        for each in type(module).__mro__
        if each is not nn.Module and issubclass(each, nn.Module)
    )
