"""Activations of functions, and what the names in them are used as."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.knowledge.modules import STRONG_MODULE_EVIDENCE
from freezelint.analysis.syntax import dotted, inner_nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from freezelint.analysis.syntax import Chunk
    from freezelint.analysis.values import ClassValue, Value

Uses = dict[str, set[str]]
"""For a dotted name, the methods that the code calls on it."""

Bindings = dict[tuple[int, str], "Value"]
"""(frame or object, name) to value: the whole mutable state of a path."""


HOLDS_LAYER = "= nn.Layer()"
"""Stands among the methods of a name to one of whose attributes a layer is assigned."""

HOLDS_FLAG = "requires_grad ="
"""Stands among the methods of a name of which that attribute is assigned."""


class Frame:
    """One activation of a function, or the top level of the file."""

    __slots__ = (
        "chunk",
        "exits",
        "key",
        "on_yield",
        "owner",
        "parent",
        "passed",
        "receiver",
        "returns",
        "uses",
    )

    def __init__(self, key: int, chunk: Chunk | None, parent: Frame | None, uses: Uses) -> None:
        """Bind nothing yet; ``parent`` is the lexically enclosing frame."""
        self.key = key
        self.chunk = chunk
        self.parent = parent
        self.uses = uses
        self.receiver: Value | None = None
        self.owner: ClassValue | None = None
        self.returns: list[Value] = []
        self.exits: list[Bindings] = []
        self.passed: dict[str, tuple[Frame, str]] = {}
        """For a parameter, the caller and the dotted name that it passed."""
        self.on_yield: Callable[[Value, cst.Yield], None] | None = None
        """What takes each value that a generator gives; None where nobody does."""

    def uses_of(self, name: str) -> set[str]:
        """The methods called on a dotted name here and in the enclosing scopes."""
        frame: Frame | None = self
        found: set[str] = set()
        while frame is not None:
            found |= frame.uses.get(name, set())
            frame = frame.parent
        return found


def uses_in(nodes: Iterable[cst.CSTNode]) -> Uses:
    """Collect which methods are called on which dotted names."""
    uses: Uses = {}
    for root in nodes:
        for node in inner_nodes(root):
            # Compared by identity: isinstance is slow on LibCST's types, and this sees every node.
            kind = type(node)
            if kind is cst.Call:
                _note_call(uses, node)  # type: ignore[arg-type]
            elif kind is cst.Expr:
                _note_statement(uses, node)  # type: ignore[arg-type]
            elif kind is cst.Assign:
                _note_assignment(uses, node)  # type: ignore[arg-type]
    return uses


def uses_below(chunk: Chunk, node: cst.CSTNode) -> Uses:
    """Collect the uses below a node of a chunk, once."""
    fact = ("uses", id(node))
    uses: Uses | None = chunk.facts.get(fact)
    if uses is None:
        uses = chunk.facts[fact] = uses_in((node,))
    return uses


def merged(collected: Iterable[Uses]) -> Uses:
    """All uses of several pieces of code."""
    together: Uses = {}
    for uses in collected:
        for name, methods in uses.items():
            together.setdefault(name, set()).update(methods)
    return together


def _note_call(uses: Uses, node: cst.Call) -> None:
    function = node.func
    if type(function) is cst.Attribute:
        name = dotted(function.value)
        if name is not None:
            uses.setdefault(name, set()).add(function.attr.value)
    elif (name := dotted(function)) is not None:
        uses.setdefault(name, set()).add("()")


def _note_statement(uses: Uses, node: cst.Expr) -> None:
    if isinstance(node.value, cst.Attribute):
        name = dotted(node.value.value)
        if name is not None:
            uses.setdefault(name, set()).add(node.value.attr.value)


def _note_assignment(uses: Uses, node: cst.Assign) -> None:
    is_layer = _is_layer(node.value)
    for each in node.targets:
        target = each.target
        if type(target) is not cst.Attribute:
            continue
        is_flag = target.attr.value == "requires_grad"
        if is_layer or is_flag:
            name = dotted(target.value)
            # A plain name may hold a function first, and what it returned later.
            if name is not None and name != "self" and (is_layer or "." in name):
                uses.setdefault(name, set()).add(HOLDS_LAYER if is_layer else HOLDS_FLAG)


def _is_layer(node: cst.BaseExpression) -> bool:
    name = dotted(node.func) if isinstance(node, cst.Call) else None
    return name is not None and name.startswith(("nn.", "torch.nn.")) and "Parameter" not in name


_OF_MODULES = frozenset({"train", "eval", "zero_grad", "children", HOLDS_FLAG})
"""What is done to a module that can also be called."""


def is_certain_module_use(methods: set[str]) -> bool:
    """Whether nothing but a module answers to all of these calls, be it of a project's own class."""
    if methods & STRONG_MODULE_EVIDENCE:
        return methods & STRONG_MODULE_EVIDENCE != {"requires_grad_"} or bool(
            methods & {"train", "eval", "children", "()", HOLDS_LAYER}
        )
    # What has a flag and can be called is no tensor.
    return "()" in methods and bool(methods & _OF_MODULES)


def is_module_use(methods: set[str]) -> bool:
    """Whether these calls say that something is a module."""
    if is_certain_module_use(methods):
        return True
    return {"load_state_dict", "eval"} <= methods or {"train", "eval"} <= methods


def is_optimizer_use(methods: set[str]) -> bool:
    """Whether only an optimizer answers to all of these calls."""
    return "step" in methods and bool(methods & {"zero_grad", "add_param_group"})
