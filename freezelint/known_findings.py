"""What ``--baseline`` and ``--write-baseline`` do to what a check has found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from freezelint.discovery import reason_of, shown_path
from freezelint.exit_codes import CLEAN, FAILED, failed
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezelint.baseline import Baseline
    from freezelint.engine import CheckResult
    from freezelint.reports.excerpts import Excerpts


def known_in(result: CheckResult, asked: str | None) -> Known | None:
    """Read what is known, before anything is written; None if nothing is.

    Args:
        result: The check, of files for which the settings may name baselines.
        asked: The one that the command line names; empty or None if it names none.

    Raises:
        click.UsageError: if one of them cannot be used.
    """
    paths = {asked, *(each.baseline for each in result.checked.values())} - {None, ""}
    if not paths:
        return None
    from freezelint.baseline import BadBaseline, read

    try:
        return Known({path: read(path) for path in sorted(filter(None, paths))})
    except BadBaseline as error:
        raise click.UsageError(str(error)) from None


def leave_out(known: Known | None, result: CheckResult, *, quiet: bool) -> CheckResult:
    """Leave out what is known, and say which baselines hold more than is there."""
    if known is None:
        return result
    from freezelint.reports.display import safe
    from freezelint.reports.excerpts import Excerpts

    result, gone = known.applied(result, Excerpts(result.standard_input))
    for each in () if quiet else gone:
        click.echo(safe(str(each)), err=True)
    return result


def write_known(path: str, result: CheckResult) -> int:
    """Make known what was found, say how much that is, and return the exit code.

    Raises:
        click.UsageError: if the file is there and is no baseline.
    """
    from freezelint import baseline
    from freezelint.reports.display import safe
    from freezelint.reports.excerpts import Excerpts
    from freezelint.reports.summary import counted

    try:
        number = baseline.write(path, result, Excerpts(result.standard_input))
    except baseline.BadBaseline as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        return failed(f"{path}: cannot be written: {reason_of(error)}")
    click.echo(f"Wrote {counted(number, 'known finding')} to {safe(path)}.")
    return FAILED if result.problems else CLEAN


class Known(NamedTuple):
    """The baselines that count in a check; which one for a file, its settings say."""

    by_path: Mapping[str, Baseline]

    def applied(
        self, result: CheckResult, excerpts: Excerpts
    ) -> tuple[CheckResult, Sequence[Gone]]:
        """Return a result without what is known, and which baselines hold more than is found."""
        shown = [each for each in result.findings if self._of(result, each.path) is None]
        gone = []
        for path, baseline in self.by_path.items():
            checked = {name: each for name, each in result.checked.items() if each.baseline == path}
            mine = tuple(
                each for each in result.findings if self._of(result, each.path) is baseline
            )
            own = result._replace(checked=checked, findings=mine)
            shown += baseline.unknown(mine, excerpts)
            number = sum(map(len, baseline.unseen(own, excerpts).gone.values()))
            if number:
                gone.append(Gone(path, number))
        # Files may have different baselines, and stand in the order of their names.
        kept = set(map(id, shown))
        findings = tuple(each for each in result.findings if id(each) in kept)
        known = len(result.findings) - len(findings)
        return result._replace(findings=findings, known=known), gone

    def _of(self, result: CheckResult, path: str) -> Baseline | None:
        config = result.checked.get(path)
        return None if config is None else self.by_path.get(config.baseline or "")


class Gone(NamedTuple):
    """How many entries of a baseline are no longer needed."""

    path: str
    number: int

    def __str__(self) -> str:
        """Say so, and what to do."""
        entries, are = ("1 entry", "is") if self.number == 1 else (f"{self.number} entries", "are")
        return (
            f"{entries} of the baseline {are} no longer needed: write it again with "
            f"`freezelint check --write-baseline {shown_path(self.path)}`"
        )
