"""Where gradients arrive: a walk through the graph when ``backward`` is called."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from freezelint.runtime.violations import Kind, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from freezelint.runtime.inventory import Inventory


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


class GradientWatch:
    """Notes which leaves take gradients, and which of them nobody will ever step."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self.reached: set[int] = set()
        """Identities of the leaves that took part in a loss."""
        self._suspects = WeakIdKeyDictionary()
        self._inputs = WeakIdKeyDictionary()

    def note_inputs(self, arguments: Iterable[Any]) -> None:
        """Leaves that are handed to a model are its data: their gradients are somebody's wish."""
        for each in arguments:
            if isinstance(each, Tensor) and each.requires_grad and each.is_leaf:
                self._inputs[each] = True

    def note(self, leaves: Iterable[Tensor], owned: set[int]) -> None:
        """Take in what one backward pass reached."""
        for leaf in leaves:
            self.reached.add(id(leaf))
            if id(leaf) not in owned and leaf not in self._inputs:
                self._suspects[leaf] = self._suspects.get(leaf, 0) + 1

    def violations(self, inventory: Inventory, owned: set[int], step: int) -> list[Violation]:
        """Leaves that took gradients again and again and that no optimizer holds."""
        suspects = [
            leaf
            for leaf, times in self._suspects.items()
            if times > 1 and id(leaf) not in owned and leaf.grad is not None
        ]
        if not suspects:
            return []
        hidden = dict(_hidden_tensors(inventory))
        found = []
        for leaf in suspects:
            name = hidden.get(id(leaf))
            if name is None and isinstance(leaf, nn.Parameter) and _has_owner(leaf):
                # Of a model that is not watched.
                del self._suspects[leaf]
                continue
            del self._suspects[leaf]
            where = f"{name}, which is not registered as a parameter," if name else "a leaf"
            found.append(
                Violation(
                    Kind.UNOWNED_GRADIENT,
                    name,
                    step,
                    f"gradients arrive at {where} of shape {tuple(leaf.shape)} that is in no "
                    "optimizer: it never moves",
                    cause="FZ606" if name else None,
                )
            )
        return found


def _has_owner(parameter: nn.Parameter) -> bool:
    """Whether a module somewhere in the program has registered the parameter."""
    return any(
        isinstance(owner, nn.Module) or (isinstance(owner, dict) and "_parameters" in owner)
        for holder in gc.get_referrers(parameter)
        if isinstance(holder, dict)
        for owner in gc.get_referrers(holder)
    )


def _hidden_tensors(inventory: Inventory) -> Iterator[tuple[int, str]]:
    """Tensors that modules keep in plain attributes, lists and dicts, with a name for each."""
    for path, module in inventory.modules.items():
        prefix = f"{path}." if path else ""
        for name, value in vars(module).items():
            if name not in ("_parameters", "_buffers", "_modules"):
                yield from _tensors_in(f"{prefix}{name}", value)


def _tensors_in(name: str, value: object) -> Iterator[tuple[int, str]]:
    if isinstance(value, Tensor):
        yield id(value), name
    elif isinstance(value, nn.Module):
        for inner, parameter in value.named_parameters():
            yield id(parameter), f"{name}.{inner}"
    elif isinstance(value, (list, tuple)):
        for number, each in enumerate(value):
            yield from _tensors_in(f"{name}[{number}]", each)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _tensors_in(f"{name}[{key!r}]", each)
