"""Networks that are switched off for the step of another optimizer, as in adversarial training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import BackwardRan, FlagWritten, HandedOver, OptimizerBuilt, Stepped
from freezelint.analysis.predicates import is_total
from freezelint.analysis.training import happens_whenever, shares_activation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part


def _is_lasting(freeze: FlagWritten) -> bool:
    """Whether a freeze lasts as long as an object does, or as a ``with`` block out of sight."""
    return "__init__" in freeze.scopes or freeze.scopes[:1] == ("__enter__",)


def is_left_off(trace: Trace, built: OptimizerBuilt, step: Stepped) -> FlagWritten | None:
    """The freeze that was made for another step and still holds when this optimizer steps.

    All that the optimizer has was frozen for that other step, and not all was unfrozen.
    """
    if step.keys != (built.key,) or not built.complete or not built.parts:
        return None
    left: FlagWritten | None = None
    for part in built.parts:
        if not is_total(part.predicate):
            return None
        writes = list(_writes(trace, step, part))
        freeze = next((write for write in writes if _is_freeze(trace, write, part)), None)
        if freeze is None or _other_step(trace, freeze, step) is None:
            return None
        if writes[0] is freeze and not _is_handed_over(trace, freeze, step, part):
            left = freeze
    return left


def is_toggled(trace: Trace, unfreeze: FlagWritten, since: int) -> bool:
    """Whether the same function switches the same parts off as well, for another's backward pass.

    Args:
        trace: What happened.
        unfreeze: What switches them on.
        since: Index of the moment from which on it counts.
    """
    return any(
        off.index > since
        and off.value is False
        and off.certain
        and off.parts == unfreeze.parts
        and off.path == unfreeze.path
        and off.loops == unfreeze.loops
        and unfreeze.activations[:-1] in (off.activations[:-1], off.activations)
        and _is_backward_between(trace, off, unfreeze)
        for off in trace.all(FlagWritten)
    )


def _is_backward_between(trace: Trace, one: FlagWritten, other: FlagWritten) -> bool:
    first, last = (one, other) if one.index < other.index else (other, one)
    return any(True for _ in trace.between(first, last, BackwardRan))


def step_in_between(trace: Trace, freeze: FlagWritten, step: Stepped) -> Stepped:
    """The step of another optimizer that a freeze was made for."""
    other = _other_step(trace, freeze, step)
    assert other is not None
    return other


def _writes(trace: Trace, step: Stepped, part: Part) -> Iterator[FlagWritten]:
    """Writes that may reach a part before a step, latest first."""
    for write in trace.before(step, FlagWritten):
        if any(trace.parts_overlap(mine, part, write.index) for mine in write.parts):
            yield write


def _is_freeze(trace: Trace, write: FlagWritten, part: Part) -> bool:
    return (
        write.value is False
        and write.certain
        and any(trace.part_covers(mine, part, write.index) for mine in write.parts)
    )


def _other_step(trace: Trace, freeze: FlagWritten, step: Stepped) -> Stepped | None:
    """Another optimizer's step after a freeze, behind which this one has a loss of its own."""
    if _is_lasting(freeze):
        return None
    if not shares_activation(freeze, step) and not _is_next_turn(freeze, step):
        return None
    for other in trace.between(freeze, step, Stepped):
        if not other.keys or set(other.keys) & set(step.keys):
            continue
        if not happens_whenever(freeze, step) and not happens_whenever(freeze, other):
            # Frozen from some epoch on, say, whoever steps: no toggle at all.
            continue
        if (set(other.loops) & set(step.loops)) - set(freeze.loops):
            # Frozen once, before a loop in which both step: for good.
            continue
        if any(True for _ in trace.between(other, step, BackwardRan)):
            return other
    return None


def _is_next_turn(freeze: FlagWritten, step: Stepped) -> bool:
    """Whether a method that is called for each batch was called again."""
    return step.repeated and freeze.scopes[:1] == step.scopes[:1]


def _is_handed_over(trace: Trace, freeze: FlagWritten, step: Stepped, part: Part) -> bool:
    return any(
        trace.related(key, part.key, each.index)
        for each in trace.between(freeze, step, HandedOver)
        for key in each.keys
    )
