"""What is known of a rule before it is loaded is what the rule says."""

from __future__ import annotations

from freezelint.rules import all_rules, indexed_rules, load_rule
from freezelint.rules.rule import IndexedRule


def test_the_index_is_that_of_the_rules() -> None:
    wanted = tuple(map(IndexedRule.of, all_rules()))
    assert indexed_rules() == wanted, "the index is old: run python tools/index_rules.py"


def test_a_rule_is_loaded_by_its_code() -> None:
    for rule in all_rules():
        assert type(load_rule(rule.code)) is type(rule)
