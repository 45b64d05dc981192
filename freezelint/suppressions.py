"""Comments that silence findings, and the finding about comments that silence nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from freezelint.findings import Finding, Level, Span
from freezelint.records import NamedTuple
from freezelint.sources.comments import stretches

if TYPE_CHECKING:
    import tokenize
    from collections.abc import Callable, Collection, Iterator, Sequence

_WORDS = re.compile(r"freezelint\s*:|noqa", re.IGNORECASE)
_SKIP_FILE = r"#\s*freezelint\s*:\s*skip-file\b"
IGNORE = r"#\s*freezelint\s*:\s*ignore\b(?:\s*\[(?P<codes>[^\]]*)\])?"
NOQA = r"(?i)#\s*noqa\b(?:\s*:\s*(?P<codes>[A-Z]+[0-9]+\b(?:[,\s]+[A-Z]+[0-9]+\b)*))?"
_SEPARATOR = r"[,\s]+"


class UnusedSuppression:
    """A comment asks freezelint to ignore something that is not there.

    What it does:
        Reports ``# freezelint: ignore`` comments that silence no finding, the
        codes in them that silence none, and codes that do not exist. A
        ``# noqa`` comment is looked at only if all its codes are freezelint's.

    Why is this bad?
        The comment outlives the bug that it was written for, and silences the
        next one on that line.

    When it is silent:
        Without ``--strict``, on codes of rules that are switched off, and on
        files where a rule could not do its work.
    """

    code: ClassVar[str] = "FZ001"
    name: ClassVar[str] = "unused-suppression"
    level: ClassVar[Level] = Level.INFO


class Comment(NamedTuple):
    """One comment that silences findings on its statement."""

    span: Span
    codes: tuple[str, ...] | None
    """Codes or prefixes of codes; None silences every rule."""
    is_noqa: bool = False
    first_line: int = 0
    """The first of the lines that are joined to the comment's own; 0 if there is none."""

    def covers(self, finding: Finding) -> bool:
        """Return whether the comment stands on a line of the finding's statement.

        Lines that a string or a backslash joins have room for a comment behind the last only,
        which counts for all of them.
        """
        first, last = finding.statement
        if not first:
            first, last = finding.span.line, finding.span.end_line
        return (self.first_line or self.span.line) <= last and first <= self.span.line

    def matching(self, code: str) -> Iterator[str | None]:
        """Yield the codes of this comment that silence ``code``; None if it silences all."""
        if self.codes is None:
            yield None
        else:
            yield from (each for each in self.codes if code.startswith(each))


class Suppressions(NamedTuple):
    """All such comments of one file."""

    skip_file: bool = False
    comments: tuple[Comment, ...] = ()

    @classmethod
    def of(cls, text: str) -> Suppressions:
        """Read the comments of a file; text inside strings is no comment."""
        if not _WORDS.search(text):
            return cls()
        skip_file = False
        comments: list[Comment] = []
        for stretch in stretches(text):
            for token in stretch.comments:
                alone = not token.line[: token.start[1]].strip()
                skip_file = skip_file or (alone and bool(re.match(_SKIP_FILE, token.string)))
                comments += _comments_in(token, stretch.first)
        return cls(skip_file, tuple(comments))

    def without_noqa(self) -> Suppressions:
        """Return these without those that every linter reads."""
        return self._replace(comments=tuple(each for each in self.comments if not each.is_noqa))

    def apply(self, findings: Sequence[Finding]) -> Silenced:
        """Split the findings into those that remain and the comments that silence the rest."""
        remaining = []
        used = set()
        for finding in findings:
            hits = {
                (comment, code)
                for comment in self.comments
                if comment.covers(finding)
                for code in comment.matching(finding.code)
            }
            used |= hits
            if not hits:
                remaining.append(finding)
        return Silenced(tuple(remaining), frozenset(used))


class Silenced(NamedTuple):
    """What suppressions did to the findings of a file."""

    remaining: tuple[Finding, ...]
    used: frozenset[tuple[Comment, str | None]]


def may_hold_suppressions(data: bytes) -> bool:
    """Return whether the bytes of a file could hold a comment that unused ones count among."""
    return b"freezelint" in data or (b"FZ" in data and b"noqa" in data.lower())


def unused_suppressions(
    path: str,
    suppressions: Suppressions,
    used: Collection[tuple[Comment, str | None]],
    known: Collection[str],
    is_on: Callable[[str], bool],
) -> Iterator[Finding]:
    """Yield a finding for each comment, or code in a comment, that silenced nothing.

    ``known`` are the codes of all rules; ``is_on`` tells which of them had a say.
    """
    for comment in suppressions.comments:
        codes = comment.codes
        if codes is None:
            if not comment.is_noqa and (comment, None) not in used and all(map(is_on, known)):
                yield _unused(path, comment, "this comment silences nothing")
            continue
        if comment.is_noqa and not all(code.startswith("FZ") for code in codes):
            continue
        if not codes:
            yield _unused(path, comment, "this comment names no code, so it silences nothing")
        for code in codes:
            meant = [each for each in known if each.startswith(code)]
            if not meant:
                yield _unused(path, comment, f"`{code}` is not a code of freezelint")
            elif (comment, code) not in used and all(map(is_on, meant)):
                yield _unused(path, comment, f"`{code}` has nothing to silence here")


def _unused(path: str, comment: Comment, message: str) -> Finding:
    return Finding(
        code=UnusedSuppression.code,
        name=UnusedSuppression.name,
        level=UnusedSuppression.level,
        path=path,
        span=comment.span,
        message=message,
        help="remove it, or correct the code",
        statement=(comment.span.line, comment.span.line),
    )


def _comments_in(token: tokenize.TokenInfo, first_line: int) -> Iterator[Comment]:
    for pattern in (IGNORE, NOQA):
        match = re.search(pattern, token.string)
        if match is None:
            continue
        line, column = token.start
        span = Span(line, column + match.start() + 1, line, column + match.end() + 1)
        listed = match["codes"]
        codes = None
        if listed is not None:
            codes = tuple(code.upper() for code in re.split(_SEPARATOR, listed) if code)
        yield Comment(span, codes, is_noqa=pattern is NOQA, first_line=first_line)
