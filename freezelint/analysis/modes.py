"""In which mode a module is, and which ``train()`` or ``eval()`` put it there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    MODE_OVERRIDES,
    AttributeWritten,
    BackwardRan,
    Event,
    FlagWritten,
    ForwardRan,
    HandedOver,
    ModeSet,
    Stepped,
)
from freezelint.analysis.library_events import TrainerStarted
from freezelint.analysis.module_hooks import may_set_modes
from freezelint.analysis.objects import Origin
from freezelint.analysis.reach import family_of
from freezelint.analysis.trace import implies
from freezelint.analysis.trainability import has_no_parameters
from freezelint.analysis.training import may_be_unknown
from freezelint.analysis.values import ModuleValue, Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace

_MADE_FOR_TRAINING = ("torchvision.", "timm.", "torch.nn.", "segmentation_models_pytorch.")
"""Libraries whose models are in training mode until somebody says otherwise."""

_STATISTICS = frozenset({"track_running_stats", "momentum", "running_mean", "running_var"})


def training_passes(trace: Trace, part: Part, train: ModeSet) -> Iterator[tuple[ForwardRan, Event]]:
    """Forward passes of training that a ``train()`` let all of a part see in training mode.

    Each comes with the step (or backward pass) that shows that it is training.
    """
    if train.training is not True or not _covers(trace, train, part):
        return
    if _replaces_train(trace, part) or may_set_modes(trace, part):
        return
    for forward in trace.after(train, ForwardRan):
        if trace.objects.route(forward.key, part.key, forward.index) is None:
            continue
        if put_into_training(trace, part, forward) is not train:
            continue
        step = step_of(trace, forward)
        if step is not None and not _is_put_back(trace, part, forward, step):
            yield forward, step


def put_into_training(trace: Trace, part: Part, until: Event) -> ModeSet | None:
    """The ``train()`` after which all of a part certainly is in training mode before an event.

    None where there was none in sight, where some of the part may have been put back
    into evaluation mode since, or where code out of sight had it in hands.
    """
    return _put_into(trace, part, until, training=True)


def put_into_evaluation(trace: Trace, part: Part, until: Event) -> ModeSet | None:
    """The ``eval()`` after which all of a part certainly is in evaluation mode before an event."""
    return _put_into(trace, part, until, training=False)


def _put_into(trace: Trace, part: Part, until: Event, *, training: bool) -> ModeSet | None:
    for mode in trace.before(until, ModeSet):
        if mode.may_be_any and mode.training is not training:
            return None
        if not trace.parts_overlap(mode.part, part, mode.index):
            continue
        if mode.training is not training:
            return None
        if not _covers(trace, mode, part):
            continue
        if implies(until.path, mode.path) or _ends_an_evaluation(trace, mode, part):
            return None if may_be_unknown(trace, part, mode, until) else mode
    return None


def _ends_an_evaluation(trace: Trace, mode: ModeSet, part: Part) -> bool:
    """Whether a ``train()`` in a branch takes back an ``eval()`` of the same branch.

    Where the branch is not taken, nobody touches the mode; where it is, this is the last word.
    """
    if mode.training is not True:
        return False
    for other in trace.before(mode, ModeSet):
        if trace.parts_overlap(other.part, part, other.index):
            return other.training is False and implies(other.path, mode.path)
    return False


def sets_statistics_aside(trace: Trace, part: Part) -> bool:
    """Whether an attribute of BatchNorm is written that keeps its statistics, or drops them."""
    return any(
        write.attribute in _STATISTICS
        and isinstance(write.receiver, ModuleValue)
        and any(
            trace.parts_overlap(mine, part, write.index)
            for mine in trace.objects.parts_of(write.receiver.key)
        )
        for write in trace.all(AttributeWritten)
    )


def is_set_up(trace: Trace, mode: ModeSet) -> bool:
    """Whether an ``eval()`` is no part of an evaluation: it begins a training, or another phase."""
    if not set(MODE_OVERRIDES.values()).isdisjoint(mode.scopes):
        return False
    if next(trace.before(mode, Stepped), None) is None:
        return True
    return any(freeze_beside(trace, mode, each) for each in trace.all(FlagWritten))


def freeze_beside(trace: Trace, mode: ModeSet, freeze: FlagWritten) -> bool:
    """Whether an ``eval()`` goes with a freeze of the same: what is frozen shall stay as it is."""
    return (
        mode.training is False
        and freeze.value is False
        and freeze.certain
        and freeze.activations == mode.activations
        and freeze.loops == mode.loops
        and any(trace.part_covers(part, mode.part, freeze.index) for part in freeze.parts)
    )


def _covers(trace: Trace, mode: ModeSet, part: Part) -> bool:
    """Whether ``train()`` or ``eval()`` certainly reached all of a part."""
    return trace.part_covers(mode.part, part, mode.index) and not any(
        trace.objects.route(key, part.key, mode.index) is not None for key in mode.overridden
    )


def step_of(trace: Trace, forward: ForwardRan) -> Event | None:
    """The backward pass or step that follows a forward pass in the same round of a loop."""
    found: Event | None = None
    for kind in (BackwardRan, Stepped):
        for each in trace.after(forward, kind):
            in_same_round = forward.loops[: len(each.loops)] == each.loops
            if in_same_round and (found is None or each.index < found.index):
                found = each
            break
    return found


def _is_put_back(trace: Trace, part: Part, forward: Event, step: Event) -> bool:
    """Whether the forward pass itself puts some of the part into evaluation mode."""
    return any(
        mode.training is not True and trace.parts_overlap(mode.part, part, mode.index)
        for mode in trace.between(forward, step, ModeSet)
    )


def _replaces_train(trace: Trace, part: Part) -> bool:
    """Whether something else is put in the place of the ``train`` of a module involved."""
    return any(
        write.attribute in ("train", "training")
        and isinstance(write.receiver, ModuleValue)
        and any(
            trace.parts_overlap(mine, part, write.index)
            for mine in trace.objects.parts_of(write.receiver.key)
        )
        for write in trace.all(AttributeWritten)
    )


def is_teacher(trace: Trace, key: int) -> bool:
    """Whether a module only ever runs without a graph, and no other module gets its output."""
    runs = [each for each in trace.all(ForwardRan) if each.key == key]
    return (
        bool(runs)
        and all(each.grad_enabled is False for each in runs)
        and not any(
            key in each.inputs and not _only_computes(trace, each.key, each.index)
            for each in trace.all(ForwardRan)
        )
    )


def may_run_inside(trace: Trace, key: int) -> bool:
    """Whether a module may run in the forward pass of one around it, which nobody looked into."""
    return any(
        not each.is_followed and each.key != key and trace.objects.route(each.key, key, each.index)
        for each in trace.all(ForwardRan)
    )


def _only_computes(trace: Trace, key: int, at: int) -> bool:
    """Whether a module has nothing to train, as losses have not."""
    if has_no_parameters(trace, key):
        return True
    module = trace.objects.module(key)
    if module.origin is not Origin.OWN_CLASS or module.is_subject:
        return False
    trace.look_inside(key)
    held = trace.objects.held_by(key, at)
    return module.is_complete and all(_only_computes(trace, each, at) for each in held)


def trainer_of(trace: Trace, train: ModeSet) -> TrainerStarted | None:
    """The start of the framework that calls this train() by itself, if one does."""
    started = next(trace.before(train, TrainerStarted), None)
    is_its_own = started is not None and started.place.node is train.place.node
    return started if is_its_own else None


def lightning_passes(trace: Trace, part: Part, freeze: FlagWritten) -> Iterator[ForwardRan]:
    """Forward passes in Lightning's training that see a part in the mode in which it was made.

    Lightning leaves modes alone, so that is training mode unless a mode is set somewhere: in
    the class, or by other code of the file that may have it in hands.
    """
    if not _is_made_for_training(trace, part.key) or _replaces_train(trace, part):
        return
    if may_set_modes(trace, part):
        return
    for forward in trace.after(freeze, ForwardRan):
        if forward.scopes[:1] != ("training_step",) or forward.repeated:
            continue
        if trace.objects.route(forward.key, part.key, forward.index) is None:
            continue
        if step_of(trace, forward) is not None and not _may_be_evaluated(trace, part, forward):
            yield forward


def _is_made_for_training(trace: Trace, key: int) -> bool:
    """Whether a module is in training mode as it is made, which checkpoints' models are not."""
    module = trace.objects.module(key)
    while module.origin in (Origin.CHILD, Origin.COPY, Origin.DERIVED):
        source = module.parent if module.origin is Origin.CHILD else module.source
        if source is None:
            return False
        module = trace.objects.module(source)
    if module.origin is Origin.OWN_CLASS:
        return not module.is_subject
    library = module.library or ""
    return module.origin is Origin.BUILT and library.startswith(_MADE_FOR_TRAINING)


def _may_be_evaluated(trace: Trace, part: Part, forward: ForwardRan) -> bool:
    if any(trace.parts_overlap(mode.part, part, mode.index) for mode in trace.all(ModeSet)):
        return True
    if any(
        trace.related(key, part.key, each.index)
        for each in trace.before(forward, HandedOver)
        for key in each.keys
    ):
        return True
    own = {
        each
        for module in trace.objects.modules()
        if module.owner_class is not None
        for each in family_of(trace.file, module.owner_class.definition)
    }
    rest = trace.file.text
    for each in own:
        rest = rest.replace(each.text, "")
    return re.search(r"\.eval\(|\.train\(|set_grad_enabled", rest) is not None
