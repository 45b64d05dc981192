"""What holds of the analyzer whatever it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezelint.analysis.analyze import analyze
from freezelint.rules import all_rules
from freezelint.rules.rule import Rule  # noqa: TC001 (hypothesis reads the annotations)
from freezelint.sources.python import decode
from tests.checking import findings
from tests.properties.strategies import TEXTS, mutants, texts

if TYPE_CHECKING:
    from freezelint.findings import Evidence, Finding, Fix, Span

FEW = settings(max_examples=40, deadline=None, derandomize=True)
MANY = settings(max_examples=150, deadline=None, derandomize=True)


def below(text: str, lines: int) -> list[Finding]:
    """The findings in a text, as they would be if it stood that many lines lower."""

    def moved(span: Span) -> Span:
        return span._replace(line=span.line + lines, end_line=span.end_line + lines)

    def lowered(each: Evidence) -> Evidence:
        return each._replace(span=moved(each.span))

    def fixed_lower(fix: Fix | None) -> Fix | None:
        if fix is None:
            return None
        edits = tuple(each._replace(span=moved(each.span)) for each in fix.edits)
        return fix._replace(edits=edits)

    return [
        each._replace(
            span=moved(each.span),
            fix=fixed_lower(each.fix),
            evidence=tuple(map(lowered, each.evidence)),
            statement=(each.statement[0] + lines, each.statement[1] + lines),
        )
        for each in findings(text)
    ]


@MANY
@given(mutants())
def test_nothing_that_parses_is_too_strange(text: str) -> None:
    _, problems = analyze(decode("example.py", text.encode()), all_rules())
    assert not problems


@FEW
@given(mutants())
def test_the_same_text_gives_the_same_findings(text: str) -> None:
    assert findings(text) == findings(text)


@FEW
@given(mutants())
def test_findings_are_sorted_and_lie_in_the_text(text: str) -> None:
    found = findings(text)
    lines = text.split("\n")
    assert [each.sort_key for each in found] == sorted(each.sort_key for each in found)
    for span in (each.span for one in found for each in (one, *one.evidence)):
        assert 1 <= span.line <= span.end_line <= len(lines)
        assert (span.line, span.column) < (span.end_line, span.end_column)
        assert lines[span.line - 1][span.column - 1 :].strip()
        assert span.end_column <= len(lines[span.end_line - 1]) + 1


@FEW
@given(text=texts(), rules=st.permutations(all_rules()))
def test_the_order_of_the_rules_does_not_matter(text: str, rules: list[Rule]) -> None:
    assert findings(text, rules=rules) == findings(text)


@FEW
@given(text=texts(), rule=st.sampled_from(all_rules()))
def test_a_rule_finds_the_same_alone_as_with_others(text: str, rule: Rule) -> None:
    together = [each for each in findings(text) if each.code == rule.code]
    assert findings(text, rules=[rule]) == together


@FEW
@given(text=texts(), lines=st.integers(1, 3))
def test_comments_above_move_everything_down(text: str, lines: int) -> None:
    assert findings("# a comment\n" * lines + text) == below(text, lines)


@FEW
@given(text=texts(), newline=st.sampled_from(["\r\n", "\r"]))
def test_the_ends_of_lines_do_not_matter(text: str, newline: str) -> None:
    assert findings(text.replace("\n", newline)) == findings(text)


@pytest.mark.slow
@settings(max_examples=len(TEXTS), deadline=None, derandomize=True)
@given(text=texts(), data=st.data())
def test_every_beginning_of_a_file_can_be_checked(text: str, data: st.DataObject) -> None:
    lines = text.split("\n")
    _, problems = analyze(
        decode("example.py", "\n".join(lines[: data.draw(st.integers(0, len(lines)))]).encode()),
        all_rules(),
    )
    assert not [each for each in problems if "internal" in each.reason]
