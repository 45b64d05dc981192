"""What a trace tells about gradients: whether there are some, and what a step makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.cuts import WITHOUT_FORWARD
from freezelint.analysis.events import (
    EQUALS_ZERO,
    BackwardRan,
    Event,
    FlagWritten,
    ForwardRan,
    GradientsCleared,
    GroupAdded,
    HandedOver,
    MethodCalled,
    OptimizerBuilt,
    OutputDetached,
    Stepped,
)
from freezelint.analysis.knowledge.frameworks import LIGHTNING
from freezelint.analysis.knowledge.layers import INDEXED
from freezelint.analysis.knowledge.optimizers import traits_of
from freezelint.analysis.library_events import FlagsSetByLibrary
from freezelint.analysis.objects import Origin
from freezelint.analysis.tensors import graph_sources
from freezelint.analysis.trace import compatible
from freezelint.analysis.trainability import freeze_of_all, has_no_parameters
from freezelint.analysis.training import region_inside
from freezelint.analysis.values import (
    BoundMethod,
    Constant,
    ModuleValue,
    Part,
    TensorValue,
    TypedValue,
)

if TYPE_CHECKING:
    from freezelint.analysis.events import ParameterGroup, Path
    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Value


def gradients_made(trace: Trace, event: Event, built: OptimizerBuilt, part: Part) -> Event | None:
    """The latest event before this one that left a gradient on the part, or found one there.

    A backward pass counts if the model of the part ran since the one before; a step, if it
    is one of the optimizer that holds the part.
    """
    for each in reversed(trace.events[built.index : event.index]):
        if not compatible(each.path, event.path):
            continue
        if isinstance(each, Stepped) and each.keys == (built.key,):
            return each
        if isinstance(each, BackwardRan) and _reaches(trace, each, part):
            return each
    return None


def _reaches(trace: Trace, backward: BackwardRan, part: Part) -> bool:
    if any(trace.related(key, part.key, backward.index) for key in _graph_of(backward)):
        return True
    last = next(trace.before(backward, BackwardRan), None)
    for forward in trace.before(backward, ForwardRan):
        if last is not None and forward.index < last.index:
            return False
        if forward.grad_enabled and trace.related(forward.key, part.key, forward.index):
            return True
    return False


def was_trainable(trace: Trace, freeze: FlagWritten, part: Part) -> bool:
    """Whether nothing but this very line may have frozen a part before.

    In a loop the same line is passed again; where a condition decides when it acts, what
    it did in another round says nothing about the first time.
    """
    for write in trace.before(freeze, FlagWritten):
        if write.place.node is freeze.place.node and (
            write.stack == freeze.stack and write.path != freeze.path
        ):
            continue
        if any(trace.parts_overlap(mine, part, write.index) for mine in write.parts):
            return write.value is True
    return trace.objects.module(part.key).flag_at_birth is not False


def is_for_the_first_round(freeze: FlagWritten) -> bool:
    """Whether a freeze in a loop waits for a counter to be 0."""
    return any(arm == EQUALS_ZERO for _, arm in freeze.path)


def waits_for_an_epoch(trace: Trace, freeze: FlagWritten, built: OptimizerBuilt) -> bool:
    """Whether a freeze waits for one epoch, not the first, in a hook or in rounds run one by one."""
    if not set(freeze.path) - set(built.path):
        return False
    if set(LIGHTNING.epoch) & set(freeze.scopes):
        return not is_for_the_first_round(freeze)
    way = [id(place.node) for place in freeze.stack]
    return any(
        again.place.node is freeze.place.node
        and [id(place.node) for place in again.stack] == way
        and again.path != freeze.path
        and any(True for _ in trace.between(freeze, again, Stepped))
        for again in trace.after(freeze, FlagWritten)
    )


def are_zeroed(trace: Trace, first: Event, last: Event, optimizer: int, part: Part) -> bool:
    """Whether gradients of a part are filled with zeros between two events."""
    return any(
        each.to_none is False
        and (
            optimizer in each.optimizers
            or any(trace.parts_overlap(mine, part, each.index) for mine in each.parts)
        )
        for each in trace.between(first, last, GradientsCleared)
    )


def may_be_cleared_out_of_sight(
    trace: Trace, first: Event, last: Event, optimizer: int, part: Part
) -> bool:
    """Whether code that cannot be followed had the optimizer or the part between two events."""
    return any(
        optimizer in each.optimizers
        or any(trace.related(key, part.key, each.index) for key in each.keys)
        for each in trace.between(first, last, HandedOver)
    )


def group_of(trace: Trace, built: OptimizerBuilt, part: Part, at: int) -> ParameterGroup | None:
    """The group of an optimizer that holds a part; None where several may, or none does."""
    groups = [
        group
        for group in built.groups
        if any(region_inside(trace, mine, part, at) for mine in group.parts)
    ]
    return groups[0] if len(groups) == 1 else None


def option(built: OptimizerBuilt, group: ParameterGroup, name: str, default: object) -> object:
    """What an option of a group is; None where that is not known."""
    value: Value | None = group.options.get(name)
    if value is None:
        if not group.options_known:
            return None
        value = built.options.get(name)
    if value is None:
        return default if built.options_known else None
    if isinstance(value, TypedValue):
        # An option of the command line, which is as its default says if nobody says otherwise.
        value = value.default
    return value.value if isinstance(value, Constant) else None


def goes_on_without_gradient(built: OptimizerBuilt) -> bool:
    """Whether an optimizer moves what it has moved before even without a gradient."""
    traits = traits_of(built.library)
    return traits is not None and traits.takes_none_for_zero


def moves_on_zeros(built: OptimizerBuilt, group: ParameterGroup, *, trained: bool) -> str | None:
    """What certainly moves parameters of a group whose gradients are zero, in words.

    ``trained`` says that there were other gradients before, so momentum has something to
    go on with.
    """
    traits = traits_of(built.library)
    if traits is None:
        return None
    decay = option(built, group, "weight_decay", traits.decay)
    if isinstance(decay, (int, float)) and decay:
        return "weight decay"
    if traits.pull is not None:
        pull = option(built, group, *traits.pull)
        if isinstance(pull, (int, float)) and pull:
            return f"`{traits.pull[0]}`"
    if trained and traits.has_history:
        return "momentum"
    for name in traits.history_arguments if trained else ():
        momentum = option(built, group, name, 0)
        if isinstance(momentum, (int, float)) and momentum:
            return "momentum"
    return None


def holders_of(trace: Trace, key: int) -> list[Part] | None:
    """What optimizers hold of a module; None where not all that they hold is in sight."""
    built, added = trace.all(OptimizerBuilt), trace.all(GroupAdded)
    known = {each.key for each in built}
    if any(set(step.keys) - known for step in trace.all(Stepped)):
        return None
    if not all(each.complete for each in built) or not all(each.complete for each in added):
        return None
    held = [(part, each.index) for each in built for part in each.parts]
    held += [(part, each.index) for each in added for part in each.parts]
    if any(
        trace.related(each, key, at)
        for part, at in held
        for each in trace.objects.module(part.key).alternatives
    ):
        # A condition chose which of several modules an optimizer got.
        return None
    return [part for part, at in held if trace.parts_overlap(part, Part(key), at)]


def gets_gradients(trace: Trace, key: int, event: Event) -> bool:
    """Whether a module was run with gradients before an event, and its output was not cut off.

    A copy without a graph of what is differentiated as well, such as a loss that is logged, is
    no such cut.
    """
    trained = {source for each in trace.all(BackwardRan) for source in _graph_of(each)}
    for cut in trace.all(OutputDetached):
        if any(each not in trained and trace.related(each, key, cut.index) for each in cut.keys):
            return False
    for called in trace.all(MethodCalled):
        is_run = called.name not in WITHOUT_FORWARD
        if is_run and called.receiver == ModuleValue(key) and not called.grad_enabled:
            return False
    runs = [
        forward
        for forward in trace.before(event, ForwardRan)
        if trace.related(forward.key, key, forward.index)
    ]
    if not all(forward.grad_enabled for forward in runs):
        # Which of them lead to a loss, the losses have to tell.
        runs = [each for each in runs if each.grad_enabled and each.key in trained]
    return any(each.key == key or _mentions(trace, each, key) for each in runs)


def _graph_of(backward: BackwardRan) -> tuple[int, ...]:
    return graph_sources(backward.loss) if isinstance(backward.loss, TensorValue) else ()


def _mentions(trace: Trace, forward: ForwardRan, key: int) -> bool:
    """Whether the forward pass of a module names what it holds; of a library's, it is believed."""
    owner = trace.objects.module(forward.key).owner_class
    if owner is None:
        return True
    method = owner.definition.methods.get("forward")
    names = {each.attribute for each in trace.objects.module(key).attachments}
    # One in which gradients may be switched off was run; then what it calls counts for itself.
    return method is not None and not method.is_loud and not names.isdisjoint(method.words)


