"""One file in, findings out: runs every scope that can matter and asks the rules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import libcst as cst

from freezelint.analysis.definitions import OutlineFailed
from freezelint.analysis.index import Index, is_foreign
from freezelint.analysis.parsing import unvalidated_nodes
from freezelint.analysis.project_names import NO_NAMES
from freezelint.analysis.relevance import Relevance
from freezelint.analysis.roots import roots_of
from freezelint.findings import Evidence, Finding, Level, Problem
from freezelint.sources.syntax import CANNOT_PARSE, problem_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freezelint.analysis.project_names import ProjectNames
    from freezelint.analysis.trace import Trace
    from freezelint.findings import Span
    from freezelint.rules.rule import Report, Rule
    from freezelint.sources.python import Source


def analyze(
    source: Source, rules: Sequence[Rule], names: ProjectNames = NO_NAMES
) -> tuple[list[Finding], list[Problem]]:
    """Check one file.

    Args:
        source: The decoded file.
        rules: The rules to check it with.
        names: What the project says of its own functions and classes.

    Returns:
        The findings, and the problems that kept parts of the file from being checked.
    """
    text = source.text.replace("\r\n", "\n").replace("\r", "\n")
    with unvalidated_nodes():
        return _analyze(source, text, rules, names)


def _analyze(
    source: Source, text: str, rules: Sequence[Rule], names: ProjectNames
) -> tuple[list[Finding], list[Problem]]:
    path = source.path
    try:
        try:
            return _check(path, Index(text, names=names, inputs=source.inputs), rules)
        except OutlineFailed:
            # Its lines misled, or it does not parse; the whole file will tell which.
            whole = Index(text, whole=True, names=names, inputs=source.inputs)
            return _check(path, whole, rules)
    except CANNOT_PARSE as error:
        return [], [problem_of(path, error)]


def _check(path: str, index: Index, rules: Sequence[Rule]) -> tuple[list[Finding], list[Problem]]:
    found: dict[tuple[str, Span], Finding] = {}
    problems: list[Problem] = []
    if is_foreign(index):
        return [], []
    relevance = Relevance(index, rules)
    for root in roots_of(index, relevance, _package_of(path)):
        try:
            trace = root.run()
        except OutlineFailed:
            raise
        except cst.ParserSyntaxError as error:
            problems.append(Problem(path, f"cannot be parsed: {error.message}"))
            continue
        except Exception as error:  # noqa: BLE001
            # One scope must never cost the findings of the others.
            problems.append(_internal_error(path, error, f"in {root.name}"))
            continue
        if trace is not None:
            for finding in _judge(path, trace, rules, problems):
                known = found.setdefault((finding.code, finding.span), finding)
                if known.level is Level.INFO:
                    # What one scope takes for possible, another may know for certain.
                    found[finding.code, finding.span] = finding
    return sorted(found.values(), key=lambda each: each.sort_key), list(dict.fromkeys(problems))


def _judge(
    path: str, trace: Trace, rules: Sequence[Rule], problems: list[Problem]
) -> Iterator[Finding]:
    for rule in rules:
        try:
            for event in trace.of_kinds(rule.events):
                for report in rule.check(event, trace):
                    yield _finding(path, rule, report)
        except OutlineFailed:
            raise
        except Exception as error:  # noqa: BLE001
            # One rule must never cost the findings of the others.
            problems.append(_internal_error(path, error, f"in rule {rule.code}", rule.code))


def _finding(path: str, rule: Rule, report: Report) -> Finding:
    evidence = {
        (place.span, sentence): Evidence(path, place.span, sentence)
        for place, sentence in report.evidence
    }
    return Finding(
        code=rule.code,
        name=rule.name,
        level=report.level or rule.level,
        path=path,
        span=report.place.span,
        message=report.message,
        help=report.help,
        evidence=tuple(evidence.values()),
        fix=report.fix,
        statement=report.place.statement_lines,
        about=report.about,
    )


def _internal_error(path: str, error: Exception, where: str, rule: str | None = None) -> Problem:
    reason = f"internal error {where}: {type(error).__name__}: {error}"
    return Problem(path, reason, rule=rule)


def _package_of(path: str) -> str:
    """The dotted name of the package that a file lies in, from the ``__init__.py`` around it."""
    folder = Path(path).parent
    names: list[str] = []
    while folder.name and (folder / "__init__.py").is_file() and len(names) < 12:
        names.insert(0, folder.name)
        folder = folder.parent
    return ".".join(names)
