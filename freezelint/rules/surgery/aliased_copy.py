"""What is meant to be a copy of a network is the network itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    Aliased,
    AttributeWritten,
    Event,
    IteratorConsumed,
    MethodCalled,
    ParametersPaired,
)
from freezelint.analysis.kept_models import trains_on
from freezelint.analysis.knowledge.modules import MODULE_ITERATORS
from freezelint.analysis.knowledge.patterns import (
    FLAG_WRITES,
    OPTIMIZER_CONSTRUCTIONS,
    OPTIMIZER_WORDS,
)
from freezelint.analysis.search import LinePattern
from freezelint.analysis.second_names import compared_with_itself, frozen_apart
from freezelint.analysis.values import ModuleValue, ParameterValue, StateDictValue, TensorValue
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.syntax import Place
    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Value
    from freezelint.findings import Fix

_COPYING = frozenset({"copy_", "lerp_", "mul_", "add_"})
"""Methods with which one parameter takes over the values of another, or some of them."""

_FIRST = r"[\w.]+\.(?:named_)?parameters\(\),"
_WRITTEN = r"(?:[^\n]*\n){1,12}?[^\n]*(?:\.data\b|copy_\(|lerp_?\(|mul_\(|add_\(|sub_\(|set_\()"

_COPIED_OVER = (
    r"load_state_dict\([\w.]+\.state_dict\(\)",
    LinePattern("parameters(),", rf"[^\n]*zip\([ \t]*{_FIRST}{_WRITTEN}"),
    LinePattern("zip(\n", rf"[^\n]*zip\(\n[ \t]*{_FIRST}{_WRITTEN}"),
)
"""Copies of all weights, or a loop that may make one."""

_SECOND_NAMES = tuple(
    rf"{word}\w* = (?!{word})[\w.]+(?:\.\w+\([^()\n]*\))*[ \t]*(?:#.*)?\n"
    for word in ("target", "teacher", "ref", "old", "ema", "frozen", "prior", "anchor", "previous")
)
"""What makes it worth looking for a second name where nothing is frozen or copied."""

_MODELS = r"(?:model|net|network|policy|agent|actor|encoder|classifier|student|gnn|mlp)"

_BEST_MODEL = (
    rf"best_?{_MODELS}\w* = (?!None|best)[a-z][\w.]*(?:\.(?:eval|cpu|to|cuda|train)\([^()\n]*\))?"
    r"[ \t]*(?:#.*)?\n"
)

_BEST_MODELS = (
    _BEST_MODEL,
    rf"best\w*\[[\"']{_MODELS}[\"']\] = (?!None|best)[a-z][\w.]*[ \t]*(?:#.*)?\n",
    # One of several names at once.
    rf"best_?{_MODELS}\w*(?:, \w+)* = [^\n]*, (?:self\.)?{_MODELS}(?:,|[ \t]*(?:#.*)?\n)",
    rf"best_?{_MODELS}\w*, [\w, ]* = (?:self\.)?{_MODELS}, ",
)
"""Names for the model at its best, without a copy."""

_RECORDS = tuple(
    LinePattern(
        sign,
        rf"[ \t]{{4,}}(?:el)?if [^\n]*{sign}[^\n]*:[ \t]*(?:#.*)?\n(?:[^\n]*\n){{0,4}}?[ \t]+"
        rf"(?!(?:self\.)?(\w+) = (?:self\.)?\1)[\w.\[\]\"']+ = (?:self\.)?{_MODELS}\w*"
        r"(?:\.(?:eval|cpu|to|cuda|train)\([^()\n]*\))?[ \t]*(?:#.*)?\n",
    )
    for sign in (" > ", " < ", " >= ", " <= ")
)
"""The same, whatever the name: it is given below a comparison."""


class AliasedCopy(Rule):
    """Finds a target network that is the trained network itself.

    What it does:
        Reports two names that hold one and the same module, where the weights of the
        one are copied or averaged into the other (by `load_state_dict`, or by a loop
        over the parameters of both), where the one is frozen and an optimizer trains
        the other, where a step of training compares the one with what the other
        gives under `no_grad`, or where a loop keeps its best model by a second name and
        trains on.

    Why is this bad:
        An assignment makes no copy, `.to()`, `.cuda()`, `.eval()` and `.train()` of a
        module return the module itself, and `copy.copy` shares all parameters. The target moves with every step of the
        network that it should lag behind, and to copy weights onto themselves does
        nothing, without a message.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)

        network = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
        policy = network.to("cpu")
        target = network.to("cpu")  # expect: FZ604
        target.load_state_dict(policy.state_dict())

        optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
        states, actions, rewards = torch.randn(64, 4), torch.randint(2, (64, 1)), torch.randn(64)
        for step in range(3):
            with torch.no_grad():
                returns = rewards + 0.9 * target(states).amax(1)
            values = policy(states).gather(1, actions).squeeze(1)
            loss = nn.functional.smooth_l1_loss(values, returns)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import copy

        import torch
        from torch import nn

        torch.manual_seed(0)

        network = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
        policy = network.to("cpu")
        target = copy.deepcopy(policy)
        target.load_state_dict(policy.state_dict())

        optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
        states, actions, rewards = torch.randn(64, 4), torch.randint(2, (64, 1)), torch.randn(64)
        for step in range(3):
            with torch.no_grad():
                returns = rewards + 0.9 * target(states).amax(1)
            values = policy(states).gather(1, actions).squeeze(1)
            loss = nn.functional.smooth_l1_loss(values, returns)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Networks that share weights on purpose (siamese networks, tied encoders) and so
        are never copied onto each other, second names for convenience
        (`net = model.module`), deep copies, and networks that are built twice.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.to
        https://docs.python.org/3/library/copy.html#copy.deepcopy
        https://github.com/datawhalechina/easy-rl/issues/140
        https://github.com/higgsfield/RL-Adventure/issues/32
    """

    code = "FZ604"
    name = "aliased-copy"
    level = Level.ERROR
    claims = (Claim("moves", "target.*"),)
    triggers = (
        ("load_state_dict(", "zip(", "requires_grad", "no_grad"),
        ("parameters(", *OPTIMIZER_WORDS),
    )
    trigger_patterns = (
        (*_COPIED_OVER, *FLAG_WRITES, *_SECOND_NAMES, *_BEST_MODELS, *_RECORDS),
        (*_COPIED_OVER, *OPTIMIZER_CONSTRUCTIONS),
        (*_COPIED_OVER, r"\.step\("),
    )
    fix = "unsafe"
    events = ("MethodCalled", "AttributeWritten", "Aliased")

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a module whose weights are copied onto themselves under another name."""
        if isinstance(event, Aliased):
            yield from _used_as_another(trace, event)
            return
        if isinstance(event, MethodCalled):
            if event.name == "load_state_dict":
                pair = _loaded(event, trace)
            elif event.name in _COPYING:
                pair = _looped_over(event, event.receiver, trace)
            else:
                return
        elif isinstance(event, AttributeWritten) and event.attribute == "data":
            pair = _looped_over(event, event.receiver, trace)
        else:
            return
        if pair is None or event.repeated:
            return
        first, second = pair
        alias = _alias(trace, first, second)
        where = event.place if alias is None else trace.meeting_place(event, alias)
        yield Report(
            where if alias is None else alias.place,
            f"`{first.label}` and `{second.label}` are one module: what trains the one changes "
            "the other, and its weights are copied onto themselves",
            "make the second one with `copy.deepcopy`",
            () if alias is None else ((where, "copied onto themselves here"),),
            fix=None if alias is None else _fix(alias, trace),
            about=About(tuple(filter(None, (second.label, first.label)))),
        )


