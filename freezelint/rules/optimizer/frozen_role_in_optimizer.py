"""A network that is updated by hand from another is trained by the optimizer, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    AttributeWritten,
    Called,
    Event,
    FlagWritten,
    ForwardRan,
    HandedOver,
    MethodCalled,
    OptimizerBuilt,
    ParametersPaired,
    Stepped,
)
from freezelint.analysis.gradients import gets_gradients
from freezelint.analysis.knowledge.patterns import OPTIMIZER_CONSTRUCTIONS, OPTIMIZER_WORDS
from freezelint.analysis.objects import Origin
from freezelint.analysis.tensors import graph_sources, tensors_in
from freezelint.analysis.training import is_handed_on, steps_after, without_flag_tests
from freezelint.analysis.values import (
    UNKNOWN,
    Constant,
    ModuleValue,
    Part,
    StateDictValue,
    TensorValue,
)
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Value

_WRITES = frozenset({"copy_", "mul_", "lerp_"})

_TRAINING_HOOKS = frozenset(
    {
        *("training_step", "on_train_batch_start", "on_train_batch_end", "on_train_epoch_end"),
        *("on_before_zero_grad", "on_train_epoch_start"),
    }
)
"""Methods that Lightning calls again and again."""


class FrozenRoleInOptimizer(Rule):
    """Finds a target network that an optimizer trains along with the network it is copied from.

    What it does:
        Reports an optimizer over a model that holds a network and its target, where the
        target gets the network's weights, or an average of them, again and again, while it
        is not frozen and takes gradients.

    Why is this bad:
        A target is to move by its owner's hand only. In `self.parameters()` it is a part
        like any other: if its forward pass runs with gradients, the optimizer pulls it
        toward whatever makes the loss small, which for targets means toward the
        prediction. Without gradients it would only cost memory.

    Bad:
        import copy

        import torch
        from torch import nn

        torch.manual_seed(0)


        class Learner(nn.Module):
            def __init__(self):
                super().__init__()
                self.online = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
                self.target = copy.deepcopy(self.online)

            def forward(self, x, y):
                return nn.functional.mse_loss(self.online(x), self.target(y))


        learner = Learner()
        optimizer = torch.optim.SGD(learner.parameters(), lr=0.1)  # expect: FZ311
        inputs = torch.randn(64, 16)
        for step in range(5):
            loss = learner(inputs, inputs + 0.1 * torch.randn_like(inputs))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 100 == 99:
                learner.target.load_state_dict(learner.online.state_dict())

    Good:
        import copy

        import torch
        from torch import nn

        torch.manual_seed(0)


        class Learner(nn.Module):
            def __init__(self):
                super().__init__()
                self.online = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
                self.target = copy.deepcopy(self.online)
                self.target.requires_grad_(False)

            def forward(self, x, y):
                return nn.functional.mse_loss(self.online(x), self.target(y))


        learner = Learner()
        optimizer = torch.optim.SGD(learner.online.parameters(), lr=0.1)
        inputs = torch.randn(64, 16)
        for step in range(5):
            loss = learner(inputs, inputs + 0.1 * torch.randn_like(inputs))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 100 == 99:
                learner.target.load_state_dict(learner.online.state_dict())

    When it is silent:
        Targets that are frozen, run under `no_grad`, whose output is detached, or that learn from
        labels too; networks
        that are copied but never updated from the original (they may well train: online
        distillation, cloned branches); optimizers over the online network only; and
        whatever is not in view in one scope or class.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.parameters
        https://github.com/arxyzan/data2vec-pytorch/issues/8
        https://github.com/lightly-ai/lightly-train/issues/434
    """

    code = "FZ311"
    name = "frozen-role-in-optimizer"
    level = Level.WARNING
    claims = (Claim("moves", "learner.target.*"),)
    triggers = (
        OPTIMIZER_WORDS,
        ("load_state_dict", "zip(", "kl_div", "KLDivLoss"),
    )
    trigger_patterns = (
        OPTIMIZER_CONSTRUCTIONS,
        (
            r"load_state_dict\([^\n()]+\.state_dict\(",
            r"zip\([^\n()]+\.parameters\(",
            r"kl_div\(",
            r"KLDivLoss\(",
        ),
    )
    events = ("MethodCalled", "ParametersPaired", "Called", "ForwardRan")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a target whose owner's optimizer trains it."""
        if event.repeated:
            return
        if isinstance(event, (Called, ForwardRan)):
            yield from _check_teacher(event, trace)
            return
        if not _is_in_training(event, trace):
            return
        pair = _loaded(event) if isinstance(event, MethodCalled) else _averaged(event, trace)
        if pair is None or not _are_twins(*pair, trace):
            return
        target, source = pair
        if _has_a_loss_of_its_own(target, source, trace):
            return
        for built in trace.all(OptimizerBuilt):
            if not _holds_both(built, target, source, trace):
                continue
            if not _trains(built, target, event, trace):
                continue
            label = trace.objects.label(target)
            optimizer = trace.objects.optimizer(built.key).label or built.name
            yield Report(
                built.place,
                f"`{optimizer}` trains `{label}` too, which is updated from "
                f"`{trace.objects.label(source)}` by hand and is not frozen",
                f"freeze it with `{label}.requires_grad_(False)`",
                ((trace.meeting_place(event, built), "the target gets its weights here"),),
                about=About((label,), by_step=True),
            )
            return


