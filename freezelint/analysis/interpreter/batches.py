"""What training loops go over, where nobody knows what that is: data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.names import uses_of
from freezelint.analysis.syntax import walk
from freezelint.analysis.values import TensorValue, Unknown

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.machine import Interpreter

_OF_TENSORS = frozenset(
    {"to", "cuda", "float", "long", "half", "size", "view", "reshape", "unsqueeze", "permute"}
    | {"flatten", "items", "keys"}
)
"""What is called on a batch, or on what it consists of."""

_OF_NO_TENSORS = frozenset(
    {"train", "eval", "parameters", "named_parameters", "step", "zero_grad", "backward", "()"}
    | {"requires_grad_", "state_dict", "load_state_dict", "modules", "children", "retain_grad"}
)


def note_batches(run: Interpreter, node: cst.For) -> None:
    """Let the unknown variables of a training loop hold data, if they are used like that.

    Data has no graph: one that lasted from round to round would be used up by the first.
    """
    if not _trains(run, node):
        return
    for each in walk(node.target):
        if not isinstance(each, cst.Name):
            continue
        name = each.value
        uses = uses_of(run, name)
        if uses & _OF_NO_TENSORS or f"{name}.requires_grad" in _texts(run, node):
            continue
        is_unknown = isinstance(run.bindings.get((run.frame.key, name)), Unknown)
        if is_unknown and (uses & _OF_TENSORS or name in _passed(run, node)):
            run.bind(name, TensorValue(cut_from=()))


def _trains(run: Interpreter, node: cst.For) -> bool:
    """Whether the body differentiates something, and an optimizer steps in it."""
    called = {each.rpartition(".")[2] for each in _texts(run, node)}
    return not called.isdisjoint({"backward", "manual_backward"}) and "step" in called


def _texts(run: Interpreter, node: cst.For) -> frozenset[str]:
    """The attributes that the body of a loop mentions, as ``name.attribute`` where they have one."""
    return _facts(run, node)[0]


def _passed(run: Interpreter, node: cst.For) -> frozenset[str]:
    """The names that the body passes to something."""
    return _facts(run, node)[1]


def _facts(run: Interpreter, node: cst.For) -> tuple[frozenset[str], frozenset[str]]:
    facts = run.place(node).chunk.facts
    fact = ("batches", id(node))
    if fact not in facts:
        texts: set[str] = set()
        passed: set[str] = set()
        for each in walk(node.body):
            if type(each) is cst.Attribute:
                before = each.value.value if isinstance(each.value, cst.Name) else ""
                texts.add(f"{before}.{each.attr.value}")
            elif type(each) is cst.Arg:
                passed |= {name.value for name in walk(each.value) if type(name) is cst.Name}
        facts[fact] = frozenset(texts), frozenset(passed)
    found: tuple[frozenset[str], frozenset[str]] = facts[fact]
    return found
