"""Calls of imported functions and classes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis import events
from freezelint.analysis.interpreter.adapters import ADAPTER_CALLS, configure
from freezelint.analysis.interpreter.building import (
    build_layer,
    build_model,
    build_parameter,
    build_pretrained_layer,
    copy_module,
    share_module,
)
from freezelint.analysis.interpreter.command_line import OPTION_CALLS
from freezelint.analysis.interpreter.concatenation import concatenated
from freezelint.analysis.interpreter.gradients import chosen, is_gradient
from freezelint.analysis.interpreter.graphs import derived, take_up
from freezelint.analysis.interpreter.iteration import consume, items_of
from freezelint.analysis.interpreter.lightning import LIGHTNING_CALLS
from freezelint.analysis.interpreter.names import given_as
from freezelint.analysis.interpreter.optimizers import build_optimizer, parameters_in
from freezelint.analysis.interpreter.out_of_sight import hand_over, keys_in
from freezelint.analysis.interpreter.sequences import as_table
from freezelint.analysis.interpreter.texts import matched
from freezelint.analysis.interpreter.trainers import TRAINER_CALLS
from freezelint.analysis.knowledge.calls import (
    GRAD_SWITCHES,
    HARMLESS_CALLS,
    HARMLESS_PREFIXES,
    ITERATOR_CONSUMERS,
    PARAMETER_REPLACERS,
    TRANSPARENT_WRAPPERS,
)
from freezelint.analysis.knowledge.layers import PRETRAINED_LAYERS
from freezelint.analysis.knowledge.optimizers import OPTIMIZERS_ELSEWHERE, SCHEDULE_FACTORIES
from freezelint.analysis.knowledge.peft import ADAPTER_PREFIXES
from freezelint.analysis.knowledge.tensors import (
    DISCRETE_METHODS,
    JOINING,
    ONE_TENSOR_METHODS,
    REAL_FUNCTIONS,
    TENSOR_CONSTRUCTORS,
)
from freezelint.analysis.knowledge.zoo import MODULE_FIRST_OF_TUPLE, builds_module
from freezelint.analysis.predicates import SOME, conjunction
from freezelint.analysis.syntax import dotted
from freezelint.analysis.tensors import cut_sources, tensors_in
from freezelint.analysis.values import (
    ANY_KEY,
    UNKNOWN,
    BuiltinValue,
    Constant,
    ElementsValue,
    Form,
    FunctionValue,
    LibraryInstance,
    MappingValue,
    ModuleGroup,
    ModuleValue,
    ParameterSequence,
    PartialValue,
    SequenceValue,
    TensorKind,
    TensorValue,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import libcst as cst

    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.interpreter.machine import Interpreter


def _switch_gradients(run: Interpreter, name: str, arguments: Arguments) -> Value:
    is_left_on = run.grad_enabled is True and arguments.all == (Constant(True),)
    if name.endswith("set_grad_enabled") and not is_left_on:
        # It acts at once, for as long as nobody knows; `with` then says what it is inside.
        run.grad_enabled = None
    return LibraryInstance(name, 0, arguments.all)


def call_library(run: Interpreter, name: str, arguments: Arguments, node: cst.Call) -> Value:
    """Call something imported, by its dotted name."""
    run.announce(
        events.Called(
            place=run.place(node),
            name=name,
            arguments=arguments.positional,
            keywords=arguments.keywords,
            is_complete=arguments.complete,
            call=node,
        )
    )
    package, _, last = name.rpartition(".")
    if is_optimizer(name):
        return build_optimizer(run, last, arguments, node, name)
    if name in GRAD_SWITCHES or last == "set_grad_enabled":
        return _switch_gradients(run, name, arguments)
    special = _SPECIAL.get(name)
    if special is not None:
        return special(run, arguments, node)
    if name in ADAPTER_PREFIXES:
        return configure(run, name, arguments, node)
    if name.startswith("itertools."):
        return _chain(run, last, arguments, node)
    if name in TRANSPARENT_WRAPPERS or name in PARAMETER_REPLACERS:
        return _wrap(run, name, arguments, node)
    if package == "torch.nn" and last[:1].isupper():
        return build_layer(run, name, arguments, node)
    if name.startswith("torch.nn.modules.") and last[:1].isupper():
        return build_layer(run, f"torch.nn.{last}", arguments, node)
    if name in PRETRAINED_LAYERS:
        return build_pretrained_layer(run, package, arguments, node)
    if builds_module(name):
        return build_model(run, name, arguments, node)
    if name in MODULE_FIRST_OF_TUPLE:
        others = (UNKNOWN,) * (1 if name == "clip.load" else 2)
        return SequenceValue((build_model(run, name, arguments, node), *others))
    return _elsewhere(run, name, arguments, node)


def is_optimizer(name: str) -> bool:
    """Whether a dotted name is the class of an optimizer."""
    if name in OPTIMIZERS_ELSEWHERE:
        return True
    last = name.rpartition(".")[2]
    return (
        name.startswith(("torch.optim.", "torch_optimizer.", "bitsandbytes.optim.", "timm.optim."))
        and last[:1].isupper()
        and ".lr_scheduler" not in name
        and ".swa_utils" not in name
        and last not in ("Optimizer", "Lookahead")
    )


def _partial(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    if not arguments.positional:
        return UNKNOWN
    return PartialValue(arguments.positional[0], arguments.without_first())


def _reduce(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``reduce``: what the function does to each element, nobody follows."""
    for number, value in enumerate(arguments.positional):
        consume(run, value, arguments.node(number, "") or node)
    if not arguments.positional or not _only_computes(arguments.positional[0]):
        hand_over(run, arguments.all, node)
    return UNKNOWN