def _check_teacher(event: Called | ForwardRan, trace: Trace) -> Iterator[Report]:
    """Report an optimizer that trains a teacher to be easier to learn from."""
    compared = _compared(event, trace)
    if compared is None:
        return
    students, teachers = (set(graph_sources(each)) for each in compared)
    for teacher in sorted(teachers - students):
        if not _came_trained(teacher, trace) or _learns_itself(teacher, trace):
            continue
        for built in trace.all(OptimizerBuilt):
            parts = [without_flag_tests(part) for part in built.parts]
            if not all(
                any(trace.covers(part, key, built.index) for part in parts)
                for key in (teacher, *students)
                if trace.objects.module(key).is_module
            ):
                continue
            if built.complete and _trains(built, teacher, event, trace):
                label = trace.objects.label(teacher)
                optimizer = trace.objects.optimizer(built.key).label or built.name
                yield Report(
                    built.place,
                    f"`{optimizer}` trains `{label}` too, which came trained, and whose output "
                    "is nothing but what another network is to learn",
                    f"freeze it with `{label}.requires_grad_(False)`",
                    ((trace.meeting_place(event, built), "its output is the target here"),),
                    about=About((label,), by_step=True),
                )
                return


def _compared(event: Called | ForwardRan, trace: Trace) -> tuple[TensorValue, TensorValue] | None:
    """The two sides of a Kullback-Leibler divergence: what learns, and what it is to learn."""
    arguments = event.arguments
    if isinstance(event, Called):
        if event.name != "torch.nn.functional.kl_div":
            return None
        arguments += tuple(
            event.keywords[each] for each in ("input", "target") if each in event.keywords
        )
    elif trace.objects.module(event.key).library != "torch.nn.KLDivLoss":
        return None
    sides = arguments[:2]
    if len(sides) < len(("input", "target")):
        return None
    learner, target = sides
    if not isinstance(learner, TensorValue) or not isinstance(target, TensorValue):
        return None
    return learner, target


def _came_trained(key: int, trace: Trace) -> bool:
    """Whether a network was loaded with weights, or a library was asked for some."""
    module = trace.objects.module(key)
    given = module.arguments
    if module.loaded is not None:
        return True
    if module.origin is not Origin.BUILT or given is None:
        return False
    chosen = (given.keywords.get("weights"), given.keywords.get("pretrained"))
    return (module.library or "").endswith(".from_pretrained") or any(
        each not in (None, Constant(None), Constant(False)) and each is not UNKNOWN
        for each in chosen
    )


def _learns_itself(key: int, trace: Trace) -> bool:
    """Whether the output of a network is compared with something, or goes into other modules."""

    def takes(values: tuple[Value, ...]) -> bool:
        return any(key in graph_sources(each) for each in tensors_in(values))

    for called in trace.all(Called):
        is_loss = any(word in called.name for word in ("loss", "entropy", "kl_div", "nll"))
        if is_loss and takes((*called.arguments[:1], called.keywords.get("input", UNKNOWN))):
            return True
    for run in trace.all(ForwardRan):
        if run.key == key or trace.related(run.key, key, run.index):
            continue
        library = trace.objects.module(run.key).library or ""
        taken = run.arguments[:1] if library.startswith("torch.nn.") else run.arguments
        if takes(taken):
            return True
    return False


