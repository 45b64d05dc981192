"""Where gradients arrive: a walk through the graph when ``backward`` is called."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from freezelint.records import NamedTuple
from freezelint.runtime.inventory import storage_of, version_of
from freezelint.runtime.turns import LISTENED, TURNS
from freezelint.runtime.violations import Kind, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from freezelint.runtime.inventory import Entry, Inventory
    from freezelint.runtime.readings import Readings


def leaves_below(roots: Iterable[Tensor]) -> list[Tensor]:
    """Every leaf that takes a gradient from these tensors."""
    pending = [root.grad_fn for root in roots if isinstance(root, Tensor) and root.grad_fn]
    seen = set(pending)
    leaves: list[Tensor] = []
    for node in pending:
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor):
            leaves.append(variable)
        for below, _ in node.next_functions:
            if below is not None and below not in seen:
                seen.add(below)
                pending.append(below)
    return leaves


class _Suspect(NamedTuple):
    """A leaf that takes gradients and belongs to nobody."""

    times: int
    bits: tuple[int, int | None]
    """Its version and its digest when that was seen first."""


class GradientWatch:
    """Notes which leaves take gradients, and which of them nobody will ever step."""

    def __init__(self, readings: Readings) -> None:
        """Nothing was seen yet."""
        self.passes = 0
        """Backward passes so far, of which some are looked at."""
        self._has_losses = False
        self._reached: set[int] = set()
        self._readings = readings
        self._suspects = WeakIdKeyDictionary()
        self._cleared = WeakIdKeyDictionary()

    @property
    def is_looking(self) -> bool:
        """Whether this is a pass to look at, or those before the next one are."""
        return self.passes <= LISTENED or self.passes % TURNS < LISTENED

    @property
    def begin_at_leaves(self) -> bool:
        """Whether each backward pass begins at a tensor that nothing led to, and ends there."""
        return self.passes > 0 and not self._has_losses

    def begin_pass(self, roots: Any) -> list[Tensor]:
        """Take in where a backward pass begins; return the leaves it reaches, if those count."""
        self.passes += 1
        if not self.is_looking:
            return []
        roots = roots if isinstance(roots, (list, tuple)) else (roots,)
        self._has_losses |= any(map(_is_result, roots))
        return leaves_below(roots)

    def have_reached(self, entry: Entry) -> bool | None:
        """Whether backward reached a parameter; None if there was none."""
        if not self.passes:
            return None
        # What a checkpoint recomputes is in no graph, but gets its gradient all the same.
        return entry.tensor.grad is not None or id(entry.tensor) in self._reached

    def clear_all_in(self, things: object) -> None:
        """Take tensors for somebody's business: data of a model, parameters of an optimizer."""
        for each in _tensors_within(things):
            if each.requires_grad and each.is_leaf:
                self._clear(each)

    def _clear(self, leaf: Tensor) -> None:
        self._cleared[leaf] = True
        self._suspects.pop(leaf, None)

    def note(self, leaves: Iterable[Tensor], inventory: Inventory, owned: set[int]) -> None:
        """Take in what one backward pass reached, once it is over."""
        new = []
        for leaf in leaves:
            self._reached.add(id(leaf))
            if id(leaf) in owned or leaf in self._cleared:
                continue
            known = self._suspects.get(leaf)
            if known is None:
                new.append(leaf)
            else:
                self._suspects[leaf] = known._replace(times=known.times + 1)
        if new:
            self._suspect(new, _names_of_hidden(inventory))

    def _suspect(self, leaves: list[Tensor], hidden: Mapping[int, str]) -> None:
        of_modules: set[int] = set()
        if any(isinstance(leaf, nn.Parameter) for leaf in leaves):
            of_modules = _parameters_of_all_modules()
        for leaf in leaves:
            if id(leaf) in of_modules and id(leaf) not in hidden:
                # Of a model that is not watched.
                self._clear(leaf)
            else:
                self._suspects[leaf] = _Suspect(1, self._bits_of(leaf))

    def _bits_of(self, leaf: Tensor) -> tuple[int, int | None]:
        return version_of(leaf), self._readings.digest_of(leaf)

    def violations(
        self, inventory: Inventory, find_owned: Callable[[], set[int]], step: int
    ) -> list[Violation]:
        """Leaves that took gradients again and again, and that nobody moves."""
        suspects = [
            (leaf, suspect)
            for leaf, suspect in self._suspects.items()
            if suspect.times > 1 and leaf.grad is not None
        ]
        if not suspects:
            return []
        owned = find_owned()
        suspects = [(leaf, suspect) for leaf, suspect in suspects if id(leaf) not in owned]
        hidden, computed = _names_of_hidden(inventory), _names_of_results(inventory)
        found = []
        for leaf, suspect in suspects:
            self._clear(leaf)
            if suspect.bits != self._bits_of(leaf) or _is_behind(leaf, inventory):
                # Somebody moves it by hand, or hands its gradient on.
                continue
            name, where, cause = hidden.get(id(leaf)), "a leaf", None
            if name is not None:
                where, cause = f"{name}, which is not registered as a parameter,", "FZ606"
            elif id(leaf) in computed:
                name = computed[id(leaf)]
                where, cause = (
                    f"what {name} was made of, which is not registered as a parameter,",
                    "FZ605",
                )
            found.append(
                Violation(
                    Kind.UNOWNED_GRADIENT,
                    name,
                    step,
                    f"gradients arrive at {where} of shape {tuple(leaf.shape)} that is in no "
                    "optimizer: it never moves",
                    cause=cause,
                )
            )
        return found


