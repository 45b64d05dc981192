"""Findings that are known: written to a file when a project adopts freezelint, and not shown again.

An entry is known by the file's path from the folder of the baseline and by what the finding
quotes, so lines may move and other code may change. A finding that is quoted twice in a file
is known as often as it was when the baseline was written.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from freezelint.discovery import reason_of, shown_path
from freezelint.findings import Finding, Level, Span
from freezelint.records import NamedTuple
from freezelint.reports.excerpts import Excerpts
from freezelint.sources.python import UnreadableSource, decode
from freezelint.writing import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from freezelint.config import Config
    from freezelint.engine import CheckResult

VERSION = 1
"""Raised when the form of the file changes."""
_ABOUT = "Findings of freezelint that are known, so they are not shown: `freezelint check --help`"


class BadBaseline(Exception):
    """A baseline that cannot be used; the text says why, and what to do."""


class Entry(NamedTuple):
    """One finding that is known."""

    code: str
    level: Level
    message: str
    """For those who read the file; what it was when it was written."""
    fingerprint: str

    @property
    def order(self) -> tuple[str, str, str]:
        """Where it stands among the entries of its file, wherever its line is."""
        return (self.code, self.message, self.fingerprint)


class Baseline(NamedTuple):
    """The content of one file."""

    path: str
    entries: Mapping[str, Sequence[Entry]]
    """By the path of the checked file, from the folder of the baseline, with forward slashes."""

    @property
    def fingerprints(self) -> frozenset[str]:
        """What is known, whatever file it is in: each says so itself."""
        return frozenset(each.fingerprint for known in self.entries.values() for each in known)

    def unknown(self, findings: Sequence[Finding], excerpts: Excerpts) -> tuple[Finding, ...]:
        """Return those of the findings in some files that are to be shown."""
        known = self.fingerprints
        by_place = _entries(self.path, findings, excerpts)
        return tuple(
            finding
            for finding, (_, entry) in zip(findings, by_place, strict=True)
            if entry.fingerprint not in known
        )

    def unseen(self, result: CheckResult, excerpts: Excerpts) -> Unseen:
        """Sort the entries that a check did not find into those that are gone and the others."""
        found = {entry.fingerprint for _, entry in _entries(self.path, result.findings, excerpts)}
        place_of = Places(self.path)
        configs = {place_of(path): (path, each) for path, each in result.checked.items()}
        failed = {place_of(problem.path) for problem in result.problems}
        folder = os.path.dirname(self.path)
        gone: dict[str, list[Entry]] = {}
        unasked: dict[str, list[Entry]] = {}
        for place, entries in self.entries.items():
            path, config = configs.get(place, ("", None))
            exists = os.path.lexists(os.path.join(folder, place))
            for entry in entries:
                if entry.fingerprint in found:
                    continue
                asked = not exists
                if config is not None and place not in failed:
                    asked = _looks_for(config.for_file(path), entry)
                (gone if asked else unasked).setdefault(place, []).append(entry)
        return Unseen(gone, unasked)


class Unseen(NamedTuple):
    """Entries of a baseline that a check did not find, by file."""

    gone: Mapping[str, Sequence[Entry]]
    """Those that it would have found."""
    unasked: Mapping[str, Sequence[Entry]]
    """Those of files and rules that it was not asked for."""


def read(path: str) -> Baseline:
    """Read a baseline.

    Raises:
        BadBaseline: if there is none that can be used.
    """
    shown = shown_path(path)
    command = f"`freezelint check --write-baseline {shown}`"
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise BadBaseline(f"there is no baseline {shown}: write it with {command}") from None
    except OSError as error:
        raise BadBaseline(f"the baseline {shown} cannot be read: {reason_of(error)}") from None
    try:
        document = json.loads(data)
        version = document["version"]
        if isinstance(version, int) and version > VERSION:
            raise BadBaseline(
                f"the baseline {shown} was written by a newer freezelint: update this one, or "
                f"delete the file and write it anew with {command}"
            )
        if version != VERSION:
            raise ValueError(f"its version is {version!r}")
        entries = {
            str(name): tuple(map(_entry, each)) for name, each in document["findings"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = str(error) if isinstance(error, ValueError) else "it has another form"
        raise BadBaseline(
            f"{shown} is no baseline of freezelint ({why}): name another file, or delete it and "
            f"write it anew with {command}"
        ) from None
    return Baseline(os.path.abspath(path), entries)


def unknown_in(
    baseline: str, path: str, data: bytes, findings: Iterable[Finding]
) -> tuple[Finding, ...]:
    """Return those findings in one file that a baseline does not know.

    If it cannot be read, that is told where the baselines of all files are; nothing is
    written then, so it does not matter what is returned.
    """
    in_order = sorted(findings, key=lambda each: (*each.sort_key, each.message))
    lines: Sequence[str] = ()
    with contextlib.suppress(UnreadableSource):
        lines = decode(path, data).lines
    try:
        return read(baseline).unknown(in_order, TextLines(lines))
    except BadBaseline:
        return ()


def write(path: str, result: CheckResult, excerpts: Excerpts) -> int:
    """Make the findings of a check known, and return how many are.

    Entries about files and rules that the check was not asked for stay.

    Raises:
        BadBaseline: if the file exists and is no baseline.
        OSError: if it cannot be written.
    """
    path = os.path.abspath(path)
    entries: dict[str, list[Entry]] = {}
    if os.path.lexists(path):
        for place, kept in read(path).unseen(result, excerpts).unasked.items():
            entries[place] = list(kept)
    for place, entry in _entries(path, result.findings, excerpts):
        entries.setdefault(place, []).append(entry)
    document = {
        "about": _ABOUT,
        "version": VERSION,
        "findings": {
            place: [
                {**entry._asdict(), "level": entry.level.value}
                for entry in sorted(entries[place], key=lambda each: each.order)
            ]
            for place in sorted(entries)
        },
    }
    write_atomically(Path(path), f"{json.dumps(document, indent=2)}\n".encode())
    return len(result.findings)


class Places:
    """How a baseline calls files: by the way from its folder, with forward slashes."""

    def __init__(self, baseline: str) -> None:
        """Take the path of the baseline."""
        self._folder = os.path.realpath(os.path.dirname(os.path.abspath(baseline)))
        self._ways: dict[str, str] = {}

    def __call__(self, path: str) -> str:
        """Return what it calls a file; links to folders lead where they lead, and no further."""
        folder, name = os.path.split(path)
        if folder not in self._ways:
            self._ways[folder] = self._way_to(os.path.realpath(folder))
        return f"{self._ways[folder]}{name}"

    def _way_to(self, folder: str) -> str:
        with contextlib.suppress(ValueError):
            # On Windows no way leads from one drive to another.
            folder = os.path.relpath(folder, self._folder)
        return "" if folder == os.curdir else f"{folder.replace(os.sep, '/')}/"


def _entries(
    baseline: str, findings: Sequence[Finding], excerpts: Excerpts
) -> list[tuple[str, Entry]]:
    """Return for each finding how the baseline calls its file, and the entry that it would be."""
    from freezelint.reports import fingerprints

    place_of = Places(baseline)
    paths = {path: place_of(path) for path in {each.path for each in findings}}
    moved = tuple(each._replace(path=paths[each.path]) for each in findings)
    lines = _Moved(excerpts, {place: path for path, place in paths.items()})
    prints = fingerprints.of_findings(cast("CheckResult", _Found(moved)), lines)
    return [
        (each.path, Entry(each.code, each.level, each.message, fingerprint))
        for each, fingerprint in zip(moved, prints, strict=True)
    ]


class _Found(NamedTuple):
    """As much of a result as fingerprints are made of; processes that examine files have no more."""

    findings: tuple[Finding, ...]


class TextLines(Excerpts):
    """The lines of one file, which are at hand."""

    def __init__(self, lines: Sequence[str]) -> None:
        """Take the lines."""
        super().__init__()
        self._text = lines

    def line(self, path: str, number: int, cell: int = 0) -> str | None:
        """Return a line of the file, or None if there is none."""
        return self._text[number - 1] if not cell and 0 < number <= len(self._text) else None


class _Moved(Excerpts):
    """Excerpts of files under the names that a baseline has for them."""

    def __init__(self, excerpts: Excerpts, paths: Mapping[str, str]) -> None:
        super().__init__()
        self._excerpts = excerpts
        self._paths = paths

    def line(self, path: str, number: int, cell: int = 0) -> str | None:
        return None if cell else self._excerpts.line(self._paths[path], number)


def _entry(stored: Mapping[str, Any]) -> Entry:
    code, message, fingerprint = (stored[key] for key in ("code", "message", "fingerprint"))
    if not all(isinstance(each, str) for each in (code, message, fingerprint)):
        raise TypeError
    return Entry(code, Level(stored["level"]), message, fingerprint)


def _looks_for(config: Config, entry: Entry) -> bool:
    """Whether a finding would be shown, were it still there."""
    from freezelint.rules import indexed_rules
    from freezelint.suppressions import UnusedSuppression

    levels = {rule.code: rule.level for rule in indexed_rules()}
    levels[UnusedSuppression.code] = UnusedSuppression.level
    level = levels.get(entry.code)
    if level is None:
        return True
    span = Span(1, 1, 1, 1)
    finding = Finding(entry.code, "", entry.level, "", span, entry.message, "")
    return config.is_on(entry.code, level) and config.shows(finding, level)
