"""Optimizers: which parameters they take hold of, and what is done with them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.events import ParameterGroup
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.graphs import take_up
from freezelint.analysis.interpreter.hidden import look_for_collections
from freezelint.analysis.interpreter.iteration import consume
from freezelint.analysis.interpreter.out_of_sight import hand_over
from freezelint.analysis.knowledge.optimizers import traits_of
from freezelint.analysis.predicates import FlagTest, flag_tests, union
from freezelint.analysis.syntax import dotted
from freezelint.analysis.values import (
    UNKNOWN,
    Constant,
    ElementsValue,
    FunctionValue,
    LibraryInstance,
    MappingValue,
    ModuleValue,
    OptimizerValue,
    ParameterSequence,
    ParameterValue,
    Part,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.predicates import Predicate

_GROUP = "torch.optim.Optimizer.param_groups"

_GIVING = (".setup_optimizers", ".strategy.setup")

_LIST_CHANGES = frozenset({"append", "clear", "extend", "insert", "pop", "remove"})
"""Methods by which ``optimizer.param_groups`` gets other elements."""


def build_optimizer(
    run: Interpreter, name: str, arguments: Arguments, node: cst.Call, library: str = ""
) -> OptimizerValue:
    """Construct an optimizer from what it is passed."""
    passed = arguments.get(0, "params")
    if passed is None:
        passed = arguments.keywords.get("parameters", UNKNOWN)
    source = arguments.node(0, "params") or arguments.keyword_nodes.get("parameters")
    groups = tuple(_groups_in(run, passed, source or node))
    parts = tuple(part for group in groups for part in group.parts)
    complete = all(group.complete for group in groups)
    if isinstance(passed, SequenceValue):
        complete = complete and passed.complete
    look_for_collections(run, parts)
    take_up(run, (passed,))
    optimizer = run.objects.new_optimizer(name)
    run.announce(
        events.OptimizerBuilt(
            place=run.place(node),
            key=optimizer.key,
            parts=_united(run, parts),
            complete=complete and arguments.complete,
            label=run.label(source) if source is not None else "",
            name=name,
            argument=source,
            library=library,
            groups=groups,
            options=_options_of(library, arguments),
            options_known=arguments.complete,
        )
    )
    return OptimizerValue((optimizer.key,))


def _options_of(library: str, arguments: Arguments) -> dict[str, Value]:
    """Everything but the parameters, by the names of the arguments."""
    traits = traits_of(library)
    names = () if traits is None else traits.arguments
    by_position = zip(names, arguments.positional[1:], strict=False)
    return {**dict(by_position), **arguments.keywords}


def _groups_in(run: Interpreter, value: Value, node: cst.CSTNode) -> Iterator[ParameterGroup]:
    """The groups that an optimizer makes of its first argument."""
    if isinstance(value, SequenceValue) and any(
        isinstance(each, MappingValue) for each in value.items
    ):
        for item in value.items:
            yield _group(run, item, node)
    else:
        yield _group(run, value, node)


def _group(run: Interpreter, value: Value, node: cst.CSTNode) -> ParameterGroup:
    parts, complete = parameters_in(run, value, node)
    if isinstance(value, MappingValue):
        return ParameterGroup(parts, complete, dict(value.items), value.complete)
    return ParameterGroup(parts, complete, {}, True)


def parameters_in(
    run: Interpreter, value: Value, node: cst.CSTNode
) -> tuple[tuple[Part, ...], bool]:
    """The parameters that an optimizer finds in its first argument, and whether that is all."""
    if isinstance(value, ParameterSequence):
        consumed = consume(run, value, node)
        assert isinstance(consumed, ParameterSequence)
        return _owned(run, consumed.parts), consumed.complete
    if isinstance(value, ParameterValue):
        return _owned(run, value.parts), True
    if isinstance(value, MappingValue):
        held = value.get("params")
        return parameters_in(run, held, node) if held is not None else ((), False)
    if isinstance(value, SequenceValue):
        found: list[Part] = []
        complete = value.complete
        for item in value.items:
            parts, whole = parameters_in(run, item, node)
            found.extend(parts)
            complete = complete and whole
        return tuple(found), complete
    if isinstance(value, ModuleValue):
        # Passing the module itself is what some factories ask for.
        return (), False
    return (), False


def _owned(run: Interpreter, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    return tuple(each for part in parts for each in run.parts_of(part.key, part.predicate))


def _united(run: Interpreter, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The same parameters in fewer parts: what has weight decay and what has none is the whole."""
    united = list(dict.fromkeys(_tested_at_once(run, parts)))
    for one, other in itertools.combinations(united, 2):
        together = union(one.predicate, other.predicate) if one.key == other.key else None
        if together is not None:
            rest = [each for each in united if each not in (one, other)]
            return _united(run, (one._replace(predicate=together), *rest))
    return tuple(united)


def _tested_at_once(run: Interpreter, parts: tuple[Part, ...]) -> Iterator[Part]:
    """Take tests of flags for the same test where no flag can have changed between them."""
    tests = {test for part in parts for test in flag_tests(part.predicate)}
    moments = sorted({test.at for test in tests if test.at is not None})
    first = dict(zip(moments, moments, strict=True))
    for earlier, later in itertools.pairwise(moments):
        if not any(map(_may_change_flags, run.trace.events[earlier:later])):
            first[later] = first[earlier]
    same: dict[tuple[bool, int | None], FlagTest] = {}
    for part in parts:
        predicate: Predicate = ()
        for atom in part.predicate:
            if isinstance(atom, FlagTest) and atom.at is not None:
                predicate += (same.setdefault((atom.value, first[atom.at]), atom),)
            else:
                predicate += (atom,)
        yield part._replace(predicate=predicate)


