"""Lightning: what ``fit`` calls in which order, and how its finetuning callbacks freeze."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis import events, library_events
from freezelint.analysis.interpreter.arguments import Arguments
from freezelint.analysis.interpreter.classes import (
    find_method,
    is_lightning_class,
    library_bases,
    lineage,
)
from freezelint.analysis.interpreter.following import follow
from freezelint.analysis.interpreter.out_of_sight import hand_over
from freezelint.analysis.knowledge.frameworks import (
    FINETUNING_CALLBACKS,
    FINETUNING_HOOKS,
    LIGHTNING,
    LIGHTNING_CALLBACKS,
    LIGHTNING_TRAINERS,
    Act,
)
from freezelint.analysis.values import (
    UNKNOWN,
    Constant,
    InstanceValue,
    LibraryInstance,
    MappingValue,
    ModuleValue,
    NamespaceValue,
    OptimizerValue,
    SequenceValue,
    TensorValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import libcst as cst

    from freezelint.analysis.interpreter.machine import Interpreter
    from freezelint.analysis.knowledge.frameworks import Moment
    from freezelint.analysis.values import ClassValue, FunctionValue


def run_hooks(run: Interpreter, call: Callable[[str], Value], module: Value) -> None:
    """Call hooks in the order in which ``fit`` does, for two epochs of one step.

    A module that optimizes by hand does in ``training_step`` what else Lightning does.
    """
    since = run.trace.now
    optimizers: list[events.OptimizerBuilt] = []

    def pass_through(moments: tuple[Moment, ...]) -> None:
        loss: Value = UNKNOWN
        for moment in moments:
            if moment == "training_step":
                loss = _loss_in(call(moment))
            elif isinstance(moment, str):
                call(moment)
            else:
                for built in optimizers:
                    _act(run, moment, built, loss, to_none=_clears_to_none(run, module))

    pass_through(LIGHTNING.start)
    if not _optimizes_by_hand(run, module):
        built = run.trace.all(events.OptimizerBuilt)
        optimizers += [each for each in built if each.index >= since]
    before = run.repeated
    for epoch in range(2):
        run.repeated = before or epoch > 0
        pass_through(LIGHTNING.epoch)
    run.repeated = before
    pass_through(LIGHTNING.end)


def passed_to(hook: str, method: FunctionValue | None = None) -> Arguments:
    """What a hook is called with, as far as that tells anything.

    A batch is data, and has no graph, unless the method itself gives it one.
    """
    passed: tuple[Value, ...] = (Constant("fit"),) if hook == "setup" else ()
    definition = None if method is None else method.definition
    if hook == "training_step" and definition is not None and "_grad" not in definition.text:
        passed = (TensorValue(cut_from=()),)
    return Arguments(passed, {}, (), {}, complete=False)


def _optimizes_by_hand(run: Interpreter, module: Value) -> bool:
    return isinstance(module, ModuleValue) and (
        run.bindings.get((module.key, "automatic_optimization")) == Constant(False)
    )


def _clears_to_none(run: Interpreter, module: Value) -> bool | None:
    """Whether gradients are dropped, by Lightning or by a hook of the module in its place."""
    owner = run.objects.module(module.key).owner_class if isinstance(module, ModuleValue) else None
    hook = None if owner is None else find_method(run, owner, "optimizer_zero_grad", module)
    if hook is None or hook.definition is None:
        return True
    text = hook.definition.text
    if "set_to_none=False" in text:
        return False
    return True if "zero_grad()" in text or "set_to_none=True" in text else None


def _act(
    run: Interpreter,
    act: Act,
    built: events.OptimizerBuilt,
    loss: Value,
    *,
    to_none: bool | None,
) -> None:
    """Do what Lightning does by itself with an optimizer."""
    keys = (built.key,)
    if act is Act.CLEAR:
        run.announce(events.GradientsCleared(place=built.place, optimizers=keys, to_none=to_none))
    elif act is Act.BACKWARD:
        run.announce(events.BackwardRan(place=built.place, loss=loss, label=None))
    elif act is Act.STEP:
        run.announce(events.Stepped(place=built.place, keys=keys))


def _loss_in(returned: Value) -> Value:
    """What Lightning differentiates of what a training step returned."""
    if isinstance(returned, MappingValue):
        return returned.get("loss") or UNKNOWN
    return returned


def build_trainer(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``Trainer(callbacks=[...])``."""
    made = LibraryInstance("lightning.Trainer", run.objects.new_key(), arguments.positional)
    otherwise = SequenceValue(()) if arguments.complete else UNKNOWN
    run.bindings[made.key, "callbacks"] = arguments.keywords.get("callbacks", otherwise)
    return made


