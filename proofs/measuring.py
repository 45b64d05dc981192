"""What a process tells of a claim: the judgement, held against the runtime checker's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from freezelint.judgement.measures import MEASURES, Measurement, parameters_in
from freezelint.judgement.tensors import own_values
from proofs.account import Heard, Told, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from freezelint.judgement.tensors import Named
    from proofs.observation import WatchedObservation


def told(seen: WatchedObservation) -> Told:
    """Judge what one process shows; of the rest, hand over what others are compared with."""
    words = heard(seen)
    if seen.consequence in FROM_OUTSIDE:
        return FROM_OUTSIDE[seen.consequence](seen)._replace(heard=words)
    measured = MEASURES[seen.consequence](seen)
    missed = [
        name for name in measured.changed if seen.is_watched(name) and not seen.was_reported(name)
    ]
    if missed:
        trouble = f"the runtime checker did not see {', '.join(missed)} change"
        measured = measured._replace(trouble=trouble)
    return Told(measured, words)


def _drawn(seen: WatchedObservation) -> Told:
    """What stayed and was never loaded, to be compared with a run with other seeds."""
    parameters = parameters_in(seen)
    moved = seen.changes(parameters)
    stayed = [each for each in parameters if each.name not in moved]
    if not stayed:
        return Told(Measurement(trouble=f"nothing of {seen.about.label!r} stayed as it was"))
    drawn = [each for each in stayed if not seen.loading.reached(each.tensor)]
    loaded = len(stayed) - len(drawn)
    what = f"{loaded} parameter{'' if loaded == 1 else 's'}"
    sentences = (f"weights were loaded into {what}",) if loaded else ()
    return Told(Measurement(sentences=sentences), values=_contents(drawn))


def _left(seen: WatchedObservation) -> Told:
    """What there is at the end, to be compared with the other processes."""
    return Told(Measurement(), values=_contents(seen.about.tensors().values()))


def _nothing(_seen: WatchedObservation) -> Told:
    """How the script ended is seen from outside."""
    return Told(Measurement())


FROM_OUTSIDE: dict[str, Callable[[WatchedObservation], Told]] = {
    "random": _drawn,
    "diverges": _left,
    "raises": _nothing,
}
"""What is claimed of several runs or processes, or of the end of one."""


def _contents(observed: Iterable[Named]) -> tuple[Value, ...]:
    found = []
    for each in observed:
        flat = own_values(each.tensor).cpu().contiguous().flatten()
        content = bytes(flat.view(torch.uint8).numpy())
        found.append(Value(each.name, flat.element_size(), content))
    return tuple(found)


def heard(seen: WatchedObservation) -> tuple[Heard, ...]:
    """What the runtime checker said, in its words."""
    return tuple(
        Heard(str(each.kind), each.tensor, each.message, each.cause) for each in seen.violations
    )
