"""Each rule's bad example, run with its findings: the run shows what the rule claims."""

from __future__ import annotations

import pytest

from freezelint.rules import all_rules
from freezelint.verdicts import Verdict
from proofs.execution import prepare
from proofs.proving import script_of

pytestmark = pytest.mark.torch

NEVER_CONFIRMED = {
    "FZ114": "which parameters a test was meant to pick, when it picks none, nobody knows",
    "FZ117": "it tells which option is misread, not what hangs on that",
    "FZ408": "a copy that lags behind is no part that is frozen: nothing that a run shows is wrong",
    "FZ608": "that weights are random takes two runs with two seeds",
    "FZ703": "torch.compile runs other code under the checker than without",
}
"""Rules whose findings no run confirms, and why."""

RULES = {rule.code: rule for rule in all_rules()}


@pytest.fixture(scope="module", autouse=True)
def what_examples_import() -> None:
    """Load it once, for all processes that run one."""
    prepare(
        script_of(rule, example).source for rule in RULES.values() for example in ("bad", "good")
    )


@pytest.mark.parametrize("code", RULES)
def test_the_bad_example_confirms_the_finding(code: str) -> None:
    from tests.run.judging import judged

    rule = RULES[code]
    if rule.device != "cpu":
        torch = pytest.importorskip("torch")
        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")
    script = script_of(rule, "bad")
    found = [
        each
        for each in judged(script.source, rule.processes, rule.device)
        if each.finding.code == code
    ]
    expected = Verdict.NOT_CONFIRMED if code in NEVER_CONFIRMED else Verdict.CONFIRMED
    assert expected in {each.verdict for each in found}, [*map(str, found)]
