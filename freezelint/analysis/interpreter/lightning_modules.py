"""Methods of a LightningModule beyond those of ``nn.Module``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter import flag_writes
from freezelint.analysis.interpreter.classes import is_lightning_class
from freezelint.analysis.interpreter.training_loop import run_backward
from freezelint.analysis.values import (
    UNKNOWN,
    Constant,
    ModuleValue,
    NamespaceValue,
    OptimizerValue,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter


def is_lightning_module(run: Interpreter, module: ModuleValue) -> bool:
    """Whether a module is an instance of a LightningModule of the file."""
    owner = run.objects.module(module.key).owner_class
    return owner is not None and is_lightning_class(run, owner)


def call_on_lightning_module(
    run: Interpreter, module: ModuleValue, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    """``self.manual_backward(loss)``, ``self.optimizers()`` and the like."""
    if name == "manual_backward" and arguments.positional:
        run_backward(run, arguments.positional[0], arguments.node(0, "loss"), node)
    elif name == "optimizers":
        return _optimizers(run)
    elif name in ("freeze", "unfreeze"):
        _set(run, module, name == "unfreeze", node)
    elif name == "save_hyperparameters":
        _keep_hyperparameters(run, module, arguments)
    return UNKNOWN


def _keep_hyperparameters(run: Interpreter, module: ModuleValue, arguments: Arguments) -> None:
    """Keep what the constructor was passed as ``self.hparams``; of a choice, nothing is known."""
    code = run.active[-1] if run.active else None
    is_own = run.frame.receiver == module and not arguments.positional
    if (
        not isinstance(code, cst.FunctionDef)
        or not is_own
        or (module.key, "hparams") in run.bindings
    ):
        return
    kept = NamespaceValue(run.objects.new_key())
    for parameter in (*code.params.params[1:], *code.params.kwonly_params):
        name = parameter.name.value
        value = run.bindings.get((run.frame.key, name), UNKNOWN)
        if isinstance(value, Constant):
            run.bindings[kept.key, name] = value
    run.bindings[module.key, "hparams"] = kept


def _optimizers(run: Interpreter) -> Value:
    """What ``configure_optimizers`` built: one, or a list of several."""
    built = {each.key: OptimizerValue((each.key,)) for each in run.trace.all(events.OptimizerBuilt)}
    if len(built) == 1:
        return next(iter(built.values()))
    return SequenceValue(tuple(built.values())) if built else UNKNOWN


def _set(run: Interpreter, module: ModuleValue, flag: bool, node: cst.Call) -> None:
    flag_writes.write_flag(run, module, flag, node)
    for part in run.parts_of(module.key)[:1]:
        run.announce(
            events.ModeSet(
                place=run.place(node),
                part=part,
                training=flag,
                label=run.objects.label(module.key),
            )
        )
