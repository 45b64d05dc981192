"""What the analyzer says of a text, against what the text says that it should."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from freezelint.analysis.analyze import analyze
from freezelint.findings import Finding, Level
from freezelint.rules import all_rules
from freezelint.sources.python import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezelint.rules.rule import Rule

_MARK = re.compile(r"# expect:(?P<codes>.*)$")
_CODE = re.compile(r"FZ\d{3}")


class Place(NamedTuple):
    """A line, and the rule that finds something there."""

    line: int
    code: str


def findings(text: str, path: str = "example.py", rules: Sequence[Rule] = ()) -> list[Finding]:
    """Return the errors and warnings in a text; all of it must have been checked.

    What a rule of level info finds is returned too if the text marks that rule, or the
    file is named for it.
    """
    asked_for = {each.code for each in expected(text)} | {Path(path).name[:5].upper()}
    known = {each.code for each in all_rules() if each.level is Level.INFO} & asked_for
    found, problems = analyze(decode(path, text.encode()), rules or all_rules())
    assert not problems, problems
    return [each for each in found if each.level is not Level.INFO or each.code in known]


def places(found: Iterable[Finding]) -> list[Place]:
    """Return where findings are, and of which rules."""
    return sorted(Place(each.span.line, each.code) for each in found)


def expected(text: str) -> list[Place]:
    """Return what the marks ``# expect: FZ301, FZ113`` at the ends of lines ask for."""
    asked = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        mark = _MARK.search(line)
        if mark:
            codes = [code.strip() for code in mark["codes"].split(",")]
            assert all(_CODE.fullmatch(code) for code in codes), line
            asked += [Place(number, code) for code in codes]
    return sorted(asked)


def difference(text: str, found: Iterable[Finding]) -> str:
    """Return in words how findings differ from the marks; nothing if they do not."""
    asked, given = expected(text), places(found)
    lines = text.split("\n")
    told = [("missing", each) for each in asked if each not in given]
    told += [("too much", each) for each in given if each not in asked]
    told += [("twice", each) for each in set(given) if given.count(each) > 1]
    return "\n".join(
        f"{what}: {code} in line {line}: {lines[line - 1].strip()}" for what, (line, code) in told
    )


def check(snippet: str) -> None:
    """Assert that the findings in a snippet are those that it marks.

    If a line ends with ``# evidence``, such lines are all that the findings point to.
    """
    text = textwrap.dedent(snippet).lstrip("\n")
    found = findings(text)
    different = difference(text, found)
    assert not different, different
    evidence = {each.span.line for finding in found for each in finding.evidence}
    numbered = enumerate(re.split(r"\r\n|\r|\n", text), 1)
    marked = {number for number, line in numbered if line.endswith("# evidence")}
    if marked:
        assert evidence == marked, f"evidence in lines {sorted(evidence)}, not {sorted(marked)}"
