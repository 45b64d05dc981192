"""By what a finding is known again after the lines around it moved."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from freezelint.reports.places import portable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from freezelint.engine import CheckResult
    from freezelint.findings import Finding, Problem
    from freezelint.reports.excerpts import Excerpts


def of_findings(result: CheckResult, excerpts: Excerpts) -> list[str]:
    """Return a fingerprint for each finding, no two of them alike."""
    return list(_distinct(_content(each, excerpts) for each in result.findings))


def of_problems(problems: Iterable[Problem]) -> list[str]:
    """Return a fingerprint for each problem, no two of them alike."""
    return list(_distinct((portable(each.path), each.rule or "", each.reason) for each in problems))


def _content(finding: Finding, excerpts: Excerpts) -> tuple[str, ...]:
    """What stays when a line moves or is indented: the rule, the file and the quoted code."""
    span = finding.span
    numbers = range(span.line, span.end_line + 1)
    lines = [] if span.cell else [excerpts.line(finding.path, number) or "" for number in numbers]
    if lines:
        lines[-1] = lines[-1][: span.end_column - 1]
        lines[0] = lines[0][span.column - 1 :]
    quoted = " ".join(" ".join(lines).split())
    return (finding.code, portable(finding.path), quoted or finding.message)


def _distinct(contents: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield digests; the second of two equal contents is told apart by being the second."""
    seen: Counter[tuple[str, ...]] = Counter()
    for content in contents:
        key = tuple(content)
        text = "\0".join((*key, str(seen[key])))
        seen[key] += 1
        yield hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
