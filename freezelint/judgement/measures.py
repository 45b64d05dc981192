"""One function per consequence that one process shows: whether it happened, and how much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.records import NamedTuple
from freezelint.reports.summary import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from freezelint.judgement.memory import Change
    from freezelint.judgement.observation import Observation
    from freezelint.judgement.tensors import Named

SHOWN = 3
"""Tensors that a measurement spells out."""


class Measurement(NamedTuple):
    """What was measured of one claim in one process."""

    is_shown: bool = False
    """Whether what is claimed to happen did."""
    sentences: tuple[str, ...] = ()
    trouble: str | None = None
    """Why nothing could be measured, or why the measurement is not to be trusted."""
    in_short: str = ""
    """What a remark in brackets says of what is shown."""
    changed: tuple[str, ...] = ()
    """Names of the tensors that changed, of ``moves`` and ``drifts``."""


def moves(seen: Observation) -> Measurement:
    """Whether parameters changed that were meant to stay."""
    return _changes(seen, parameters_in(seen), "parameter", "moved")


def drifts(seen: Observation) -> Measurement:
    """Whether buffers changed."""
    buffers = [each for each in seen.named.values() if each.kind == "buffer"]
    return _changes(seen, buffers, "buffer", "a buffer drifted")


def dead(seen: Observation) -> Measurement:
    """Whether all parameters have the bits that they had before training."""
    parameters = parameters_in(seen)
    if not parameters:
        return Measurement(trouble=f"{seen.about.label!r} names no parameter")
    moved = seen.changes(parameters)
    still = [each for each in parameters if each.name not in moved]
    if not still:
        return Measurement(sentences=_listed(moved.values()))
    said = f"{counted(len(still), 'parameter')} of {len(parameters)} unchanged after {_steps(seen)}"
    return Measurement(
        is_shown=len(still) == len(parameters),
        sentences=(f"{said}: {_names(still)}",),
        in_short=f"never moved in {_steps(seen)}",
        trouble=None if len(still) == len(parameters) or not moved else _only_some(still, moved),
    )


def cut(seen: Observation) -> Measurement:
    """Whether no parameter gets a gradient other than zero, nor changes."""
    parameters = parameters_in(seen)
    if not parameters:
        return Measurement(trouble=f"{seen.about.label!r} names no parameter")
    moved = seen.changes(parameters)
    has_gradient = {*seen.gradients, *moved}
    reached = [each for each in parameters if each.name in has_gradient]
    without = [each for each in parameters if each.name not in has_gradient]
    if not without:
        return Measurement(sentences=(f"a gradient reaches {_names(reached)}",))
    gradients = {"None" if each.tensor.grad is None else "zero" for each in without}
    said = f"gradient {' or '.join(sorted(gradients))} in {_steps(seen)}: {_names(without)}"
    return Measurement(
        is_shown=not reached,
        sentences=(said,),
        in_short="no gradient",
        trouble=_only_some(without, [each.name for each in reached]) if reached else None,
    )


def wastes(seen: Observation) -> Measurement:
    """Whether an optimizer holds what is frozen, or gradients are computed for what never moves."""
    parameters = parameters_in(seen)
    if not parameters:
        return Measurement(trouble=f"{seen.about.label!r} names no parameter")
    moved = seen.changes(parameters)
    idle = {
        each.name: seen.gradients[each.name]
        for each in parameters
        if each.name in seen.gradients and each.name not in moved
    }
    sentences = [
        f"{optimizer} holds {counted(len(held), 'frozen parameter')} "
        f"({sum(held.values()):,} bytes): {_some(held)}"
        for optimizer, held in seen.held.items()
    ]
    if idle:
        sentences.append(
            f"gradients ({sum(idle.values()):,} bytes) are computed for "
            f"{counted(len(idle), 'parameter')} that never changed: {_some(idle)}"
        )
    if not sentences:
        what = counted(len(parameters), "parameter")
        sentences.append(f"of {what}, none is held while frozen or gets a gradient in vain")
    return Measurement(
        is_shown=bool(seen.held or idle),
        sentences=tuple(sentences),
        in_short=sentences[0].partition(":")[0],
    )


def differs(seen: Observation) -> Measurement:
    """Whether what ran gave something else than a copy in eval mode, with the first values."""
    outputs = seen.outputs
    if outputs is None or not outputs.compared:
        return Measurement(trouble=f"no module of {seen.about.label!r} was called")
    calls = counted(sum(each.times for each in outputs.compared.values()), "call")
    different = [path for path, each in outputs.compared.items() if each.is_different]
    if not different:
        return Measurement(sentences=(f"in {calls}, the output is that of an eval-mode copy",))
    outermost = min(different, key=lambda path: path.count("."))
    compared = outputs.compared[outermost]
    mode = "train" if compared.was_training else "eval"
    said = (
        f"{outermost} ran in {mode} mode: its output is up to {compared.largest:.1e} away from "
        "that of an eval-mode copy with its first values"
    )
    return Measurement(
        is_shown=True,
        sentences=(said,),
        in_short=f"its output is {compared.largest:.1e} away from that in eval mode",
    )


def ends_so(error: str, claimed: str) -> bool:
    """Whether the error that a program ended with, ``Type: text``, is the one that is claimed."""
    return bool(claimed) and error.startswith(claimed)


MEASURES: dict[str, Callable[[Observation], Measurement]] = {
    each.__name__: each for each in (moves, drifts, dead, cut, wastes, differs)
}
"""By consequence. How a program ended is seen from outside, and what ``random`` and
``diverges`` claim takes several runs or processes.
"""


def _changes(seen: Observation, observed: Sequence[Named], what: str, happened: str) -> Measurement:
    if not observed:
        return Measurement(trouble=f"{seen.about.label!r} names no {what}")
    changed = seen.changes(observed)
    if not changed:
        values = sum(each.tensor.numel() for each in observed)
        said = f"none of {counted(len(observed), what)} changed ({values:,} values)"
        return Measurement(sentences=(f"{said} in {_steps(seen)}",))
    # A counter counts; what it counts for is another buffer.
    numbers = {each.name for each in observed if each.tensor.is_floating_point()}
    largest = max(changed.values(), key=lambda each: (each.name in numbers, each.largest))
    by = f" by {largest.largest:.1e}" if 0 < largest.largest < float("inf") else ""
    return Measurement(
        is_shown=True,
        sentences=_listed(changed.values()),
        in_short=f"{happened}{by}",
        changed=tuple(changed),
    )


def parameters_in(seen: Observation) -> list[Named]:
    """What should train or stay: parameters, and tensors that stand where one should.

    Of a model that is shared out, another process may have all values of one.
    """
    parameters = [each for each in seen.named.values() if each.kind != "buffer"]
    return [each for each in parameters if each.tensor.numel()] or parameters


def _only_some(some: Sequence[Named], others: Iterable[str]) -> str:
    return f"only {_names(some)}; not so {', '.join(others)}: make the subject narrower"


def _listed(changes: Iterable[Change]) -> tuple[str, ...]:
    by_size = sorted(changes, key=lambda each: (-each.largest, each.name))
    more = [f"and {len(by_size) - SHOWN} more"] if len(by_size) > SHOWN else []
    return (*map(str, by_size[:SHOWN]), *more)


def _names(observed: Sequence[Named]) -> str:
    return _some([each.name for each in observed])


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def _steps(seen: Observation) -> str:
    return counted(seen.steps, "step")
