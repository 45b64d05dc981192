"""What the text of a class says of the lists and dicts in which it keeps modules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.search import attribute_named

if TYPE_CHECKING:
    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.trace import Trace

_REGISTERING = re.compile(r"add_module|register_module|setattr|__dict__|_modules")
"""Other ways in which a constructor may make its modules known."""

_MOVES_EACH = r"for (\w+) in self\.{attribute}:\n\s+(?:\1 = )?\1\.(?:cuda|to)\([^\n]*"
"""A loop of a constructor that is there because the model as a whole does not move them."""


def is_worked_with(trace: Trace, owner: ModuleObject, attribute: str) -> bool:
    """Whether anything is done with a collection but to fill it and to run what is in it."""
    if owner.owner_class is None or attribute.startswith("_"):
        return True
    methods = owner.owner_class.definition.methods
    if "__init__" not in methods or "forward" not in methods:
        return True
    constructor, forward = methods["__init__"].text, methods["forward"].text
    # What another object has under the same name is something else.
    elsewhere = rf"\bself\.\w[\w.]*\.{attribute}\b"
    constructor, others = re.subn(elsewhere, "", constructor)
    forward, more = re.subn(elsewhere, "", forward)
    mention = attribute_named(attribute)
    filled = len(
        re.findall(
            rf"self\.{attribute}(?:(?:: [^=\n]+)? ?=(?!=)|\.append\(|\[[^\]\n]*\] ?=(?!=)) ?",
            constructor,
        )
    )
    moves = _MOVES_EACH.format(attribute=attribute)
    constructor, moved = re.subn(moves, "", constructor)
    run = moved + len(re.findall(mention, forward))
    if run == 0 or filled < len(re.findall(mention, constructor)):
        return True
    registers = rf"self\.{attribute}(?:: [^=\n]+)? ?= ?[\w.]*(?:ModuleList|ModuleDict|Sequential)\("
    return (
        trace.file.mentions_attribute(attribute) > filled + run + others + more
        or _REGISTERING.search(constructor) is not None
        or re.search(registers, constructor) is not None
    )
