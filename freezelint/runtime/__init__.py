"""The runtime checker: confirms on the live model that what is frozen stays and what trains moves.

Nothing here loads PyTorch before it is used, so that the pytest plugin costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freezelint.runtime.assertions import assert_frozen, assert_trains
    from freezelint.runtime.contract import Contract, ContractError, Role
    from freezelint.runtime.freeze_map import FreezeMap, freeze_report
    from freezelint.runtime.violations import FreezeViolated, FreezeWarning, Kind, Violation
    from freezelint.runtime.watching import Watch, watch

__all__ = [
    "Contract",
    "ContractError",
    "FreezeMap",
    "FreezeViolated",
    "FreezeWarning",
    "Kind",
    "Role",
    "Violation",
    "Watch",
    "assert_frozen",
    "assert_trains",
    "freeze_report",
    "watch",
]

_HOMES = {
    "Contract": "contract",
    "ContractError": "contract",
    "FreezeMap": "freeze_map",
    "FreezeViolated": "violations",
    "FreezeWarning": "violations",
    "Kind": "violations",
    "Role": "contract",
    "Violation": "violations",
    "Watch": "watching",
    "assert_frozen": "assertions",
    "assert_trains": "assertions",
    "freeze_report": "freeze_map",
    "watch": "watching",
}


def __getattr__(name: str) -> Any:
    """Load the module that a public name lives in when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
