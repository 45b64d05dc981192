"""Fields of objects that keep what their constructor put there, such as configurations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = re.compile(r"[ \t]+def (\w+)\(")

_BY_NAME = ("setattr(", "__dict__", "vars(", "__setattr__")
"""What writes fields whose names may stand nowhere."""

_KEEPS_HYPERPARAMETERS = "save_hyperparameters("

_OPERATOR = r"[ \t]*(?:[-+*/|&%^@]|//|\*\*|<<|>>)?=(?!=)"

_OF_FIELD = re.compile(rf"(?:[ \t]*:[^=\n]+)?{_OPERATOR}|,[^=\n]*=(?!=)")
"""What follows the name of a field that is written, alone or as one of several."""

_OF_ITEM = re.compile(rf"\[[^\]\n]*\]{_OPERATOR}")

_OF_KEY = re.compile(rf"[\"']\]{_OPERATOR}")


def is_lasting(text: str, path: str) -> bool:
    """Whether a field of a class of the file is written once, by its constructor, judged by text.

    Args:
        text: The file.
        path: The field as methods call it, such as ``self.config.stage``.
    """
    first, *inner = re.findall(r"\w+", path)[1:] or [""]
    if not first or any(word in text for word in _BY_NAME):
        return False
    if not all(_is_by_constructor(text, write) for each in inner for write in _writes(text, each)):
        return False
    writes = list(_writes(text, first))
    if not writes:
        return first == "hparams" and _KEEPS_HYPERPARAMETERS in text
    return len(writes) == 1 and _is_by_constructor(text, writes[0])


def _is_by_constructor(text: str, write: int) -> bool:
    """Whether a constructor writes a field of its own object."""
    return text.endswith("self", 0, write) and _method_around(text, write) == "__init__"


def _method_around(text: str, place: int) -> str | None:
    """The name of the last method that begins before a place."""
    while (place := text.rfind("def ", 0, place)) >= 0:
        header = _HEADER.match(text, text.rfind("\n", 0, place) + 1)
        if header is not None:
            return header[1]
    return None


def _writes(text: str, field: str) -> Iterator[int]:
    """Yield where a field is written, or an entry of it or under its name.

    Of a field that is where its dot stands. The name is looked for first, which is many
    times as fast as to try an expression at every character.
    """
    place = text.find(field)
    while place >= 0:
        end = place + len(field)
        before = text[place - 1 : place]
        if before == "." and _OF_FIELD.match(text, end):
            yield place - 1
        elif (_OF_ITEM.match(text, end) and not (before.isalnum() or before == "_")) or (
            text[place - 2 : place] in ("['", '["') and _OF_KEY.match(text, end)
        ):
            yield place
        place = text.find(field, end)
