"""Layers that a loop counts from 1, where their list counts from 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.architectures import root_of
from freezelint.analysis.events import ElementCounted, FlagWritten
from freezelint.analysis.objects import Origin
from freezelint.analysis.syntax import inner_nodes
from freezelint.analysis.values import Part
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from freezelint.analysis.syntax import Place
    from freezelint.analysis.trace import Trace

_LISTS = frozenset({"layer", "layers", "block", "blocks", "h", "resblocks"})
"""Attributes under which models of libraries hold equal blocks, and nothing before them."""

_LIBRARIES = ("transformers.", "timm.", "open_clip.", "clip.", "peft.")


class LeftOut(NamedTuple):
    """A freeze of the first layers that begins with the second one."""

    place: Place
    """The ``range(1, count + 1)``."""
    bound: str
    write: FlagWritten
    container: str
    """What the code calls the list."""


def first_left_out(trace: Trace, event: ElementCounted) -> LeftOut | None:
    """The freeze that leaves the first element out; None where that is no mistake, perhaps.

    It is one where ``count`` layers are counted by ``range(1, count + 1)``, the list holds one
    layer like the other, and nothing else freezes its first.
    """
    found = _range_of(event)
    if found is None or not _holds_equal_layers(trace, event.container, event.index):
        return None
    call, count, statement = found
    write = next(
        (each for each in trace.after(event, FlagWritten) if _is_of(trace, each, event)), None
    )
    if write is None or write.value is not False or not write.certain:
        return None
    if any(
        _may_freeze_first(trace, other, write, event.container) for other in trace.all(FlagWritten)
    ):
        return None
    chunk = event.place.chunk
    place = event.place._replace(node=call, statement=statement)
    return LeftOut(place, chunk.code(count), write, trace.objects.label(event.container))


def _range_of(event: ElementCounted) -> tuple[cst.Call, cst.BaseExpression, cst.CSTNode] | None:
    """The call that the variable goes over, what it counts up to, and the statement it is in."""
    variable, chunk = event.variable.value, event.place.chunk
    loop: cst.For | cst.CompFor | None = chunk.loop_over(event.variable)
    if loop is None:
        inside = [
            each for each in inner_nodes(event.place.statement) if isinstance(each, cst.CompFor)
        ]
        loop = next((each for each in inside if _is_name(each.target, variable)), None)
    if loop is None or not _is_name(loop.target, variable):
        return None
    call = loop.iter
    if not isinstance(call, cst.Call) or not _is_name(call.func, "range") or len(call.args) != 2:
        return None
    count = _one_less(call.args[1].value)
    if count is None or not _is_one(call.args[0].value):
        return None
    return call, count, loop if isinstance(loop, cst.For) else event.place.statement


def _one_less(bound: cst.BaseExpression) -> cst.BaseExpression | None:
    """What one is added to, where it is something plain."""
    if not isinstance(bound, cst.BinaryOperation) or not isinstance(bound.operator, cst.Add):
        return None
    counts = [each for each in (bound.left, bound.right) if not _is_one(each)]
    is_plain = len(counts) == 1 and isinstance(
        counts[0], (cst.Name, cst.Attribute, cst.Subscript, cst.Integer)
    )
    return counts[0] if is_plain else None


def _is_one(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Integer) and node.value == "1"


def _is_name(node: cst.CSTNode, name: str) -> bool:
    return isinstance(node, cst.Name) and node.value == name


def _holds_equal_layers(trace: Trace, key: int, at: int) -> bool:
    """Whether a container certainly holds one layer like the other, from number 0 on."""
    module = trace.objects.module(key)
    if module.library == "torch.nn.ModuleList" and module.origin is not Origin.CHILD:
        held = map(trace.objects.module, trace.objects.held_by(key, at))
        # What was only read by its number is no layer of its own.
        made = [each for each in held if each.origin is not Origin.CHILD]
        makes = {each.owner_class or each.library for each in made}
        return len(makes) == 1 and None not in makes
    if module.origin is not Origin.CHILD or module.attribute not in _LISTS:
        return False
    root, _ = root_of(trace, module)
    return root.origin is Origin.BUILT and (root.library or "").startswith(_LIBRARIES)


def _is_of(trace: Trace, write: FlagWritten, event: ElementCounted) -> bool:
    """Whether a write is about the element that was taken, or about some of that list."""
    return any(_is_in(trace, part, event.container) for part in write.parts)


def _is_in(trace: Trace, part: Part, container: int) -> bool:
    return trace.objects.route(container, part.key, trace.now) is not None


def _may_freeze_first(trace: Trace, other: FlagWritten, write: FlagWritten, container: int) -> bool:
    return (
        other.value is not True
        and other.place.node is not write.place.node
        and any(trace.parts_overlap(part, Part(container), other.index) for part in other.parts)
    )
