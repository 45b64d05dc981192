"""FullyShardedDataParallel gets a model of which a part is frozen, or is frozen in part later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import BackwardRan, Called, Event, FlagWritten, Stepped
from freezelint.analysis.flat_units import (
    are_mixed_in_a_unit,
    classes_apart,
    gets_adapters,
    has_a_new_head,
    has_grown,
    is_beside_frozen,
    lies_deep_inside,
)
from freezelint.analysis.knowledge.calls import FULLY_SHARDED
from freezelint.analysis.knowledge.patterns import FLAG_WRITES
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import SOME, is_total
from freezelint.analysis.trainability import has_parameters
from freezelint.analysis.training import is_written_again
from freezelint.analysis.values import Constant, ModuleValue, Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace

_SPLITTING = ("ignored_modules", "ignored_parameters", "ignored_states")
"""Options by which not all parameters end up in one flat one."""

_BEFORE_POLICY = 4
"""Positional arguments that come before the policy."""


class FsdpMixedFlags(Rule):
    """Finds models sharded into one flat parameter although only a part of them is frozen.

    What it does:
        Reports `FullyShardedDataParallel` (FSDP1) without `use_orig_params=True`, where a
        part of the model is frozen and another that goes into the same unit is not, and a
        freeze of a part after such a wrap.

    Why is this bad:
        Without `use_orig_params=True` all parameters of a unit become one flat parameter,
        which has one flag. With both kinds of flags in it the constructor raises a
        ValueError: "Must flatten tensors with uniform `requires_grad`". After the wrap the
        submodules have no parameters of their own any more, so freezing one of them does
        nothing, without a message, and it trains on.

    Bad:
        import torch
        import torch.distributed as dist
        from torch import nn
        from torch.distributed.fsdp import FullyShardedDataParallel

        dist.init_process_group("gloo")
        torch.manual_seed(0)


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.backbone(x))


        cpu = torch.device("cpu")
        model = Classifier()
        model.backbone.requires_grad_(False)
        sharded = FullyShardedDataParallel(model, device_id=cpu)  # expect: FZ702
        optimizer = torch.optim.SGD(sharded.parameters(), lr=0.1)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(sharded(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        dist.destroy_process_group()

    Good:
        import torch
        import torch.distributed as dist
        from torch import nn
        from torch.distributed.fsdp import FullyShardedDataParallel

        dist.init_process_group("gloo")
        torch.manual_seed(0)


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.backbone(x))


        cpu = torch.device("cpu")
        model = Classifier()
        model.backbone.requires_grad_(False)
        sharded = FullyShardedDataParallel(model, device_id=cpu, use_orig_params=True)
        optimizer = torch.optim.SGD(sharded.parameters(), lr=0.1)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(sharded(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        dist.destroy_process_group()

    When it is silent:
        `use_orig_params=True`, FSDP2 (`fully_shard`), policies by which the units may be
        uniform, and those that cannot be read, parts wrapped apart, models with one flag for
        all, and parts of which the flags are not known.

    References:
        https://docs.pytorch.org/docs/stable/fsdp.html
        https://github.com/pytorch/pytorch/issues/104690
        https://github.com/pytorch/pytorch/issues/91167
        https://github.com/facebookresearch/audiocraft/issues/260
        https://github.com/huggingface/peft/issues/1702
    """

    code = "FZ702"
    name = "fsdp-mixed-flags"
    level = Level.ERROR
    claims = (
        Claim("raises", error="ValueError: Must flatten tensors with uniform `requires_grad` when"),
    )
    processes = 2
    triggers = (
        ("requires_grad", "get_peft_model"),
        ("FullyShardedDataParallel", "FSDP"),
        ("requires_grad", "arameter", "optim", "Optim", "train("),
    )
    trigger_patterns = (
        (*FLAG_WRITES, r"get_peft_model\("),
        (r"FullyShardedDataParallel[(,]", r"FSDP\w*[(,]"),
    )
    events = ("Called", "FlagWritten")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report flags that a flat parameter cannot hold, or will not hear of."""
        if event.repeated or event.is_attempt:
            return
        if isinstance(event, Called):
            yield from _check_wrap(event, trace)
        elif isinstance(event, FlagWritten) and event.value is False and event.certain:
            yield from _check_freeze(event, trace)


def _flattened(event: Called, trace: Trace) -> tuple[int, frozenset[str]] | None:
    """The module that a call flattens, if it does, and the classes that become units in it."""
    if event.name not in FULLY_SHARDED or not event.is_complete:
        return None
    if event.keywords.get("use_orig_params", Constant(False)) != Constant(False):
        return None
    nothing = Constant(None)
    if any(event.keywords.get(option, nothing) != nothing for option in _SPLITTING):
        return None
    apart = classes_apart(event.keywords.get("auto_wrap_policy", nothing))
    if apart is None or len(event.arguments) > _BEFORE_POLICY:
        return None
    module = (*event.arguments, event.keywords.get("module"))[0]
    if not isinstance(module, ModuleValue) or _has_units_inside(event, module.key, trace):
        return None
    return module.key, apart


def _has_units_inside(event: Called, key: int, trace: Trace) -> bool:
    return any(
        isinstance(each, ModuleValue) and trace.related(key, each.key, event.index)
        for other in trace.before(event, Called)
        if other.name in FULLY_SHARDED
        for each in other.arguments
    )


def _check_wrap(event: Called, trace: Trace) -> Iterator[Report]:
    flattened = _flattened(event, trace)
    if flattened is None:
        return
    key, apart = flattened
    adapters = gets_adapters(trace, event, key)
    if adapters is not None:
        yield Report(
            event.place,
            f"the adapters in `{adapters.label}` train and the rest of it is frozen: one flat "
            "parameter cannot hold both, so this raises a ValueError",
            "pass `use_orig_params=True`, or use `fully_shard` (FSDP2)",
            ((trace.meeting_place(adapters, event), "the adapters are added here"),),
        )
        return
    freeze = next(
        (
            each
            for each in trace.before(event, FlagWritten)
            if each.value is not None
            and each.certain
            and _leaves_both(each, key, apart, event, trace)
        ),
        None,
    )
    if freeze is not None:
        what = "frozen and the rest is not" if freeze.value is False else "trainable alone"
        done = "frozen" if freeze.value is False else "switched on"
        yield Report(
            event.place,
            f"`{freeze.label}` is {what}: one flat parameter cannot hold both, so this raises a "
            "ValueError",
            "pass `use_orig_params=True`, or use `fully_shard` (FSDP2)",
            ((trace.meeting_place(freeze, event), f"`{freeze.label}` is {done} here"),),
        )


def _leaves_both(
    write: FlagWritten, key: int, apart: frozenset[str], event: Called, trace: Trace
) -> bool:
    """Whether a write is why a unit holds both kinds when it is flattened."""
    for part in write.parts:
        if write.value is False and part == Part(key):
            if has_grown(trace, event, key, write, apart):
                return True
            continue
        if not _is_piece(part, key, event.index, trace):
            continue
        if trace.flag(part, event.index, event.path).value is not write.value:
            continue
        if write.value is True:
            rest_was_frozen = any(
                each.value is False and each.certain and trace.covers(mine, key, each.index)
                for each in trace.before(write, FlagWritten)
                for mine in each.parts
            )
            if rest_was_frozen and is_beside_frozen(trace, event, key, part, apart):
                return True
        elif (
            are_mixed_in_a_unit(trace, event, key, part, apart)
            if apart
            else _has_trainable_rest(part, key, event, trace)
        ):
            return True
    return False


def _is_piece(part: Part, key: int, at: int, trace: Trace) -> bool:
    """Whether a part is inside of a module, and is not all of it."""
    if SOME in part.predicate or all(
        trace.objects.route(key, each, at) is None for each in trace.objects.sources(part.key, at)
    ):
        return False
    return part.key != key or not is_total(part.predicate)


def _has_trainable_rest(part: Part, key: int, event: Called, trace: Trace) -> bool:
    """Whether something else in a module certainly is trainable."""
    module = trace.objects.module(key)
    if any(
        has_parameters(trace, held, event.index)
        and trace.flag(Part(held), event.index, event.path).value is True
        for held in trace.objects.held_by(key, event.index)
    ):
        return True
    if are_mixed_in_a_unit(trace, event, key, part, frozenset()) or any(
        write.place.node is freeze.place.node and write.value is True
        for freeze in trace.before(event, FlagWritten)
        if freeze.value is False and part in freeze.parts
        for write in trace.before(event, FlagWritten)
    ):
        return True
    is_whole_in_sight = module.origin is Origin.BUILT and module.flag_at_birth is True
    is_known = (module.library or "").startswith("torchvision.") or has_a_new_head(module)
    if not is_whole_in_sight or not (is_known or lies_deep_inside(trace, part.key, module)):
        return False
    # Of a model that is known to have several parts, one was frozen, and nothing else.
    writes = [
        each
        for each in trace.before(event, FlagWritten)
        if any(trace.overlaps(mine, key, each.index) for mine in each.parts)
    ]
    return all(part in each.parts and each.place == writes[0].place for each in writes)


def _check_freeze(event: FlagWritten, trace: Trace) -> Iterator[Report]:
    for wrap in trace.before(event, Called):
        flattened = _flattened(wrap, trace)
        if flattened is None or not any(
            _is_piece(part, flattened[0], wrap.index, trace) for part in event.parts
        ):
            continue
        backward = next(trace.after(event, BackwardRan), None)
        if backward is None or not any(True for _ in trace.after(backward, Stepped)):
            continue
        if is_written_again(trace, event, True, backward.index):
            continue
        yield Report(
            trace.meeting_place(event, wrap),
            f"after the wrap `{event.label}` has no parameters of its own: the freeze does "
            "nothing, and it trains on",
            "pass `use_orig_params=True` to the wrapper, or use `fully_shard` (FSDP2)",
            ((trace.meeting_place(wrap, event), "made one flat parameter here"),),
            about=About((event.label,), shows=("moves",)),
        )
        return
