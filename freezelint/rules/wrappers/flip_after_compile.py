"""Flags are changed after the model was compiled and has run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import BackwardRan, Called, Event, FlagWritten, ForwardRan, Wrapped
from freezelint.analysis.knowledge.calls import MODULE_GUARD_SKIPS
from freezelint.analysis.knowledge.patterns import FLAG_WRITES
from freezelint.analysis.predicates import SOME
from freezelint.analysis.training import is_written_again
from freezelint.analysis.values import LibraryValue, MappingValue
from freezelint.findings import Level
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Part

_RESETS = frozenset({"torch._dynamo.reset", "torch.compiler.reset"})


class FlipAfterCompile(Rule):
    """Finds parts frozen or unfrozen after `torch.compile` has traced the model.

    What it does:
        Reports a write that changes the flags of a part of a compiled model after it has
        run, when the model is trained on. Where the guards on modules are left out
        (`guard_filter_fn=torch.compiler.skip_guard_on_all_nn_modules_unsafe` and its
        like) and the part is unfrozen, this is an error.

    Why is this bad:
        A compiled graph knows which parameters required a gradient when it was traced.
        Guards see to it that a change leads to another graph: on torch 2.15 that costs a
        compilation for each change and is right in every variant that was tried. Without
        these guards the old graph is used on, and what was unfrozen gets no gradient and
        never trains, without a message. Versions up to 2.9 are reported to do so with
        guards, too.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)

        model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
        model[0].requires_grad_(False)
        compiled = torch.compile(
            model,
            backend="aot_eager",
            options={"guard_filter_fn": torch.compiler.skip_guard_on_all_nn_modules_unsafe},
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(6):
            if epoch == 3:
                model[0].requires_grad_(True)  # expect: FZ703
            loss = nn.functional.cross_entropy(compiled(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)

        model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
        model[0].requires_grad_(False)
        compiled = torch.compile(
            model,
            backend="aot_eager",
            options={"guard_filter_fn": torch.compiler.skip_guard_on_all_nn_modules_unsafe},
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        inputs, labels = torch.randn(64, 16), torch.randint(4, (64,))
        for epoch in range(6):
            if epoch == 3:
                model[0].requires_grad_(True)
                torch.compiler.reset()
            loss = nn.functional.cross_entropy(compiled(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Flags set before the first forward pass, a reset of the compiler or another
        `torch.compile` afterwards, writes that are taken back before the next backward
        pass, flags of which the old value is not known, and models that are not trained
        on.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.compile.html
        https://github.com/pytorch/pytorch/issues/139476
        https://github.com/pytorch/pytorch/issues/100977
        https://github.com/dingo-gw/dingo/pull/407
    """

    code = "FZ703"
    name = "flip-after-compile"
    level = Level.INFO
    claims = ()
    unproven = (
        "the checker hooks all modules, and then torch.compile traces them again; in runs "
        "without it the parameters of the bad example never change, those of the good one do"
    )
    triggers = (("requires_grad",), ("compile(",), ("backward",))
    trigger_patterns = (FLAG_WRITES, (r"torch\.compile\(", r"import compile"))
    events = ("FlagWritten",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a flag that a compiled graph has taken for fixed."""
        assert isinstance(event, FlagWritten)
        if event.value is None or not event.certain or event.is_attempt:
            return
        for wrapped in trace.before(event, Wrapped):
            if wrapped.wrapper != "torch.compile" or not _has_run(trace, event, wrapped):
                continue
            backward = next(trace.after(event, BackwardRan), None)
            if backward is None or _is_traced_anew(trace, event, wrapped, backward):
                continue
            if any(_is_flipped(trace, event, part, wrapped) for part in event.parts):
                yield _report(event, wrapped, trace)
                return


def _has_run(trace: Trace, event: FlagWritten, wrapped: Wrapped) -> bool:
    return any(
        each.key == wrapped.key and each.grad_enabled is not False
        for each in trace.between(wrapped, event, ForwardRan)
    )


def _is_traced_anew(
    trace: Trace, event: FlagWritten, wrapped: Wrapped, backward: BackwardRan
) -> bool:
    """Whether the compiler is told to forget, or the write is taken back before it counts."""
    if is_written_again(trace, event, not event.value, backward.index):
        return True
    return any(each.name in _RESETS for each in trace.between(event, backward, Called)) or any(
        later.wrapper == wrapped.wrapper and trace.related(later.key, wrapped.key, later.index)
        for later in trace.after(event, Wrapped)
    )


def _is_flipped(trace: Trace, event: FlagWritten, part: Part, wrapped: Wrapped) -> bool:
    """Whether the part had the other flag when the model was traced."""
    if SOME in part.predicate:
        return False
    if trace.objects.route(wrapped.key, part.key, event.index) is None:
        return False
    return any(
        trace.flag(part, each.index, each.path).value is (not event.value)
        for each in trace.between(wrapped, event, ForwardRan)
        if each.key == wrapped.key
    )


def _report(event: FlagWritten, wrapped: Wrapped, trace: Trace) -> Report:
    word = "unfrozen" if event.value else "frozen"
    is_unguarded = event.value is True and _skips_guards(wrapped)
    effect = (
        "without guards on modules the old graph is used on, and it gets no gradient"
        if is_unguarded
        else "each such change costs a compilation, and some versions use the old graph on"
    )
    return Report(
        trace.meeting_place(event, wrapped),
        f"`{event.label}` is {word} after the compiled model has run: {effect}",
        "call `torch.compiler.reset()` afterwards, or set the flags before the first step",
        ((trace.meeting_place(wrapped, event), "compiled here"),),
        level=Level.ERROR if is_unguarded else None,
    )


def _skips_guards(wrapped: Wrapped) -> bool:
    options = wrapped.keywords.get("options")
    chosen = options.get("guard_filter_fn") if isinstance(options, MappingValue) else None
    return isinstance(chosen, LibraryValue) and chosen.name in MODULE_GUARD_SKIPS
