"""What a trace tells about gradients that never arrive: where a graph is cut on all ways."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import (
    Borrowed,
    Called,
    ContextEntered,
    DataRead,
    Event,
    FlagWritten,
    ForwardRan,
    HandedOver,
    MethodCalled,
    OutputDetached,
)
from freezelint.analysis.knowledge.calls import GRAD_SWITCHES
from freezelint.analysis.knowledge.modules import (
    HARMLESS_MODULE_METHODS,
    MODULE_ITERATORS,
    SAME_MODULE_METHODS,
    SUBMODULE_ITERATORS,
)
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import SOME
from freezelint.analysis.tensors import (
    cut_sources,
    graph_sources,
    operands_in,
    sources_of,
    tensors_in,
)
from freezelint.analysis.training import may_be_unknown
from freezelint.analysis.values import (
    LibraryInstance,
    ModuleValue,
    ParameterValue,
    Part,
    TensorValue,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.syntax import Place
    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Value

WITHOUT_FORWARD = (
    HARMLESS_MODULE_METHODS
    | SAME_MODULE_METHODS
    | frozenset(MODULE_ITERATORS)
    | frozenset(SUBMODULE_ITERATORS)
    | {"forward", "append", "extend", "insert", "add_module", "get_submodule"}
) - {"generate"}
"""Methods of a module that do not compute anything with it."""

_KNOWN_BY_THEMSELVES = (
    Origin.BUILT,
    Origin.OWN_CLASS,
    Origin.COPY,
    Origin.DERIVED,
    Origin.CHILD,
    Origin.GIVEN,
    Origin.PARAMETER,
)


def is_never_reached(trace: Trace, key: int, at: int) -> bool:
    """Whether no gradient can reach a module, from anything that the code in sight computes.

    Each of its forward passes runs without gradients, or its output is cut off, unread
    before. Where something may use the module out of sight, the answer is no.
    """
    module = trace.objects.module(key)
    if module.origin not in _KNOWN_BY_THEMSELVES or not module.proof or module.is_subject:
        return False
    if trace.open_ends.get(key, 0) != 0:
        return False
    if (
        module.origin is Origin.PARAMETER
        and module.place is None
        and not is_only_copied(trace, key)
    ):
        # One of a layer, which may run out of sight.
        return False
    if any(trace.related(each, key, at) for each in trace.computed_with):
        return False
    if any(
        not each.is_over and _is_concerned(trace, each.keys, key, at)
        for each in trace.all(HandedOver)
    ):
        return False
    if any(
        each.grad_enabled is not False and _is_concerned(trace, each.keys, key, at)
        for each in trace.all(Borrowed)
    ):
        return False
    if any(_may_compute(trace, each, key, at) for each in trace.all(MethodCalled)):
        return False
    if _has_weights_in_use(trace, key, at):
        return False
    return all(
        forward.grad_enabled is False or _is_cut_off(trace, forward, key, at)
        for forward in trace.all(ForwardRan)
    )


def _is_concerned(trace: Trace, keys: tuple[int, ...], key: int, at: int) -> bool:
    return any(
        trace.related(part.key, key, at) for each in keys for part in trace.objects.parts_of(each)
    )


def _may_compute(trace: Trace, call: MethodCalled, key: int, at: int) -> bool:
    """Whether a method of unknown code may run the module with gradients on."""
    return (
        call.grad_enabled is not False
        and isinstance(call.receiver, ModuleValue)
        and call.name not in WITHOUT_FORWARD
        and _is_concerned(trace, (call.receiver.key,), key, at)
    )


def _has_weights_in_use(trace: Trace, key: int, at: int) -> bool:
    """Whether the code mentions a parameter below the module, and may compute with it."""
    return any(
        module.origin is Origin.PARAMETER and module.attachments[0].since < 0
        for held in _below(trace, key, at)
        if (module := trace.objects.module(held)).attachments
    )


def _below(trace: Trace, key: int, at: int) -> Iterator[int]:
    for held in trace.objects.held_by(key, at):
        yield held
        yield from _below(trace, held, at)


def _is_cut_off(trace: Trace, forward: ForwardRan, key: int, at: int) -> bool:
    """Whether a forward pass with gradients on leaves no way back to the module.

    Of its own passes, every end of the graph is counted.
    """
    if forward.key == key:
        return True
    if forward.is_followed and forward.key in trace.objects.holders(key, at):
        # Whatever it does with the module is in the trace, too.
        return True
    if _is_inside(trace, forward, key):
        return True
    if any(key in sources_of(each) for each in tensors_in(forward.arguments)):
        # It works on the module's output; whether that has a graph is asked of the module.
        return not _is_concerned(trace, (forward.key,), key, at)
    return not _may_hold(trace, forward.key, key, at)


def _is_inside(trace: Trace, forward: ForwardRan, key: int) -> bool:
    """Whether a forward pass is a piece of one of the module itself."""
    return any(whole.key == key and whole.place in forward.stack for whole in trace.all(ForwardRan))


def _may_hold(trace: Trace, other: int, key: int, at: int) -> bool:
    """Whether a module may run another one in its forward pass."""
    if _is_concerned(trace, (other,), key, at):
        return True
    own = trace.objects.module(key)
    if own.origin is Origin.PARAMETER and not own.attachments:
        # A variable of its own.
        return False
    module = trace.objects.module(other)
    if module.origin is Origin.OWN_CLASS:
        return module.unfinished is not None
    if module.origin is Origin.JOINED:
        return any(_may_hold(trace, each, key, at) for each in module.alternatives)
    return module.origin is Origin.GIVEN and module.parent is None


def is_only_copied(trace: Trace, key: int) -> bool:
    """Whether the file reads a parameter of a class of its own as ``.data`` and in no other way.

    Judged by the text, since not every method is run: it is mentioned where it is made, or with
    its layer, and where its values are taken out of the graph; nobody writes it.
    """
    module = trace.objects.module(key)
    steps: list[str] = []
    while len(steps) < 2 and module.attachments:
        steps.insert(0, module.attachments[0].attribute)
        module = trace.objects.module(module.attachments[0].parent)
        if module.origin is not Origin.BUILT:
            break
    if module.owner_class is None or not steps:
        return False
    name, *rest = map(re.escape, steps)
    taken = "".join(rf"\.{step}" for step in rest)
    made = rf"\bself\.{name}[ \t]*(?::[^=\n]+)?=(?!=)"
    copied = (
        rf"\.{name}{taken}\.(?:data\b(?!\.\w+_\(|\[|[ \t]*[-+*/@]?=(?!=))|detach\(\)(?!\.\w+_\())"
    )
    mentions = re.findall(rf"{made}|({copied})|\.{name}\b", trace.file.text)
    number = len(re.findall(made, trace.file.text))
    return number == 1 and sum(map(bool, mentions)) == len(mentions) - number


def entrances(trace: Trace, key: int) -> Iterator[ForwardRan | MethodCalled]:
    """Where the output of a module, with its graph, enters another."""
    calls: tuple[ForwardRan | MethodCalled, ...]
    calls = (*trace.all(ForwardRan), *trace.all(MethodCalled))
    for call in calls:
        values = call.arguments
        if isinstance(call, MethodCalled):
            values = (*values, *call.keywords.values())
        if any(_leads_to(trace, each, key) for each in operands_in(values)):
            yield call


def _leads_to(trace: Trace, value: Value, key: int) -> bool:
    if isinstance(value, ParameterValue):
        return any(part.key == key for part in value.parts)
    return isinstance(value, TensorValue) and key in graph_sources(value)


def cuts_of(trace: Trace, key: int) -> Iterator[Event]:
    """Where the graph behind a module is cut: its own passes, what it enters, and detaching."""
    for forward in trace.all(ForwardRan):
        if forward.key == key and forward.grad_enabled is False:
            yield forward
    for called in trace.all(Called):
        if called.grad_enabled is False and any(
            _leads_to(trace, each, key) for each in operands_in(called.arguments)
        ):
            yield called
    yield from (each for each in entrances(trace, key) if each.grad_enabled is False)
    for detached in trace.all(OutputDetached):
        if key in detached.keys:
            yield detached
    yield from (read for read in trace.all(DataRead) if read.key == key)


def cuts_around(trace: Trace, key: int) -> Iterator[Event]:
    """The same, or where the module that owns a parameter runs without gradients.

    What is first added to something, or is reshaped, leaves its graph where no event tells;
    then the first call without gradients does that takes what became of it.
    """
    found = list(cuts_of(trace, key))
    module = trace.objects.module(key)
    if module.origin is Origin.PARAMETER:
        for each in module.attachments:
            found += [cut for cut in cuts_of(trace, each.parent) if cut.grad_enabled is False]
    yield from found or leavings(trace, key)


def leavings(trace: Trace, key: int) -> Iterator[Called | ForwardRan | MethodCalled]:
    """Where what has left the graph of a module goes on into calls without gradients."""
    calls: tuple[Called | ForwardRan | MethodCalled, ...]
    calls = (*trace.all(Called), *trace.all(ForwardRan), *trace.all(MethodCalled))
    for call in sorted(calls, key=lambda each: each.index):
        if call.grad_enabled is False and any(
            key in cut_sources(each) for each in tensors_in(given_to(call))
        ):
            yield call


def given_to(call: Called | ForwardRan | MethodCalled) -> Iterator[Value]:
    """What a call computes with: its arguments, and the tensor whose method it is."""
    yield from call.arguments
    if not isinstance(call, ForwardRan):
        yield from call.keywords.values()
    if isinstance(call, MethodCalled):
        yield call.receiver


def place_of_switch(trace: Trace, cut: Event) -> Place:
    """Where something runs without gradients, as seen from the code that turned them off."""
    if cut.grad_enabled is False:
        for context in trace.before(cut, ContextEntered):
            depth = len(context.activations)
            is_around = cut.activations[:depth] == context.activations
            value = context.value
            if (
                is_around
                and isinstance(value, LibraryInstance)
                and (value.name in GRAD_SWITCHES or value.name.endswith(".set_grad_enabled"))
            ):
                if context.is_decorator:
                    return context.place
                inner = (
                    cut.stack[depth - len(cut.activations) :]
                    if depth < len(cut.activations)
                    else ()
                )
                return inner[0] if inner else cut.place
    return cut.place


def is_ever_frozen(trace: Trace, key: int) -> bool:
    """Whether something in sight may clear flags of a module, at whatever moment."""
    return trace.objects.module(key).flag_at_birth is False or any(
        write.value is not True
        and any(trace.overlaps(part, key, write.index) for part in write.parts)
        for write in trace.all(FlagWritten)
    )


def unfreeze_inside(trace: Trace, key: int, event: Event) -> FlagWritten | None:
    """A write that switched on a module or a piece of it, and that counts at an event."""
    for write in trace.before(event, FlagWritten):
        if write.value is not True or not write.certain:
            continue
        for part in write.parts:
            is_inside = trace.objects.route(key, part.key, event.index) is not None
            if is_inside and _still_counts(trace, write, part, event):
                return write
    return None


def _still_counts(trace: Trace, write: FlagWritten, part: Part, event: Event) -> bool:
    """Whether what a write switched on is still on at an event, in the runs that wrote."""
    path = tuple(dict.fromkeys((*event.path, *write.path)))
    if trace.flag(part, event.index, path).value is True:
        return True
    # Of some that a slice took, nobody can say more than that no later write may reach them.
    return (
        SOME in part.predicate
        and not may_be_unknown(trace, part, write, event)
        and not any(
            later.value is not True
            and any(trace.parts_overlap(mine, part, later.index) for mine in later.parts)
            for later in trace.between(write, event, FlagWritten)
        )
    )


def is_named(trace: Trace, parts: tuple[Part, ...], key: int, at: int) -> bool:
    """Whether an optimizer was given the parameters of this very module, not of one around it."""
    return any(part.key == key and trace.covers(part, key, at) for part in parts)


def is_untrained(trace: Trace, key: int) -> bool:
    """Whether a module was made in sight, of random weights, and nobody put others into it."""
    module = trace.objects.module(key)
    is_drawn = module.origin in (Origin.OWN_CLASS, Origin.PARAMETER) or (
        module.origin is Origin.BUILT and (module.library or "").startswith("torch.nn.")
    )
    return is_drawn and not any(
        isinstance(each.receiver, ModuleValue)
        and each.name.startswith("load")
        and _is_concerned(trace, (each.receiver.key,), key, each.index)
        for each in trace.all(MethodCalled)
    )
