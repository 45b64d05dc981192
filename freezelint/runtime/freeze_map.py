"""The freeze map: what is frozen, what trains, and by what means, as a tree of modules."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parameter import is_lazy

from freezelint.runtime.causes import option, place_of
from freezelint.runtime.inventory import Inventory
from freezelint.runtime.structure import parameters_of
from freezelint.runtime.subjects import subjects_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.table import Table
    from torch import Tensor, nn

    from freezelint.runtime.inventory import Entry
    from freezelint.runtime.watching import Watch


@dataclass(frozen=True)
class TensorState:
    """One parameter or buffer."""

    name: str
    kind: str
    """``parameter`` or ``buffer``."""
    shape: tuple[int, ...]
    count: int
    is_frozen: bool
    means: tuple[str, ...]
    """By what a parameter is frozen: ``flag``, ``left out of the optimizer``, ``lr 0``."""
    tied_to: tuple[str, ...]
    """Further names of the same object."""
    optimizer: str | None
    group: int | None
    lr: float | None
    weight_decay: float | None
    has_changed: bool | None
    """Since the watch began; None without one."""


@dataclass(frozen=True)
class ModuleState:
    """A module all of whose tensors are in the same state, or the own tensors of one."""

    path: str
    type: str
    is_training: bool
    parameters: int
    buffers: int
    state: str
    """``frozen``, ``trainable``, ``mixed`` or ``no parameters``."""
    means: tuple[str, ...]
    groups: tuple[str, ...]
    has_changed: bool | None


@dataclass(frozen=True)
class FreezeMap:
    """What :func:`freeze_report` returns; prints as a table, in notebooks too."""

    summary: str
    modules: tuple[ModuleState, ...]
    tensors: tuple[TensorState, ...]
    orphans: Mapping[str, int] = field(default_factory=dict)
    """By optimizer, how many parameters it holds that no model has."""

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data."""
        return asdict(self)

    def __rich__(self) -> Table:
        """A table for rich's consoles."""
        from rich.table import Table
        from rich.text import Text

        table = Table(title=Text(self.summary), title_justify="left")
        for column in _COLUMNS:
            table.add_column(column, justify="right" if column == "parameters" else "left")
        for module in self.modules:
            table.add_row(*map(Text, _cells(module)))
        return table

    def __str__(self) -> str:
        """The table as text."""
        from rich.console import Console

        console = Console(width=120, color_system=None, force_terminal=False)
        with console.capture() as capture:
            console.print(self.__rich__())
        return capture.get()

    def _repr_html_(self) -> str:
        heads = "".join(f"<th>{html.escape(column)}</th>" for column in _COLUMNS)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(module)) + "</tr>"
            for module in self.modules
        )
        return (
            f"<table><caption>{html.escape(self.summary)}</caption>"
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        )


_COLUMNS = ("module", "type", "mode", "parameters", "state", "by", "optimizer", "changed")


def _cells(module: ModuleState) -> tuple[str, ...]:
    changed = {None: "", True: "yes", False: "no"}[module.has_changed]
    buffers = f" + {module.buffers:,} in buffers" if module.buffers else ""
    return (
        module.path or "(the model)",
        module.type,
        "train" if module.is_training else "eval",
        f"{module.parameters:,}{buffers}",
        module.state,
        ", ".join(module.means),
        ", ".join(module.groups),
        changed,
    )


def freeze_report(*subjects: Any, since: Watch | None = None) -> FreezeMap:
    """Draw up the freeze map of models and their optimizers.

    Args:
        *subjects: Models and optimizers, as for :func:`freezelint.runtime.watch`.
        since: A watch of these models, whose beginning tells what has changed.
    """
    models, optimizers = subjects_of(subjects)
    inventory = Inventory(models)
    changed = {} if since is None else _changes(since)
    tensors = {
        entry.name: _tensor_state(entry, optimizers, changed.get(entry.name))
        for entry in inventory.entries
    }
    owned = set(inventory.by_identity())
    orphans = {
        name: lost
        for name, optimizer in optimizers.items()
        if (lost := sum(id(each) not in owned for _, each in parameters_of(optimizer)))
    }
    return FreezeMap(
        _summary(inventory, tensors.values(), orphans),
        tuple(_module_states(inventory, tensors)),
        tuple(tensors.values()),
        orphans,
    )


def _changes(since: Watch) -> dict[str, bool]:
    entries = [entry for entry in since.stock.inventory.entries if entry.first_digest is not None]
    return dict(zip((each.name for each in entries), since.stock.have_moved(entries), strict=True))


