"""The proofs themselves: what would be no proof is none."""

from __future__ import annotations

import os
import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from freezelint.rules.claims import Claim
from freezelint.rules.rule import Rule
from proofs import execution
from proofs.execution import Script
from proofs.proving import Example, Proof, prove, script_of

if TYPE_CHECKING:
    from freezelint.findings import Consequence

pytestmark = pytest.mark.torch

MODEL = """
import torch
from torch import nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.backbone(x))


def train(model, optimizer, steps=3):
    for step in range(steps):
        loss = model(torch.randn(6, 4)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


model = Net()
"""

FROZEN = """
model.backbone.requires_grad_(False).eval()
train(model, torch.optim.SGD(model.head.parameters(), lr=0.1))
"""

UNFROZEN = "train(model, torch.optim.SGD(model.parameters(), lr=0.1))"

HEAD_LEFT_OUT = "train(model, torch.optim.SGD(model.backbone.parameters(), lr=0.1))"


class ClassifierHead(Rule):
    """The new head hangs where nothing looks.

    Bad:
        import torch
        from torch import nn

        model = nn.Linear(4, 2)
        model.head = nn.Linear(4, 3)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(3):
            model(torch.ones(2, 4)).sum().backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        model = nn.Linear(4, 3)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(3):
            model(torch.ones(2, 4)).sum().backward()
            optimizer.step()
    """

    code = "FZ999"
    claims = (Claim("dead", "model.head.*", instead="model.*"),)


def proof_of(
    code: str,
    claim: Claim,
    example: Example = "bad",
    processes: int = 1,
) -> Proof:
    return prove(Script(MODEL + dedent(code), (claim,), processes), 0, example)


def said_against(proof: Proof) -> str:
    return "; ".join(proof.objections)


MOVES = Claim("moves", "model.backbone.*")


# -- what is claimed must happen, and only in the bad example ----------------


@pytest.mark.parametrize(
    ("claim", "code", "opposite"),
    [
        (MOVES, UNFROZEN, FROZEN),
        (Claim("drifts", "model.backbone.*"), UNFROZEN, FROZEN),
        (Claim("differs", "model.backbone.*"), UNFROZEN, FROZEN),
        (Claim("dead", "model.head.*"), HEAD_LEFT_OUT, UNFROZEN),
        (
            Claim("cut", "model.backbone.*"),
            """
            model.forward = lambda x: model.head(model.backbone(x).detach())
            train(model, torch.optim.SGD(model.parameters(), lr=0.1))
            """,
            UNFROZEN,
        ),
        (
            Claim("wastes", "model.backbone.*"),
            """
            model.backbone.requires_grad_(False)
            train(model, torch.optim.SGD(model.parameters(), lr=0.1))
            """,
            FROZEN,
        ),
        (
            Claim("wastes", "model.backbone.*"),
            "train(model, torch.optim.SGD(model.head.parameters(), lr=0.1))",
            FROZEN,
        ),
        (
            Claim("random", "model.backbone.*"),
            FROZEN,
            """
            with torch.no_grad():
                for parameter in model.backbone.parameters():
                    parameter.fill_(0.25)
            model.backbone.requires_grad_(False).eval()
            train(model, torch.optim.SGD(model.head.parameters(), lr=0.1))
            """,
        ),
        (
            Claim("raises", error="ValueError: optimizer got an empty"),
            "torch.optim.SGD([], lr=0.1)",
            UNFROZEN,
        ),
    ],
    ids=lambda value: value.consequence if isinstance(value, Claim) else "",
)
def test_a_claim_is_confirmed_by_what_shows_it_alone(
    claim: Claim, code: str, opposite: str
) -> None:
    code, opposite = dedent(code), dedent(opposite)
    assert not proof_of(code, claim).objections
    assert not proof_of(opposite, claim, "good").objections
    assert "does not happen" in said_against(proof_of(opposite, claim))
    assert proof_of(code, claim, "good").objections