def _has_a_loss_of_its_own(key: int, other: int, trace: Trace) -> bool:
    """Whether the output of a network is compared with labels, not with another's output."""
    for called in trace.all(Called):
        if "loss" not in called.name and "entropy" not in called.name:
            continue
        sides = [
            {source for each in tensors_in((side,)) for source in graph_sources(each)}
            for side in called.arguments[:2]
        ]
        is_compared = len(sides) == len(("input", "target")) and not sides[1]
        if is_compared and key in sides[0] and other not in sides[0]:
            return True
    return False


def _is_in_training(event: Event, trace: Trace) -> bool:
    """Whether something happens again and again, not just before training."""
    if event.loops or any(True for _ in trace.before(event, Stepped)):
        return True
    return bool(event.scopes) and event.scopes[0] in _TRAINING_HOOKS


def _loaded(event: MethodCalled) -> tuple[int, int] | None:
    """The network that gets weights, and the one that gives them."""
    if event.name != "load_state_dict" or not event.arguments:
        return None
    weights = event.arguments[0]
    if not isinstance(event.receiver, ModuleValue) or not isinstance(weights, StateDictValue):
        return None
    return event.receiver.key, weights.key


def _averaged(event: Event, trace: Trace) -> tuple[int, int] | None:
    """The same where parameters are paired one by one, and those of one side are written."""
    assert isinstance(event, ParametersPaired)
    keys = [part.key for each in event.sequences for part in each.parts]
    if len(keys) != 2 or any(part.predicate for each in event.sequences for part in each.parts):
        return None
    written = {
        part.key
        for each in trace.after(event, MethodCalled)
        if each.name in _WRITES and each.activations == event.activations
        for part in getattr(each.receiver, "parts", ())
    }
    written |= {
        part.key
        for each in trace.after(event, AttributeWritten)
        if each.attribute == "data" and each.activations == event.activations
        for part in getattr(each.receiver, "parts", ())
    }
    targets = [key for key in keys if key in written]
    if len(targets) != 1:
        return None
    return targets[0], keys[1 - keys.index(targets[0])]


def _are_twins(target: int, source: int, trace: Trace) -> bool:
    """Whether one network is a copy of the other, or of the same class."""
    one, other = trace.objects.module(target), trace.objects.module(source)
    if target == source:
        return False
    is_copy = one.origin is Origin.COPY and one.source == source
    if is_copy or one.owner_class is not None:
        return is_copy or one.owner_class == other.owner_class
    return one.origin is Origin.BUILT and one.library is not None and one.library == other.library


def _holds_both(built: OptimizerBuilt, target: int, source: int, trace: Trace) -> bool:
    """Whether an optimizer was given both networks, or a model below which they hang."""
    parts = [without_flag_tests(part) for part in built.parts]
    return built.complete and all(
        any(trace.covers(part, key, built.index) for part in parts) for key in (target, source)
    )


def _trains(built: OptimizerBuilt, target: int, sync: Event, trace: Trace) -> bool:
    """Whether the target certainly gets gradients, and steps apply them."""
    flag = trace.flag(Part(target), built.index, built.path).value
    if flag is not True and not (flag is None and _is_copied_as_passed(target, trace)):
        return False
    if any(
        trace.parts_overlap(mine, Part(target), write.index)
        for write in trace.all(FlagWritten)
        for mine in write.parts
    ):
        return False
    if not any(steps_after(trace, built, built.key)) and not is_handed_on(trace, built, built.key):
        return False
    return gets_gradients(trace, target, trace.events[-1]) or gets_gradients(trace, target, sync)


def _is_copied_as_passed(target: int, trace: Trace) -> bool:
    """Whether a target is a copy of what a class was passed, and nobody else may freeze it.

    The original trains, or the target would not be updated from it, and the copy began like it.
    """
    return trace.objects.module(target).origin is Origin.COPY and not any(
        trace.related(key, target, each.index)
        for each in trace.all(HandedOver)
        for key in each.keys
    )
