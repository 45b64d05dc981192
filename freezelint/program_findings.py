"""The findings in a program that is about to run, for the process that runs it.

That process asks another one, so that nothing of the analyzer is loaded where the program is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freezelint.findings import Problem
from freezelint.records import NamedTuple
from freezelint.stored_findings import restored, stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.engine import CheckResult
    from freezelint.findings import Consequence, Finding
    from freezelint.rules.claims import Claim

_OTHER_PROCESS = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
if not getattr(sys.flags, "safe_path", False):
    del sys.path[0]
home = sys.argv[1]
spec = spec_from_file_location("freezelint", home + "/__init__.py", submodule_search_locations=[home])
sys.modules["freezelint"] = module_from_spec(spec)
spec.loader.exec_module(sys.modules["freezelint"])
from freezelint.program_findings import answer
answer(*sys.argv[2:])
"""
"""Takes this very package, and nothing that lies in the program's folder."""


class Expected(NamedTuple):
    """A finding, and what its rule claims to happen, of which a run can show some."""

    finding: Finding
    consequences: tuple[Consequence, ...]
    errors: tuple[str, ...]
    """How the program ends, if it does by an error: its type and the beginning of its text."""


class ProgramFindings(NamedTuple):
    """What is found in the files of a program."""

    expected: tuple[Expected, ...]
    problems: tuple[Problem, ...]
    """What could not be checked."""


class CannotCheck(Exception):
    """The process that was to check ended without an answer."""


class Asked:
    """A check that goes on in another process."""

    def __init__(self, target: str, *, is_module: bool) -> None:
        """Begin it; what the arguments mean stands with :func:`~program_files.files_of`."""
        home = str(Path(__file__).parent)
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and names as arguments
            [sys.executable, "-c", _OTHER_PROCESS, home, target, "-m" * is_module],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def answered(self) -> ProgramFindings:
        """Wait for what it finds.

        Raises:
            CannotCheck: if it finds no end but an error.
        """
        output, errors = self._process.communicate()
        if self._process.returncode != 0:
            *_, last = errors.decode(errors="replace").strip().splitlines() or ["it was stopped"]
            raise CannotCheck(f"the check of the program failed: {last}")
        data = json.loads(output)
        return ProgramFindings(
            tuple(_expected(each) for each in data["expected"]),
            tuple(Problem(*each) for each in data["problems"]),
        )

    def drop(self) -> None:
        """Let nothing be left of it."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.communicate()


def answer(target: str, is_module: str) -> None:
    """Check the program, and print what is found for :class:`Asked`."""
    from freezelint.configuration import Configuration
    from freezelint.engine import CheckResult, check
    from freezelint.program_files import files_of

    paths = files_of(target, is_module=bool(is_module))
    # Without a path, all of the working folder would be checked.
    found = of_check(check(paths, Configuration()) if paths else CheckResult())
    data = {
        "expected": [
            (stored(each.finding), each.consequences, each.errors) for each in found.expected
        ],
        "problems": found.problems,
    }
    sys.stdout.write(json.dumps(data))


def of_check(result: CheckResult) -> ProgramFindings:
    """Add to each finding of a check what its rule claims."""
    from freezelint.rules import all_rules

    claims = {rule.code: rule.claims for rule in all_rules()}
    return ProgramFindings(
        tuple(expected_of(each, claims.get(each.code, ())) for each in result.findings),
        result.problems,
    )


def expected_of(finding: Finding, claims: Sequence[Claim]) -> Expected:
    """A finding with what a run shows if it is true."""
    shows = finding.about.shows if finding.about is not None else ()
    consequences = shows or tuple(dict.fromkeys(each.consequence for each in claims))
    return Expected(finding, consequences, tuple(each.error for each in claims if each.error))


def _expected(data: Any) -> Expected:
    fields, consequences, errors = data
    return Expected(restored(fields), tuple(consequences), tuple(errors))