def test_the_measurement_says_what_and_how_much() -> None:
    proof = proof_of(UNFROZEN, MOVES)
    assert any(
        "model.backbone.0.weight: 32 of 32 values changed" in each for each in proof.sentences
    )
    assert any(each.kind == "frozen-changed" for each in proof.heard)


# -- a good example trains something, and both end well ----------------------


def test_a_good_example_that_does_nothing_is_refuted() -> None:
    assert "nothing trains" in said_against(proof_of("model(torch.ones(6, 4))", MOVES, "good"))


def test_a_good_example_whose_learning_rate_is_zero_is_refuted() -> None:
    code = "train(model, torch.optim.SGD(model.parameters(), lr=0.0))"
    assert "nothing trains" in said_against(proof_of(code, MOVES, "good"))


@pytest.mark.parametrize("example", ["bad", "good"])
def test_an_example_that_ends_with_an_error_is_refuted(example: Example) -> None:
    code = UNFROZEN if example == "bad" else FROZEN
    proof = proof_of(f"{code}\nraise LookupError('lost')", MOVES, example)
    assert "LookupError: lost" in said_against(proof)
    assert "Traceback" in str(proof)


def test_another_error_than_the_claimed_one_is_no_proof() -> None:
    proof = proof_of("[][0]", Claim("raises", error="KeyError"))
    assert "does not happen" in said_against(proof)
    assert proof.sentences == ("another error: IndexError: list index out of range",)


def test_leaving_with_status_zero_is_a_good_end() -> None:
    assert not proof_of(f"{UNFROZEN}\nraise SystemExit(0)", MOVES).objections


# -- the subject --------------------------------------------------------------


@pytest.mark.parametrize("example", ["bad", "good"])
def test_a_subject_that_names_nothing_is_an_error(example: Example) -> None:
    against = said_against(proof_of(UNFROZEN, Claim("moves", "model.encoder.*"), example))
    assert "'model.encoder.*' names no tensor of the script" in against
    assert "model.backbone.0.weight" in against


def test_the_good_example_may_call_it_otherwise() -> None:
    rule = ClassifierHead()
    assert not prove(script_of(rule, "bad"), 0, "bad").objections
    assert not prove(script_of(rule, "good"), 0, "good").objections
    without = rule.claims[0]._replace(instead="")
    script = script_of(rule, "good")._replace(claims=(without,))
    assert "`instead`" in said_against(prove(script, 0, "good"))


def test_a_subject_without_buffers_cannot_drift() -> None:
    against = said_against(proof_of(UNFROZEN, Claim("drifts", "model.head.*")))
    assert "names no buffer" in against


@pytest.mark.parametrize("consequence", ["moves", "dead", "cut", "wastes"])
def test_buffers_are_no_parameters(consequence: Consequence) -> None:
    claim = Claim(consequence, "model.backbone.1.running_*")
    assert "names no parameter" in said_against(proof_of(UNFROZEN, claim, "good"))


def test_dead_holds_of_all_or_not_at_all() -> None:
    for example in ("bad", "good"):
        against = said_against(proof_of(HEAD_LEFT_OUT, Claim("dead", "model.*"), example))
        assert "make the subject narrower" in against


@pytest.mark.parametrize(
    ("code", "subject"),
    [
        ("class Run: pass\nrun = Run()\nrun.model = model\ndel model", "run.model.backbone.*"),
        ("models = {'one': model}\ndel model", "models.one.backbone.*"),
        ("shadow = model", "shadow.backbone.*"),
        ("trunk = model.backbone", "trunk.0.*"),
        ("model = nn.DataParallel(model)", "model.backbone.*"),
    ],
)
def test_a_model_is_found_under_each_of_its_names(code: str, subject: str) -> None:
    training = "net = model\n{code}\ntrain(net, torch.optim.SGD(net.parameters(), lr=0.1))"
    proof = proof_of(training.format(code=code), Claim("moves", subject))
    assert not proof.objections, proof


