"""Every rule documents itself: in prose, and in examples that do what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from freezelint.analysis.gate import Gate, may_matter
from freezelint.rules import all_rules
from freezelint.rules.documentation import Documentation
from tests.checking import difference, expected, findings

if TYPE_CHECKING:
    from freezelint.rules.rule import Rule

pytestmark = pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)


def test_every_section_is_there(rule: Rule) -> None:
    documentation = Documentation.of(type(rule))
    empty = [name for name, text in documentation._asdict().items() if not text]
    assert not empty


def test_the_summary_is_one_sentence(rule: Rule) -> None:
    summary = Documentation.of(type(rule)).summary
    assert "\n" not in summary
    assert summary.endswith(".")


def test_references_are_links(rule: Rule) -> None:
    links = Documentation.of(type(rule)).links
    assert all(link.startswith("https://") and " " not in link for link in links), links


def test_exactly_what_the_bad_example_marks_is_found(rule: Rule) -> None:
    bad = Documentation.of(type(rule)).bad
    assert {each.code for each in expected(bad)} == {rule.code}
    different = difference(bad, findings(bad))
    assert not different, different


def test_nothing_is_found_in_the_good_example(rule: Rule) -> None:
    good = Documentation.of(type(rule)).good
    different = difference(good, findings(good))
    assert not different, different


def test_a_finding_says_what_is_wrong_and_what_to_do(rule: Rule) -> None:
    for found in findings(Documentation.of(type(rule)).bad):
        assert found.message.strip()
        assert found.help.strip()
        assert found.name == rule.name
        assert all(each.message.strip() for each in found.evidence)


def test_evidence_points_elsewhere(rule: Rule) -> None:
    for found in findings(Documentation.of(type(rule)).bad):
        assert all(each.span != found.span for each in found.evidence)


def test_it_is_found_where_its_name_says(rule: Rule) -> None:
    cls = type(rule)
    assert cls.__module__.rpartition(".")[2] == rule.name.replace("-", "_")
    assert cls.__name__ == "".join(map(str.capitalize, rule.name.split("-")))


def test_a_family_shares_its_folder_and_a_stretch_of_codes(rule: Rule) -> None:
    def folder(each: Rule) -> str:
        return type(each).__module__.split(".")[-2]

    family = [other.code for other in all_rules() if folder(other) == folder(rule)]
    assert {code[:3] for code in family} == {rule.code[:3]}
    for other in all_rules():
        assert (other.code in family) is (family[0] <= other.code <= family[-1]), other.code


def test_the_gates_let_the_bad_example_pass(rule: Rule) -> None:
    bad = Documentation.of(type(rule)).bad.encode()
    assert Gate([rule]).candidates(bad) == (rule.code,)
    assert may_matter(bad)
