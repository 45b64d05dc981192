"""What training loops call: on a loss, an optimizer, or whatever does it for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis import events
from freezelint.analysis.interpreter.iteration import consume
from freezelint.analysis.syntax import dotted
from freezelint.analysis.values import UNKNOWN, OptimizerValue, Value

if TYPE_CHECKING:
    import libcst as cst

    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter

_CLIPPING = frozenset({"clip_grad_norm_", "clip_grad_value_", "clip_gradients"})
"""Methods of Accelerator and Fabric that go over parameters."""

BACKWARD = frozenset({"backward", "manual_backward"})


def call_for_training(
    run: Interpreter, name: str, arguments: Arguments, node: cst.Call
) -> Value | None:
    """Clip, differentiate or step for somebody, whoever is asked; None if it is something else."""
    if not arguments.positional:
        return None
    first = arguments.positional[0]
    if name in _CLIPPING:
        consume(run, first, arguments.node(0, "parameters") or node)
        if name == "clip_grad_norm_":
            # That of an Accelerator is this function of torch in the end.
            run.announce(
                events.Called(
                    place=run.place(node),
                    name=f"torch.nn.utils.{name}",
                    arguments=arguments.positional,
                    keywords=arguments.keywords,
                    is_complete=arguments.complete,
                    call=node,
                )
            )
    elif name in BACKWARD:
        run_backward(run, first, arguments.node(0, "loss"), node)
    elif name == "step" and isinstance(first, OptimizerValue):
        run.announce(events.Stepped(place=run.place(node), keys=first.keys))
    else:
        return None
    return UNKNOWN


def run_backward(run: Interpreter, loss: Value, source: cst.CSTNode | None, node: cst.Call) -> None:
    """Differentiate a loss that stands there as this expression."""
    label = dotted(source) if source is not None else None
    run.announce(events.BackwardRan(place=run.place(node), loss=loss, label=label))