def test_tensors_that_no_module_has_registered_are_found() -> None:
    code = """
    model.extra = [nn.Linear(4, 8)]
    model.scale = nn.Parameter(torch.ones(8)) * 1
    forward = model.backbone.forward
    model.backbone.forward = lambda x: forward(x) + model.extra[0](x) * model.scale.detach()
    train(model, torch.optim.SGD(model.parameters(), lr=0.1))
    """
    assert not proof_of(code, Claim("dead", "model.extra.*")).objections
    assert not proof_of(code, Claim("dead", "model.scale")).objections


def test_what_was_loaded_is_not_random() -> None:
    code = """
    teacher = Net()
    train(teacher, torch.optim.SGD(teacher.parameters(), lr=0.1))
    model.backbone.load_state_dict(teacher.backbone.state_dict(), strict={strict})
    model.backbone.requires_grad_(False).eval()
    train(model, torch.optim.SGD(model.head.parameters(), lr=0.1))
    """
    claim = Claim("random", "model.backbone.*", after=3)
    loaded = code.format(strict=True)
    assert not proof_of(loaded, claim, "good").objections
    nothing_fits = loaded.replace("teacher.backbone.state_dict()", "teacher.state_dict()")
    assert not proof_of(nothing_fits.replace("strict=True", "strict=False"), claim).objections


# -- when it happens ----------------------------------------------------------


def test_a_change_needs_no_optimizer() -> None:
    code = """
    for step in range(3):
        model(torch.randn(6, 4)).square().mean().backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.1 * parameter.grad
        model.zero_grad()
    """
    assert not proof_of(code, MOVES).objections
    assert not proof_of(code, Claim("dead", "model.head.*"), "good").objections


@pytest.mark.parametrize(
    ("head", "mode"), [("nn.LazyLinear(2)", "no_grad"), ("nn.Linear(8, 2)", "inference_mode")]
)
def test_a_first_look_may_come_too_early(head: str, mode: str) -> None:
    code = f"""
    model.head = {head}
    with torch.{mode}():
        model.eval()(torch.randn(6, 4))
    model.train()
    train(model, torch.optim.SGD(model.parameters(), lr=0.1))
    """
    assert not proof_of(code, Claim("moves", "model.head.*")).objections
    assert not proof_of(code, Claim("differs", "model.backbone")).objections


def test_what_happens_before_the_steps_that_are_meant_is_no_proof() -> None:
    code = UNFROZEN + FROZEN
    assert not proof_of(code, MOVES).objections
    after = Claim("moves", "model.backbone.*", after=3)
    assert "does not happen" in said_against(proof_of(code, after))
    assert not proof_of(code, after, "good").objections


def test_a_script_with_too_few_steps_is_no_proof() -> None:
    against = said_against(proof_of(UNFROZEN, Claim("moves", "model.backbone.*", after=3)))
    assert "the claim begins after 3 steps, and the script takes 3" in against


def test_what_gets_no_gradient_but_moves_is_not_cut() -> None:
    code = """
    for step in range(3):
        loss = model(torch.randn(6, 4)).square().mean()
        parameters = list(model.parameters())
        with torch.no_grad():
            for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters)):
                parameter -= 0.1 * gradient
    """
    assert "does not happen" in said_against(proof_of(code, Claim("cut", "model.head.*")))


# -- the runtime checker -------------------------------------------------------


def test_a_change_that_the_runtime_checker_misses_refutes_the_proof() -> None:
    code = f"""
from freezelint.runtime.inspection import Inspection
Inspection._compare = lambda *_: None
{UNFROZEN}
"""
    assert "the runtime checker did not see" in said_against(proof_of(code, MOVES))


def test_what_is_unfrozen_later_is_known_to_have_been_frozen() -> None:
    code = """
    model.backbone.requires_grad_(False)
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
    train(model, optimizer)
    model.backbone.requires_grad_(True)
    train(model, optimizer)
    """
    proof = proof_of(code, Claim("dead", "model.backbone.*", after=3))
    assert not proof.objections
    assert {each.cause for each in proof.heard} == {"FZ304"}


# -- processes -----------------------------------------------------------------


