"""Frameworks that train by themselves: what they are given, and in which order they call it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis import events, library_events
from freezelint.analysis.interpreter.arguments import Arguments, passing
from freezelint.analysis.interpreter.classes import find_method, library_bases, lineage
from freezelint.analysis.interpreter.following import follow
from freezelint.analysis.interpreter.out_of_sight import hand_over
from freezelint.analysis.knowledge.frameworks import (
    BUILDS_OPTIMIZER,
    FOLLOWED_STEPS,
    HARMLESS_TRAINER_METHODS,
    HUGGING_FACE,
    HUGGING_FACE_CALLBACKS,
    HUGGING_FACE_TRAINERS,
    STEPS_BY_ITSELF,
    Act,
)
from freezelint.analysis.values import (
    UNKNOWN,
    ClassValue,
    Constant,
    FunctionValue,
    InstanceValue,
    LibraryInstance,
    ModuleValue,
    OptimizerValue,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import libcst as cst

    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.knowledge.frameworks import Moment

_OPTIMIZER = "optimizer()"
"""The attribute under which the optimizer of a trainer is kept here, once it has one."""

_COMPLETE = "arguments()"
"""The attribute under which it is kept whether all arguments of a trainer are known."""

TRAINER_METHODS = HARMLESS_TRAINER_METHODS | {"train", "add_callback"}
"""Methods that a trainer of the file has from the class of transformers."""

_MOST_POSITIONAL = 6
"""Arguments that come in the same order in all versions: those up to the tokenizer."""

_MODEL_INIT = "model_init"
"""The argument, and the attribute, that makes a new model for each training."""

_NOTHING = Constant(None)


def build_trainer(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``Trainer(model=...)`` of transformers: keeps what it is given, and changes nothing."""
    if arguments.keywords.get("peft_config", _NOTHING) != _NOTHING:
        # Adapters are put into the model.
        hand_over(run, arguments.all, node)
    made = LibraryInstance("transformers.Trainer", run.objects.new_key(), arguments.positional)
    fill_trainer(run, made.key, arguments)
    return made


def fill_trainer(run: Interpreter, key: int, arguments: Arguments) -> None:
    """Keep what the constructor of a trainer is passed."""
    for name in ("callbacks", "optimizers"):
        if name in arguments.keywords:
            run.bindings[key, name] = arguments.keywords[name]
    model = arguments.get(0, "model")
    initialize = arguments.keywords.get(_MODEL_INIT)
    if model is None and initialize is not None:
        run.bindings[key, _MODEL_INIT] = initialize
    if model is not None and arguments.keywords.get("peft_config", _NOTHING) == _NOTHING:
        run.bindings[key, "model"] = model
    if "optimizer_cls_and_kwargs" in arguments.keywords:
        run.bindings[key, "optimizers"] = UNKNOWN
    is_readable = arguments.complete and len(arguments.positional) <= _MOST_POSITIONAL
    run.bindings[key, _COMPLETE] = Constant(is_readable)


def is_trainer_class(run: Interpreter, owner: ClassValue) -> bool:
    """Whether a class of the file derives from the ``Trainer`` of transformers."""
    return any(base in HUGGING_FACE_TRAINERS for base in library_bases(run, owner))


def call_on_trainer(
    run: Interpreter,
    receiver: LibraryInstance | InstanceValue,
    name: str,
    arguments: Arguments,
    node: cst.Call,
) -> Value:
    """A method of ``Trainer``."""
    if name == "train":
        _train(run, receiver, node)
    elif name == "add_callback" and arguments.positional:
        held = run.bindings.get((receiver.key, "callbacks"), SequenceValue(()))
        items = held.items if isinstance(held, SequenceValue) else ()
        run.bindings[receiver.key, "callbacks"] = SequenceValue(
            (*items, arguments.positional[0]), isinstance(held, SequenceValue)
        )
    elif name not in HARMLESS_TRAINER_METHODS:
        model = run.bindings.get((receiver.key, "model"), UNKNOWN)
        hand_over(run, (model, *arguments.all), node)
        run.bindings[receiver.key, "optimizers"] = UNKNOWN
    return UNKNOWN


def _train(run: Interpreter, trainer: LibraryInstance | InstanceValue, node: cst.Call) -> None:
    from freezelint.analysis.interpreter.forward import run_forward

    model = _model(run, trainer, node)
    if not isinstance(model, ModuleValue):
        return
    run.prove(model)
    optimizer, is_new = _optimizer(run, trainer)
    run.announce(
        library_events.TrainerStarted(
            place=run.place(node),
            key=model.key,
            label=run.objects.label(model.key),
            trainer=trainer.key,
            optimizer=optimizer.keys[0],
            builds_optimizer=is_new and _is_plain(run, trainer),
            keeps_flags=isinstance(trainer, LibraryInstance)
            and (trainer.key, "callbacks") not in run.bindings,
        )
    )
    # What else the trainer does with the model is not in sight.
    hand_over(run, (model,), node, keeps_layers=True)
    keys = optimizer.keys
    mode = None if _overrides(run, trainer, STEPS_BY_ITSELF) else True
    batch = Arguments((), {}, (), {}, complete=False)
    acts: dict[Act, Callable[[], object]] = {
        Act.TRAINING_MODE: lambda: _start_step(run, model, mode, node),
        Act.FORWARD: lambda: (
            _step_on_its_own(run, trainer, model, node),
            run_forward(run, model, batch, node),
        ),
        Act.BACKWARD: lambda: run.announce(
            events.BackwardRan(place=run.place(node), loss=UNKNOWN, label=None)
        ),
        Act.STEP: lambda: run.announce(events.Stepped(place=run.place(node), keys=keys)),
        Act.CLEAR: lambda: run.announce(
            events.GradientsCleared(
                place=run.place(node), optimizers=keys, parts=run.parts_of(model.key)
            )
        ),
    }
    callbacks = _callbacks(run, trainer, node)
    passed: dict[str, Value] = {"model": model, "optimizer": optimizer}

    def pass_through(moments: tuple[Moment, ...]) -> None:
        for moment in moments:
            if isinstance(moment, str):
                for callback in callbacks:
                    _call_hook(run, callback, moment, passed, node)
            elif moment in acts:
                acts[moment]()

    before = run.repeated
    pass_through(HUGGING_FACE.start)
    for epoch in range(2):
        run.repeated = before or epoch > 0
        pass_through(HUGGING_FACE.epoch)
    run.repeated = before
    pass_through(HUGGING_FACE.end)


