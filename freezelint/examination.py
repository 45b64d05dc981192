"""One file through the rules: decode, analyse, drop what is suppressed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from freezelint.discovery import reason_of
from freezelint.findings import Finding, Problem
from freezelint.sources.python import Source, UnreadableSource, decode
from freezelint.sources.syntax import syntax_problem

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from freezelint.config import Config
    from freezelint.rules.rule import Rule
    from freezelint.suppressions import Comment, Suppressions


class Task(NamedTuple):
    """A file that rules could fire on; small, since it travels between processes."""

    path: str
    size: int
    codes: tuple[str, ...]
    data: bytes | None = None
    """Only of what cannot be read again, which is standard input."""


class Outcome(NamedTuple):
    """What came of one file."""

    path: str
    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    suppressed: int = 0


def read(path: str) -> bytes:
    """Return the bytes of a file; unbuffered, since all of them are wanted at once."""
    with open(path, "rb", 0) as file:
        return file.readall()


def examine(task: Task, config: Config) -> Outcome:
    """Run the task's rules on its file; whatever goes wrong becomes a problem of that file."""
    from freezelint.rules import all_rules

    path = task.path
    rules = [rule for rule in all_rules() if rule.code in task.codes]
    try:
        data = read(path) if task.data is None else task.data
        source = decode(path, data)
    except UnreadableSource as error:
        return Outcome(path, problems=(Problem(path, error.reason),))
    except OSError as error:
        return Outcome(path, problems=(Problem(path, reason_of(error)),))
    suppressions = _suppressions(source.text) if b"skip-file" in data else None
    if suppressions and suppressions.skip_file:
        return Outcome(path)
    findings, problems = _analyze(source, rules)
    levels = {rule.code: rule.level for rule in rules}
    shown = [each for each in findings if config.shows(each, levels.get(each.code, each.level))]
    if not shown and not config.strict:
        return Outcome(path, problems=tuple(problems))
    suppressions = suppressions or _suppressions(source.text)
    silenced = suppressions.apply(shown)
    unused = () if problems else _unused(path, suppressions, silenced.used, config)
    return Outcome(
        path,
        (*silenced.remaining, *unused),
        tuple(problems),
        suppressed=len(shown) - len(silenced.remaining),
    )


def readability_problem(path: str, data: bytes) -> Problem | None:
    """Return why a file that no rule cares for is not Python text, or None if it is."""
    if data.isascii() and b"\0" not in data and b"coding" not in data[:400]:
        return None
    try:
        decode(path, data)
    except UnreadableSource as error:
        return Problem(path, error.reason)
    return None


def parse_problem(path: str, data: bytes) -> Problem | None:
    """Return why a readable file that no rule cares for does not parse, or None if it does."""
    text = decode(path, data).text
    problem = syntax_problem(path, text)
    if problem and b"skip-file" in data and _suppressions(text).skip_file:
        return None
    return problem


def internal_error(path: str, error: BaseException, rule: str | None = None) -> Problem:
    """Word an exception that is freezelint's fault, not the checked file's."""
    return Problem(path, f"internal error: {type(error).__name__}: {error}", rule)


def _analyze(source: Source, rules: Sequence[Rule]) -> tuple[Sequence[Finding], Sequence[Problem]]:
    if not rules:
        # Examined for its suppressions only.
        problem = syntax_problem(source.path, source.text)
        return (), (problem,) if problem else ()
    try:
        # Loads LibCST, so not before there is a file that needs it.
        from freezelint.analysis.analyze import analyze

        return analyze(source, rules)
    except Exception as error:  # noqa: BLE001
        # One file must never cost the findings of the others.
        return (), (internal_error(source.path, error),)


def _suppressions(text: str) -> Suppressions:
    from freezelint.suppressions import Suppressions

    return Suppressions.of(text)


def _unused(
    path: str,
    suppressions: Suppressions,
    used: Collection[tuple[Comment, str | None]],
    config: Config,
) -> Sequence[Finding]:
    from freezelint.rules import all_rules
    from freezelint.suppressions import UnusedSuppression, unused_suppressions

    if not config.is_on(UnusedSuppression.code, UnusedSuppression.level):
        return ()
    levels = {rule.code: rule.level for rule in all_rules()}
    levels[UnusedSuppression.code] = UnusedSuppression.level
    return tuple(
        unused_suppressions(
            path,
            suppressions,
            used,
            tuple(levels),
            lambda code: config.is_on(code, levels[code]),
        )
    )
