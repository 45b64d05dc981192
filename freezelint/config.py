"""What is in force in one run: which rules, and which of their findings are shown."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Literal

from freezelint.analysis.project_names import ProjectNames
from freezelint.findings import Level
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezelint.findings import Finding
    from freezelint.ignore_files import IgnoreFiles
    from freezelint.ignore_patterns import Patterns
    from freezelint.rules.rule import IndexedRule
    from freezelint.settings import PlacedPattern


class UnknownCode(Exception):
    """A code or prefix that no rule has; ``nearest`` is one that exists, if any is near."""

    def __init__(self, code: str, nearest: str | None) -> None:
        """Say which, and what may have been meant."""
        hint = f"did you mean {nearest}?" if nearest else "`freezelint rules` lists them"
        super().__init__(f"no rule has the code {code}; {hint}")


class Config(NamedTuple):
    """What a person asked for, on the command line and in the settings around a file.

    Of two selectors that both match a rule the more specific one decides, and of
    two that are alike ``ignore`` does.
    """

    select: tuple[str, ...] = ()
    """Codes or prefixes that replace the default: every rule above level info."""
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    strict: bool = False
    """Also show what is of level info."""
    jobs: int = 1
    fixes: Literal["none", "safe", "unsafe", "noqa"] = "none"
    """Which fixes are made; or whether findings are silenced by comments instead."""
    per_file_ignores: tuple[tuple[PlacedPattern, tuple[str, ...]], ...] = ()
    exclude: tuple[PlacedPattern, ...] | None = None
    """What is not looked into, instead of the folders that never are."""
    extend_exclude: tuple[PlacedPattern, ...] = ()
    docs: bool = False
    """Whether documents with code in them are looked for in folders."""
    names: ProjectNames = ProjectNames()
    baseline: str | None = None
    """The file of findings that are known."""

    def is_on(self, code: str, level: Level) -> bool:
        """Return whether the rule of this code and level is to be run."""
        if level is Level.INFO and not self.strict and not self._names(code):
            return False
        chosen = _specificity(code, (*self.select, *self.extend_select))
        if not self.select:
            chosen = max(chosen, 0)
        return chosen > _specificity(code, self.ignore)

    def shows(self, finding: Finding, rule_level: Level) -> bool:
        """Return whether a finding of a rule that is on is shown."""
        if finding.level is not Level.INFO or self.strict:
            return True
        return rule_level is Level.INFO and self._names(finding.code)

    def for_file(self, path: str) -> Config:
        """Return what is in force for one file, which may be exempt from some rules."""
        if not self.per_file_ignores:
            return self
        codes = {
            code
            for pattern, listed in self.per_file_ignores
            if _matches(pattern, path)
            for code in listed
        }
        return self._replace(ignore=(*self.ignore, *sorted(codes)), per_file_ignores=())

    @property
    def exclusions(self) -> IgnoreFiles:
        """What is not to be looked into besides what git ignores."""
        return exclusions_of((*(self.exclude or ()), *self.extend_exclude))

    def _names(self, code: str) -> bool:
        """A prefix asks for a family, and info rules join it with ``--strict`` only."""
        return code in self.select or code in self.extend_select

    def rules_on(self, rules: Iterable[IndexedRule]) -> list[IndexedRule]:
        """Return those of the rules that are to be run."""
        chosen = (rule for rule in rules if self.is_on(rule.code, rule.level))
        return [self.names.with_indexed_triggers(rule) for rule in chosen]


@functools.cache
def exclusions_of(patterns: tuple[PlacedPattern, ...]) -> IgnoreFiles:
    """Return patterns as what ignores files and folders."""
    from freezelint.ignore_files import IgnoreFiles

    found = IgnoreFiles()
    for each in patterns:
        found = found.with_patterns([each.text], each.folder)
    return found


@functools.cache
def _patterns(pattern: PlacedPattern) -> Patterns:
    from freezelint.ignore_patterns import Patterns

    return Patterns(None, pattern.folder, [pattern.text])


def _matches(pattern: PlacedPattern, path: str) -> bool:
    """Whether a pattern is about a file, or about a folder that it lies in."""
    return _patterns(pattern).spec.match_file(os.path.abspath(path))


def available_cores() -> int:
    """Return how many processes this one may run at a time."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def normalized_codes(options: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Split comma-separated options into codes and prefixes that exist.

    Raises:
        UnknownCode: if one of them is neither.
    """
    codes = [code.strip().upper() for option in options for code in option.split(",")]
    for code in codes:
        if code and not any(each.startswith(code) for each in known):
            raise UnknownCode(code, nearest_code(code, known))
    return tuple(dict.fromkeys(code for code in codes if code))


def nearest_code(code: str, known: Sequence[str]) -> str | None:
    """Return the known code that a misspelled one most likely stands for."""
    import difflib

    digits = code.upper().translate(_DIGITS_FOR_LETTERS)
    return next(iter(difflib.get_close_matches(digits, known, n=1, cutoff=0.5)), None)


_DIGITS_FOR_LETTERS = str.maketrans("OIL", "011")
"""Letters that people type for the digits that they look like; no code has them."""


def _specificity(code: str, selectors: Iterable[str]) -> int:
    """Return the length of the longest selector that matches, or -1."""
    return max((len(each) for each in selectors if code.startswith(each)), default=-1)
