"""Where something is and what is said about it, as most programs take it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freezelint.findings import Finding, Span


def portable(path: str) -> str:
    """Return a path with forward slashes; on POSIX a backslash is a character like others."""
    return path if os.sep == "/" else path.replace(os.sep, "/")


def place(path: str, span: Span) -> str:
    """Return ``path:line:column``; in a notebook ``path:cell 7:line:column``."""
    cell = f"cell {span.cell}:" if span.cell else ""
    return f"{portable(path)}:{cell}{span.line}:{span.column}"


def in_cell(span: Span) -> str:
    """Return ``cell 7, line 3: `` for those who know files and lines only; else nothing."""
    return f"cell {span.cell}, line {span.line}: " if span.cell else ""


def in_full(finding: Finding) -> str:
    """Return the message, what makes it true, and what to write instead, a line each."""
    because = (f"{place(each.path, each.span)}: {each.message}" for each in finding.evidence)
    message = f"{in_cell(finding.span)}{finding.message}"
    return "\n".join(filter(None, (message, *because, finding.help)))
