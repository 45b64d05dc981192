"""A trainable block is checkpointed the reentrant way, and no input of it needs a gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import BackwardRan, Called, Event, MethodCalled
from freezelint.analysis.gradients import needs_no_gradient
from freezelint.analysis.knowledge.modules import FORWARD_HOOKS
from freezelint.analysis.knowledge.patterns import OPTIMIZER_WORDS
from freezelint.analysis.objects import Origin
from freezelint.analysis.trainability import is_known_to_have_parameters
from freezelint.analysis.values import Constant, ModuleValue, Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.findings import Fix

_CHECKPOINTS = {
    "torch.utils.checkpoint.checkpoint": 1,
    "torch.utils.checkpoint.checkpoint_sequential": 2,
}
"""Each function, and the position of the first input that the block gets."""

_HOOKS = FORWARD_HOOKS | {"enable_input_require_grads"}
"""Methods by which inputs may be made to require a gradient."""


class ReentrantCheckpointFrozenInput(Rule):
    """Finds checkpointed blocks that get no gradient because their input needs none.

    What it does:
        Reports `checkpoint(block, x)` and `checkpoint_sequential` in their reentrant form,
        which `use_reentrant=True` asks for and which is the default up to torch 2.15,
        where the block is trainable and no input requires a gradient: data, features
        computed under `no_grad`, or the output of a frozen layer.

    Why is this bad:
        Reentrant checkpointing runs the block without a graph and decides by its inputs
        whether to differentiate it. If none of them requires a gradient, neither does
        the output, and every parameter in the block is left without one. There is only
        a warning ("None of the inputs have requires_grad=True"), as long as something
        else trains. Adapters in the blocks of a model with frozen embeddings are lost
        this way.

    Bad:
        import torch
        from torch import nn
        from torch.utils.checkpoint import checkpoint

        torch.manual_seed(0)

        words = nn.Embedding(100, 16)
        words.requires_grad_(False)
        block = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
        head = nn.Linear(16, 4)
        optimizer = torch.optim.SGD([*block.parameters(), *head.parameters()], lr=0.1)
        tokens, labels = torch.randint(100, (64,)), torch.randint(4, (64,))
        for epoch in range(3):
            hidden = checkpoint(block, words(tokens), use_reentrant=True)  # expect: FZ504
            loss = nn.functional.cross_entropy(head(hidden), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn
        from torch.utils.checkpoint import checkpoint

        torch.manual_seed(0)

        words = nn.Embedding(100, 16)
        words.requires_grad_(False)
        block = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
        head = nn.Linear(16, 4)
        optimizer = torch.optim.SGD([*block.parameters(), *head.parameters()], lr=0.1)
        tokens, labels = torch.randint(100, (64,)), torch.randint(4, (64,))
        for epoch in range(3):
            hidden = checkpoint(block, words(tokens), use_reentrant=False)
            loss = nn.functional.cross_entropy(head(hidden), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        `use_reentrant=False`, inputs that require a gradient, may require one, or are
        made to by a hook, blocks that are frozen or of which that is not known, the last
        segment of `checkpoint_sequential`, code without gradients, and code that is not
        seen to train.

    References:
        https://docs.pytorch.org/docs/stable/checkpoint.html
        https://github.com/locuslab/open-unlearning/issues/178
        https://github.com/huggingface/peft/issues/137
        https://github.com/huggingface/diffusers/issues/5016
        https://github.com/microsoft/LoRA/issues/120
    """

    code = "FZ504"
    name = "reentrant-checkpoint-frozen-input"
    level = Level.ERROR
    claims = (Claim("cut", "block.*"), Claim("dead", "block.*"))
    triggers = (("checkpoint",), ("backward", "training_step"), ("step(", *OPTIMIZER_WORDS))
    trigger_patterns = (
        (
            r"checkpoint\((?<!\wcheckpoint\()",
            r"checkpoint_sequential\(",
            r"partial\([\w.]*checkpoint",
        ),
        (r"backward\((?<!def backward\()", r"training_step\("),
    )
    fix = "unsafe"
    events = ("Called",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a checkpointed block that would train if its input required a gradient."""
        assert isinstance(event, Called)
        first = _CHECKPOINTS.get(event.name)
        if first is None or event.grad_enabled is not True or event.is_attempt:
            return
        inputs = event.arguments[first:]
        asked = event.keywords.get("use_reentrant", Constant(True))
        if asked != Constant(True) or not inputs or event.repeated or trace.makes_leaves:
            return
        block = event.arguments[0]
        if not isinstance(block, ModuleValue) or not _trains(trace, block.key, event):
            return
        if not all(needs_no_gradient(trace, each, event) for each in inputs):
            return
        for backward in trace.after(event, BackwardRan):
            yield _report(event, backward, block.key, trace)
            return


def _trains(trace: Trace, key: int, event: Event) -> bool:
    """Whether a block certainly has trainable parameters, and nobody put a hook near it."""
    if any(call.name in _HOOKS for call in trace.all(MethodCalled)):
        return False
    parts = trace.objects.parts_of(key)
    if all(
        trace.flag(part, event.index, event.path).value is True
        and (is_known_to_have_parameters(trace, part.key, event.index) or part.predicate)
        for part in parts
    ):
        return True
    # Perhaps only a piece of it trains, such as an adapter.
    return any(
        _is_trainable(trace, piece, event)
        for part in parts
        for piece in _pieces(trace, part.key, event.index)
    )


def _pieces(trace: Trace, key: int, at: int) -> Iterator[int]:
    trace.look_inside(key)
    for held in trace.objects.held_by(key, at):
        yield held
        yield from _pieces(trace, held, at)


def _is_trainable(trace: Trace, key: int, event: Event) -> bool:
    is_parameter = trace.objects.module(key).origin is Origin.PARAMETER
    return (is_parameter or is_known_to_have_parameters(trace, key, event.index)) and (
        trace.flag(Part(key), event.index, event.path).value is True
    )


def _report(event: Called, backward: BackwardRan, key: int, trace: Trace) -> Report:
    label = trace.objects.label(key)
    form = "" if "use_reentrant" in event.keywords else " (the default)"
    return Report(
        event.place,
        f"no input of `{label}` requires a gradient, so reentrant checkpointing{form} leaves its "
        "parameters without one",
        "pass `use_reentrant=False`",
        ((backward.place, "differentiated here"),),
        fix=_fix(event),
        about=About((label,)),
    )


def _fix(event: Called) -> Fix | None:
    from freezelint.analysis import edits

    edit = edits.keyword_added(event.place, "use_reentrant", "False")
    return edits.fixed("pass `use_reentrant=False`", edit, is_safe=False)
