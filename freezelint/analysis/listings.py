"""Where parameters were listed that somebody takes: under a condition, perhaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import MethodCalled
from freezelint.analysis.knowledge.modules import MODULE_ITERATORS
from freezelint.analysis.trace import compatible
from freezelint.analysis.values import ModuleValue

if TYPE_CHECKING:
    from freezelint.analysis.events import Event
    from freezelint.analysis.trace import Trace


def is_listed_apart(trace: Trace, taker: Event, key: int, other: Event) -> bool:
    """Whether parameters were listed for their taker only where another event does not happen.

    What a name holds after a condition is one list or the other; the taker itself stands below.

    Args:
        trace: What happened.
        taker: An optimizer that may have got the parameters.
        key: The module that they are of.
        other: What happens to the same module.
    """
    listings = [
        call
        for call in trace.before(taker, MethodCalled)
        if call.name in MODULE_ITERATORS
        and isinstance(call.receiver, ModuleValue)
        and trace.objects.route(call.receiver.key, key, call.index) is not None
    ]
    return bool(listings) and all(
        not compatible(call.path, other.path) or trace.may_exclude(call, other) for call in listings
    )
