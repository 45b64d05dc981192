"""One line of a ``.gitignore`` file, understood as git does.

Written out here, since the packages that do the same take longer to import than
a whole run over ordinary code, and decide for a path at once what git decides
folder by folder. The tests compare it with git itself.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_WILDCARDS = frozenset("*?[\\")
_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_BRACKET = re.compile(r"\[(?P<not>[!^]?)(?P<items>\]?(?:\\.|\[:\w+:\]|[^\]\\])*)\]", re.DOTALL)
_ITEM = re.compile(r"\[:(?P<class>\w+):\]|\\?(?P<first>.)(?:-\\?(?P<last>[^\]]))?", re.DOTALL)


class Pattern(NamedTuple):
    """What one line ignores, or takes back."""

    ignores: bool
    only_folders: bool
    by_name: bool
    """It looks at the last part of a path, at any depth, not at the whole of it."""
    literal: str | None
    """Plain text to compare with; most patterns are no more than that."""
    suffix: str | None
    """What follows a single asterisk at the start; most others are that."""
    expression: str
    """Everything else, to be compiled when it is first needed; `re` remembers."""

    def matches(self, path: str, name: str, *, is_folder: bool) -> bool:
        """Return whether the line is about this path, relative to the file's folder."""
        if self.only_folders and not is_folder:
            return False
        subject = name if self.by_name else path
        if self.literal is not None:
            return subject == self.literal
        if self.suffix is not None:
            return subject.endswith(self.suffix)
        return re.fullmatch(self.expression, subject, re.DOTALL) is not None

    @property
    def can_name_python_file(self) -> bool:
        """Whether it may match something that ends in ``.py``."""
        if self.only_folders:
            return False
        ending = self.literal if self.literal is not None else self.suffix
        return ending is None or ending.endswith(".py") or ".py".endswith(ending)


def parse(line: str) -> Pattern | None:
    """Return the meaning of a line, or None if it has none."""
    text = line.rstrip("\r")
    while text.endswith(" ") and not text.endswith("\\ "):
        text = text[:-1]
    if not text or text.startswith("#"):
        return None
    ignores = not text.startswith("!")
    text = text if ignores else text[1:]
    only_folders = text.endswith("/")
    text = text.removesuffix("/")
    by_name = "/" not in text
    text = text.removeprefix("/")
    if not text:
        return None
    if _WILDCARDS.isdisjoint(text):
        return Pattern(ignores, only_folders, by_name, text, None, "")
    if by_name and text[0] == "*" and _WILDCARDS.isdisjoint(text[1:]):
        return Pattern(ignores, only_folders, by_name, None, text[1:], "")
    expression = _expression(text)
    if expression is None:
        return None
    return Pattern(ignores, only_folders, by_name, None, None, expression)


def _expression(text: str) -> str | None:
    """Return the regular expression for a pattern, or None if it can match nothing."""
    parts: list[str] = []
    at = 0
    while at < len(text):
        part, taken = _next_part(text, at)
        if part is None:
            return None
        parts.append(part)
        at += taken
    return "".join(parts)


def _next_part(text: str, at: int) -> tuple[str | None, int]:
    """Translate what stands at one place, and say how long it is."""
    character = text[at]
    if character == "*":
        return _asterisks(text, at)
    if character == "?":
        return "[^/]", 1
    if character == "\\":
        # At the very end it quotes nothing, and git gives the pattern up.
        return (re.escape(text[at + 1]), 2) if at + 1 < len(text) else (None, 0)
    if character == "[":
        return _bracket(text, at)
    return re.escape(character), 1


def _asterisks(text: str, at: int) -> tuple[str, int]:
    end = at
    while end < len(text) and text[end] == "*":
        end += 1
    # Two or more cross folders, but only as a whole part of the path.
    if end - at >= 2 and (at == 0 or text[at - 1] == "/"):
        if end == len(text):
            return ".*", end - at
        if text[end] == "/":
            return "(?:.*/)?", end - at + 1
    return "[^/]*", end - at


def _bracket(text: str, at: int) -> tuple[str | None, int]:
    bracket = _BRACKET.match(text, at)
    if bracket is None:
        return None, 0
    items = []
    for item in _ITEM.finditer(bracket["items"]):
        if item["class"] is not None:
            if item["class"] not in _CLASSES:
                return None, 0
            items.append(_CLASSES[item["class"]])
        elif item["last"] is None:
            items.append(re.escape(item["first"]))
        elif item["first"] <= item["last"]:
            items.append(f"{re.escape(item['first'])}-{re.escape(item['last'])}")
    inside = "".join(items)
    if bracket["not"]:
        return f"[^/{inside}]", len(bracket[0])
    return (f"(?!/)[{inside}]" if inside else "(?!)"), len(bracket[0])
