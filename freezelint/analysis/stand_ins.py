"""Modules under another identity: what a name holds after branches that made one each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.architectures import known_place
from freezelint.analysis.events import FlagWritten, SubmoduleReplaced
from freezelint.analysis.knowledge.layers import LayerKind
from freezelint.analysis.trace import compatible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.events import Event
    from freezelint.analysis.trace import Trace


def stand_ins(trace: Trace, key: int, event: Event) -> Iterator[int]:
    """The joined modules that are this one, in the runs that made it.

    Only those that nobody gave other flags or other layers with statistics before an event:
    what is known of the module is then true of them.
    """
    module = trace.objects.module(key)
    if not compatible(module.born_path, event.path):
        return
    for other in trace.objects.modules():
        if key in other.alternatives and not _is_changed(trace, other.key, key, event):
            yield other.key


def _is_changed(trace: Trace, joined: int, key: int, event: Event) -> bool:
    return any(
        write.value is not False
        and any(trace.overlaps(part, joined, write.index) for part in write.parts)
        for write in trace.before(event, FlagWritten)
    ) or any(
        _exchanges_statistics(trace, change, joined, key)
        for change in trace.before(event, SubmoduleReplaced)
    )


def _exchanges_statistics(trace: Trace, change: SubmoduleReplaced, joined: int, key: int) -> bool:
    if change.parent != joined:
        return trace.objects.route(joined, change.parent, change.index) is not None
    place = known_place(trace, key)
    return place is None or place.named(change.attribute).holds(LayerKind.BATCH_NORM) is not False
