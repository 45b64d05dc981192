"""What the names in the ``step`` of an optimizer stand for, and what a line does to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.syntax import dotted, walk

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOVES = frozenset({"add_", "sub_", "addcdiv_", "addcmul_"})
"""Methods that move a parameter where they are passed itself, or what was drawn at random."""

_SCALES = frozenset({"mul_", "div_"})

_DRAWS = frozenset({"randn", "randn_like", "rand", "rand_like", "normal", "normal_", "uniform_"})


class Names:
    """Names by what they hold."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self.groups: set[str] = set()
        self.lists: set[str] = set()
        self.parameters: set[str] = set()
        self.numbers: set[str] = set()
        """What counts the parameters of a list."""
        self.gradients: set[str] = set()
        self.drawn: set[str] = set()
        """What was drawn at random."""
        self.states: set[str] = set()
        """What moves a parameter without a gradient: its momentum, or a part of itself for decay."""

    def kind_of(self, node: cst.BaseExpression) -> str | None:
        """The attribute in which a name for the value of an expression belongs."""
        if self.is_list(node):
            return "lists"
        if self.is_gradient(node):
            return "gradients"
        path = dotted(node)
        kinds = ("parameters", "groups", "states", "drawn")
        return next((each for each in kinds if path in getattr(self, each)), None)

    def is_list(self, node: cst.BaseExpression) -> bool:
        """Whether this is all that a group holds."""
        if isinstance(node, cst.Name):
            return node.value in self.lists
        if isinstance(node, cst.ListComp):
            return _holds_all_groups(node)
        path = dotted(node)
        return path is not None and any(
            path in (f"{group}['params']", f'{group}["params"]') for group in self.groups
        )

    def counts_list(self, node: cst.BaseExpression) -> bool:
        """Whether this is ``range(len(parameters))``."""
        for name in ("range", "len"):
            if not (
                isinstance(node, cst.Call) and dotted(node.func) == name and len(node.args) == 1
            ):
                return False
            node = node.args[0].value
        return self.is_list(node)

    def is_element(self, node: cst.BaseExpression) -> bool:
        """Whether this is the parameter of a list at the number that counts them."""
        return (
            isinstance(node, cst.Subscript)
            and self.is_list(node.value)
            and len(node.slice) == 1
            and isinstance(node.slice[0].slice, cst.Index)
            and isinstance(node.slice[0].slice.value, cst.Name)
            and node.slice[0].slice.value.value in self.numbers
        )

    def mentions_number(self, node: cst.CSTNode) -> bool:
        """Whether this asks for something that has the number of a parameter."""
        return bool(self.numbers) and any(
            isinstance(each, cst.Name) and each.value in self.numbers for each in walk(node)
        )

    def asks_for_state(self, node: cst.CSTNode) -> bool:
        """Whether this asks for what the optimizer remembers of a parameter."""
        return any(
            (isinstance(each, cst.Attribute) and dotted(each) == "self.state")
            or (isinstance(each, cst.Name) and each.value in self.states)
            for each in walk(node)
        )

    def is_gradient(self, node: cst.BaseExpression) -> bool:
        """Whether this is the gradient of a parameter."""
        if isinstance(node, cst.Name):
            return node.value in self.gradients
        path = dotted(node)
        return (
            path is not None
            and path.partition(".")[0] in self.parameters
            and (path.partition(".")[2] in ("grad", "grad.data"))
        )

    def mentions_gradient(self, node: cst.CSTNode) -> bool:
        """Whether a gradient is anywhere in this."""
        return any(
            isinstance(each, (cst.Name, cst.Attribute)) and self.is_gradient(each)
            for each in walk(node)
        )

    def note(self, small: cst.BaseSmallStatement) -> None:
        """Note which names hold random numbers, and which what moves a parameter by itself."""
        if isinstance(small, (cst.Expr, cst.AugAssign)):
            self._note_decayed(small)
            return
        if not isinstance(small, cst.Assign):
            return
        names = {
            target.value
            for each in small.targets
            for target in walk(each.target)
            if isinstance(target, cst.Name)
        }
        if self._is_drawn(small.value):
            self.drawn |= names
        if self._is_of_state(small.value) or self._is_decayed(small.value):
            self.states |= names
        self.lists -= names

    def _note_decayed(self, small: cst.Expr | cst.AugAssign) -> None:
        """``grad.add_(p, alpha=decay)`` and ``grad += decay * p``."""
        value = small.value
        target: cst.BaseExpression
        if isinstance(small, cst.AugAssign):
            target, is_decay = small.target, self._has_operand(value)
        elif isinstance(value, cst.Call) and isinstance(value.func, cst.Attribute):
            target, is_decay = value.func.value, self._is_decayed(value)
        else:
            return
        if is_decay and isinstance(target, cst.Name) and self.is_gradient(target):
            self.states.add(target.value)

    def _is_decayed(self, node: cst.BaseExpression) -> bool:
        """Whether a part of a parameter is added to its gradient."""
        if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Add):
            return self.mentions_gradient(node) and self._has_operand(node)
        return (
            isinstance(node, cst.Call)
            and isinstance(node.func, cst.Attribute)
            and node.func.attr.value in ("add", "add_")
            and self.is_gradient(node.func.value)
            and bool(node.args)
            and (
                self._parameter(node.args[0].value) is not None
                or self._has_operand(node.args[0].value)
            )
        )

    def _has_operand(self, node: cst.CSTNode) -> bool:
        return any(
            self._parameter(side) is not None
            for each in walk(node)
            if isinstance(each, cst.BinaryOperation)
            for side in (each.left, each.right)
        )

    def _is_drawn(self, node: cst.CSTNode) -> bool:
        return any(
            (isinstance(each, cst.Name) and each.value in self.drawn)
            or (
                isinstance(each, cst.Call)
                and (dotted(each.func) or "").rpartition(".")[2] in _DRAWS
            )
            for each in walk(node)
        )

    def _is_of_state(self, node: cst.CSTNode) -> bool:
        """Whether a value has to do with what the optimizer remembers of a parameter."""
        return any(
            (isinstance(each, cst.Name) and each.value in self.states)
            or (isinstance(each, cst.Attribute) and dotted(each) == "self.state")
            for each in walk(node)
        )

    def written(self, node: cst.CSTNode, *, is_substituted: bool) -> tuple[str, str] | None:
        """The parameter that an expression writes without its gradient, and how.

        Args:
            node: The expression or assignment.
            is_substituted: Whether something takes the place of a missing gradient.
        """
        name = self._scaled(node)
        if name is not None:
            return name, "scales"
        name = self._moved(node, is_substituted=is_substituted)
        return None if name is None else (name, "moves")

    def _scaled(self, node: cst.CSTNode) -> str | None:
        """The parameter that an expression scales by something other than a gradient."""
        if isinstance(node, cst.AugAssign) and isinstance(
            node.operator, (cst.MultiplyAssign, cst.DivideAssign)
        ):
            return self._parameter(node.target) if self._is_free(node.value) else None
        if isinstance(node, cst.Assign) and isinstance(node.targets[0].target, cst.Attribute):
            name = self._parameter(node.targets[0].target)
            return name if name is not None and self._is_multiple(name, node.value) else None
        if not isinstance(node, cst.Call) or not all(self._is_free(each) for each in node.args):
            return None
        if dotted(node.func) == "torch._foreach_mul_" and node.args:
            first = node.args[0].value
            return dotted(first) if self.is_list(first) else None
        if isinstance(node.func, cst.Attribute) and node.func.attr.value in _SCALES:
            return self._parameter(node.func.value)
        return None

    def _is_multiple(self, parameter: str, node: cst.BaseExpression) -> bool:
        """Whether this is a parameter times something other than a gradient."""
        return (
            isinstance(node, cst.BinaryOperation)
            and isinstance(node.operator, (cst.Multiply, cst.Divide))
            and self._is_operand(parameter, node)
            and self._is_free(node)
        )

    def _moved(self, node: cst.CSTNode, *, is_substituted: bool) -> str | None:
        """The parameter that gets a part of itself, random numbers, or what is left of momentum."""
        target: cst.BaseExpression
        values: Sequence[cst.CSTNode]
        if isinstance(node, cst.AugAssign):
            target, values = node.target, (node.value,)
        elif isinstance(node, cst.Assign) and isinstance(node.targets[0].target, cst.Attribute):
            target, values = node.targets[0].target, (node.value,)
        elif isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            if node.func.attr.value not in _MOVES:
                return None
            target, values = node.func.value, node.args
        else:
            return None
        name = self._parameter(target)
        if name is None:
            return None
        if is_substituted and any(map(self._is_of_state, values)):
            return name
        is_moved = any(self._is_drawn(each) or self._computes_with(name, each) for each in values)
        return name if is_moved and all(map(self._is_free, values)) else None

    def _computes_with(self, parameter: str, node: cst.CSTNode) -> bool:
        """Whether a parameter is passed to a method of itself, or an operand of what it gets."""
        if isinstance(node, cst.Arg):
            return self._parameter(node.value) == parameter or any(
                self._is_operand(parameter, each) for each in walk(node)
            )
        return any(self._is_operand(parameter, each) for each in walk(node))

    def _is_operand(self, parameter: str, node: cst.CSTNode) -> bool:
        return isinstance(node, cst.BinaryOperation) and (
            parameter in (self._parameter(node.left), self._parameter(node.right))
        )

    def _is_free(self, node: cst.CSTNode) -> bool:
        return not self.mentions_gradient(node)

    def _parameter(self, node: cst.BaseExpression) -> str | None:
        path = dotted(node)
        if path is None:
            return None
        name = path.removesuffix(".data")
        return name if name in self.parameters else None


def _holds_all_groups(node: cst.ListComp) -> bool:
    """Whether this is ``[p for group in self.param_groups for p in group["params"]]``."""
    outer, inner = node.for_in, node.for_in.inner_for_in
    if inner is None or inner.inner_for_in is not None or outer.ifs or inner.ifs:
        return False
    group, parameter = dotted(outer.target), dotted(inner.target)
    return (
        dotted(outer.iter) == "self.param_groups"
        and dotted(inner.iter) in (f"{group}['params']", f'{group}["params"]')
        and parameter is not None
        and dotted(node.elt) == parameter
    )