def _is_result(root: object) -> bool:
    """Whether something was computed, so that a backward pass from there leads anywhere."""
    return not isinstance(root, Tensor) or root.grad_fn is not None


def _is_behind(leaf: Tensor, inventory: Inventory) -> bool:
    """Whether registered tensors are views of it, as those are that FSDP shares out."""
    place = storage_of(leaf)
    return place != 0 and any(
        storage_of(entry.tensor) == place for entry in inventory.entries if entry.pointer
    )


def _parameters_of_all_modules() -> set[int]:
    """Identities of the parameters of every module in the program."""
    return {
        id(parameter)
        for each in gc.get_objects()
        if issubclass(type(each), nn.Module)
        for parameter in (vars(each).get("_parameters") or {}).values()
    }


def _tensors_within(thing: object) -> Iterator[Tensor]:
    """The tensors in nested sequences and mappings."""
    if isinstance(thing, Tensor):
        yield thing
    elif isinstance(thing, Mapping):
        yield from _tensors_within(tuple(thing.values()))
    elif isinstance(thing, (list, tuple, Iterator)):
        for each in thing:
            yield from _tensors_within(each)


def _names_of_hidden(inventory: Inventory) -> dict[int, str]:
    return {id(tensor): name for tensor, name in _hidden_tensors(inventory)}


def _names_of_results(inventory: Inventory) -> dict[int, str]:
    """By the identity of a leaf, the hidden tensor that was computed from it."""
    return {
        id(leaf): name
        for tensor, name in _hidden_tensors(inventory)
        if not tensor.is_leaf
        for leaf in leaves_below([tensor])
    }


def _hidden_tensors(inventory: Inventory) -> Iterator[tuple[Tensor, str]]:
    """Tensors that modules keep in plain attributes, lists and dicts, with a name for each."""
    for path, module in inventory.modules.items():
        prefix = f"{path}." if path else ""
        for name, value in vars(module).items():
            if name not in ("_parameters", "_buffers", "_modules"):
                yield from _tensors_in(f"{prefix}{name}", value)


def _tensors_in(name: str, value: object) -> Iterator[tuple[Tensor, str]]:
    if isinstance(value, Tensor):
        yield value, name
    elif isinstance(value, nn.Module):
        for inner, parameter in value.named_parameters():
            yield parameter, f"{name}.{inner}"
    elif isinstance(value, (list, tuple)):
        for number, each in enumerate(value):
            yield from _tensors_in(f"{name}[{number}]", each)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _tensors_in(f"{name}[{key!r}]", each)
