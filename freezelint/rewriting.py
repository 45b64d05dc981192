"""What fixes made of files: written to them, or shown as a diff."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from freezelint.discovery import reason_of
from freezelint.examination import read
from freezelint.findings import Problem
from freezelint.sources.python import UnreadableSource, decode
from freezelint.writing import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from freezelint.examination import Rewritten


def write(rewritten: Iterable[Rewritten]) -> Iterator[Problem]:
    """Write fixed files, each whole or not at all, and yield why one could not be."""
    for each in rewritten:
        try:
            if read(each.path) != each.before:
                reason = "changed while it was checked, so nothing was fixed; run it again"
                yield Problem(each.path, reason)
                continue
            write_atomically(Path(each.path), each.after)
        except OSError as error:
            yield Problem(each.path, f"cannot be written: {reason_of(error)}")


def diff(rewritten: Iterable[Rewritten]) -> Iterator[str]:
    """Yield the lines of a unified diff, which `patch` understands."""
    for each in rewritten:
        before, after = (_lines(each.path, data) for data in (each.before, each.after))
        for line in difflib.unified_diff(before, after, each.path, each.path):
            yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(path: str, data: bytes) -> list[str]:
    try:
        text = decode(path, data).text
    except UnreadableSource:
        # What is no program as a whole, such as a notebook, is text all the same.
        text = data.decode("utf-8", "replace")
    *lines, last = text.split("\n")
    return [*(f"{line}\n" for line in lines), *filter(None, [last])]
