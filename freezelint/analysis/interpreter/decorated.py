"""Functions that decorators of the file put around those that they stand above."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.arguments import passing
from freezelint.analysis.interpreter.classes import find_method
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.names import look_up
from freezelint.analysis.syntax import dotted
from freezelint.analysis.values import UNKNOWN, ClassValue, FunctionValue, Unknown

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.values import Value


def around(
    run: Interpreter, function: FunctionValue, code: cst.FunctionDef, node: cst.CSTNode
) -> FunctionValue | Unknown | None:
    """What runs instead of a function when it is called; None where it is the function itself.

    Decorators from elsewhere are taken for ones that change nothing. An object that freezes
    something and is called instead may do so before or after: of that nothing is known.
    """
    from freezelint.analysis.interpreter.following import follow

    made = bare = FunctionValue(None, function.chunk, code, function.frame)
    for each in reversed(code.decorators):
        written = each.decorator
        maker = _maker(run, function, written.func if isinstance(written, cst.Call) else written)
        if isinstance(maker, ClassValue) and "requires_grad" in maker.definition.text:
            return UNKNOWN
        if not isinstance(maker, FunctionValue):
            continue
        decorator = evaluate(run, written) if isinstance(written, cst.Call) else maker
        if isinstance(decorator, FunctionValue):
            wrapper = follow(run, decorator, passing(made), node)
            made = wrapper if isinstance(wrapper, FunctionValue) else made
    return None if made is bare else made


def _maker(run: Interpreter, function: FunctionValue, written: cst.BaseExpression) -> Value | None:
    """What is written behind the ``@``; in a class, a function of that class too."""
    name = dotted(written)
    if name is None:
        return None
    found = look_up(run, name)
    if isinstance(found, Unknown) and function.owner is not None:
        return find_method(run, function.owner, name)
    return found


def with_receiver(function: FunctionValue, arguments: Arguments) -> Arguments:
    """What a function around a method is passed: the object comes first."""
    if function.receiver is None:
        return arguments
    return passing(function.receiver).followed_by(arguments)
