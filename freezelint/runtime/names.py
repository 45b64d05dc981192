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
