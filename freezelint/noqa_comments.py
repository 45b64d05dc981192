"""``# noqa`` comments for findings, where flake8 and freezelint look for them."""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING

from freezelint.findings import Edit, Span
from freezelint.fixes import apply_edits
from freezelint.records import NamedTuple
from freezelint.sources.comments import stretches
from freezelint.sources.syntax import CANNOT_PARSE
from freezelint.suppressions import IGNORE, NOQA, UnusedSuppression

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezelint.config import Config
    from freezelint.examination import Outcome
    from freezelint.findings import Finding
    from freezelint.sources.comments import Stretch
    from freezelint.sources.document import Document
    from freezelint.sources.python import Source


class Commented(NamedTuple):
    """A text with its comments, and for how many findings of each rule they are."""

    text: str
    made: Counter[str]


def silenced(
    document: Document,
    findings: Sequence[Sequence[Finding]],
    outcome: Outcome,
    config: Config,
    data: bytes,
) -> tuple[list[str], Counter[str]]:
    """Silence what is shown of a document.

    Args:
        document: The document.
        findings: What is found in each of its programs, where it stands in the program.
        outcome: The same of the document as people see it.
        config: What is in force; what its baseline knows is not shown.
        data: The bytes of the document.

    Returns:
        The new text of each program, and for how many findings of each rule they have comments.
    """
    shown = outcome.findings
    if config.baseline is not None:
        from freezelint.baseline import unknown_in

        shown = unknown_in(config.baseline, outcome.path, data, shown)
    done = [
        commented(program, [each for each in found if document.located(program, each) in shown])
        for program, found in zip(document.programs, findings, strict=True)
    ]
    return [each.text for each in done], sum((each.made for each in done), Counter[str]())


def commented(source: Source, findings: Iterable[Finding]) -> Commented:
    """Silence findings, each where its first line ends, and leave the program as it is.

    Comments that silence nothing are findings too; those are to be removed, and stay.

    Args:
        source: The text.
        findings: Those in it that no comment silences.
    """
    lines = source.lines
    by_last_line = list(stretches(source.text))
    ends = [each.last for each in by_last_line]
    codes: dict[int, list[str]] = {}
    for finding in findings:
        index = bisect_left(ends, finding.span.line)
        if finding.code != UnusedSuppression.code and index < len(ends):
            codes.setdefault(index, []).append(finding.code)
    edits = [
        _edit(by_last_line[index], lines[ends[index] - 1], sorted(set(found)))
        for index, found in codes.items()
    ]
    text = apply_edits(source.text, edits, source.newline)
    if not _is_same_program(source.text, text):
        return Commented(source.text, Counter())
    return Commented(text, sum(map(Counter, codes.values()), Counter[str]()))


def _edit(stretch: Stretch, line: str, codes: Sequence[str]) -> Edit:
    comment = stretch.comment
    start = stretch.end if comment is None else comment.start[1]
    text = _separated(line[:start], f"# noqa: {', '.join(codes)}")
    if comment is not None:
        text = with_codes(comment.string.rstrip(), codes)
    return Edit(Span(stretch.last, start + 1, stretch.last, len(line) + 1), text)


def with_codes(comment: str, codes: Sequence[str]) -> str:
    """Return a comment that silences some rules as well, in the list that it has if it has one."""
    added = ", ".join(codes)
    for pattern in (NOQA, IGNORE):
        match = re.search(pattern, comment)
        if match is None or match["codes"] is None:
            continue
        before, after = comment[: match.end("codes")].rstrip(" ,"), comment[match.end("codes") :]
        separator = ", " if match["codes"].strip(" ,") else ""
        return f"{before}{separator}{added}{after}"
    return f"{comment}  # noqa: {added}"


def _separated(code: str, comment: str) -> str:
    return f"  {comment}" if code.strip() else comment


def _is_same_program(before: str, after: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            one, other = (ast.dump(ast.parse(each)) for each in (before, after))
    except CANNOT_PARSE:
        return False
    return one == other
