"""One function per consequence: whether it happened to what was observed, and how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from freezelint.runtime.quiet import quietly
from proofs.account import SHOWN, Heard, Measurement, Value
from proofs.names import has_values, own_values, tensors_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torch import Tensor

    from proofs.names import Named
    from proofs.observation import Observation


def moves(seen: Observation) -> Measurement:
    """Whether parameters changed that were meant to stay; the runtime checker has to see it too."""
    return _changes(seen, _parameters(seen), "parameter")


def drifts(seen: Observation) -> Measurement:
    """Whether buffers changed; the runtime checker has to see it too."""
    buffers = [each for each in seen.named.values() if each.kind == "buffer"]
    return _changes(seen, buffers, "buffer")


def dead(seen: Observation) -> Measurement:
    """Whether all parameters have the bits that they had before training."""
    parameters = _parameters(seen)
    if not parameters:
        return Measurement(trouble=f"{seen.claim.subject!r} names no parameter")
    moved = _changed(seen, parameters)
    still = [each for each in parameters if each.name not in moved]
    if not still:
        return Measurement(sentences=_listed(moved.values()))
    said = f"{_count(len(still), 'parameter')} of {len(parameters)} unchanged after {_steps(seen)}"
    return Measurement(
        is_shown=len(still) == len(parameters),
        sentences=(f"{said}: {_names(still)}",),
        trouble=None if len(still) == len(parameters) or not moved else _only_some(still, moved),
    )


def cut(seen: Observation) -> Measurement:
    """Whether no parameter gets a gradient other than zero, nor changes."""
    parameters = _parameters(seen)
    if not parameters:
        return Measurement(trouble=f"{seen.claim.subject!r} names no parameter")
    moved = _changed(seen, parameters)
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
        trouble=_only_some(without, [each.name for each in reached]) if reached else None,
    )


def wastes(seen: Observation) -> Measurement:
    """Whether an optimizer holds what is frozen, or gradients are computed for what never moves."""
    parameters = _parameters(seen)
    if not parameters:
        return Measurement(trouble=f"{seen.claim.subject!r} names no parameter")
    moved = _changed(seen, parameters)
    idle = {
        each.name: seen.gradients[each.name]
        for each in parameters
        if each.name in seen.gradients and each.name not in moved
    }
    sentences = [
        f"{optimizer} holds {_count(len(held), 'frozen parameter')} "
        f"({sum(held.values()):,} bytes): {_some(held)}"
        for optimizer, held in seen.held.items()
    ]
    if idle:
        sentences.append(
            f"gradients ({sum(idle.values()):,} bytes) are computed for "
            f"{_count(len(idle), 'parameter')} that never changed: {_some(idle)}"
        )
    if not sentences:
        what = _count(len(parameters), "parameter")
        sentences.append(f"of {what}, none is held while frozen or gets a gradient in vain")
    return Measurement(bool(seen.held or idle), tuple(sentences))


def differs(seen: Observation) -> Measurement:
    """Whether what ran gave something else than a copy in eval mode, with the first values."""
    outputs = seen.outputs
    if outputs is None or not outputs.compared:
        return Measurement(trouble=f"no module of {seen.claim.subject!r} was called")
    calls = _count(sum(each.times for each in outputs.compared.values()), "call")
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
    return Measurement(is_shown=True, sentences=(said,))


def random(seen: Observation) -> Measurement:
    """Hand over what stayed and was never loaded, to be compared with a run with other seeds."""
    parameters = _parameters(seen)
    moved = _changed(seen, parameters)
    stayed = [each for each in parameters if each.name not in moved]
    if not stayed:
        return Measurement(trouble=f"nothing of {seen.claim.subject!r} stayed as it was")
    drawn = [each for each in stayed if not seen.loading.reached(each.tensor)]
    loaded = len(stayed) - len(drawn)
    sentences = (f"weights were loaded into {_count(loaded, 'parameter')}",) if loaded else ()
    return Measurement(sentences=sentences, values=_contents(drawn))


def diverges(seen: Observation) -> Measurement:
    """Hand over what there is at the end, to be compared with the other processes."""
    return Measurement(values=_contents(tensors_of(seen.namespace, seen.claim.subject).values()))


def raises(seen: Observation) -> Measurement:
    """Nothing is measured inside: how the script ended is seen from outside."""
    del seen
    return Measurement()


MEASURES: dict[str, Callable[[Observation], Measurement]] = {
    each.__name__: each
    for each in (moves, drifts, dead, cut, wastes, differs, random, diverges, raises)
}


class _Change(NamedTuple):
    """How much a tensor changed."""

    name: str
    changed: int
    total: int
    largest: float
    """Infinite for what became another tensor, of another shape or type."""

    def __str__(self) -> str:
        if self.largest == float("inf"):
            return f"{self.name}: another tensor stands here"
        amount = f"{self.changed:,} of {self.total:,} values changed"
        return f"{self.name}: {amount}, max {self.largest:.1e}"


def _changes(seen: Observation, observed: Sequence[Named], what: str) -> Measurement:
    if not observed:
        return Measurement(trouble=f"{seen.claim.subject!r} names no {what}")
    changed = _changed(seen, observed)
    if not changed:
        values = sum(each.tensor.numel() for each in observed)
        said = f"none of {_count(len(observed), what)} changed ({values:,} values)"
        return Measurement(sentences=(f"{said} in {_steps(seen)}",))
    missed = [name for name in changed if seen.is_watched(name) and not seen.was_reported(name)]
    return Measurement(
        is_shown=True,
        sentences=_listed(changed.values()),
        trouble=f"the runtime checker did not see {', '.join(missed)} change" if missed else None,
    )


def _changed(seen: Observation, observed: Iterable[Named]) -> dict[str, _Change]:
    """How each tensor differs, bit by bit, from what stood under its name."""
    now = tensors_of(seen.namespace, seen.claim.subject)
    found = {}
    with quietly():
        for each in observed:
            current = now.get(each.name, each).tensor
            if not has_values(current):
                continue
            change = _change(each.name, seen.values[each.name], own_values(current))
            if change is not None:
                found[each.name] = change
    return found


def _change(name: str, before: Tensor, now: Tensor) -> _Change | None:
    if before.shape != now.shape or before.dtype != now.dtype:
        return _Change(name, now.numel(), now.numel(), float("inf"))
    now = now.to(before.device)
    is_same = torch.isclose(now, before, rtol=0, atol=0, equal_nan=True)
    if is_same.all():
        return None
    largest = float((now.double() - before.double()).abs().max())
    return _Change(name, int((~is_same).sum()), now.numel(), largest)


def _contents(observed: Iterable[Named]) -> tuple[Value, ...]:
    found = []
    for each in observed:
        flat = own_values(each.tensor).cpu().contiguous().flatten()
        content = bytes(flat.view(torch.uint8).numpy())
        found.append(Value(each.name, flat.element_size(), content))
    return tuple(found)


def _parameters(seen: Observation) -> list[Named]:
    """What should train or stay: parameters, and tensors that stand where one should.

    Of a model that is shared out, another process may have all values of one.
    """
    parameters = [each for each in seen.named.values() if each.kind != "buffer"]
    return [each for each in parameters if each.tensor.numel()] or parameters


def _only_some(some: Sequence[Named], others: Iterable[str]) -> str:
    return f"only {_names(some)}; not so {', '.join(others)}: make the subject narrower"


def _listed(changes: Iterable[_Change]) -> tuple[str, ...]:
    by_size = sorted(changes, key=lambda each: (-each.largest, each.name))
    more = [f"and {len(by_size) - SHOWN} more"] if len(by_size) > SHOWN else []
    return (*map(str, by_size[:SHOWN]), *more)


def _names(observed: Sequence[Named]) -> str:
    return _some([each.name for each in observed])


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _steps(seen: Observation) -> str:
    return _count(seen.steps, "step")


def heard(seen: Observation) -> tuple[Heard, ...]:
    """What the runtime checker said, in its words."""
    return tuple(
        Heard(str(each.kind), each.tensor, each.message, each.cause) for each in seen.violations
    )
