"""Texts for the names of parameters that are nearly right."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import NamesTested
from freezelint.analysis.knowledge.shapes import NUMBER, REST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.selectors import Selector
    from freezelint.analysis.trace import Trace

PUT_IN = re.compile(r"lora|adapter|prompt|prefix|base_layer|modules_to_save|parametrizations|_orig")
"""Parts of names that are put into models of every architecture."""


def is_clear(selector: Selector) -> bool:
    """Whether all names are known to their ends, but for numbers perhaps."""
    names = selector.possible
    return names is not None and not any(name.endswith(REST) for name in names)


def listed_with(trace: Trace, selector: Selector) -> set[str]:
    """The texts that this test is made for, all together, where a loop goes through them."""
    assert selector.place is not None
    return {
        text
        for each in trace.all(NamesTested)
        if each.place.node is selector.place.place.node
        and each.activations == selector.place.activations
        for text in each.texts
    }


def misnumbered(selector: Selector, listed: set[str]) -> tuple[str, ...]:
    """The texts with numbers in them, if none meets a name, and one without a number does."""
    numbered = tuple(sorted(text for text in listed if _NUMBERED.search(text)))
    others = listed.difference(numbered)
    # Other numbers are of other sizes of the same model.
    counted = tuple(re.sub(r"\d+", NUMBER, name) for name in selector.possible or ())
    of_any_size = selector._replace(possible=counted)
    is_other = any(map(PUT_IN.search, listed)) or any(map(of_any_size.may_match, numbered))
    return () if is_other or not any(map(selector.may_match, others)) else numbered


_NUMBERED = re.compile(r"\w\.\d")


def nearest(selector: Selector, text: str, listed: set[str]) -> str | None:
    """The name that a text is meant for, if it meets none and no other text meets this one."""
    if PUT_IN.search(text) or len(text) < _SHORTEST or selector.may_match(text):
        return None
    if not any(map(selector.may_match, listed)):
        return None
    steps = {step for name in selector.possible or () for step in _pieces(name)}
    for near in difflib.get_close_matches(text.strip(".0123456789"), sorted(steps), 1, 0.8):
        found = tuple(name for name in selector.possible or () if near in name)
        is_met = any(map(selector._replace(possible=found).may_match, listed))
        # Other numbers are of other sizes of the same model.
        if not is_met and _NUMBERS.sub("", near) != _NUMBERS.sub("", text):
            return near
    return None


_NUMBERS = re.compile(r"[\d.]+")


def _pieces(name: str) -> Iterator[str]:
    """The steps of a name, and some that follow one another."""
    steps = re.split(rf"\.[{NUMBER}\d]", name)[0].split(".")
    for first in range(len(steps)):
        for last in range(first, len(steps)):
            yield ".".join(steps[first : last + 1])


_SHORTEST = 4


def advice(selector: Selector) -> str:
    """What a test that meets nothing may be meant for."""
    prefix = selector.prefixes[0]
    text = selector.test.texts[0]
    if prefix:
        return "test the names of the model that is wrapped, or write the text as they have it"
    steps = {part for name in selector.possible or () for part in _beginnings(name)}
    near = difflib.get_close_matches(text.strip("."), sorted(steps), n=1)
    return f"is it `{near[0]}`?" if near else "compare with the names that `named_parameters()` has"


def _beginnings(name: str) -> list[str]:
    steps = re.split(rf"\.[{NUMBER}{REST}]", name)[0].split(".")
    return [".".join(steps[:number]) for number in range(1, len(steps) + 1)] + steps
