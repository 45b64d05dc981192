"""What a trace tells about a model that a library froze: is it trained like that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import BackwardRan, Event, HandedOver, MethodCalled, OptimizerBuilt
from freezelint.analysis.library_events import AdaptersAdded, TrainerStarted
from freezelint.analysis.trainability import has_no_parameters
from freezelint.analysis.training import (
    flag_changes_after,
    is_handed_on,
    steps_after,
    trained_before,
    without_flag_tests,
)
from freezelint.analysis.values import ModuleValue, Part
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace


class Subject(NamedTuple):
    """A model, and those of its parameters that are meant to train."""

    models: tuple[int, ...]
    """All that stands for the model: what a library wrapped around it, and itself."""
    part: Part


def training_of(
    trace: Trace, event: Event, subject: Subject, *, with_others: bool = False
) -> Event | None:
    """Where a model is trained with the flags that an event left it with; None if it may not be.

    Training of more than this model tells nothing, unless the model has a learning rate of its
    own, or ``with_others`` says so: what is frozen may be meant to be.
    """
    training = next(_trainings(trace, event, subject, with_others=with_others), None)
    if training is None or _may_change(trace, event, subject, training):
        return None
    return training


def _trainings(
    trace: Trace, event: Event, subject: Subject, *, with_others: bool
) -> Iterator[Event]:
    """The trainers and optimizers that take the model after an event, earliest first."""
    starts = [*trace.after(event, TrainerStarted), *trace.after(event, OptimizerBuilt)]
    for each in sorted(starts, key=lambda start: start.index):
        if trace.may_exclude(event, each):
            continue
        if isinstance(each, TrainerStarted):
            if each.builds_optimizer and _is_trained_by(trace, each, subject):
                yield each
        elif isinstance(each, OptimizerBuilt) and (
            _is_about(trace, each, subject) or (with_others and _takes_too(trace, each, subject))
        ):
            is_used = any(True for _ in steps_after(trace, each, each.key))
            if (
                is_used
                or is_handed_on(trace, each, each.key)
                or any(True for _ in trace.after(each, BackwardRan))
            ):
                yield each


def _is_trained_by(trace: Trace, started: TrainerStarted, subject: Subject) -> bool:
    """Whether a trainer has the model, with what is meant to train still in it."""
    if _is_alternative(trace, started.key, subject):
        return True
    return started.key in subject.models and trace.parts_overlap(
        Part(started.key), subject.part, started.index
    )


def _is_about(trace: Trace, built: OptimizerBuilt, subject: Subject) -> bool:
    """Whether an optimizer takes parameters of this model only, the subject's among them."""
    parts = [without_flag_tests(part) for part in built.parts]
    if not parts or not built.complete:
        return False
    if _has_group_of_its_own(trace, built, subject):
        return True
    return all(
        _is_alternative(trace, part.key, subject)
        or _holds_nothing_else(trace, part, subject, built.index)
        or any(
            trace.objects.route(model, part.key, built.index) is not None
            for model in subject.models
        )
        for part in parts
    ) and any(
        _is_alternative(trace, part.key, subject)
        or trace.parts_overlap(part, subject.part, built.index)
        for part in parts
    )


def _takes_too(trace: Trace, built: OptimizerBuilt, subject: Subject) -> bool:
    """Whether an optimizer takes all there is in something that holds the model."""
    return built.complete and any(
        trace.objects.route(part.key, model, built.index) is not None
        and not without_flag_tests(part).predicate
        for part in built.parts
        for model in subject.models
    )


def _holds_nothing_else(trace: Trace, part: Part, subject: Subject, at: int) -> bool:
    """Whether a module around the model has no parameters but those of the model."""
    if part.predicate or not any(
        trace.objects.route(part.key, model, at) is not None for model in subject.models
    ):
        return False
    return all(
        held in subject.models
        or has_no_parameters(trace, held)
        or _holds_nothing_else(trace, Part(held), subject, at)
        for held in trace.objects.held_by(part.key, at)
        if trace.objects.module(held).proof
    )


def _has_group_of_its_own(trace: Trace, built: OptimizerBuilt, subject: Subject) -> bool:
    """Whether the model is given a learning rate: then it is meant to train, whatever else does."""
    return any(
        "lr" in group.options
        and any(part == Part(model) for part in group.parts for model in subject.models)
        and any(trace.parts_overlap(part, subject.part, built.index) for part in group.parts)
        for group in built.groups
    )


def _is_alternative(trace: Trace, key: int, subject: Subject) -> bool:
    return any(each in subject.models for each in trace.objects.module(key).alternatives)


def _may_change(trace: Trace, event: Event, subject: Subject, training: Event) -> bool:
    """Whether the flags are set otherwise at any time, or code out of sight had the model."""
    for write in flag_changes_after(trace, event):
        if write.value is not False and any(
            _reaches(trace, part.key, subject, write)
            and (
                _held_by_alternative(trace, part.key, subject, write)
                or trace.parts_overlap(part, subject.part, write.index)
            )
            for part in write.parts
        ):
            return True
    return any(
        _reaches(trace, key, subject, handed)
        for handed in trace.between(event, training, HandedOver)
        for key in handed.keys
    )


def _reaches(trace: Trace, key: int, subject: Subject, event: Event) -> bool:
    return _held_by_alternative(trace, key, subject, event) or any(
        trace.related(key, model, event.index) for model in subject.models
    )


def _held_by_alternative(trace: Trace, key: int, subject: Subject, event: Event) -> bool:
    return any(
        _is_alternative(trace, holder, subject)
        for holder in trace.objects.holders(key, event.index)
    )


def gets_more_adapters(trace: Trace, event: AdaptersAdded) -> bool:
    """Whether other adapters join these in the same model: then these may be meant to stay."""
    others = (*trace.before(event, AdaptersAdded), *trace.after(event, AdaptersAdded))
    return any(other.base in (event.base, event.model) for other in others)


def was_trained_between(trace: Trace, first: Event, last: Event) -> bool:
    """Whether anything was trained between two events."""
    starts = any(True for _ in trace.between(first, last, TrainerStarted))
    return starts or trained_before(trace, last, first) is not None


def have_new_weights_between(trace: Trace, first: Event, last: Event, subject: Subject) -> bool:
    """Whether a model had weights loaded into it between two events."""
    return any(
        called.name.startswith("load")
        and isinstance(called.receiver, ModuleValue)
        and _reaches(trace, called.receiver.key, subject, called)
        for called in trace.between(first, last, MethodCalled)
    )
