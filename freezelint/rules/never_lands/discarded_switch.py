"""A statement looks like a switch and does nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import ContextEntered, Event, ExpressionDiscarded, FlagWritten
from freezelint.analysis.knowledge.calls import GRAD_SWITCHES
from freezelint.analysis.search import STATEMENT_BEGINS, LinePattern
from freezelint.analysis.values import (
    BoundMethod,
    ElementsValue,
    LibraryInstance,
    LibraryValue,
    ModuleValue,
    ParameterValue,
    SequenceValue,
    TensorKind,
    TensorValue,
    Unknown,
)
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace
    from freezelint.findings import Fix

_SWITCHES = frozenset({"eval", "train", "requires_grad_", "detach"})


_SWITCHED_BY = ("no_grad", "inference_mode", "enable_grad")

_ENDS = ("\n", " ", ";")
"""What follows the end of a statement; most files have none of these behind a switch."""


class DiscardedSwitch(Rule):
    """Finds a statement that looks like a switch and does nothing.

    What it does:
        Reports `torch.no_grad()`, `torch.inference_mode()` and `torch.enable_grad()`
        as statements without `with`; `model.eval`, `model.train` and
        `x.requires_grad_` without a call; `p.detach()` whose result is dropped; a `map` or
        generator that would set flags if somebody went over it; and
        `with torch.no_grad:` without a call.

    Why is this bad:
        A context manager acts only in a `with`, a method only when it is called, and
        `detach()` only through its result. The line is evaluated and forgotten:
        gradients flow, Dropout stays active, and nothing is said. Only `with
        torch.no_grad:` stops, with a TypeError.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)

        encoder = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.2))
        head = nn.Linear(32, 4)
        optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))

        encoder.eval  # expect: FZ110
        for epoch in range(3):
            torch.no_grad()  # expect: FZ110
            features = encoder(inputs)
            loss = nn.functional.cross_entropy(head(features), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)

        encoder = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.2))
        head = nn.Linear(32, 4)
        optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=1e-3)
        inputs, targets = torch.randn(64, 16), torch.randint(4, (64,))

        encoder.eval()
        for epoch in range(3):
            with torch.no_grad():
                features = encoder(inputs)
            loss = nn.functional.cross_entropy(head(features), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Context managers that are assigned, returned, chosen by a condition, passed to
        `enter_context` or used as decorators (with or without a call),
        `torch.set_grad_enabled(...)`, which acts at once, `detach_()`, which works in
        place, and the last expression of a notebook cell.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval
        https://docs.pytorch.org/docs/stable/generated/torch.Tensor.detach.html
        https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix/issues/822
    """

    code = "FZ110"
    name = "discarded-switch"
    level = Level.ERROR
    claims = (
        Claim("moves", "encoder.*"),
        Claim("differs", "encoder.*"),
    )
    triggers = (
        (
            *("no_grad", "inference_mode", "enable_grad"),
            *(".eval", ".train", "requires_grad", ".detach()"),
        ),
    )
    trigger_patterns = (
        (
            *(
                LinePattern(f"{name}{end}", rf"{STATEMENT_BEGINS}[\w.]*{name}(?:\(\))?[ \t]*[\n#;]")
                for name in _SWITCHED_BY
                for end in (*_ENDS, *(f"(){end}" for end in _ENDS))
            ),
            *(
                LinePattern(f"{name}{end}", rf"[^\n]*\bwith\b[^\n]*\b{name}\s*:")
                for name in _SWITCHED_BY
                for end in (":", " :")
            ),
            *(rf"= torch\.{name}[ \t]*[\n#;]" for name in _SWITCHED_BY),
            *(
                LinePattern(
                    f"{name}{end}",
                    rf"{STATEMENT_BEGINS}(?!return\b)[^\n=#\"']*\{name}[ \t]*[\n#;]",
                )
                for name in (".eval", ".train", ".requires_grad_", ".detach")
                for end in _ENDS
            ),
            r"\.eval for ",
            r"\.train for ",
            r"\.requires_grad_ for ",
            LinePattern(
                ".detach()",
                rf"{STATEMENT_BEGINS}\w[\w.]*(?:\[[^\]\n]*\])?\.detach\(\)[ \t]*[\n#;]",
            ),
            LinePattern("map(", rf"{STATEMENT_BEGINS}map\([^\n]*requires_grad"),
            LinePattern(
                "requires_grad_(",
                rf"{STATEMENT_BEGINS}\([\w.]+\.requires_grad_\([^()\n]*\) for ",
            ),
        ),
    )
    is_local = True
    fix = "safe"
    events = ("ExpressionDiscarded", "ContextEntered")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a switch that is named and not thrown."""
        if isinstance(event, ContextEntered):
            if isinstance(event.value, LibraryValue) and event.value.name in GRAD_SWITCHES:
                yield Report(
                    event.place,
                    f"`{event.place.code}` is a class, not a context: `with` raises a TypeError",
                    f"write `with {event.place.code}():`",
                    fix=_called(event),
                )
            return
        assert isinstance(event, ExpressionDiscarded)
        if not event.is_last:
            yield from self._check_statement(event, trace)

    def _check_statement(self, event: ExpressionDiscarded, trace: Trace) -> Iterator[Report]:
        value = event.value
        code = event.place.code
        if isinstance(value, (SequenceValue, ElementsValue)) and code.startswith("["):
            yield from _check_list(event, value)
        elif _never_runs(event):
            yield Report(
                event.place,
                "nothing goes over this iterator, so no flag is set",
                "write a loop over the parameters",
            )
        elif isinstance(value, (LibraryInstance, LibraryValue)) and value.name in GRAD_SWITCHES:
            call = code if code.endswith(")") else f"{code}()"
            yield Report(
                event.place,
                f"`{code}` is built and dropped: gradients are recorded as before",
                f"write `with {call}:` around the code it is meant for",
            )
        elif (method := _method_named(event, trace)) is not None:
            argument = "False" if method == "requires_grad_" else ""
            call = f"{code}({argument})"
            yield Report(
                event.place,
                f"`{code}` names the method and does not call it: nothing happens",
                f"use the result of `{call}`" if method == "detach" else f"write `{call}`",
                fix=_fix(event, method),
                about=_about(code.rpartition(".")[0], method),
            )
        elif (
            isinstance(value, TensorValue)
            and value.kind is TensorKind.TEMPORARY
            and code.endswith(".detach()")
            and not _is_frozen_after(event, value, trace)
        ):
            yield Report(
                event.place,
                f"`{code}` returns a new tensor, and this one is dropped: nothing is detached",
                f"use the result, or write `{code.removesuffix('()')}_()`",
            )


def _never_runs(event: ExpressionDiscarded) -> bool:
    """Whether a lazy iterator over parameters is made for what it would do to them."""
    from libcst import Call, GeneratorExp, Lambda

    node = event.expression
    if isinstance(node, GeneratorExp):
        done: object = node.elt
    elif isinstance(node, Call) and event.place.chunk.code(node.func) == "map" and node.args:
        function = node.args[0].value
        done = function.body if isinstance(function, Lambda) else None
    else:
        return False
    if not isinstance(done, Call):
        return False
    return "requires_grad" in event.place.chunk.code(done)


def _check_list(
    event: ExpressionDiscarded, value: SequenceValue | ElementsValue
) -> Iterator[Report]:
    """Report a list of methods that is made for what they would do if they were called."""
    made = value.items if isinstance(value, SequenceValue) else (value.element,)
    names = {each.name for each in made if isinstance(each, BoundMethod) and _is_switch(each)}
    element = event.place.code[1:].partition(" for ")[0]
    if len(names) == 1 and element.endswith(f".{next(iter(names))}"):
        yield Report(
            event.place,
            f"`{element}` names the method of each and calls none: nothing happens",
            f"write `{element}(...)`",
        )


def _method_named(event: ExpressionDiscarded, trace: Trace) -> str | None:
    """The switch that a statement names without a call; None where it names something else."""
    if isinstance(event.value, BoundMethod):
        return event.value.name if _is_switch(event.value) else None
    if not isinstance(event.value, Unknown):
        return None
    receiver, _, name = event.place.code.rpartition(".")
    if not re.fullmatch(r"[\w.]+", receiver) or name not in _SWITCHES:
        return None
    # Only torch has the one name; of the others, what else is called tells of what they are.
    called = rf"(?<![\w.]){re.escape(receiver)}\.(?:{_OF_MODULES})\("
    is_torch = name == "requires_grad_" or re.search(called, trace.file.text) is not None
    return name if is_torch and name != "detach" else None


_OF_MODULES = "train|eval|parameters|named_parameters|state_dict|load_state_dict|requires_grad_"


def _is_switch(method: BoundMethod) -> bool:
    is_torch = isinstance(method.receiver, (ModuleValue, ParameterValue, TensorValue))
    return method.name in _SWITCHES and is_torch


def _called(event: Event) -> Fix | None:
    from freezelint.analysis import edits

    return edits.fixed("call it", edits.called(event.place, event.place.node), is_safe=True)


def _fix(event: ExpressionDiscarded, method: str) -> Fix | None:
    from freezelint.analysis import edits

    if edits.expression_statement(event.place) is None or method == "detach":
        # To call that is not enough: its result has to be taken.
        return None
    if method == "requires_grad_":
        # Whether on or off was meant is not said; somebody who freezes writes this.
        frozen = edits.called(event.place, event.place.node, "False")
        return edits.fixed("call it with `False`", frozen, is_safe=False)
    return _called(event)


def _is_frozen_after(event: Event, value: TensorValue, trace: Trace) -> bool:
    """Whether the flag of the same parameters is cleared anyway, as some EMA code does."""
    return any(
        later.value is False and any(part in later.parts for part in value.parts)
        for later in trace.after(event, FlagWritten)
    )


def _about(receiver: str, switch: str) -> About | None:
    """What a switch would have kept from happening."""
    if switch == "requires_grad_":
        return About((receiver,), shows=("moves",))
    return About((receiver,), shows=("differs", "drifts")) if switch == "eval" else None
