"""Findings for people: the wrong line, the lines that make it wrong, and what to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.reports import summary
from freezelint.reports.display import safe
from freezelint.reports.excerpts import Excerpts
from freezelint.reports.snippet import Mark, Painter, snippet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.engine import CheckResult
    from freezelint.findings import Finding
    from freezelint.reports.presentation import Presentation


def render_finding(
    finding: Finding, excerpts: Excerpts, paint: Painter, seen: str | None = None
) -> str:
    """Return one finding, the way rustc prints a diagnostic; with what a run showed of it."""
    span = finding.span
    head = paint(f"{finding.level.value}[{finding.code}]", finding.level)
    lines = [f"{head}{paint.bold(f': {safe(finding.message)}')}"]
    marks = [Mark(finding.path, span, finding.name, is_primary=True)]
    marks += [Mark(each.path, each.span, each.message) for each in finding.evidence]
    margin = len(str(max(mark.span.line for mark in marks)))
    lines += snippet(marks, excerpts, margin, finding.level, paint)
    bar = " " * (margin + 1)
    for label, text in (
        ("run", seen or ""),
        ("help", finding.help),
        ("fix", _way_to_fix(finding)),
        ("see", f"freezelint explain {finding.code}"),
    ):
        first, *rest = text.split("\n") if text else [""]
        if not first:
            continue
        lines.append(f"{bar}{paint.frame('=')} {paint.bold(label)}: {safe(first)}")
        lines += [f"{bar}  {' ' * len(label)}  {safe(line)}" for line in rest]
    return "\n".join(lines)


def _way_to_fix(finding: Finding) -> str:
    """What a fix would do, and how to ask for it."""
    if finding.fix is None:
        return ""
    option = "--fix" if finding.fix.is_safe else "--fix --unsafe-fixes"
    return f"{finding.fix.title} (`{option}`)"


def render(result: CheckResult, presentation: Presentation) -> Iterator[str]:
    """Yield each finding as a block of lines that ends with an empty one, and the summary."""
    excerpts, paint = Excerpts(result.standard_input), Painter(color=presentation.color)
    blocks = (f"{render_finding(each, excerpts, paint)}\n" for each in result.findings)
    return summary.around(blocks, result, presentation)
