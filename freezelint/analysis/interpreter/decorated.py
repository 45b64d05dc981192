"""Functions that decorators of the file put around those that they stand above."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.interpreter.arguments import passing
from freezelint.analysis.interpreter.expressions import evaluate
from freezelint.analysis.interpreter.names import look_up
from freezelint.analysis.syntax import dotted
from freezelint.analysis.values import FunctionValue

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter


def around(
    run: Interpreter, function: FunctionValue, code: cst.FunctionDef, node: cst.CSTNode
) -> FunctionValue | None:
    """What runs instead of a function when it is called; None where that is the function itself.

    Decorators from elsewhere are taken for ones that change nothing.
    """
    from freezelint.analysis.interpreter.following import follow

    made = bare = FunctionValue(None, function.chunk, code, function.frame)
    for each in reversed(code.decorators):
        written = each.decorator
        name = dotted(written.func if isinstance(written, cst.Call) else written)
        if name is None or not isinstance(look_up(run, name), FunctionValue):
            continue
        decorator = evaluate(run, written)
        if isinstance(decorator, FunctionValue):
            wrapper = follow(run, decorator, passing(made), node)
            made = wrapper if isinstance(wrapper, FunctionValue) else made
    return None if made is bare else made


def with_receiver(function: FunctionValue, arguments: Arguments) -> Arguments:
    """What a function around a method is passed: the object comes first."""
    if function.receiver is None:
        return arguments
    return passing(function.receiver).followed_by(arguments)
