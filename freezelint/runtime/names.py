"""Qualified names as people write them: with or without what wrappers put in front."""

from __future__ import annotations

import difflib
import fnmatch
import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_WRAPPERS = re.compile(
    r"(?:^|(?<=\.))(?:module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?:\.|$)"
)
_ADAPTED = re.compile(r"(?:^|(?<=\.))base_model\.model(?:\.|$)")
_WILD = re.compile(r"[*?\[\]]")


@functools.cache
def without_wrappers(name: str) -> str:
    """The name that a parameter had before DDP, FSDP, ``torch.compile`` or peft took the model."""
    return _ADAPTED.sub("", _WRAPPERS.sub("", name)).rstrip(".")


@functools.cache
def matches(pattern: str, name: str) -> bool:
    """Whether a glob names this tensor, or a module that holds it."""
    return any(
        path == glob or fnmatch.fnmatchcase(path, glob)
        for glob in {pattern, without_wrappers(pattern)}
        for spelling in {name, without_wrappers(name)}
        for path in _with_ancestors(spelling)
    )


def specificity(pattern: str) -> tuple[int, int]:
    """How much of a name a pattern spells out; of two that match, the more specific one counts."""
    return (not _WILD.search(pattern), len(_WILD.sub("", pattern)))


def nearest(pattern: str, names: Collection[str]) -> list[str]:
    """Names (or paths of modules) that may have been meant by a pattern that matches none."""
    paths = sorted({path for name in names for path in _with_ancestors(name)})
    wanted = _WILD.sub("", pattern).strip(".")
    return difflib.get_close_matches(wanted, paths, n=3, cutoff=0.5)


def _with_ancestors(name: str) -> Iterable[str]:
    yield name
    for position, character in enumerate(name):
        if character == ".":
            yield name[:position]


def aligned(wanted: Iterable[str], given: Iterable[str]) -> dict[str, str]:
    """Find names under which others know the same tensors: ``{wanted: given}``.

    Wrappers do not count, nor does a prefix that all on one side have, such as the
    attribute in which a training class keeps its model.
    """
    theirs = {without_wrappers(name): name for name in given}
    mine = {name: without_wrappers(name) for name in wanted}
    best: dict[str, str] = {}
    for added, removed in _prefixes(mine.values(), theirs):
        found = {
            name: theirs[other]
            for name, plain in mine.items()
            if plain.startswith(removed)
            and (other := added + plain.removeprefix(removed)) in theirs
        }
        if len(found) > len(best):
            best = found
    return best


def _prefixes(mine: Collection[str], theirs: Collection[str]) -> Iterable[tuple[str, str]]:
    """What may have to be added to and removed from names; nothing comes first."""
    yield "", ""
    seen = set()
    for one in sorted(mine, key=len, reverse=True)[:_TRIED]:
        for other in theirs:
            pair = None
            if other.endswith("." + one):
                pair = other[: -len(one)], ""
            elif one.endswith("." + other):
                pair = "", one[: -len(other)]
            if pair is not None and pair not in seen:
                seen.add(pair)
                yield pair


_TRIED = 8
"""Names that are looked for on the other side, the longest first, to find a prefix."""
