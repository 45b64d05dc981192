"""Gradients of parameters: what is done to them between the backward pass and the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis import events
from freezelint.analysis.values import UNKNOWN, TensorValue, Value

if TYPE_CHECKING:
    import libcst as cst

    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter


def call_on_gradient(
    run: Interpreter, receiver: TensorValue, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    """A method of ``p.grad``."""
    if name in ("detach", "detach_", "cpu", "cuda", "to"):
        return receiver
    if name == "zero_":
        run.announce(
            events.GradientsCleared(place=run.place(node), parts=receiver.parts, to_none=False)
        )
        return receiver
    return receiver if name.endswith("_") else UNKNOWN
