"""Every rule's claims, proven: the bad example shows them, the good one does not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from freezelint.findings import Consequence
from freezelint.rules import all_rules
from proofs.page import outline, outline_of
from proofs.proving import examples_of, prove, script_of

if TYPE_CHECKING:
    from freezelint.rules.rule import Rule
    from proofs.execution import Script
    from proofs.proving import Example

pytestmark = pytest.mark.torch

PAGE = Path(__file__).parents[2] / "docs" / "proofs.md"


def cases() -> list[Any]:
    return [
        pytest.param(
            script_of(rule, example),
            number,
            example,
            id=f"{rule.code}-{claim.consequence}-{example}",
            marks=[pytest.mark.gpu] if rule.device == "cuda" else [],
        )
        for rule in all_rules()
        for number, claim in enumerate(rule.claims)
        for example in examples_of(rule)
    ]


@pytest.mark.parametrize(("script", "number", "example"), cases())
def test_what_is_claimed_happens_in_the_bad_example_only(
    script: Script, number: int, example: Example
) -> None:
    if script.device == "cuda" and not pytest.importorskip("torch").cuda.is_available():
        pytest.skip("needs a CUDA device")
    proof = prove(script, number, example)
    assert not proof.objections, f"{script.claims[number]} is refuted\n{proof}"


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_each_rule_has_claims_or_says_why_it_has_none(rule: Rule) -> None:
    assert bool(rule.claims) is not bool(rule.unproven)
    for claim in rule.claims:
        assert claim.consequence in get_args(Consequence)
        assert bool(claim.error) is (claim.consequence == "raises")
        assert bool(claim.subject) is (claim.consequence != "raises")
    assert "TODO" not in f"{rule.claims}{rule.unproven}"


def test_the_page_has_all_claims_and_no_others() -> None:
    written = outline(PAGE.read_text(encoding="utf-8"))
    assert written == outline_of(all_rules()), "docs/proofs.md is old: run python -m proofs"