def call_on_trainer(
    run: Interpreter, receiver: LibraryInstance, name: str, arguments: Arguments, node: cst.Call
) -> Value:
    """``trainer.fit(model)``, and what else a trainer does with models."""
    model = arguments.get(0, "model")
    held = run.bindings.get((receiver.key, "callbacks"), UNKNOWN)
    callbacks = held.items if isinstance(held, SequenceValue) else (held,)
    owner = run.objects.module(model.key).owner_class if isinstance(model, ModuleValue) else None
    is_fit = name == "fit" and owner is not None and is_lightning_class(run, owner)
    is_in_sight = is_fit and all(_is_idle(run, each) for each in callbacks)
    if not is_in_sight:
        # What else happens in there nobody knows.
        hand_over(run, arguments.all, node)
    if is_fit and isinstance(model, ModuleValue) and owner is not None:
        _fit(run, callbacks, model, owner, node)
    if is_in_sight:
        hand_over(run, arguments.all, node, is_over=True)
    return UNKNOWN


def _fit(
    run: Interpreter,
    callbacks: tuple[Value, ...],
    model: ModuleValue,
    owner: ClassValue,
    node: cst.Call,
) -> None:
    run.finish(model.key)
    if not any(_is_followed(run, each) for each in callbacks) and not _is_frozen(run, model, owner):
        # Of the module alone, the analysis of its class tells all there is to tell.
        return
    since = run.trace.now

    def call(name: str) -> Value:
        for callback in callbacks:
            _call_on_callback(run, callback, name, model, since, node)
        method = find_method(run, owner, name, model)
        if method is None:
            return UNKNOWN
        return follow(run, method, passed_to(name, method), node)

    run_hooks(run, call, model)


def _is_idle(run: Interpreter, callback: Value) -> bool:
    """Whether a callback leaves flags alone, as those of libraries do that are not for that.

    And those in sight that do not mention any, such as one that averages weights.
    """
    if isinstance(callback, InstanceValue):
        bases = library_bases(run, callback.owner)
        return all(base in LIGHTNING_CALLBACKS for base in bases) and not any(
            word in each.definition.text
            for each in lineage(run, callback.owner)
            for word in ("requires_grad", "freeze")
        )
    return isinstance(callback, LibraryInstance) and callback.name not in FINETUNING_CALLBACKS


def _is_frozen(run: Interpreter, model: ModuleValue, owner: ClassValue) -> bool:
    """Whether flags of a module were cleared, or a hook may clear some before it trains.

    Which of them depends on how this very module was made, and what was done to it since.
    """
    cleared = (each for each in run.trace.all(events.FlagWritten) if each.value is False)
    if any(run.trace.overlaps(part, model.key, run.now) for each in cleared for part in each.parts):
        return True
    hooks = (find_method(run, owner, name, model) for name in LIGHTNING.hooks_before_training)
    return any(each is not None and run.index.is_loud(each.definition) for each in hooks)


def _is_followed(run: Interpreter, callback: Value) -> bool:
    """Whether a callback may freeze something, and can be followed."""
    if isinstance(callback, InstanceValue):
        return is_finetuning_class(run, callback.owner) or any(
            base in LIGHTNING_CALLBACKS for base in library_bases(run, callback.owner)
        )
    return isinstance(callback, LibraryInstance) and callback.name in FINETUNING_CALLBACKS


def _call_on_callback(
    run: Interpreter, callback: Value, name: str, model: ModuleValue, since: int, node: cst.Call
) -> None:
    if isinstance(callback, LibraryInstance) and callback.name in FINETUNING_CALLBACKS:
        if name == "setup":
            # ``BackboneFinetuning`` freezes the module of that name, and passes no options on.
            _freeze_backbone(run, callback, model, node)
        return
    if not isinstance(callback, InstanceValue) or not _is_followed(run, callback):
        return
    method = find_method(run, callback.owner, name, callback)
    passed: tuple[Value, ...] = (_trainer(run, since), model, *passed_to(name).positional)
    is_finetuning = is_finetuning_class(run, callback.owner)
    if method is None and is_finetuning and name in FINETUNING_HOOKS:
        method = find_method(run, callback.owner, FINETUNING_HOOKS[name], callback)
        built = [each for each in run.trace.all(events.OptimizerBuilt) if each.index >= since]
        optimizer = OptimizerValue(tuple(each.key for each in built)) if built else UNKNOWN
        passed = (model, UNKNOWN, optimizer)
    if method is not None and run.index.is_loud(method.definition):
        follow(run, method, Arguments(passed, {}, (), {}, complete=False), node)


