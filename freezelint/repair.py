"""Fixing one text: make the fixes, look again, and go on until nothing is left to make."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from freezelint.fixes import apply_edits, inputs_after, without_overlaps
from freezelint.records import NamedTuple
from freezelint.sources.syntax import syntax_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezelint.findings import Finding, Fix
    from freezelint.sources.python import Source

    Look = Callable[[Source], Sequence[Finding] | None]
    """Finds what is to be fixed in a text; None if it could not be checked."""

MOST_PASSES = 20
"""Fixes make room for others only where they overlap, so a few passes do."""


class Repaired(NamedTuple):
    """A text after its fixes, and how many were made for each rule."""

    source: Source
    made: Counter[str]


def repair(source: Source, look: Look, *, unsafe: bool) -> Repaired:
    """Make all fixes of a text that hold what they promise.

    A fix holds if the text still parses and its rule has one finding less. One that
    does not is left out, and its finding stays.

    Args:
        source: The text.
        look: Finds what is to be fixed; findings that are suppressed are none.
        unsafe: Whether fixes are made that may change more than a freeze.
    """
    made: Counter[str] = Counter()
    findings = look(source) or ()
    seen = {source.text}
    refused: set[tuple[str, tuple[str, ...]]] = set()
    for _ in range(MOST_PASSES):
        wanted = [
            finding
            for finding in findings
            if finding.fix is not None
            and (unsafe or finding.fix.is_safe)
            and _identity(finding) not in refused
        ]
        if not wanted:
            break
        step = _together(source, findings, wanted, look) or _one_by_one(
            source, findings, wanted, look, refused
        )
        if step is None or step[0].text in seen:
            # Two rules that take each other's fix back would do so for ever.
            break
        source, findings, fixed = step
        seen.add(source.text)
        made += fixed
    return Repaired(source, made)


_Step = tuple["Source", "Sequence[Finding]", "Counter[str]"]


def _together(
    source: Source, findings: Sequence[Finding], wanted: Sequence[Finding], look: Look
) -> _Step | None:
    """Make as many fixes at once as go together, if each of them holds."""
    fixes = without_overlaps(source.text, _fixes(wanted))
    chosen = [finding for finding in wanted if finding.fix in fixes]
    edits = dict.fromkeys(edit for fix in fixes for edit in fix.edits)
    text = apply_edits(source.text, edits, source.newline)
    after = source._replace(text=text, inputs=inputs_after(source.inputs, edits))
    if syntax_problem(source.path, text) is not None:
        return None
    left = look(after)
    if left is None:
        return None
    before, now = _by_code(findings), _by_code(left)
    fixed = _by_code(chosen)
    if any(now[code] > before[code] - fixed[code] for code in fixed):
        return None
    return after, left, fixed


def _one_by_one(
    source: Source,
    findings: Sequence[Finding],
    wanted: Sequence[Finding],
    look: Look,
    refused: set[tuple[str, tuple[str, ...]]],
) -> _Step | None:
    """Make the first fix that holds, and remember those that do not."""
    for finding in wanted:
        step = _together(source, findings, [finding], look)
        if step is not None:
            return step
        refused.add(_identity(finding))
    return None


def _fixes(findings: Sequence[Finding]) -> list[Fix]:
    return list(dict.fromkeys(each.fix for each in findings if each.fix is not None))


def _by_code(findings: Sequence[Finding]) -> Counter[str]:
    return Counter(each.code for each in findings)


def _identity(finding: Finding) -> tuple[str, tuple[str, ...]]:
    """What a finding is known by while lines move."""
    assert finding.fix is not None
    return (finding.code, tuple(edit.text for edit in finding.fix.edits))