def _tensor_state(
    entry: Entry, optimizers: Mapping[str, Any], has_changed: bool | None
) -> TensorState:
    holder, place = None, None
    for name, optimizer in optimizers.items():
        place = place_of(optimizer, entry.tensor)
        if place is not None:
            holder = name
            break
    means = []
    if not entry.is_buffer:
        if not entry.tensor.requires_grad:
            means.append("flag")
        if optimizers and place is None:
            means.append("left out of the optimizer")
        if place is not None and option(place, "lr") == 0:
            means.append("lr 0")
    return TensorState(
        name=entry.name,
        kind="buffer" if entry.is_buffer else "parameter",
        shape=_shape_of(entry.tensor),
        count=0 if is_lazy(entry.tensor) else entry.tensor.numel(),
        is_frozen=bool(means),
        means=tuple(means),
        tied_to=() if entry.is_flat else entry.aliases,
        optimizer=holder,
        group=None if place is None else place.group,
        lr=None if place is None else option(place, "lr"),
        weight_decay=None if place is None else option(place, "weight_decay"),
        has_changed=has_changed,
    )


def _shape_of(tensor: Tensor) -> tuple[int, ...]:
    """The shape; nothing where there is none yet, or each part of a nested tensor has its own."""
    return () if is_lazy(tensor) or tensor.is_nested else tuple(tensor.shape)


def _module_states(
    inventory: Inventory, tensors: Mapping[str, TensorState]
) -> Iterable[ModuleState]:
    """Modules from the top down; what is the same all through is one row."""
    done: list[str] = []
    for path, module in inventory.modules.items():
        if any(path == each or path.startswith(f"{each}.") or each == "" for each in done):
            continue
        prefix = f"{path}." if path else ""
        below = [state for name, state in tensors.items() if name.startswith(prefix)]
        modes = {
            inner.training
            for name, inner in inventory.modules.items()
            if name == path or name.startswith(prefix)
        }
        own = [state for state in below if "." not in state.name[len(prefix) :]]
        looks = {_look(state) for state in below if state.kind == "parameter"}
        if below and len(looks) <= 1 and len(modes) == 1:
            done.append(path)
            yield _module_state(path, module, below)
        elif own:
            yield _module_state(path, module, own)


def _look(state: TensorState) -> tuple[Any, ...]:
    return (state.means, state.optimizer, state.group, state.has_changed)


def _module_state(path: str, module: nn.Module, states: list[TensorState]) -> ModuleState:
    parameters = [state for state in states if state.kind == "parameter"]
    frozen = {state.is_frozen for state in parameters}
    names = {frozenset({True}): "frozen", frozenset({False}): "trainable", frozenset(): ""}
    tied = any(state.tied_to for state in states)
    known = [state.has_changed for state in states if state.has_changed is not None]
    return ModuleState(
        path=path,
        type=type(module).__name__,
        is_training=module.training,
        parameters=sum(state.count for state in parameters),
        buffers=sum(state.count for state in states if state.kind == "buffer"),
        state=names.get(frozenset(frozen), "mixed") or "no parameters",
        means=tuple(
            dict.fromkeys([each for state in parameters for each in state.means] + ["tied"] * tied)
        ),
        groups=tuple(
            dict.fromkeys(
                f"{state.optimizer}[{state.group}] lr {state.lr:g}, decay {state.weight_decay:g}"
                for state in parameters
                if state.optimizer is not None
            )
        ),
        has_changed=any(known) if known else None,
    )


def _summary(
    inventory: Inventory, tensors: Iterable[TensorState], orphans: Mapping[str, int]
) -> str:
    parameters = [state for state in tensors if state.kind == "parameter"]
    total = sum(state.count for state in parameters)
    frozen = sum(state.count for state in parameters if state.is_frozen)
    said = [f"{_short(frozen)} of {_short(total)} frozen"]
    norms = sum(
        isinstance(module, _BatchNorm) and module.training for module in inventory.modules.values()
    )
    if norms:
        said.append(f"{norms} BatchNorm layer{'s' * (norms > 1)} in train mode")
    said += [f"{name} holds {count} orphan{'s' * (count > 1)}" for name, count in orphans.items()]
    return ", ".join(said)


def _short(count: int) -> str:
    for size, letter in ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "K")):
        if count >= size:
            return f"{count / size:.1f}{letter}"
    return str(count)