def _trainer(run: Interpreter, since: int) -> Value:
    """What a callback gets to know of the optimizers that were built for this training."""
    built = [each.key for each in run.trace.all(events.OptimizerBuilt) if each.index >= since]
    if not built:
        return UNKNOWN
    trainer = NamespaceValue(run.objects.new_key())
    held = tuple(OptimizerValue((key,)) for key in dict.fromkeys(built))
    run.bindings[trainer.key, "optimizers"] = SequenceValue(held)
    return trainer


def _freeze_backbone(
    run: Interpreter, callback: LibraryInstance, model: ModuleValue, node: cst.Call
) -> None:
    backbone = run.child(model.key, "backbone")
    if not isinstance(backbone, ModuleValue):
        return
    _set_flags(run, backbone, None, "freeze", node)
    made = (each for each in run.trace.all(events.Called) if each.name == callback.name)
    run.announce(
        library_events.FrozenWithoutNorms(
            place=next(made).place,
            key=backbone.key,
            label=run.objects.label(backbone.key),
            # By default it says that they are to train.
            is_chosen=run.bindings.get((callback.key, "train_bn")) != Constant(False),
            function=callback.name.rpartition(".")[2],
        )
    )


def _set_flags(
    run: Interpreter, module: ModuleValue, flag: bool | None, function: str, node: cst.Call
) -> None:
    run.prove(module)
    run.announce(
        library_events.FlagsSetByLibrary(
            place=run.place(node),
            parts=run.parts_of(module.key),
            value=flag,
            label=run.objects.label(module.key),
            function=function,
        )
    )


def is_finetuning_class(run: Interpreter, owner: ClassValue) -> bool:
    """Whether a class of the file derives from ``BaseFinetuning``."""
    return any(base in FINETUNING_CALLBACKS for base in library_bases(run, owner))


def call_on_finetuning(run: Interpreter, name: str, arguments: Arguments, node: cst.Call) -> Value:
    """A method that a callback has from ``BaseFinetuning``."""
    modules = arguments.get(0, "modules")
    modules = arguments.keywords.get("module", UNKNOWN) if modules is None else modules
    for each in modules.items if isinstance(modules, SequenceValue) else (modules,):
        if not isinstance(each, ModuleValue):
            hand_over(run, (each,), node)
        elif name == "freeze":
            _freeze(run, each, arguments, node)
        elif name == "freeze_module":
            hand_over(run, (each,), node)
        else:
            _unfreeze(run, each, name, arguments, node)
    return UNKNOWN


def _freeze(run: Interpreter, module: ModuleValue, arguments: Arguments, node: cst.Call) -> None:
    choice = arguments.get(1, "train_bn")
    is_whole = choice == Constant(False)
    # Layers of BatchNorm are made trainable, unless that is declined.
    _set_flags(run, module, False if is_whole else None, "freeze", node)
    if not is_whole:
        run.announce(
            library_events.FrozenWithoutNorms(
                place=run.place(node),
                key=module.key,
                label=run.objects.label(module.key),
                is_chosen=choice is not None or not arguments.complete,
                function="freeze",
            )
        )


def _unfreeze(
    run: Interpreter, module: ModuleValue, name: str, arguments: Arguments, node: cst.Call
) -> None:
    _set_flags(run, module, True, name, node)
    optimizer = arguments.get(1, "optimizer")
    if isinstance(optimizer, OptimizerValue) and name == "unfreeze_and_add_param_group":
        parts = run.parts_of(module.key)
        run.announce(
            events.GroupAdded(
                place=run.place(node), keys=optimizer.keys, parts=parts, complete=False
            )
        )


def _build_callback(run: Interpreter, name: str, arguments: Arguments) -> Value:
    """``BackboneFinetuning(...)``."""
    made = LibraryInstance(name, run.objects.new_key(), arguments.positional)
    run.bindings[made.key, "train_bn"] = arguments.keywords.get("train_bn", UNKNOWN)
    return made


def _callback(name: str) -> Callable[[Interpreter, Arguments, cst.Call], Value]:
    return lambda run, arguments, node: _build_callback(run, name, arguments)


def _static(name: str) -> Callable[[Interpreter, Arguments, cst.Call], Value]:
    return lambda run, arguments, node: call_on_finetuning(run, name, arguments, node)


FINETUNING_METHODS = ("freeze", "make_trainable", "freeze_module", "unfreeze_and_add_param_group")
"""Methods of ``BaseFinetuning`` that set flags; all of them are static."""

LIGHTNING_CALLS: dict[str, Callable[[Interpreter, Arguments, cst.Call], Value]] = {
    **dict.fromkeys(LIGHTNING_TRAINERS, build_trainer),
    **{callback: _callback(callback) for callback in FINETUNING_CALLBACKS},
    **{
        f"{callback}.{name}": _static(name)
        for callback in FINETUNING_CALLBACKS
        for name in FINETUNING_METHODS
    },
}
"""Functions of Lightning that matter here."""
