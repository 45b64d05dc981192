"""Methods of objects of which little is known: those of other libraries, and all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter import lightning
from freezelint.analysis.interpreter.command_line import PARSER, call_on_parser, note_type
from freezelint.analysis.interpreter.lightning import FINETUNING_METHODS
from freezelint.analysis.interpreter.module_methods import parameters_of
from freezelint.analysis.interpreter.names import guessed_module
from freezelint.analysis.interpreter.optimizers import (
    add_group_to_any,
    gives_parameters,
    note_edited_groups,
)
from freezelint.analysis.interpreter.out_of_sight import hand_over
from freezelint.analysis.interpreter.somewhere import note_doubtful_write
from freezelint.analysis.interpreter.texts import matched
from freezelint.analysis.interpreter.trainers import call_on_trainer
from freezelint.analysis.interpreter.training_loop import BACKWARD, call_for_training, run_backward
from freezelint.analysis.knowledge.frameworks import (
    HANDS_BACK,
    HARMLESS_PREPARER_METHODS,
    HUGGING_FACE_TRAINERS,
    LIGHTNING_TRAINERS,
    PREPARERS,
)
from freezelint.analysis.knowledge.modules import MODULE_ITERATORS
from freezelint.analysis.predicates import PATTERNS
from freezelint.analysis.values import (
    UNKNOWN,
    InstanceValue,
    LibraryInstance,
    Part,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter

_HARMLESS = frozenset(
    [
        "append",
        "add",
        "info",
        "debug",
        "warning",
        "print",
        "write",
        "log",
        "unscale_",
        "update",
        "detach",
    ]
)
"""Methods that, whatever they are methods of, leave flags and parameters alone."""

_SAVING = frozenset({"state_dict", "save_pretrained"})


def call_on_library_instance(
    run: Interpreter,
    receiver: LibraryInstance | InstanceValue,
    name: str,
    arguments: Arguments,
    node: cst.Call,
) -> Value:
    """A method of an object of an imported class, or one that a class of the file inherits."""
    if isinstance(receiver, InstanceValue) and name in FINETUNING_METHODS:
        return lightning.call_on_finetuning(run, name, arguments, node)
    if isinstance(receiver, InstanceValue) or receiver.name in HUGGING_FACE_TRAINERS:
        return call_on_trainer(run, receiver, name, arguments, node)
    if receiver.name in LIGHTNING_TRAINERS:
        return lightning.call_on_trainer(run, receiver, name, arguments, node)
    if receiver.name == PARSER:
        return call_on_parser(run, receiver, name, arguments, node)
    if receiver.name == "re.compile" and name in PATTERNS:
        return matched(name, (*receiver.arguments, *arguments.positional))
    done = call_for_training(run, name, arguments, node)
    if done is not None:
        return done
    last = receiver.name.rpartition(".")[2]
    if last == "GradScaler" and name == "scale" and arguments.positional:
        return arguments.positional[0]
    if last in PREPARERS and name in HANDS_BACK:
        values = arguments.positional
        return values[0] if len(values) == 1 else SequenceValue(values)
    if last in PREPARERS and name in HARMLESS_PREPARER_METHODS:
        return UNKNOWN
    if receiver.name.startswith(("torch.optim.lr_scheduler.", "torch.utils.tensorboard.")):
        return UNKNOWN
    if last in ("Trainer", "Seq2SeqTrainer", "SFTTrainer") or arguments.all:
        hand_over(run, (*arguments.all, *receiver.arguments), node)
    return UNKNOWN


def call_on_unknown(
    run: Interpreter, function: cst.Attribute, arguments: Arguments, node: cst.Call
) -> Value:
    """A method of an object of which nothing is known."""
    name = function.attr.value
    note_edited_groups(run, function.value, name)
    if name == "eval" and _is_element(run, function.value):
        _pin_something(run, node)
        return UNKNOWN
    if name in MODULE_ITERATORS:
        # Whatever this is, it yields parameters.
        module = guessed_module(run, run.label(function.value))
        return parameters_of(run, module, name, arguments)
    done = call_for_training(run, name, arguments, node)
    if done is not None:
        return done
    if name in BACKWARD:
        run_backward(run, UNKNOWN, function.value, node)
        return UNKNOWN
    handed_back = _handed_back(name, arguments)
    if handed_back is not None:
        return handed_back
    if name == "add_argument":
        note_type(run, arguments, node, is_argparse=False)
        return UNKNOWN
    if name == "step":
        run.announce(events.Stepped(place=run.place(node), keys=()))
        return UNKNOWN
    if name == "requires_grad_":
        flag = arguments.get(0, "requires_grad")
        note_doubtful_write(run, function.value, flag, node)
        return UNKNOWN
    if gives_parameters(node):
        add_group_to_any(run, arguments, node)
        return UNKNOWN
    if name not in _HARMLESS and not (name == "__get__" and _binds_saving(run, node)):
        hand_over(run, arguments.all, node)
    return UNKNOWN


def _handed_back(name: str, arguments: Arguments) -> Value | None:
    """What a method gives back of what it was passed, if it is one of those that do."""
    passed = arguments.positional
    if name == "prepare" and len(passed) > 1:
        return SequenceValue(passed)
    if (name == "scale" and len(passed) == 1) or (name == "unwrap_model" and passed):
        return passed[0]
    return None


def _is_element(run: Interpreter, node: cst.BaseExpression) -> bool:
    chunk = run.frame.chunk
    return isinstance(node, cst.Name) and chunk is not None and chunk.loop_over(node) is not None


def _pin_something(run: Interpreter, node: cst.Call) -> None:
    """Announce that modules go into evaluation mode of which it is not known which they are."""
    module = run.given_module(None)
    run.announce(
        events.ModeSet(
            place=run.place(node),
            part=Part(module.key),
            training=False,
            label="",
            may_be_any=True,
        )
    )


def _binds_saving(run: Interpreter, node: cst.Call) -> bool:
    """Whether a function is bound to a module to be its way of saving, which runs later."""
    statement = run.statement
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return False
    assigned = statement.body[0]
    return (
        isinstance(assigned, cst.Assign)
        and assigned.value is node
        and all(
            isinstance(each.target, cst.Attribute) and each.target.attr.value in _SAVING
            for each in assigned.targets
        )
    )
