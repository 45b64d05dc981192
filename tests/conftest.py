"""A project on disk, the command run in it, and an analyzer that finds what a test marks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from click.testing import CliRunner

from freezelint.cli import main
from freezelint.findings import Evidence, Finding, Level, Problem, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.rules.rule import Rule
    from freezelint.sources.python import Source


ROOT = Path(__file__).parents[1]


class Answer(NamedTuple):
    """What a person sees."""

    code: int
    output: str
    errors: str


class Project(NamedTuple):
    """A folder that a person works in."""

    folder: Path

    def write(self, path: str, content: str | bytes = "") -> Path:
        """Write a file, and the folders that it is in."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def freezelint(self, *arguments: str, stdin: str | bytes = "") -> Answer:
        """Run the command in this process."""
        result = CliRunner().invoke(main, arguments, input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    def python(self, *arguments: str, **environment: str) -> Answer:
        """Run Python in a process of its own."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project, which is the working folder."""
    for variable in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    # Processes of their own need no installation.
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("FREEZELINT_CACHE_DIR", str(tmp_path.parent / f"{tmp_path.name}-cache"))
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


_MARK = re.compile(r"(?P<text>.*?)\s*# (?P<what>BUG|CAUSE|NOTE|CRASH|DIE)\b:? ?(?P<code>\S*)")


def find_marked(
    source: Source, rules: Sequence[Rule], *_names: object
) -> tuple[Sequence[Finding], Sequence[Problem]]:
    """Find a bug in each line that ends with ``# BUG FZ301``, if that rule is asked for.

    Lines that end with ``# CAUSE`` are its evidence, ``# NOTE FZ301`` is found at
    level info, ``# CRASH`` raises, and ``# DIE`` takes the process down.
    """
    by_code = {rule.code: rule for rule in rules}
    findings, evidence = [], []
    for number, line in enumerate(source.lines, 1):
        match = _MARK.match(line)
        if match is None:
            continue
        if match["what"] == "CRASH":
            raise ZeroDivisionError("marked")
        if match["what"] == "DIE":
            os._exit(9)
        start = len(line) - len(line.lstrip())
        span = Span(number, start + 1, number, len(match["text"]) + 1)
        if match["what"] == "CAUSE":
            evidence.append(Evidence(source.path, span, "because of this"))
        elif match["code"] in by_code:
            rule = by_code[match["code"]]
            level = Level.INFO if match["what"] == "NOTE" else rule.level
            text = match["text"].strip()
            findings.append(
                Finding(
                    rule.code,
                    rule.name,
                    level,
                    source.path,
                    span,
                    f"`{text}` is wrong",
                    "write it right",
                    statement=(number, number),
                )
            )
    return [each._replace(evidence=tuple(evidence)) for each in findings], []


@pytest.fixture
def marked_bugs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the analyzer find exactly what the checked files mark."""
    monkeypatch.setattr("freezelint.analysis.analyze.analyze", find_marked)