def _fix(alias: Aliased, trace: Trace) -> Fix | None:
    """Copy where the second name is given, if the file knows how to."""
    from freezelint.analysis import edits

    known = {dotted: name for name, dotted in trace.file.imports.items()}
    module, function = known.get("copy"), known.get("copy.deepcopy")
    copying = function or (None if module is None else f"{module}.deepcopy")
    value = edits.assigned_value(alias.place)
    if copying is None or value is None:
        return None
    return edits.fixed(
        "make a deep copy", edits.wrapped(alias.place, value, copying), is_safe=False
    )


def _used_as_another(trace: Trace, alias: Aliased) -> Iterator[Report]:
    """Report a second name for what one name is to keep still and the other trains."""
    if alias.repeated:
        return
    frozen = frozen_apart(trace, alias)
    compared = compared_with_itself(trace, alias) if frozen is None else None
    first, second = alias.name, alias.other
    evidence: tuple[tuple[Place, str], ...]
    if frozen is not None:
        what = "the freeze is for both, and for the optimizer that trains it"
        evidence = (
            (trace.meeting_place(frozen[0], alias), "frozen here"),
            (trace.meeting_place(frozen[1], alias), "the optimizer gets the same parameters"),
        )
    elif compared is not None:
        what = "what trains the one changes the other"
        evidence = (
            (trace.meeting_place(compared[0], alias), "without gradients here"),
            (trace.meeting_place(compared[1], alias), "trained here"),
        )
    else:
        step = trains_on(trace, alias)
        if step is None:
            return
        what = "what was the best goes on to change with every step"
        evidence = ((trace.meeting_place(step, alias), "trained here"),)
    yield Report(
        alias.place,
        f"`{first}` and `{second}` are one module: {what}",
        "make the second one with `copy.deepcopy`",
        evidence,
        fix=_fix(alias, trace),
    )


