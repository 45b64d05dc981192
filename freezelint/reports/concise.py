"""A line for each finding, as editors and `grep` like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.reports import summary
from freezelint.reports.display import safe
from freezelint.reports.places import place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.engine import CheckResult
    from freezelint.findings import Finding
    from freezelint.reports.presentation import Presentation


def render(result: CheckResult, presentation: Presentation) -> Iterator[str]:
    """Yield ``path:line:column: CODE message``, with a star behind the code if `--fix` helps."""
    return summary.around(map(_line, result.findings), result, presentation)


def _line(finding: Finding) -> str:
    star = "[*]" if finding.fix is not None and finding.fix.is_safe else ""
    where = safe(place(finding.path, finding.span))
    return f"{where}: {finding.code}{star} {safe(finding.message)}"
