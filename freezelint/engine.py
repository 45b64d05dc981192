"""From paths to findings: survey, examine what can matter, put in order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from freezelint.discovery import discover
from freezelint.examination import Outcome, examine
from freezelint.records import NamedTuple
from freezelint.survey import Survey

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from freezelint.cache import Cache
    from freezelint.config import Config
    from freezelint.configuration import Configuration
    from freezelint.examination import Rewritten
    from freezelint.findings import Finding, Problem
    from freezelint.workers import Workers

    Progress = Callable[[int, int], None]
    """Called with the number of files done and the number of all."""

PARALLEL_FROM = 200_000
"""Bytes to examine from which on starting processes pays."""


class StandardInput(NamedTuple):
    """What ``-`` stands for."""

    name: str
    data: bytes


class CheckResult(NamedTuple):
    """Everything a report needs to know about a run."""

    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    files_checked: int = 0
    suppressed: int = 0
    rewritten: tuple[Rewritten, ...] = ()
    """Files whose text was fixed; nothing is written yet."""
    standard_input: StandardInput | None = None
    """What was read from standard input, which cannot be read again, with its fixes."""
    checked: Mapping[str, Config] = {}
    """All files that were looked at, by path, with what is in force for each."""
    known: int = 0
    """Findings that a baseline knows, which are left out."""


def check(
    paths: Sequence[str],
    configuration: Configuration,
    *,
    force_exclude: bool = False,
    among: Container[str] | None = None,
    cache: Cache | None = None,
    standard_input: StandardInput | None = None,
    progress: Progress | None = None,
) -> CheckResult:
    """Check files and folders and return what was found, the same for any number of jobs.

    Args:
        paths: The files and folders.
        configuration: What is in force where.
        force_exclude: Whether also files that are named can be excluded.
        among: Of the files only these are checked, if given.
        cache: What earlier runs found.
        standard_input: A text to check as well.
        progress: Is told how far the check is.

    Raises:
        BadSettings: if the settings around a path cannot be used.
    """
    discovered = discover(paths, configuration, force_exclude=force_exclude)
    files = discovered.files
    if among is not None:
        files = {path: config for path, config in files.items() if path in among}
    checked = dict(files)
    jobs = configuration.around("").jobs
    survey = Survey(cache)
    workers: Workers | None = None
    try:
        if standard_input is not None:
            config = configuration.around(os.path.dirname(standard_input.name))
            survey.look_at_text(*standard_input, config)
            checked[standard_input.name] = config
        for path, config in files.items():
            survey.look_at_file(path, config, is_named=path in discovered.named)
            if workers is None and jobs > 1 and survey.bytes_to_examine > PARALLEL_FROM:
                from freezelint.workers import Workers

                # While they load LibCST, the rest is read here.
                workers = Workers(jobs)
        outcomes, tasks = survey.outcomes(), survey.tasks()
        total = len(outcomes) + len(tasks)
        examined: Iterable[Outcome] = workers.examine(tasks) if workers else map(examine, tasks)
        for outcome in examined:
            outcomes.append(outcome)
            if progress is not None:
                progress(len(outcomes), total)
    finally:
        if workers is not None:
            workers.close()
    if cache is not None:
        _keep(outcomes, survey, cache)
    return _result(outcomes, discovered.problems, standard_input)._replace(checked=checked)


def _keep(outcomes: Iterable[Outcome], survey: Survey, cache: Cache) -> None:
    """Remember what came of files, but for those that are written anew."""
    for outcome in outcomes:
        digest = survey.digests.get(outcome.path)
        if digest is not None and outcome.rewritten is None:
            cache.keep(digest, outcome, parsed=outcome.path in survey.parsed)
    cache.save()


def _result(
    outcomes: Sequence[Outcome],
    undiscovered: Sequence[Problem],
    standard_input: StandardInput | None,
) -> CheckResult:
    findings = [finding for outcome in outcomes for finding in outcome.findings]
    problems = [problem for outcome in outcomes for problem in outcome.problems]
    # A file that one rule failed on was checked by the others.
    unchecked = {problem.path for problem in problems if problem.rule is None}
    rewritten = _rewritten(outcomes)
    return CheckResult(
        tuple(sorted(findings, key=lambda each: (*each.sort_key, each.message))),
        tuple(sorted((*undiscovered, *problems), key=_problem_order)),
        len(outcomes) - len(unchecked),
        sum(outcome.suppressed for outcome in outcomes),
        rewritten,
        _fixed(standard_input, rewritten),
    )


def _rewritten(outcomes: Iterable[Outcome]) -> tuple[Rewritten, ...]:
    found = [each.rewritten for each in outcomes if each.rewritten is not None]
    return tuple(sorted(found, key=lambda each: each.path))


def _problem_order(problem: Problem) -> tuple[str, int, int, str, str]:
    return (problem.path, problem.cell, problem.line or 0, problem.reason, problem.rule or "")


def _fixed(
    standard_input: StandardInput | None, rewritten: Iterable[Rewritten]
) -> StandardInput | None:
    """What findings in standard input are places in: the text with its fixes."""
    if standard_input is None:
        return None
    after = [each.after for each in rewritten if each.is_standard_input]
    return standard_input._replace(data=after[0]) if after else standard_input
