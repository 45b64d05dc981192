"""Texts that are put together: of literals, and of numbers that a loop counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.values import (
    FIRST_STEP,
    UNKNOWN,
    Constant,
    Counted,
    LibraryInstance,
    ParameterName,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.interpreter.arguments import Arguments

_PLACEHOLDER = re.compile(r"%[sdi]")

_BRACES = re.compile(r"\{\d?\}")

_PLAIN = frozenset(
    {
        *("strip", "lstrip", "rstrip", "lower", "upper", "replace"),
        *("removeprefix", "removesuffix", "startswith", "endswith"),
    }
)
"""Methods of texts that give another text, or say something of this one."""


def call_on_text(text: str, name: str, arguments: Arguments) -> Value:
    """A method of a text that is known."""
    if not arguments.complete or arguments.keywords:
        return UNKNOWN
    if name == "format":
        return with_format(text, arguments.positional)
    if name == "join" and len(arguments.positional) == 1:
        return _joined(text, arguments.positional[0])
    passed = [each.value for each in arguments.positional if isinstance(each, Constant)]
    if len(passed) < len(arguments.positional) or not all(isinstance(each, str) for each in passed):
        return UNKNOWN
    if name in _PLAIN:
        try:
            return Constant(getattr(text, name)(*passed))
        except TypeError:
            return UNKNOWN
    if name == "split" and len(passed) <= 1:
        return SequenceValue(tuple(map(Constant, text.split(*filter(None, passed)))))
    return UNKNOWN


def matched(kind: str, values: tuple[Value, ...]) -> Value:
    """What a regular expression makes of the name of a parameter: a match, or None."""
    if len(values) != 2 or not isinstance(values[1], ParameterName):
        return UNKNOWN
    pattern = values[0].value if isinstance(values[0], Constant) else None
    if not isinstance(pattern, str) or values[1].loop == FIRST_STEP:
        return UNKNOWN
    try:
        re.compile(pattern)
    except re.error:
        return UNKNOWN
    return LibraryInstance(MATCH, 0, (Constant(kind), Constant(pattern)))


MATCH = "re.Match"


def _joined(text: str, pieces: Value) -> Value:
    if not isinstance(pieces, SequenceValue) or not pieces.complete:
        return UNKNOWN
    texts = [each.value for each in pieces.items if isinstance(each, Constant)]
    is_known = len(texts) == len(pieces.items) and all(isinstance(each, str) for each in texts)
    return Constant(text.join(texts)) if is_known else UNKNOWN


def before_number(text: Value, number: Counted) -> Value:
    """``"blocks." + str(i)``."""
    if isinstance(text, Constant) and isinstance(text.value, str) and not number.before:
        return number._replace(before=text.value)
    return UNKNOWN


def with_text_behind(value: Value, text: str) -> Value:
    """``name + "."``, and ``"blocks." + str(i) + "."``."""
    if isinstance(value, Counted):
        return value._replace(after=value.after + text) if value.before else UNKNOWN
    return Constant(f"{value.value}{text}") if isinstance(value, Constant) else UNKNOWN


def with_percent(text: object, filling: Value) -> Value:
    """``"blocks.%d" % i``."""
    values = filling.items if isinstance(filling, SequenceValue) else (filling,)
    return _filled(text, values, _PLACEHOLDER) if "%%" not in str(text) else UNKNOWN


def with_format(text: object, values: tuple[Value, ...]) -> Value:
    """``"blocks.{}".format(i)``."""
    return _filled(text, values, _BRACES)


def _filled(text: object, values: tuple[Value, ...], placeholder: re.Pattern[str]) -> Value:
    """A text with one value in the place of each placeholder."""
    if not isinstance(text, str):
        return UNKNOWN
    pieces = placeholder.split(text)
    if len(pieces) != len(values) + 1 or any(re.search(r"[%{}]", each) for each in pieces):
        return UNKNOWN
    made = pieces[0]
    for piece, value in zip(pieces[1:], values, strict=True):
        if isinstance(value, Counted) and value is values[-1]:
            return with_text_behind(before_number(Constant(made), value), piece)
        if not isinstance(value, Constant) or not isinstance(value.value, (str, int)):
            return UNKNOWN
        made += f"{value.value}{piece}"
    return Constant(made)
