"""Findings as plain JSON and back again, whole: between runs and between processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezelint.findings import About, Edit, Evidence, Finding, Fix, Level, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def stored(finding: Finding) -> list[Any]:
    """Return a finding as what JSON can hold."""
    return list(finding._replace(level=finding.level.value))  # type: ignore[arg-type]


def restored(fields: Sequence[Any]) -> Finding:
    """Return the finding that :func:`stored` gave, after a way through JSON.

    Raises:
        TypeError: if it did not.
        ValueError: the same.
    """
    finding = Finding(*fields)
    return finding._replace(
        level=Level(finding.level),
        span=Span(*finding.span),
        evidence=tuple(
            Evidence(path, Span(*span), message) for path, span, message in finding.evidence
        ),
        fix=None if finding.fix is None else _fix(*finding.fix),
        statement=tuple(finding.statement),  # type: ignore[arg-type]
        about=None if finding.about is None else _about(*finding.about),
    )


def _fix(title: str, edits: Iterable[Sequence[Any]], is_safe: bool) -> Fix:
    return Fix(title, tuple(Edit(Span(*span), text) for span, text in edits), is_safe)


def _about(paths: Any, names: Any, among: Any, shows: Any, by_step: Any) -> About:
    return About(tuple(paths), tuple(names), among, tuple(shows), by_step)