def _only_computes(function: Value) -> bool:
    """Whether a lambda sets no flag, and calls nothing but methods."""
    if not isinstance(function, FunctionValue) or function.definition is not None:
        return False
    code = function.chunk.code(function.node)
    return "requires_grad" not in code and re.search(r"(?<![\w.])\w+\(", code) is None


def _defaultdict(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """A dict that is asked for keys which it does not have yet."""
    factory = arguments.positional[0] if arguments.positional else UNKNOWN
    if len(arguments.all) != 1 or factory != BuiltinValue("list"):
        return UNKNOWN
    return MappingValue(((ANY_KEY, SequenceValue(())),), complete=False)


def _ordered(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``OrderedDict()``, empty, from pairs or from keywords."""
    if not arguments.positional and arguments.complete:
        return MappingValue(tuple(arguments.keywords.items()))
    pairs = arguments.positional[0] if len(arguments.all) == 1 and arguments.positional else UNKNOWN
    if isinstance(pairs, MappingValue):
        return pairs
    if isinstance(pairs, ParameterSequence):
        return as_table(run, pairs, arguments, node)
    if not isinstance(pairs, SequenceValue) or not pairs.complete:
        return UNKNOWN
    items = [each.items for each in pairs.items if isinstance(each, SequenceValue)]
    if len(items) < len(pairs.items) or any(len(each) != 2 for each in items):
        return UNKNOWN
    known = tuple((key.value, value) for key, value in items if isinstance(key, Constant))
    return MappingValue(known) if len(known) == len(items) else UNKNOWN


def _chain(run: Interpreter, last: str, arguments: Arguments, node: cst.Call) -> Value:
    values = arguments.positional
    if last == "from_iterable" and len(values) == 1:
        values = items_of(run, values[0]) or ()
    elif last == "islice":
        return _sliced(run, arguments)
    elif last != "chain":
        return UNKNOWN
    parts, complete = parameters_in(run, SequenceValue(values), node)
    if not values or not parts:
        return _chained_modules(run, values, node)
    named = all(isinstance(each, ParameterSequence) and each.named for each in values)
    return ParameterSequence(parts, Form.ITERATOR, named, complete, iterator=run.objects.new_key())


def _chained_modules(run: Interpreter, values: tuple[Value, ...], node: cst.Call) -> Value:
    """``chain`` of lists of modules, each with one that stands for several."""
    made: Value = SequenceValue(())
    for each in values:
        made = concatenated(run, made, each, node)
    return made


def _sliced(run: Interpreter, arguments: Arguments) -> Value:
    """``islice``: some of the elements."""
    value = arguments.positional[0] if arguments.positional else UNKNOWN
    if isinstance(value, ModuleGroup):
        return value._replace(predicate=conjunction(value.predicate, (SOME,)))
    if isinstance(value, ParameterSequence):
        parts = tuple(
            part._replace(predicate=conjunction(part.predicate, (SOME,))) for part in value.parts
        )
        return value._replace(parts=parts)
    return UNKNOWN


def _wrap(run: Interpreter, name: str, arguments: Arguments, node: cst.Call) -> Value:
    value = arguments.get(0, "module")
    if value is None:
        value = arguments.keywords.get("model", UNKNOWN)
    if not isinstance(value, ModuleValue):
        if not name.endswith("Parallel") and not name.startswith("peft."):
            return value if isinstance(value, Unknown) else UNKNOWN
        # Nothing else can be wrapped in these.
        value = given_as(run, arguments.node(0, "module"))
    run.prove(value)
    if name in PARAMETER_REPLACERS:
        run.announce(
            events.ParametersReplaced(
                place=run.place(node),
                key=value.key,
                label=run.objects.label(value.key),
                how=name.rpartition(".")[2],
            )
        )
        hand_over(run, (value,), node)
        return value
    run.announce(
        events.Wrapped(
            place=run.place(node),
            key=value.key,
            wrapper=name,
            keywords=arguments.keywords,
            is_complete=arguments.complete,
        )
    )
    return value


def _elsewhere(run: Interpreter, name: str, arguments: Arguments, node: cst.Call) -> Value:
    last = name.rpartition(".")[2]
    if name in ITERATOR_CONSUMERS:
        for number, value in enumerate(arguments.positional[:1]):
            consume(run, value, arguments.node(number, "parameters") or node)
            take_up(run, (value,))
        return UNKNOWN
    if name == "re.compile":
        return LibraryInstance(name, run.objects.new_key(), arguments.positional)
    if name in TENSOR_CONSTRUCTORS:
        return _fresh_tensor(run, last, arguments)
    if name in SCHEDULE_FACTORIES:
        return UNKNOWN
    if name.startswith(HARMLESS_PREFIXES) or name in HARMLESS_CALLS:
        if last[:1].isupper():
            return LibraryInstance(name, run.objects.new_key(), arguments.positional)
        if name.startswith("torch.nn.init.") or name == "torch.save":
            take_up(run, arguments.all)
        is_computed = name.startswith(("torch.nn.functional.", "torch.autograd.Function."))
        return _computed(run, last, arguments) if is_computed else UNKNOWN
    if name.startswith("torch.") and last[:1].islower() and name.count(".") == 1:
        return _computed(run, last, arguments)
    if last[:1].isupper():
        return _instance(run, name, arguments, node)
    hand_over(run, arguments.all, node)
    return UNKNOWN


def _fresh_tensor(run: Interpreter, name: str, arguments: Arguments) -> TensorValue:
    is_leaf = "requires_grad" not in arguments.keywords and name != "Variable"
    numbers = tensors_in(arguments.all) if name in ("tensor", "as_tensor", "from_numpy") else ()
    sources = tuple(dict.fromkeys(key for each in numbers for key in cut_sources(each)))
    return TensorValue(
        TensorKind.PLAIN,
        name,
        is_fresh=True,
        made=run.trace.now - 1,
        cut_from=sources if is_leaf else None,
        is_inference=run.is_inference,
    )


def _computed(run: Interpreter, name: str, arguments: Arguments) -> Value:
    """A function of ``torch`` or ``torch.nn.functional``."""
    if name in ("load", "compile", "device", "manual_seed", "is_tensor"):
        return UNKNOWN
    values = arguments.all if arguments.complete else (*arguments.all, UNKNOWN)
    if name == "where" and len(values) == 3 and (masked := chosen(*values)) is not None:
        return masked
    computed = _still_output(name, arguments.positional)
    result = derived(run, computed, values, is_discrete=name in DISCRETE_METHODS)
    # What a gradient says of itself, such as where it is not a number, is no mask.
    return UNKNOWN if any(map(is_gradient, values)) else result


def _still_output(name: str, values: tuple[Value, ...]) -> TensorValue:
    """What is as much the output of a module as the first argument, or as some of a list."""
    first = values[0] if values else UNKNOWN
    among = first.items if isinstance(first, SequenceValue) and name in JOINING else (first,)
    outputs = [
        each for each in among if isinstance(each, TensorValue) and each.kind is TensorKind.OUTPUT
    ]
    outputs = [each for each in outputs if not each.how and each.cut_from is None]
    if not outputs or name not in JOINING | ONE_TENSOR_METHODS | REAL_FUNCTIONS:
        return TensorValue()
    modules = dict.fromkeys(key for each in outputs for key in each.modules)
    return TensorValue(TensorKind.OUTPUT, modules=tuple(modules))


def _instance(run: Interpreter, name: str, arguments: Arguments, node: cst.Call) -> Value:
    """An object of an imported class: it may keep what it is given."""
    keys, optimizers = keys_in(run, arguments.all)
    if keys and not optimizers:
        # A wrapper or trainer around a module: whatever it does, it does out of sight.
        hand_over(run, arguments.all, node)
    made = LibraryInstance(name, run.objects.new_key(), arguments.all)
    if dotted(node.func) is None:
        return UNKNOWN
    return made


def _gradients(run: Interpreter, arguments: Arguments, node: cst.Call) -> Value:
    """``torch.autograd.grad(loss, parameters)``: a tensor for each of these, in their order."""
    result = _elsewhere(run, "torch.autograd.grad", arguments, node)
    inputs = arguments.get(1, "inputs")
    if not isinstance(inputs, ParameterSequence):
        return result
    inputs = consume(run, inputs, arguments.node(1, "inputs") or node)
    if not isinstance(inputs, ParameterSequence) or not inputs.complete:
        return result
    return ElementsValue(TensorValue(TensorKind.CONVERTED, parts=inputs.parts))


def _match(kind: str) -> Callable[[Interpreter, Arguments, cst.Call], Value]:
    return lambda run, arguments, node: matched(kind, arguments.positional)


_SPECIAL: dict[str, Callable[[Interpreter, Arguments, cst.Call], Value]] = {
    "torch.nn.Parameter": build_parameter,
    "torch.nn.parameter.Parameter": build_parameter,
    "copy.deepcopy": copy_module,
    "copy.copy": share_module,
    "torchvision.models.feature_extraction.create_feature_extractor": share_module,
    "torchvision.models._utils.IntermediateLayerGetter": share_module,
    "functools.partial": _partial,
    "functools.reduce": _reduce,
    "torch.autograd.grad": _gradients,
    "re.match": _match("match"),
    "re.search": _match("search"),
    "collections.OrderedDict": _ordered,
    "collections.defaultdict": _defaultdict,
    **ADAPTER_CALLS,
    **OPTION_CALLS,
    **TRAINER_CALLS,
    **LIGHTNING_CALLS,
}
