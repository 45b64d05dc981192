"""What the text of a class says of the lists and dicts in which it keeps modules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.knowledge.modules import (
    HARMLESS_MODULE_METHODS,
    MODULE_ITERATORS,
    SAME_MODULE_METHODS,
    SUBMODULE_ITERATORS,
)
from freezelint.analysis.search import attribute_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freezelint.analysis.definitions import ClassDefinition
    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.trace import Trace

_REGISTERING = re.compile(r"add_module|register_module|setattr|__dict__|_modules")
"""Other ways in which a constructor may make its modules known."""

_SEES_TO_THEM = re.compile(
    r"parameters\(|requires_grad|state_dict|optim|no_grad|inference_mode|deepcopy|detach|yield"
    rf"|{_REGISTERING.pattern}"
)
"""What a method holds that does more with modules than to move and to call them."""

_OWN_MODES = frozenset({"train", "eval"})
"""Methods that switch modes by hand: they show that the modules are known to hang nowhere."""

_OF_ALL_MODULES = frozenset(
    {*MODULE_ITERATORS, *SUBMODULE_ITERATORS, *SAME_MODULE_METHODS, *HARMLESS_MODULE_METHODS}
    | {"module", "load_state_dict", "modules", "device", "config", "add_module", "get_submodule"}
)
"""What any module, or a wrapper around it, may be asked for."""

_GOES_OVER = re.compile(r"\b(?:zip|enumerate|len|range|reversed|isinstance|map)\(")

_ASKS_FOR_KEYS = (
    r"(?:\bin|\blen\(|\blist\(|\bsorted\()[ ]?self\.{attribute}(?:\.keys\(\))?(?=[ ]*[\]:)}}])"
)
"""Where a constructor goes over the keys of a dict, or counts what is in it."""

_MEASURES_EACH = (
    r"(?<![\w.])\{{\w+: [\w.]+\((\w+)\.(?:config\.)?[a-z]\w*(?:, [\w.]+)*\)"
    r" for \w+, \1 in self\.{attribute}\.items\(\)\}}"
)
"""Where a constructor makes a layer for each of them, as wide as what comes out of that."""

_MOVES_EACH = r"for (\w+) in self\.{attribute}:\n\s+(?:\1 = )?\1\.(?:cuda|to)\([^\n]*"
"""A loop of a constructor that is there because the model as a whole does not move them."""


def is_worked_with(trace: Trace, owner: ModuleObject, attribute: str) -> bool:
    """Whether anything is done with a collection but to fill it and to run what is in it."""
    if owner.owner_class is None or attribute.startswith("_"):
        return True
    classes = list(_lineage(trace, owner.owner_class.definition))
    methods = [each for definition in classes for each in definition.methods.values()]
    if not {"__init__", "forward"} <= {each.name for each in methods}:
        return True
    # What another object has under the same name is something else.
    elsewhere = rf"\bself\.\w[\w.]*\.{attribute}\b"
    texts = [(each.name, *re.subn(elsewhere, "", each.text)) for each in methods]
    others = sum(count for _, _, count in texts)
    mention = attribute_named(attribute)
    constructor = "\n".join(text for name, text, _ in texts if name == "__init__")
    filled = len(
        re.findall(
            rf"self\.{attribute}(?:(?:: [^=\n]+)? ?\+?=(?!=)|(?:\[[^\]\n]*\])?\.(?:append|insert|extend)\("
            r"|\[[^\]\n]*\] ?=(?!=)) ?",
            constructor,
        )
    )
    constructor, moved = re.subn(_MOVES_EACH.format(attribute=attribute), "", constructor)
    if re.search(rf"self\.{attribute}(?:: [^=\n]+)? ?= ?(?:\{{|[\w.]*[dD]ict\()", constructor):
        asking = _ASKS_FOR_KEYS.format(attribute=attribute)
        constructor, asked = re.subn(asking, "", constructor)
        constructor, measured = re.subn(_MEASURES_EACH.format(attribute=attribute), "", constructor)
        others += asked + measured
    run = moved
    for name, text, _ in texts:
        count = 0 if name == "__init__" else len(re.findall(mention, text))
        if count and name != "forward" and not _only_runs(text, name, attribute):
            return True
        run += count
    if run == 0 or filled < len(re.findall(mention, constructor)):
        return True
    registers = rf"self\.{attribute}(?:: [^=\n]+)? ?= ?[\w.]*(?:ModuleList|ModuleDict|Sequential)\("
    mentions = trace.file.mentions_attribute(attribute) - _of_others(trace, classes, attribute)
    return (
        mentions > filled + run + others
        or _REGISTERING.search(constructor) is not None
        or re.search(registers, constructor) is not None
    )


def _lineage(trace: Trace, definition: ClassDefinition) -> Iterator[ClassDefinition]:
    """A class and its bases in the file."""
    yield definition
    for base in definition.bases:
        known = trace.file.classes.get(base)
        if known is not None and known is not definition:
            yield from _lineage(trace, known)


def _of_others(trace: Trace, classes: Sequence[ClassDefinition], attribute: str) -> int:
    """How often an attribute of that name is one of something else, such as an option.

    A name stands for something else if it is asked for what neither the class nor any module has.
    """
    words = frozenset[str]().union(*(each.words for each in classes))
    text = trace.file.text
    return sum(
        name != "self"
        and not words.union(_OF_ALL_MODULES).issuperset(re.findall(rf"\b{name}\.(\w+)", text))
        for name in re.findall(rf"(?<![\w.])(\w+)\.{attribute}\b", text)
    )


def _only_runs(text: str, name: str, attribute: str) -> bool:
    """Whether a method does nothing with the modules in a collection but to move and call them."""
    if _SEES_TO_THEM.search(text):
        return False
    if name in _OWN_MODES and (
        name == "eval" or re.search(r"\.train\(", text.replace("super().train(", "")) is not None
    ):
        # That what is frozen stays in its mode says nothing of where it hangs.
        return False
    whole = re.compile(rf"self\.{attribute}\b(?! ?\[|\.(?:items|values|keys)\(\))")
    return all(
        _GOES_OVER.search(line) is not None or re.search(rf"\bin self\.{attribute}\b", line)
        for line in text.split("\n")
        if whole.search(line)
    )
