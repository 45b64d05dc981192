"""Two assertions for tests: what is frozen stayed, and what trains moved."""

from __future__ import annotations

import contextlib
import glob
from typing import TYPE_CHECKING, Any

from freezelint.runtime.contract import Contract, ContractError, Role
from freezelint.runtime.inventory import Inventory
from freezelint.runtime.reporting import Reporter
from freezelint.runtime.subjects import subjects_of
from freezelint.runtime.violations import FreezeViolated, Kind
from freezelint.runtime.watching import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import nn

_FOREVER = 1 << 62


@contextlib.contextmanager
def assert_frozen(
    *subjects: Any, frozen: Sequence[str] = (), statistics: Sequence[str] = (), exact: bool = True
) -> Iterator[Watch]:
    """Assert that what is frozen has the same bits after the block, buffers included.

    Args:
        *subjects: Models, and the optimizers whose steps are to be named.
        frozen: Patterns of what must stay; by default all with ``requires_grad=False``.
        statistics: Patterns of buffers that may move.
        exact: Keep a copy, to say exactly how much changed.

    Raises:
        FreezeViolated: at the step that breaks it, or on leaving.
        ContractError: if nothing is frozen, or a pattern matches nothing.
    """
    __tracebackhide__ = True
    models, optimizers = subjects_of(subjects)
    names = frozen or _named_by_flag(models, Role.FROZEN)
    with Watch(
        models,
        optimizers,
        Contract(frozen=names, statistics=statistics),
        every=1,
        within=_FOREVER,
        exact=exact,
        reporter=Reporter("raise", "never"),
    ) as seen:
        yield seen


@contextlib.contextmanager
def assert_trains(*subjects: Any, trainable: Sequence[str] = ()) -> Iterator[Watch]:
    """Assert that each parameter that should train has other bits after the block.

    Args:
        *subjects: Models, and the optimizers that should train them.
        trainable: Patterns of what must move; by default all with ``requires_grad=True``.

    Raises:
        FreezeViolated: on leaving, with the reason for each parameter that did not move.
        ContractError: if nothing should train, or a pattern matches nothing.
    """
    __tracebackhide__ = True
    models, optimizers = subjects_of(subjects)
    names = trainable or _named_by_flag(models, Role.TRAINABLE)
    with Watch(
        models,
        optimizers,
        Contract(trainable=names),
        every=1,
        within=_FOREVER,
        exact=False,
        reporter=Reporter("collect", "never"),
        is_patient=False,
    ) as seen:
        yield seen
    dead = tuple(
        each for each in seen.violations if each.kind in (Kind.NOT_TRAINED, Kind.NOTHING_TRAINABLE)
    )
    if dead:
        raise FreezeViolated(dead)


def _named_by_flag(models: Mapping[str, nn.Module], role: Role) -> list[str]:
    inventory = Inventory(models)
    Contract().assign(inventory.entries)
    names = [glob.escape(entry.name) for entry in inventory.entries if entry.role is role]
    if not names:
        raise ContractError(
            f"no parameter is {role.value} (by requires_grad); name what you mean by patterns"
        )
    return names