def needs_no_gradient(trace: Trace, value: Value, event: Event) -> bool:
    """Whether what something is given at an event certainly does not require a gradient.

    It was cut from its graph, or computed from nothing but data and what is frozen.
    """
    if isinstance(value, Constant):
        return True
    if isinstance(value, BoundMethod):
        # An attribute that is read and not called, such as `.logits`.
        value = value.receiver
    if not isinstance(value, TensorValue):
        return False
    if value.cut_from is not None:
        return True
    return value.is_traced and all(
        _leads_nowhere(trace, key, event) for key in graph_sources(value)
    )


def _leads_nowhere(trace: Trace, key: int, event: Event) -> bool:
    """Whether everything is frozen that the latest pass of a module may have computed with."""
    module = trace.objects.module(key)
    if module.origin is Origin.PARAMETER:
        return trace.flag(Part(key), event.index, event.path).value is False
    if has_no_parameters(trace, key):
        return True
    run = next((each for each in trace.before(event, ForwardRan) if each.key == key), None)
    if run is None:
        # A method of its own computed with all of it, or some.
        run_index, path, is_followed = event.index, event.path, False
    else:
        run_index, path, is_followed = run.index, run.path, run.is_followed
    if is_followed:
        # What happened inside counts for itself.
        return True
    weight = trace.objects.known_child(key, "weight") if module.library in INDEXED else None
    if weight is not None:
        return trace.flag(Part(weight.key), run_index, path).value is False
    if module.origin is Origin.ELEMENT:
        # It stands for each of several, of which nobody can tell more than that all are frozen.
        parts = trace.objects.parts_of(key)
        return all(trace.flag(part, run_index, path).value is False for part in parts)
    if any(
        trace.overlaps(part, key, each.index)
        for each in trace.before(event, FlagsSetByLibrary)
        for part in each.parts
    ):
        return False
    inner = (each.key for each in trace.objects.below(key, run_index))
    return _is_frozen_throughout(trace, key, run_index, path) and all(
        trace.flag(Part(each), run_index, path).value is False or has_no_parameters(trace, each)
        for each in inner
    )


def _is_frozen_throughout(trace: Trace, key: int, at: int, path: Path) -> bool:
    born_frozen = trace.flag(Part(key), at, path) == (False, None)
    return born_frozen or freeze_of_all(trace, key, at, path) is not None
