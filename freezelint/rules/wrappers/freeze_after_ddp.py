"""Flags are changed after the model was wrapped in DistributedDataParallel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import BackwardRan, Event, FlagWritten, Stepped, Wrapped
from freezelint.analysis.knowledge.calls import DATA_PARALLEL
from freezelint.analysis.knowledge.patterns import FLAG_WRITES
from freezelint.analysis.predicates import SOME, ConditionTest, is_total
from freezelint.analysis.trace import implies
from freezelint.analysis.training import is_written_again
from freezelint.analysis.values import Constant, Part
from freezelint.findings import Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace

_OFF = Constant(False)


class FreezeAfterDdp(Rule):
    """Finds parts of a model frozen or unfrozen after it was wrapped for several processes.

    What it does:
        Reports a write of `requires_grad` to a part of a model that
        `DistributedDataParallel` already holds: a freeze, unless the wrapper was built with
        `find_unused_parameters=True` or `static_graph=True`, and an unfreeze of what was
        frozen when it was wrapped.

    Why is this bad:
        The wrapper notes at its construction which parameters require a gradient, and
        waits for the gradients of just these. After a freeze some never arrive: in the
        first step the processes apply their own gradients without averaging them, and
        the next forward pass raises "Expected to have finished reduction in the prior
        iteration". Parameters that are unfrozen afterwards it does not know at all: each
        process trains them on its own data, and the copies drift apart without a message.

    Bad:
        import torch
        import torch.distributed as dist
        from torch import nn
        from torch.nn.parallel import DistributedDataParallel

        dist.init_process_group("gloo")
        torch.manual_seed(0)


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.backbone(x))


        model = Classifier()
        parallel = DistributedDataParallel(model)
        model.backbone.requires_grad_(False)  # expect: FZ701
        optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(parallel(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        dist.destroy_process_group()

    Good:
        import torch
        import torch.distributed as dist
        from torch import nn
        from torch.nn.parallel import DistributedDataParallel

        dist.init_process_group("gloo")
        torch.manual_seed(0)


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.backbone(x))


        model = Classifier()
        model.backbone.requires_grad_(False)
        parallel = DistributedDataParallel(model)
        optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(parallel(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        dist.destroy_process_group()

    When it is silent:
        Flags set before the wrap or before another one, wrappers that look for unused
        parameters (for a freeze), models that are frozen as a whole, as in turns of a
        GAN, parts that are switched back before the next backward pass, arguments of the
        wrapper that cannot be read, and code that is not seen to train.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html
        https://docs.pytorch.org/docs/stable/notes/ddp.html
        https://github.com/facebookresearch/ClassyVision/issues/398
        https://github.com/yoshitomo-matsubara/torchdistill/issues/205
    """

    code = "FZ701"
    name = "freeze-after-ddp"
    level = Level.ERROR
    claims = (
        Claim(
            "raises",
            error="RuntimeError: Expected to have finished reduction in the prior iteration",
        ),
    )
    processes = 2
    triggers = (("requires_grad",), ("DistributedDataParallel", "DDP"), ("backward",))
    trigger_patterns = (FLAG_WRITES,)
    events = ("FlagWritten",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a flag of which the wrapper will not hear."""
        assert isinstance(event, FlagWritten)
        if event.value is None or not event.certain or event.repeated or event.is_attempt:
            return
        for wrapped in trace.before(event, Wrapped):
            if trace.may_exclude(wrapped, event):
                continue
            if wrapped.wrapper in DATA_PARALLEL and _is_last(trace, event, wrapped):
                is_missed = _is_missed_freeze if event.value is False else _is_missed_unfreeze
                if any(is_missed(trace, event, part, wrapped) for part in event.parts):
                    yield from _report(event, wrapped, trace)
                    return


def _is_last(trace: Trace, event: FlagWritten, wrapped: Wrapped) -> bool:
    return not any(
        later.wrapper in DATA_PARALLEL and trace.related(later.key, wrapped.key, later.index)
        for later in trace.after(event, Wrapped)
    )


def _is_missed_freeze(trace: Trace, event: FlagWritten, part: Part, wrapped: Wrapped) -> bool:
    """Whether gradients that the wrapper waits for will not come, while others do."""
    if not wrapped.is_complete or any(
        wrapped.keywords.get(option, _OFF) != _OFF
        for option in ("find_unused_parameters", "static_graph")
    ):
        return False
    if part.key == wrapped.key and is_total(part.predicate):
        return False
    if trace.objects.route(wrapped.key, part.key, event.index) is None:
        return False
    if any(atom == SOME or isinstance(atom, ConditionTest) for atom in part.predicate):
        # Whichever these are, they trained when the wrapper counted, if everything did.
        return trace.flag(Part(part.key), wrapped.index, wrapped.path).value is True
    return not trace.is_frozen(part, wrapped.index, wrapped.path)


def _is_missed_unfreeze(trace: Trace, event: FlagWritten, part: Part, wrapped: Wrapped) -> bool:
    """Whether something trains from here on for which the wrapper averages nothing."""
    if not trace.related(wrapped.key, part.key, event.index):
        return False
    if SOME in part.predicate:
        # Whichever these are, none of them was counted, if everything was frozen.
        return trace.flag(Part(part.key), wrapped.index, wrapped.path).value is False
    return any(
        freeze.value is False
        and freeze.certain
        and trace.part_covers(part, piece, event.index)
        and trace.objects.route(wrapped.key, piece.key, wrapped.index) is not None
        and trace.flag(piece, wrapped.index, wrapped.path).value is False
        for freeze in trace.before(wrapped, FlagWritten)
        for piece in freeze.parts
    )


def _report(event: FlagWritten, wrapped: Wrapped, trace: Trace) -> Iterator[Report]:
    backward = next(trace.after(event, BackwardRan), None)
    if backward is None or not any(True for _ in trace.after(backward, Stepped)):
        return
    if is_written_again(trace, event, not event.value, backward.index) and not any(
        _is_for_a_later_round(write, event, backward)
        for write in trace.between(event, backward, FlagWritten)
    ):
        return
    word, effect = ("frozen", "the second forward pass raises a RuntimeError")
    if event.value:
        word, effect = ("unfrozen", "its gradients are not averaged over the processes")
    yield Report(
        trace.meeting_place(event, wrapped),
        f"`{event.label}` is {word} after the model was wrapped in DistributedDataParallel: "
        f"{effect}",
        "set the flags first, and wrap the model (again) afterwards",
        ((trace.meeting_place(wrapped, event), "wrapped here"),),
    )


def _is_for_a_later_round(write: FlagWritten, event: FlagWritten, backward: Event) -> bool:
    """Whether a flag is set back in some round of the training only, as in a schedule."""
    return (
        write.value is not event.value
        and len(write.loops) > len(event.loops)
        and not implies(backward.path, write.path)
    )
