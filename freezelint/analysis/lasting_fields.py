"""Fields of objects that keep what their constructor put there, such as configurations."""

from __future__ import annotations

import re

_METHOD_OF_CLASS = re.compile(r"^[ \t]+def (\w+)\(", re.MULTILINE)

_BY_NAME = re.compile(r"\bsetattr\(|\b__dict__\b|\bvars\(|\b__setattr__\b")

_KEEPS_HYPERPARAMETERS = "save_hyperparameters("


def is_lasting(text: str, path: str) -> bool:
    """Whether a field of a class of the file is written once, by its constructor, judged by text.

    Args:
        text: The file.
        path: The field as methods call it, such as ``self.config.stage``.
    """
    first, *inner = re.findall(r"\w+", path)[1:] or [""]
    if not first or _BY_NAME.search(text):
        return False
    if not all(_is_by_constructor(text, write) for each in inner for write in _writes(text, each)):
        return False
    writes = _writes(text, first)
    if not writes:
        return first == "hparams" and _KEEPS_HYPERPARAMETERS in text
    return len(writes) == 1 and _is_by_constructor(text, writes[0])


def _is_by_constructor(text: str, write: re.Match[str]) -> bool:
    """Whether a constructor writes a field of its own object."""
    before = text[: write.start()]
    method = next(reversed(_METHOD_OF_CLASS.findall(before)), None)
    return method == "__init__" and before.endswith("self")


def _writes(text: str, field: str) -> list[re.Match[str]]:
    annotation, operator = r"(?:[ \t]*:[^=\n]+)?", r"(?:[-+*/|&%^@]|//|\*\*|<<|>>)?"
    simple = rf"\.{field}{annotation}[ \t]*{operator}=(?!=)"
    several = rf"\.{field},[^=\n]*=(?!=)"
    item = rf"\b{field}\[[^\]\n]*\][ \t]*{operator}=(?!=)"
    key = rf"\[[\"']{field}[\"']\][ \t]*{operator}=(?!=)"
    return list(re.finditer(f"{simple}|{several}|{item}|{key}", text))