def _may_change_flags(event: events.Event) -> bool:
    return isinstance(event, (events.FlagWritten, events.HandedOver))


def call_on_optimizer(
    run: Interpreter, receiver: OptimizerValue, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    """``optimizer.step()`` and the other methods."""
    place = run.place(node)
    if name == "step":
        _run_closure(run, arguments, node)
        run.announce(events.Stepped(place=place, keys=receiver.keys))
    elif name == "zero_grad":
        run.announce(
            events.GradientsCleared(
                place=place, optimizers=receiver.keys, to_none=clears_to_none(arguments)
            )
        )
    elif name == "add_param_group":
        group = _group(run, arguments.get(0, "param_group") or UNKNOWN, node)
        run.announce(
            events.GroupAdded(
                place=place,
                keys=receiver.keys,
                parts=group.parts,
                complete=group.complete,
                group=group,
            )
        )
    elif name == "__init__":
        # It starts anew, over whatever it is given.
        run.announce(events.GroupAdded(place=place, keys=receiver.keys, parts=(), complete=False))
    elif name == "minimize":
        run.announce(events.Stepped(place=place, keys=receiver.keys))
    return UNKNOWN


def _run_closure(run: Interpreter, arguments: Arguments, node: cst.Call) -> None:
    """``optimizer.step(closure)`` calls what computes the loss, and differentiates it."""
    from freezelint.analysis.interpreter.arguments import passing
    from freezelint.analysis.interpreter.calls import apply

    closure = arguments.get(0, "closure")
    if isinstance(closure, FunctionValue):
        apply(run, closure, passing(), node)


def clears_to_none(arguments: Arguments) -> bool | None:
    """What ``zero_grad`` leaves behind: None since torch 2.0 unless it is told otherwise."""
    choice = arguments.get(0, "set_to_none")
    if choice is None:
        return True
    return bool(choice.value) if isinstance(choice, Constant) else None


def groups_of(optimizer: OptimizerValue) -> Value:
    """``optimizer.param_groups``: each group stands for the optimizer that it is of."""
    if len(optimizer.keys) != 1:
        return UNKNOWN
    return ElementsValue(LibraryInstance(_GROUP, optimizer.keys[0]))


def note_rate(run: Interpreter, group: LibraryInstance, target: cst.Subscript) -> None:
    """Announce ``group["lr"] = rate`` for whichever group it is."""
    index = target.slice[0].slice
    if group.name == _GROUP and isinstance(index, cst.Index):
        name = evaluate(run, index.value)
        if name == Constant("lr"):
            run.announce(events.RateWritten(place=run.place(target), optimizer=group.key))


def note_edited_groups(
    run: Interpreter, target: cst.BaseExpression, method: str | None = None
) -> None:
    """Note that an optimizer may hold others after its ``param_groups`` were edited by hand.

    ``target`` is what is written, deleted, or changed by one of its methods. A write of an
    option, such as the learning rate, changes nothing of that, nor do other methods.
    """
    if method is not None and method not in _LIST_CHANGES:
        return
    while isinstance(target, cst.Subscript):
        if _is_an_option(target):
            return
        target = target.value
        if isinstance(target, cst.Name):
            _note_edited_group(run, target)
            return
    if not isinstance(target, cst.Attribute) or target.attr.value != "param_groups":
        return
    if dotted(target.value) is None:
        return
    optimizer = evaluate(run, target.value)
    if isinstance(optimizer, OptimizerValue):
        place = run.place(target)
        run.announce(events.GroupAdded(place=place, keys=optimizer.keys, parts=(), complete=False))


def _note_edited_group(run: Interpreter, name: cst.Name) -> None:
    """The same for ``group["params"]`` of a group that a loop over all of them gives."""
    group = evaluate(run, name)
    if isinstance(group, LibraryInstance) and group.name == _GROUP:
        place = run.place(name)
        run.announce(events.GroupAdded(place=place, keys=(group.key,), parts=(), complete=False))


def _is_an_option(target: cst.Subscript) -> bool:
    index = target.slice[0].slice
    if not isinstance(index, cst.Index) or not isinstance(index.value, cst.SimpleString):
        return False
    return index.value.raw_value != "params"


def gives_parameters(call: cst.Call) -> bool:
    """Whether an optimizer that only its owner knows may hold others after a call.

    Lightning builds all of them anew in ``trainer.strategy.setup_optimizers(trainer)``.
    """
    return (dotted(call.func) or "").endswith(_GIVING) or (
        isinstance(call.func, cst.Attribute) and call.func.attr.value == "add_param_group"
    )


def add_group_to_any(run: Interpreter, arguments: Arguments, node: cst.Call) -> None:
    """Some optimizer gets a group: ``trainer.optimizers[0].add_param_group(...)``."""
    keys = tuple(built.key for built in run.trace.all(events.OptimizerBuilt))
    run.announce(events.GroupAdded(place=run.place(node), keys=keys, parts=(), complete=False))
    hand_over(run, arguments.all, node)
