"""``freezelint rules`` and ``freezelint explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from freezelint.reports.catalogue import documented
from freezelint.rules import all_rules
from freezelint.rules.documentation import Documentation

if TYPE_CHECKING:
    from freezelint.rules.rule import Rule
    from tests.conftest import Project


def test_the_list_of_rules_can_be_piped(project: Project) -> None:
    lines = project.freezelint("rules").output.splitlines()
    assert [line.split()[0] for line in lines] == [each.code for each in documented()]
    assert "FZ301  optimizer-before-freeze" in "\n".join(lines)


def test_a_rule_explains_itself(project: Project) -> None:
    answer = project.freezelint("explain", "fz301")
    assert answer.code == 0
    headings = ["What it does:", "Why is this bad?:", "Bad:", "Good:", "When it is silent:"]
    assert answer.output.startswith("FZ301 optimizer-before-freeze (warning)\n")
    assert [line for line in answer.output.splitlines() if line in headings] == headings


def test_a_rule_is_explained_by_its_name_too(project: Project) -> None:
    by_code = project.freezelint("explain", "FZ301")
    assert project.freezelint("explain", "optimizer-before-freeze") == by_code


def test_a_code_that_does_not_exist_names_the_nearest(project: Project) -> None:
    answer = project.freezelint("explain", "FZ30I")
    assert answer.code == 2
    assert "did you mean FZ301?" in answer.errors


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_every_rule_is_documented_in_full(rule: Rule) -> None:
    documentation = Documentation.of(type(rule))
    assert all(documentation), [
        field for field, text in documentation._asdict().items() if not text
    ]
    assert f"# expect: {rule.code}" in documentation.bad
    assert "# expect:" not in documentation.good
    assert all(link.startswith("https://") for link in documentation.links)
    compile(documentation.bad, "bad.py", "exec")
    compile(documentation.good, "good.py", "exec")
