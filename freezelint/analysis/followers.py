"""Networks whose weights are written by hand: momentum encoders, targets, averages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import AttributeWritten, HandedOver, MethodCalled, Stepped
from freezelint.analysis.objects import Origin
from freezelint.analysis.reach import family_of
from freezelint.analysis.values import (
    ModuleValue,
    ParameterValue,
    Part,
    StateDictValue,
    TensorValue,
)

if TYPE_CHECKING:
    from freezelint.analysis.definitions import ClassDefinition
    from freezelint.analysis.objects import Attachment
    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Value

_CALLED = r"(?<![\w.])(?:self\.)?(\w+)$"

_UPDATES = r"\.(?:data\b|copy_|lerp_|mul_|add_|set_|swap)|state_dict\(|\bzip\(|_foreach_"
"""How code writes weights of one network into another."""

_FILLS = frozenset(
    {"normal_", "uniform_", "zero_", "fill_", "random_", "exponential_", "fill_diagonal_"}
)
"""What puts numbers into weights that come from no other network."""

_ONLY_LOOKING = frozenset(
    {"zip", "enumerate", "list", "tuple", "len", "reversed", "iter", "next", "isinstance", "print"}
    | {"range", "sorted", "type", "id", "repr", "str", "hasattr"}
)
"""Built-in functions: what they are called with stays as it is, and goes nowhere."""


def follows_another(trace: Trace, key: int) -> bool:
    """Whether the weights of a module are written or copied by hand.

    Also if they may be, by code out of sight that is given both networks. A copy of another
    is there to follow it, unless all that is done with it is in sight.
    """
    if trace.objects.module(key).origin is Origin.COPY and _may_follow_its_source(trace, key):
        return True
    return (
        _goes_with_another(trace, key)
        or any(
            _writes_weights(call)
            and _is_of(trace, call.receiver, key, call.index)
            and not _sets_once(trace, call)
            for call in trace.all(MethodCalled)
        )
        or any(
            write.attribute == "data" and _is_of(trace, write.receiver, key, write.index)
            for write in trace.all(AttributeWritten)
        )
    )


def _may_follow_its_source(trace: Trace, key: int) -> bool:
    """Whether code out of sight has a copy in hands, or a method of its owner may update it."""
    attachments = trace.objects.module(key).attachments
    if not attachments or trace.was_handed_over(key, trace.now):
        return True
    for each in attachments:
        owner = trace.objects.module(each.parent).owner_class
        if owner is None or not each.attribute.isidentifier():
            return True
        attribute = each.attribute
        together = rf"\[[^\[\]]*,\s*self\.{attribute}\s*[,\]]|\[\s*self\.{attribute}\s*,"
        if any(
            re.search(together, method.text) or (name != "__init__" and _may_update(method.text))
            for definition in family_of(trace.file, owner.definition)
            for name, method in definition.methods.items()
            if attribute in method.words
        ):
            return True
    return False


def _may_update(text: str) -> bool:
    return re.search(_UPDATES, text) is not None


def _goes_with_another(trace: Trace, key: int) -> bool:
    return any(
        len(event.keys) > 1
        and any(trace.objects.route(key, each, event.index) is not None for each in event.keys)
        for event in trace.all(HandedOver)
    ) or any(_is_passed_on(trace, each) for each in trace.objects.module(key).attachments)


def _is_passed_on(trace: Trace, attachment: Attachment) -> bool:
    """Whether a method passes an attribute on: not every method is run."""
    owner = trace.objects.module(attachment.parent).owner_class
    if owner is None or not attachment.attribute.isidentifier():
        return False
    passed = re.compile(rf"[(,=]\s*self\.{attachment.attribute}\s*[,)]")
    family = family_of(trace.file, owner.definition)
    return any(
        not _only_looks(trace, family, _taker(method.text, found.start()))
        for name, method in owner.definition.methods.items()
        if name != "__init__" and attachment.attribute in method.words
        for found in passed.finditer(method.text)
    )


def _only_looks(trace: Trace, family: list[ClassDefinition], taker: str) -> bool:
    """Whether what is called so leaves the weights that it gets alone."""
    if taker in _ONLY_LOOKING:
        return True
    methods = (each.methods.get(taker) for each in family)
    called = next(filter(None, methods), None) or trace.file.functions.get(taker)
    return called is not None and not _may_update(called.text)


def _taker(text: str, at: int) -> str:
    """The name of what is called with what stands behind a bracket or comma."""
    opening, depth = at, int(text[at] != "(")
    while depth and opening > 0:
        opening -= 1
        depth += (text[opening] == ")") - (text[opening] == "(")
    called = re.search(_CALLED, text[:opening])
    return "" if called is None else called[1]


def _writes_weights(call: MethodCalled) -> bool:
    if call.name == "load_state_dict":
        return any(isinstance(each, StateDictValue) for each in call.arguments)
    if call.name == "requires_grad_" or call.name in _FILLS or not call.name.endswith("_"):
        return False
    return isinstance(call.receiver, (TensorValue, ParameterValue))


def _sets_once(trace: Trace, call: MethodCalled) -> bool:
    """Whether weights that are no other network's are put in before the training begins."""
    if call.name != "copy_" or call.loops or next(trace.before(call, Stepped), None) is not None:
        return False
    return not any(getattr(each, "parts", ()) for each in call.arguments)


def _is_of(trace: Trace, value: Value, key: int, at: int) -> bool:
    if isinstance(value, (ParameterValue, TensorValue)):
        return any(trace.parts_overlap(part, Part(key), at) for part in value.parts)
    return isinstance(value, ModuleValue) and trace.related(value.key, key, at)