def _loaded(event: MethodCalled, trace: Trace) -> tuple[MethodCalled, MethodCalled] | None:
    """The two calls in ``target.load_state_dict(policy.state_dict())`` if both are one module."""
    state = event.arguments[0] if event.arguments else None
    saved = trace.events[event.index - 1]
    if not isinstance(state, StateDictValue) or not isinstance(saved, MethodCalled):
        return None
    if saved.name != "state_dict" or not _is_one_module(event, saved):
        return None
    return event, saved


def _looped_over(
    event: Event, receiver: Value, trace: Trace
) -> tuple[MethodCalled, MethodCalled] | None:
    """The two calls of ``parameters()`` in the ``zip`` whose loop an event happens in."""
    if not isinstance(receiver, (ParameterValue, TensorValue)) or not receiver.parts:
        return None
    for second in trace.before(event, MethodCalled):
        if second.name not in MODULE_ITERATORS:
            continue
        first = trace.events[second.index - 1]
        later = trace.events[second.index + 1 : second.index + 4]
        used_up = [each for each in later if not isinstance(each, ParametersPaired)][:2]
        if not isinstance(first, MethodCalled) or first.name not in MODULE_ITERATORS:
            return None
        if len(used_up) < 2 or not all(isinstance(each, IteratorConsumed) for each in used_up):
            return None
        is_written = any(
            isinstance(first.receiver, ModuleValue) and part.key == first.receiver.key
            for part in receiver.parts
        )
        return (first, second) if is_written and _is_one_module(first, second) else None
    return None


def _is_one_module(first: MethodCalled, second: MethodCalled) -> bool:
    """Whether two names hold the same module, and neither is the way to the other."""
    if not isinstance(first.receiver, ModuleValue) or first.receiver != second.receiver:
        return False
    one, other = f"{first.label}.", f"{second.label}."
    return not one.startswith(other) and not other.startswith(one)


def _alias(trace: Trace, first: MethodCalled, second: MethodCalled) -> Aliased | None:
    """Where the module got its second name; if there are more, the one that is used here."""
    assert isinstance(first.receiver, ModuleValue)
    aliases = [each for each in trace.before(first, Aliased) if each.key == first.receiver.key]
    used = [each for each in aliases if each.name in (first.label, second.label)]
    return next(iter(used or aliases), None)