def _step_on_its_own(
    run: Interpreter, trainer: LibraryInstance | InstanceValue, model: ModuleValue, node: cst.Call
) -> Value:
    """Run the ``training_step`` or ``compute_loss`` of a class, where something happens in it.

    What they run beside the model of the trainer, or instead of it, is all there is to see.
    """
    if not isinstance(trainer, InstanceValue):
        return UNKNOWN
    for name in sorted(FOLLOWED_STEPS, reverse=True):
        method = find_method(run, trainer.owner, name, trainer)
        if method is not None and run.index.is_loud(method.definition):
            passed = Arguments((model, UNKNOWN), {}, (), {}, complete=False)
            return follow(run, method, passed, node)
    return UNKNOWN


def _model(run: Interpreter, trainer: LibraryInstance | InstanceValue, node: cst.Call) -> Value:
    """The model of a trainer; what ``model_init`` makes is another one for each ``train()``."""
    initialize = run.bindings.get((trainer.key, _MODEL_INIT))
    if not isinstance(initialize, FunctionValue):
        return run.bindings.get((trainer.key, "model"), UNKNOWN)
    run.bindings.pop((trainer.key, _OPTIMIZER), None)
    made = follow(run, initialize, passing(), node)
    run.bindings[trainer.key, "model"] = made
    return made


def _start_step(run: Interpreter, model: ModuleValue, mode: bool | None, node: cst.Call) -> None:
    """Call ``train()`` of a model, which may be one of its own."""
    from freezelint.analysis.interpreter.module_methods import set_mode

    owner = run.objects.module(model.key).owner_class
    method = None if owner is None else find_method(run, owner, "train", model)
    if method is None:
        set_mode(run, model, mode, run.objects.label(model.key), node)
    else:
        passed = UNKNOWN if mode is None else Constant(mode)
        follow(run, method, passing(passed), node)


def _optimizer(
    run: Interpreter, trainer: LibraryInstance | InstanceValue
) -> tuple[OptimizerValue, bool]:
    """The optimizer of a trainer, and whether it builds it now: it does so once."""
    held = run.bindings.get((trainer.key, _OPTIMIZER))
    if isinstance(held, OptimizerValue):
        return held, False
    given = run.bindings.get((trainer.key, "optimizers"), _NOTHING)
    if isinstance(given, SequenceValue) and given.items:
        given = given.items[0]
    optimizer = given
    if not isinstance(optimizer, OptimizerValue):
        made = run.objects.new_optimizer("Trainer")
        optimizer = OptimizerValue((made.key,))
    run.bindings[trainer.key, _OPTIMIZER] = optimizer
    return optimizer, given == _NOTHING


def _is_plain(run: Interpreter, trainer: LibraryInstance | InstanceValue) -> bool:
    """Whether the trainer builds its optimizer in the usual way."""
    if run.bindings.get((trainer.key, _COMPLETE)) != Constant(True):
        return False
    # What its own step does to the optimizer happens in sight.
    return not _overrides(run, trainer, BUILDS_OPTIMIZER - FOLLOWED_STEPS)


def _overrides(
    run: Interpreter, trainer: LibraryInstance | InstanceValue, methods: frozenset[str]
) -> bool:
    """Whether the class of a trainer is one of the file that has some method of its own."""
    return isinstance(trainer, InstanceValue) and any(
        methods.intersection(each.definition.methods) for each in lineage(run, trainer.owner)
    )


def _callbacks(
    run: Interpreter, trainer: LibraryInstance | InstanceValue, node: cst.Call
) -> list[InstanceValue]:
    """The callbacks of a trainer; of a class it makes an instance."""
    from freezelint.analysis.interpreter.instances import instantiate

    held = run.bindings.get((trainer.key, "callbacks"))
    items = held.items if isinstance(held, SequenceValue) else ()
    made = (
        instantiate(run, each, passing(), node) if isinstance(each, ClassValue) else each
        for each in items
    )
    return [
        each
        for each in made
        if isinstance(each, InstanceValue)
        and HUGGING_FACE_CALLBACKS.intersection(library_bases(run, each.owner))
    ]


def _call_hook(
    run: Interpreter, callback: InstanceValue, name: str, passed: dict[str, Value], node: cst.Call
) -> None:
    method = find_method(run, callback.owner, name, callback)
    if method is not None and not run.index.is_irrelevant(method.definition):
        # Before what is passed by name: the arguments, the state and the control object.
        arguments = Arguments((UNKNOWN,) * 3, passed, (), {}, complete=False)
        follow(run, method, arguments, node)


TRAINER_CALLS: dict[str, Callable[[Interpreter, Arguments, cst.Call], Value]] = dict.fromkeys(
    HUGGING_FACE_TRAINERS, build_trainer
)
"""Constructors of trainers."""
