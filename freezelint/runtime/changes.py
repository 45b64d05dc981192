"""Wording what happened to a tensor: which, when, how much, by whom, why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezelint.records import NamedTuple
from freezelint.runtime.causes import (
    may_have_moved,
    place_of,
    why_moved_in_step,
    why_wrote_outside,
)
from freezelint.runtime.contract import Role
from freezelint.runtime.shards import shard_text
from freezelint.runtime.violations import Kind, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezelint.runtime.inventory import Entry
    from freezelint.runtime.samples import Samples


class Stepper(NamedTuple):
    """An optimizer by name."""

    name: str
    optimizer: Any


def changed(entry: Entry, stepper: Stepper | None, samples: Samples, step: int) -> Violation:
    """Say that a promised tensor has other bits; ``stepper`` is who may have done it."""
    kind = Kind.FROZEN_CHANGED
    if entry.rows is not None and entry.role is not Role.FROZEN:
        kind = Kind.ROWS_CHANGED
    elif entry.is_buffer:
        kind = Kind.BUFFER_CHANGED
    change = samples.change_of(entry)
    amount = f" ({change})" if change is not None and change.changed else ""
    place = None if stepper is None else place_of(stepper.optimizer, entry.tensor)
    if stepper is None or place is None or not may_have_moved(entry, stepper.optimizer):
        reason = why_wrote_outside(entry)
        when = "before the first step" if step == 0 else f"outside of a step, by step {step}"
        return Violation(
            kind,
            entry.name,
            step,
            f"{_what(entry)} changed {when}{amount}: {reason.text}",
            cause=reason.cause,
        )
    reason = why_moved_in_step(entry, stepper.optimizer, place)
    if kind is Kind.ROWS_CHANGED and reason.cause is None:
        reason = reason._replace(text="the step moves all rows", cause="FZ306")
    return Violation(
        kind,
        entry.name,
        step,
        f"{_what(entry)} changed in step {step} of {stepper.name}, group {place.group}{amount}: "
        f"{reason.text}",
        cause=reason.cause,
        optimizer=stepper.name,
        group=place.group,
    )


def replaced(entry: Entry, now: Entry | None, step: int) -> Violation:
    """Say that a frozen parameter is another object, or gone."""
    what = "is gone from the model" if now is None else "is another object now"
    return Violation(
        Kind.FROZEN_REPLACED,
        entry.name,
        step,
        f"{entry.name} must stay and {what}: it was replaced, with its flag and its values",
        cause="FZ202",
    )


def switched_on(entry: Entry, step: int, *, is_held: bool) -> Violation:
    """Say that a frozen parameter takes gradients again, and whether it will train for it."""
    consequence = "" if is_held else "; no optimizer holds it: it gets gradients and no step"
    return Violation(
        Kind.FLAG_FLIPPED,
        entry.name,
        step,
        f"{entry.name} must stay, and its requires_grad was switched on{consequence}",
        cause="FZ201",
    )


def switched_off(held: Sequence[Entry], stepper: Stepper, step: int) -> Iterable[Violation]:
    """What an optimizer steps that should train and takes no gradients any more."""
    for entry in held:
        is_off = entry.requires_grad and not entry.tensor.requires_grad
        if entry.role is Role.TRAINABLE and is_off:
            yield Violation(
                Kind.FLAG_FLIPPED,
                entry.name,
                step,
                f"{entry.name} should train, and its requires_grad was switched off "
                f"before a step of {stepper.name}",
                optimizer=stepper.name,
            )


def about_to_move(held: Sequence[Entry], stepper: Stepper, step: int) -> Iterable[Violation]:
    """What a step is going to move that no step may: stale gradients, targets."""
    for entry in held:
        tensor = entry.tensor
        if tensor.grad is None:
            continue
        if entry.role is Role.FROZEN and not tensor.requires_grad:
            kind, cause = Kind.STALE_GRADIENT, "FZ305"
            text = "it is frozen and has a gradient from before, which will be applied"
        elif entry.role is Role.TARGET and tensor.requires_grad:
            kind, cause = Kind.FROZEN_CHANGED, "FZ311"
            text = "it is a target, and the step moves it"
        else:
            continue
        place = place_of(stepper.optimizer, tensor)
        group = None if place is None else place.group
        yield Violation(
            kind,
            entry.name,
            step,
            f"{stepper.name} holds {entry.name} in group {group}: {text}",
            cause=cause,
            optimizer=stepper.name,
            group=group,
        )


def _what(entry: Entry) -> str:
    name = entry.name
    if entry.rows is not None:
        ends = ("" if end is None else str(end) for end in (entry.rows.start, entry.rows.stop))
        name = f"{name}[{':'.join(ends)}]"
    remarks = [shard_text(entry)]
    if entry.is_flat:
        name = " and ".join(entry.names[:2])
        more = f" with {len(entry.names) - 2} more" if len(entry.names) > 2 else ""
        remarks.insert(0, f"one flat parameter{more}")
    said = ", ".join(filter(None, remarks))
    return f"{name} ({said})" if said else name
