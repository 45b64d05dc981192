"""The plugin for flake8: the same findings, in its report and under its options.

flake8 reads the file, so text from an editor is checked as it stands there, and reports
itself what does not parse.
"""

from __future__ import annotations

import functools
import logging
import os
from typing import TYPE_CHECKING, Any, ClassVar

from freezelint import __version__
from freezelint.configuration import Configuration
from freezelint.discovery import is_excluded, shown_path
from freezelint.examination import examine_source
from freezelint.reports.display import safe
from freezelint.sources.python import Source, split_lines

if TYPE_CHECKING:
    import argparse
    import ast
    from collections.abc import Iterator, Sequence

    from freezelint.findings import Finding

_log = logging.getLogger("flake8.freezelint")
"""What ``flake8 -v`` shows."""


class Plugin:
    """What flake8 makes of each file that parses.

    See https://flake8.pycqa.org/en/latest/plugin-development/plugin-parameters.html
    """

    name: ClassVar[str] = "freezelint"
    version: ClassVar[str] = __version__
    hears_noqa: ClassVar[bool] = True
    """Whether ``# noqa`` counts: here on any line of a statement, to flake8 on the first."""

    @classmethod
    def parse_options(cls, options: argparse.Namespace) -> None:
        """Take over the option of flake8 that concerns this; it is called in each process."""
        cls.hears_noqa = not options.disable_noqa

    def __init__(self, tree: ast.AST, filename: str, lines: Sequence[str]) -> None:
        """Take a file.

        Args:
            tree: Asked for only because flake8 then calls once per file, if that parses.
            filename: What flake8 calls it; it need not exist.
            lines: Its text, with the ends of the lines, without a byte order mark.

        Raises:
            BadSettings: if the settings around the file cannot be used; flake8 says so.
        """
        self._path = shown_path(filename)
        self._text = "".join(lines)
        self._config = _configuration().around(os.path.dirname(self._path))

    def run(self) -> Iterator[tuple[int, int, str, type[Any]]]:
        """Yield line, column from 0, code with message, and this class, for each finding."""
        if is_excluded(self._path, self._config):
            return
        config = self._config.for_file(self._path)
        source = Source(self._path, self._text)
        outcome = examine_source(source, config, hears_noqa=self.hears_noqa)
        for problem in outcome.problems:
            _log.warning("freezelint: %s: %s", safe(problem.path), safe(problem.reason))
        for finding in self._unknown(outcome.findings):
            text = f"{finding.code} {safe(finding.message)}; {safe(finding.help)}"
            yield finding.span.line, finding.span.column - 1, text, type(self)

    def _unknown(self, findings: Sequence[Finding]) -> Sequence[Finding]:
        """Leave out what the baseline knows that the settings name.

        Raises:
            BadBaseline: if it cannot be used; flake8 says so.
        """
        if self._config.baseline is None or not findings:
            return findings
        from freezelint.baseline import TextLines, read

        baseline = read(self._config.baseline)
        return baseline.unknown(findings, TextLines(split_lines(self._text)))


@functools.cache
def _configuration() -> Configuration:
    """Each file of settings is read once in each of flake8's processes."""
    return Configuration()
