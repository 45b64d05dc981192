"""How many there were: the last line of a report, and the counts by rule."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from freezelint.findings import Level
from freezelint.reports.display import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from freezelint.engine import CheckResult
    from freezelint.findings import Problem
    from freezelint.reports.presentation import Presentation


def around(
    findings: Iterable[str], result: CheckResult, presentation: Presentation
) -> Iterator[str]:
    """Yield a report for people: the findings as they are given, and what was asked for with them."""
    if presentation.problems:
        yield from map(of_problem, result.problems)
    yield from by_rule(result) if presentation.statistics else findings
    if not presentation.quiet:
        yield in_one_line(result)
        yield from about_fixes(result)


def of_problem(problem: Problem) -> str:
    """Return a line on what could not be checked."""
    return f"error: {safe(problem.place)}: {safe(problem.reason)}"


def in_one_line(result: CheckResult) -> str:
    """Return the last line of a report."""
    files = counted(result.files_checked, "file")
    if not result.findings:
        text = f"No freeze bugs found in {files}."
    else:
        levels = Counter(finding.level for finding in result.findings)
        nouns = {Level.ERROR: "error", Level.WARNING: "warning", Level.INFO: "info finding"}
        counts = [counted(levels[level], noun) for level, noun in nouns.items() if levels[level]]
        *most, last = counts
        text = f"{', '.join(most)} and {last}" if most else last
        where = counted(len({finding.path for finding in result.findings}), "file")
        text = f"Found {text} in {where} ({result.files_checked} checked)."
    if result.known:
        text += f" {counted(result.known, 'known finding')} not shown."
    unchecked = len({problem.path for problem in result.problems if problem.rule is None})
    if unchecked:
        text += f" {counted(unchecked, 'path')} could not be checked."
    failed = len({problem for problem in result.problems if problem.rule is not None})
    if failed:
        text += f" {counted(failed, 'internal error')} may hide more."
    return text


def about_fixes(result: CheckResult) -> Iterator[str]:
    """Yield a line on the fixes that were made, and one on those that can be."""
    if result.rewritten:
        yield _about_rewritten(result, "Fixed", "Added")
    fixes = [finding.fix for finding in result.findings if finding.fix is not None]
    safe = sum(fix.is_safe for fix in fixes)
    ways = [
        *([f"{safe} with `--fix`"] if safe else []),
        *([f"{len(fixes) - safe} with `--fix --unsafe-fixes`"] if len(fixes) > safe else []),
    ]
    if ways:
        yield f"Can be fixed: {', '.join(ways)}."


def would_fix(result: CheckResult) -> str:
    """Return the last line of a diff."""
    if not result.rewritten:
        return "Nothing would be fixed."
    return _about_rewritten(result, "Would fix", "Would add")


def _about_rewritten(result: CheckResult, fixed: str, added: str) -> str:
    verb = f"{added} `# noqa` for" if any(each.is_silenced for each in result.rewritten) else fixed
    made = counted(sum(sum(each.made.values()) for each in result.rewritten), "finding")
    return f"{verb} {made} in {counted(len(result.rewritten), 'file')}."


def by_rule(result: CheckResult) -> Iterator[str]:
    """Yield a line for each code that was found, the most frequent first."""
    counts = Counter((finding.code, finding.name) for finding in result.findings)
    width = len(str(max(counts.values(), default=0)))
    for (code, name), count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield f"{count:>{width}}  {code}  {name}"


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 file``, ``2 files``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
