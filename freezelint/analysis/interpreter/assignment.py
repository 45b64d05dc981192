"""Assignments: to names, attributes, elements and tuples of these."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis import events
from freezelint.analysis.interpreter import gradients, graphs
from freezelint.analysis.interpreter.classes import (
    defines_attribute,
    is_module_class,
    some_object,
)
from freezelint.analysis.interpreter.expressions import added, arithmetic, evaluate
from freezelint.analysis.interpreter.graphs import take_up
from freezelint.analysis.interpreter.hidden import note_collection
from freezelint.analysis.interpreter.iteration import consume, element_of, items_of, narrowed
from freezelint.analysis.interpreter.names import is_held, judge_instance, uses_of
from freezelint.analysis.interpreter.optimizers import note_edited_groups
from freezelint.analysis.interpreter.somewhere import (
    note_doubt,
    note_doubtful_write,
    put_somewhere,
)
from freezelint.analysis.interpreter.submodules import (
    name_object,
    prove_by_use,
    prove_holders,
    replace_child,
)
from freezelint.analysis.knowledge.layers import RECURRENT_LAYERS
from freezelint.analysis.knowledge.modules import MODULE_BASES, PARAMETER_CLASSES
from freezelint.analysis.knowledge.tensors import VALUES_WITH_INDICES
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import SOME
from freezelint.analysis.syntax import dotted
from freezelint.analysis.trace import compatible
from freezelint.analysis.values import (
    UNKNOWN,
    ClassValue,
    ComparisonValue,
    Constant,
    Counted,
    ElementsValue,
    FlagValue,
    Form,
    InstanceValue,
    LibraryInstance,
    LibraryValue,
    MappingValue,
    ModuleGroup,
    ModuleValue,
    NamespaceValue,
    OptimizerValue,
    ParameterSequence,
    ParameterValue,
    Part,
    SequenceValue,
    TensorKind,
    TensorValue,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezelint.analysis.events import Path
    from freezelint.analysis.interpreter.machine import Interpreter


def assign(run: Interpreter, target: cst.BaseExpression, value: Value, source: cst.CSTNode) -> None:
    """Store a value where an assignment puts it."""
    if isinstance(target, cst.Name):
        _assign_name(run, target, value)
    elif isinstance(target, cst.Attribute):
        note_edited_groups(run, target)
        receiver = evaluate(run, target.value)
        write_attribute(run, receiver, target.attr.value, value, target, source)
    elif isinstance(target, cst.Subscript):
        from freezelint.analysis.interpreter.subscripts import assign_subscript

        note_edited_groups(run, target)
        assign_subscript(run, target, value)
    elif isinstance(target, (cst.Tuple, cst.List)):
        _unpack(run, target, value, source)
    elif isinstance(target, cst.StarredElement):
        taken = value if isinstance(value, SequenceValue) else UNKNOWN
        assign(run, target.value, taken, source)


def _unpack(
    run: Interpreter, target: cst.Tuple | cst.List, value: Value, source: cst.CSTNode
) -> None:
    items: tuple[Value, ...] = ()
    width = len(target.elements)
    stars = [n for n, each in enumerate(target.elements) if isinstance(each, cst.StarredElement)]
    if stars and isinstance(value, (SequenceValue, MappingValue)):
        items = _around_the_star(run, value, stars[0], width) if value.complete else ()
    elif isinstance(value, SequenceValue) and len(value.items) == width:
        items = value.items
    elif isinstance(value, ModuleValue):
        known = items_of(run, value) or ()
        items = known if len(known) == width and not stars else ()
    elif isinstance(value, TensorValue) and value.cut_from is not None:
        # A batch, or what was computed without a graph: so is all that it consists of.
        items = (value,) * width
    elif isinstance(value, TensorValue) and value.kind is TensorKind.OUTPUT:
        how = "" if _are_all_real(run, value) else "[...]"
        items = (value._replace(how=how),) * width
        if value.how in VALUES_WITH_INDICES:
            items = (value._replace(how=""), *items[1:])
    elif (
        isinstance(value, ElementsValue)
        and not stars
        and (isinstance(value.element, (TensorValue, LibraryInstance)))
    ):
        # Of tensors or groups, not of modules: each is another one.
        items = (value.element,) * width
    for number, element in enumerate(target.elements):
        inner = element if isinstance(element, cst.StarredElement) else element.value
        assign(run, inner, items[number] if items else UNKNOWN, source)


def _around_the_star(
    run: Interpreter, value: SequenceValue | MappingValue, star: int, width: int
) -> tuple[Value, ...]:
    """What each target of ``first, *others = value`` takes."""
    known = items_of(run, value)
    if known is None or len(known) < width - 1:
        return ()
    end = len(known) - (width - star - 1)
    return (*known[:star], SequenceValue(known[star:end]), *known[end:])


def _are_all_real(run: Interpreter, output: TensorValue) -> bool:
    """Whether a recurrent layer made a tensor: all that it returns has a graph."""
    return not output.how and all(
        (run.objects.module(key).library or "").rpartition(".")[2] in RECURRENT_LAYERS
        for key in output.modules
    )


def _assign_name(run: Interpreter, target: cst.Name, value: Value) -> None:
    name = target.value
    if isinstance(value, LibraryInstance):
        value = judge_instance(run, value, uses_of(run, name))
    elif isinstance(value, ModuleValue) and not run.objects.module(value.key).proof:
        prove_by_use(run, value, name)
    name_object(run, value, name)
    run.bind(name, value)


def by_annotation(
    run: Interpreter, value: Value, annotation: cst.BaseExpression, name: cst.CSTNode
) -> Value:
    """Let ``x: nn.Module`` and its like tell what an unknown value is."""
    if not isinstance(value, Unknown):
        return value
    if isinstance(annotation, cst.BinaryOperation):
        left = by_annotation(run, value, annotation.left, name)
        if _is_none(annotation.right):
            return left
        return by_annotation(run, _of_some_kind(run, left), annotation.right, name)
    if isinstance(annotation, cst.SimpleString):
        written = annotation.raw_value
        named = cst.parse_expression(written) if _DOTTED.fullmatch(written) else None
        return value if named is None else by_annotation(run, value, named, name)
    if isinstance(annotation, cst.Subscript):
        return _by_generic(run, value, annotation, name)
    return _by_class(run, value, evaluate(run, annotation), name)


def _by_class(run: Interpreter, value: Value, kind: Value, name: cst.CSTNode) -> Value:
    """What is known of an instance of a class, or of one that derives from it."""
    label = dotted(name)
    if isinstance(kind, ClassValue):
        if is_module_class(run, kind):
            from freezelint.analysis.interpreter.instances import given_instance

            return given_instance(run, kind, name, label)
        return some_object(run, kind)
    if isinstance(kind, LibraryValue):
        if _is_published_model(kind.name):
            given = run.given_module(label)
            given.library = kind.name
            return ModuleValue(given.key)
        if kind.name in MODULE_BASES or _is_layer(kind.name):
            return ModuleValue(run.given_module(label).key)
        if kind.name in ("torch.optim.Optimizer", "torch.optim.optimizer.Optimizer"):
            return OptimizerValue((run.objects.new_optimizer("").key,))
        if kind.name in ("torch.Tensor", "torch.FloatTensor"):
            return TensorValue()
    return value


def _by_generic(
    run: Interpreter, value: Value, annotation: cst.Subscript, name: cst.CSTNode
) -> Value:
    """``Optional[nn.Module]``, which is a module where it is used as one, or ``list[nn.Module]``."""
    kind = (dotted(annotation.value) or "").rpartition(".")[2]
    inner = annotation.slice[0].slice
    if len(annotation.slice) != 1 or not isinstance(inner, cst.Index):
        return value
    if kind == "Optional":
        return by_annotation(run, value, inner.value, name)
    if kind not in _COLLECTIONS:
        return value
    element = _of_some_kind(run, by_annotation(run, value, inner.value, name))
    if isinstance(element, ModuleValue):
        return ModuleGroup(element.key, (SOME,))
    parameter = evaluate(run, inner.value)
    if isinstance(parameter, LibraryValue) and parameter.name in PARAMETER_CLASSES:
        given = run.given_module(dotted(name))
        return ParameterSequence((Part(given.key, (SOME,)),), Form.COLLECTION, complete=False)
    return value


def _is_none(annotation: cst.BaseExpression) -> bool:
    return isinstance(annotation, cst.Name) and annotation.value == "None"


def _of_some_kind(run: Interpreter, value: Value) -> Value:
    """The same module, but of which class it is nobody knows."""
    if not isinstance(value, ModuleValue):
        return value
    module = run.objects.module(value.key)
    return value if module.owner_class is None else ModuleValue(run.given_module(module.label).key)


_DOTTED = re.compile(r"\w+(?:\.\w+)*")

_COLLECTIONS = frozenset({"List", "list", "Sequence", "Iterable", "Collection"})


def _is_published_model(name: str) -> bool:
    last = name.rpartition(".")[2]
    return name.startswith("transformers.") and last.endswith(("Model", "LMHeadModel"))


def _is_layer(name: str) -> bool:
    last = name.rpartition(".")[2]
    return name.startswith("torch.nn.") and last[:1].isupper() and last != "Parameter"


def write_attribute(
    run: Interpreter,
    receiver: Value,
    attribute: str,
    value: Value,
    node: cst.CSTNode,
    source: cst.CSTNode,
) -> None:
    """``receiver.attribute = value``."""
    receiver_node = node.value if isinstance(node, cst.Attribute) else _first_argument(node)
    path = dotted(node) if isinstance(node, cst.Attribute) else None
    if path is not None and isinstance(value, LibraryInstance):
        value = judge_instance(run, value, uses_of(run, path))
    run.announce(
        events.AttributeWritten(
            place=run.place(node),
            receiver=receiver,
            attribute=attribute,
            value=value,
            owner_declares=functools.partial(_is_declared, run, receiver, attribute),
            receiver_node=receiver_node,
            receiver_name=None if receiver_node is None else dotted(receiver_node),
            value_node=source,
        )
    )
    if isinstance(value, ParameterValue):
        take_up(run, (value,))
    if isinstance(receiver, ParameterValue):
        take_up(run, (receiver,))
        prove_holders(run, receiver, attribute)
    if attribute == "requires_grad":
        _write_flag(run, receiver, value, node, source)
        return
    if attribute == "grad" and isinstance(receiver, ParameterValue):
        gradients.write_gradient(run, receiver, value, node)
        return
    if path is not None:
        name_object(run, value, path)
    if path is not None:
        run.touch(path.partition(".")[0])
    if (
        isinstance(value, ModuleValue)
        and receiver_node is not None
        and _is_somewhere(run, receiver)
    ):
        put_somewhere(run, receiver_node, value, source, node)
    if isinstance(receiver, ModuleValue):
        note_collection(run, receiver.key, attribute, value, node, source)
        replace_child(run, receiver.key, attribute, value, node)
    elif isinstance(receiver, (InstanceValue, NamespaceValue)):
        announce_rebinding(run, path or attribute, (receiver.key, attribute), value, node)
        run.bindings[receiver.key, attribute] = value
    else:
        _keep(run, receiver, node, attribute, value)


def _keep(
    run: Interpreter, receiver: Value, node: cst.CSTNode, attribute: str, value: Value
) -> None:
    """Keep an attribute of something that has no identity here."""
    path = dotted(node) if isinstance(node, cst.Attribute) else None
    if isinstance(receiver, MappingValue) and isinstance(node, cst.Attribute):
        # A dict whose keys are attributes, too.
        from freezelint.analysis.interpreter.sequences import store, with_entry

        store(run, node.value, with_entry(receiver, Constant(attribute), value))
    elif path is not None and attribute not in ("data",):
        run.bindings[run.frame.key, path] = value


def _is_somewhere(run: Interpreter, receiver: Value) -> bool:
    """Whether a value is one of several modules, or nobody knows what."""
    if isinstance(receiver, ModuleValue):
        return run.objects.module(receiver.key).origin is Origin.ELEMENT
    return isinstance(receiver, Unknown)


def _is_declared(run: Interpreter, receiver: Value, attribute: str) -> bool:
    owner = None
    if isinstance(receiver, ModuleValue):
        owner = run.objects.module(receiver.key).owner_class
    elif isinstance(receiver, InstanceValue):
        owner = receiver.owner
    return owner is not None and (
        defines_attribute(run, owner, attribute) or defines_attribute(run, owner, "__setattr__")
    )


def announce_rebinding(
    run: Interpreter, name: str, key: tuple[int, str], value: Value, node: cst.CSTNode
) -> None:
    """Say so when a name that held one module is about to hold another."""
    old = run.bindings.get(key)
    if isinstance(old, ModuleValue) and isinstance(value, ModuleValue) and old.key != value.key:
        run.announce(
            events.NameRebound(
                place=run.place(node),
                name=name,
                old=old.key,
                new=value.key,
                is_held=is_held(run, old, but=key),
            )
        )


def _write_flag(
    run: Interpreter, receiver: Value, value: Value, node: cst.CSTNode, source: cst.CSTNode
) -> None:
    if isinstance(receiver, ParameterValue):
        write_computed_flag(run, receiver, value, node, source)
    elif isinstance(receiver, ModuleValue) and not run.proven(receiver):
        # Perhaps a parameter, perhaps a module on which this does nothing.
        parts = run.parts_of(receiver.key)
        run.announce(
            events.FlagWritten(
                place=run.place(node),
                parts=parts,
                value=None,
                label=run.objects.label(receiver.key),
                certain=False,
            )
        )
    elif isinstance(receiver, TensorValue) and value != Constant(False):
        make_leaf(run, receiver, node.value if isinstance(node, cst.Attribute) else None)
    elif isinstance(receiver, Unknown):
        target = node.value if isinstance(node, cst.Attribute) else _first_argument(node)
        if target is not None:
            note_doubtful_write(run, target, value, node)


def _first_argument(node: cst.CSTNode) -> cst.BaseExpression | None:
    """Of what ``setattr(...)`` sets an attribute."""
    return node.args[0].value if isinstance(node, cst.Call) and node.args else None


def make_leaf(run: Interpreter, tensor: TensorValue, source: cst.CSTNode | None) -> TensorValue:
    """Let a tensor require a gradient; what is computed from it has a graph from here on."""
    run.trace.makes_leaves = True
    leaf = tensor._replace(
        cut_from=None, how="requires_grad", made=run.trace.now - 1, is_traced=False
    )
    if isinstance(source, cst.Name):
        run.bind(source.value, leaf)
    return leaf


def write_computed_flag(
    run: Interpreter, receiver: Value, value: Value, node: cst.CSTNode, source: cst.CSTNode | None
) -> None:
    """Set the flag to the value of an expression, which may differ from element to element."""
    from freezelint.analysis.interpreter.conditions import judge
    from freezelint.analysis.interpreter.element_tests import ElementTest
    from freezelint.analysis.interpreter.turns import arms_of

    if isinstance(value, Constant):
        write_flag(run, receiver, value.value if isinstance(value.value, bool) else None, node)
        return
    if isinstance(value, FlagValue) and isinstance(source, cst.Name):
        # What it was when the name took it, which may be long ago.
        write_flag(run, receiver, None, node)
        return
    verdict = judge(run, source) if isinstance(source, cst.BaseExpression) else None
    if isinstance(verdict, ElementTest) and isinstance(receiver, (ParameterValue, ModuleValue)):
        picked = narrowed(receiver, verdict.when_true, run)
        if picked is receiver and verdict.when_true and verdict.when_false:
            # One that stands for several: some are switched on, and the others off.
            write_flag(run, receiver, None, node)
            return
        write_flag(run, picked, True, node)
        write_flag(run, narrowed(receiver, verdict.when_false, run), False, node)
    elif verdict is None and isinstance(value, Unknown) and isinstance(source, cst.BaseExpression):
        _write_optional_flag(run, receiver, node, source)
    elif _is_of_a_counter(value) and isinstance(source, cst.BaseExpression) and verdict is None:
        _write_in_turns(run, receiver, node, zip((True, False), arms_of(run, source), strict=True))
    else:
        write_flag(run, receiver, verdict if isinstance(verdict, bool) else None, node)


def _write_optional_flag(
    run: Interpreter, receiver: Value, node: cst.CSTNode, source: cst.BaseExpression
) -> None:
    """Set the flag to an option: True in the runs that have it, False in all others."""
    from freezelint.analysis.interpreter.optional_flags import arms_of_option

    arms = list(arms_of_option(run, source))
    if not arms:
        write_flag(run, receiver, None, node)
    _write_in_turns(run, receiver, node, arms)


def _write_in_turns(
    run: Interpreter, receiver: Value, node: cst.CSTNode, arms: Iterable[tuple[bool, Path]]
) -> None:
    """Set the flag to each of several values, on the way on which it has that value."""
    path = run.path
    for flag, arm in arms:
        if compatible(path, arm):
            run.path = (*path, *(each for each in arm if each not in path))
            write_flag(run, receiver, flag, node)
    run.path = path


def _is_of_a_counter(value: Value) -> bool:
    """Whether a value says how far the rounds of a loop are: False in some and True in others."""
    return isinstance(value, ComparisonValue) and isinstance(value.left, Counted)


def write_flag(
    run: Interpreter,
    receiver: Value,
    flag: bool | None,
    node: cst.CSTNode,
    *,
    certain: bool = True,
) -> None:
    """Really set ``requires_grad`` of a module's or an element's parameters."""
    if isinstance(receiver, ParameterValue):
        named = receiver.parts
    elif isinstance(receiver, ModuleValue):
        named = (Part(receiver.key),)
    else:
        return
    if run.unpicked and any(_is_unpicked(run, part.key) for part in named):
        flag = None
    parts = tuple(each for part in named for each in run.parts_of(part.key, part.predicate))
    if not parts:
        return
    labels = dict.fromkeys(run.objects.label(part.key) for part in named)
    label = ", ".join(labels) if run.objects.module(parts[0].key).is_module else next(iter(labels))
    place = run.place(node)
    run.announce(
        events.FlagWritten(place=place, parts=parts, value=flag, label=label, certain=certain)
    )
    if flag is not False and not run.guesses.isdisjoint(part.key for part in parts):
        note_doubt(run, label, node)


def _is_unpicked(run: Interpreter, key: int) -> bool:
    """Whether a module, or what it is in, stands for several of which only some are meant."""
    return not run.unpicked.isdisjoint(run.objects.holders(key, run.trace.now))


def augmented(run: Interpreter, node: cst.AugAssign) -> None:
    """``x += y``: lists of parameters grow, and losses are added up."""
    value = evaluate(run, node.value)
    before = evaluate(run, node.target)
    result: Value = UNKNOWN
    if gradients.is_gradient(before):
        if isinstance(node.operator, cst.MultiplyAssign):
            gradients.note_masked(run, gradients.product(before, value), node)
        elif isinstance(node.operator, (cst.AddAssign, cst.SubtractAssign)):
            gradients.note_filled(run, before, node)
        return
    if isinstance(before, ParameterValue):
        # In place: the name holds the parameter that it held.
        run.announce(events.ParametersWritten(place=run.place(node), parts=before.parts))
        return
    if isinstance(node.operator, cst.AddAssign):
        result = concatenated(run, before, value, node.value)
        if (
            run.loops
            and isinstance(result, SequenceValue)
            and any(isinstance(each, ModuleValue) for each in result.items[-1:])
        ):
            # One round stands for nobody knows how many.
            result = SequenceValue(result.items, complete=False, certain=result.sure)
    if isinstance(result, Unknown) and isinstance(node.target, cst.Name) and run.grad_enabled:
        # Without gradients it is an update in place, of what may be a leaf.
        compute = added if isinstance(node.operator, cst.AddAssign) else arithmetic
        result = compute(run, before, value)
        graphs.store(run, (node.target,), result)
    assign(run, node.target, result, node.value)


def concatenated(run: Interpreter, first: Value, second: Value, node: cst.CSTNode) -> Value:
    """``first + second`` for collections."""
    if isinstance(first, Constant) and isinstance(second, Constant):
        if isinstance(first.value, str) and isinstance(second.value, str):
            return Constant(first.value + second.value)
        return UNKNOWN
    left, right = as_parameters(run, first, node), as_parameters(run, second, node)
    if left is not None and right is not None:
        return ParameterSequence(
            left.parts + right.parts,
            Form.COLLECTION,
            named=left.named and right.named,
            complete=left.complete and right.complete,
        )
    if isinstance(first, SequenceValue) and isinstance(second, SequenceValue):
        complete = first.complete and second.complete
        certain = () if complete else first.sure + second.sure
        return SequenceValue(first.items + second.items, complete, certain)
    if isinstance(first, (SequenceValue, ElementsValue)) and (
        isinstance(second, (SequenceValue, ElementsValue))
    ):
        return _with_counted(first, second)
    if left is not None and not isinstance(first, SequenceValue):
        return left._replace(complete=False, form=Form.COLLECTION, iterator=None)
    if any(isinstance(each, (SequenceValue, ModuleGroup)) for each in (first, second)):
        one, other = _as_modules(run, first), _as_modules(run, second)
        if one is not None and other is not None:
            return SequenceValue(one.items + other.items, one.complete and other.complete)
    rest = left if left is not None else right
    if rest is not None:
        return rest._replace(complete=False, form=Form.COLLECTION, iterator=None)
    return UNKNOWN


def _with_counted(
    first: SequenceValue | ElementsValue, second: SequenceValue | ElementsValue
) -> Value:
    """Texts, and one that stands for each of several which count."""
    items: list[Value] = []
    for each in (first, second):
        if isinstance(each, SequenceValue):
            items.extend(each.items)
        elif isinstance(each.element, Counted):
            items.append(each.element)
        else:
            return UNKNOWN
    return SequenceValue(tuple(items), complete=False)


def _as_modules(run: Interpreter, value: Value) -> SequenceValue | None:
    """A value as a list of modules, in which one may stand for each of several."""
    if isinstance(value, SequenceValue):
        return value
    if not isinstance(value, (ModuleGroup, ModuleValue)):
        return None
    items = items_of(run, value)
    if items is not None:
        return SequenceValue(items)
    element = element_of(run, value)
    return SequenceValue((element,)) if isinstance(element, ModuleValue) else None


def as_parameters(run: Interpreter, value: Value, node: cst.CSTNode) -> ParameterSequence | None:
    """A value as a collection of parameters, if that is what it holds."""
    if isinstance(value, ParameterSequence):
        consumed = consume(run, value, node)
        assert isinstance(consumed, ParameterSequence)
        return consumed
    if isinstance(value, SequenceValue):
        collected: list[ParameterSequence] = []
        for item in value.items:
            if isinstance(item, ParameterValue):
                collected.append(ParameterSequence(item.parts, Form.COLLECTION))
            else:
                return None
        take_up(run, (value,))
        return ParameterSequence(
            tuple(part for each in collected for part in each.parts),
            Form.COLLECTION,
            complete=value.complete,
        )
    return None