def test_the_script_computes_what_it_computes_alone() -> None:
    code = MODEL + UNFROZEN + "\nprint(sum(p.double().sum().item() for p in model.parameters()))\n"
    script = Script(code, (Claim("differs", "model.backbone.*"), MOVES))
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    alone = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=one_thread
    ).stdout
    assert execution.run(script).output == alone


@pytest.mark.gpu
def test_a_script_for_a_device_has_it() -> None:
    if not pytest.importorskip("torch").cuda.is_available():
        pytest.skip("needs a CUDA device")
    on_device = UNFROZEN.replace("model,", "model.cuda(),").replace("model.p", "model.cuda().p")
    code = (MODEL + on_device).replace("torch.randn(6, 4)", "torch.randn(6, 4, device='cuda')")
    assert not prove(Script(code, (MOVES,), device="cuda"), 0, "bad").objections
    assert prove(Script(code, (MOVES,), device="cpu"), 0, "bad").objections


def test_a_script_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "LIMIT", 1)
    against = said_against(proof_of("import time; time.sleep(60)", MOVES))
    assert "it was not done after 1 seconds" in against


def test_a_process_that_dies_is_no_proof() -> None:
    against = said_against(proof_of("import os; os.kill(os.getpid(), 9)", MOVES))
    assert "the process ended with code -9" in against


TOGETHER = """
import os
import torch.distributed as dist

dist.init_process_group("gloo")
torch.manual_seed({seed})
model.backbone.requires_grad_(False).eval()
train(model, torch.optim.SGD(model.head.parameters(), lr=0.1))
{after}
# The first process keeps what they meet at; it must not leave before the other one came.
dist.barrier()
dist.destroy_process_group()
"""


def test_processes_that_go_apart_are_seen() -> None:
    claim = Claim("diverges", "model.head.*")
    apart = TOGETHER.format(seed="dist.get_rank()", after="")
    together = TOGETHER.format(seed="0", after="")
    assert not proof_of(apart, claim, processes=2).objections
    assert not proof_of(together, claim, "good", processes=2).objections
    assert "does not happen" in said_against(proof_of(together, claim, processes=2))
    assert "a lone process cannot diverge" in said_against(proof_of(UNFROZEN, claim))


def test_an_error_of_any_process_counts() -> None:
    code = TOGETHER.format(seed="0", after="assert dist.get_rank() == 0, 'not the first'")
    claim = Claim("raises", error="AssertionError: not the first")
    assert not proof_of(code, claim, processes=2).objections


def test_nobody_waits_long_for_a_process_that_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "GRACE", 1)
    code = TOGETHER.replace("import torch.d", "assert os.environ['RANK'] != '0'\nimport torch.d", 1)
    proof = proof_of(
        code.format(seed="0", after=""), Claim("raises", error="Assertion"), processes=2
    )
    assert not proof.objections


SHARED_OUT = """
from torch.distributed.fsdp import FullyShardedDataParallel

import torch.distributed as dist

dist.init_process_group("gloo")
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
model[0].requires_grad_(False)
model = FullyShardedDataParallel(model, use_orig_params=True, device_id=torch.device("cpu"))
trainable = [p for p in model.parameters() if p.requires_grad]
train(model, torch.optim.SGD({parameters}, lr=0.1))
dist.destroy_process_group()
"""


def test_a_model_that_is_shared_out_is_looked_at_in_all_processes() -> None:
    claim = Claim("dead", "model.2.*")
    trains = SHARED_OUT.format(parameters="trainable")
    assert not proof_of(trains, claim, "good", processes=2).objections
    assert not proof_of(trains, Claim("moves", "model.0.*"), "good", processes=2).objections
    stays = SHARED_OUT.format(parameters="nn.Linear(1, 1).parameters()")
    assert not proof_of(stays, claim, processes=2).objections


def test_a_sharded_model_is_measured_after_its_processes_have_parted() -> None:
    code = """
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

dist.init_process_group("gloo")
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
train(model, optimizer)
dist.destroy_process_group()
"""
    proof = proof_of(code, Claim("dead", "model.*"), processes=2)
    assert not proof.objections, proof
    assert "FZ603" in {each.cause for each in proof.heard}
