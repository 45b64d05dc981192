"""The command and its page: what a person asks for, sees and reads."""

from __future__ import annotations

from typing import get_args

import pytest
from click.testing import CliRunner

from freezelint.findings import Consequence, Level
from freezelint.rules import all_rules
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Rule
from proofs import __main__ as command
from proofs.account import Heard
from proofs.page import claimed, outline, outline_of, page, without_numbers
from proofs.proving import Proof

pytestmark = pytest.mark.torch


class Wandering(Rule):
    """A rule with a claim."""

    code = "FZ998"
    name = "wandering-backbone"
    level = Level.WARNING
    claims = (Claim("moves", "model.backbone.*", after=2),)


class Unseen(Rule):
    """A rule without one."""

    code = "FZ999"
    name = "unseen-harm"
    level = Level.INFO
    claims = ()
    unproven = "It only happens to models that are too large to be run here."


RULES = (Wandering(), Unseen())

SHOWN = Proof(
    ("backbone.weight: 8 of 8 values changed, max 2.5e-01",),
    (),
    (Heard("frozen-changed", "backbone.weight", "it changed by 2.5e-01", "FZ305"),),
)
ABSENT = Proof(("none of 1 parameter changed (8 values) in 3 steps",), ())


def written(bad: Proof = SHOWN, good: Proof = ABSENT) -> str:
    proven = {("FZ998", 0, "bad"): bad, ("FZ998", 0, "good"): good}
    return page(RULES, proven, "2.9", "the CPU")


def test_a_rule_is_shown_with_what_was_measured() -> None:
    assert """
## FZ998 wandering-backbone (warning)

- **moves** `model.backbone.*`, after 2 steps: parameters that were meant to stay change
  - bad: backbone.weight: 8 of 8 values changed, max 2.5e-01
  - good: none of 1 parameter changed (8 values) in 3 steps
  - the checker: `frozen-changed`, FZ305: it changed by 2.5e-01

## FZ999 unseen-harm (info)

It only happens to models that are too large to be run here.
""" in written()
    assert "| FZ998 wandering-backbone | moves | FZ305 |" in written()
    assert "| FZ999 unseen-harm | none |  |" in written()


@pytest.mark.parametrize("consequence", get_args(Consequence))
def test_each_consequence_has_words_and_a_measure(consequence: Consequence) -> None:
    from freezelint.judgement.measures import MEASURES
    from proofs.measuring import FROM_OUTSIDE

    assert claimed(Claim(consequence, "model.*")).startswith(f"- **{consequence}** `model.*`: ")
    assert consequence in {*MEASURES, *FROM_OUTSIDE}


def test_what_is_refuted_is_shown_as_that() -> None:
    text = written(bad=Proof((), ("what is claimed does not happen: moves",)))
    assert "  - bad: REFUTED: what is claimed does not happen: moves" in text


def test_the_outline_is_that_of_the_rules_whatever_was_measured() -> None:
    assert outline(written()) == outline_of(RULES)
    assert outline(written()) != outline_of(RULES[:1])


def test_other_numbers_make_no_other_page() -> None:
    elsewhere = SHOWN._replace(sentences=("backbone.weight: 7 of 8 values changed, max 1.0e-03",))
    assert without_numbers(written(elsewhere)) == without_numbers(written())
    renamed = SHOWN._replace(heard=(SHOWN.heard[0]._replace(cause="FZ306"),))
    assert without_numbers(written(renamed)) != without_numbers(written())


def test_one_rule_can_be_asked_for() -> None:
    answer = CliRunner().invoke(command.main, ["--rule", "FZ101"])
    assert answer.exit_code == 0, answer.output
    assert "FZ101 moves model.backbone.* (bad example)" in answer.output
    assert "measured: model.backbone.0.weight: 512 of 512 values changed" in answer.output


def test_a_rule_that_needs_a_device_waits_for_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Wandering, "device", "cuda")
    monkeypatch.setattr(command, "has_device", lambda: False)
    assert command.show([Wandering()]) == 0
    assert "FZ998 needs a CUDA device" in capsys.readouterr().out
    assert "- bad: not measured: there was no device" in page(RULES, {}, "2.9", "the CPU")


def test_an_unknown_rule_is_said_to_be_none() -> None:
    answer = CliRunner().invoke(command.main, ["--rule", "FZ000"])
    assert answer.exit_code == 2
    assert "there is no rule FZ000" in answer.output


def test_the_committed_page_refutes_nothing() -> None:
    text = command.PAGE.read_text(encoding="utf-8")
    assert "REFUTED" not in text
    assert all(f"| {rule.code} {rule.name} |" in text for rule in all_rules())
