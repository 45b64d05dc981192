"""Real pytest sessions with the plugin: what people write, run and see."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from textwrap import dedent
from typing import Any

import pytest

pytest_plugins = ["pytester"]

needs_torch = [
    pytest.mark.torch,
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch"),
]

TRAINING = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(4, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.backbone(x).relu())


def train(model, optimizer, steps=3):
    inputs, labels = torch.randn(16, 4), torch.randint(2, (16,))
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
"""


@pytest.fixture(scope="module")
def _loaded_torch() -> None:
    """Load all that a training loads: torch cannot be loaded again by the next session."""
    namespace: dict[str, Any] = {}
    exec(TRAINING, namespace)
    model, torch = namespace["Net"](), namespace["torch"]
    from freezelint.runtime import watch

    optimizer = torch.optim.AdamW(model.parameters())
    with watch(model, optimizer):
        namespace["train"](model, optimizer)


@pytest.fixture
def session(pytester: pytest.Pytester, _loaded_torch: None) -> pytest.Pytester:
    pytester.makepyfile(training=TRAINING)
    pytester.syspathinsert()
    return pytester


def run(pytester: pytest.Pytester, code: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(test_training="import torch\nfrom training import *\n" + dedent(code))
    return pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:cacheprovider", *options)


class TestTheFixture:
    pytestmark = needs_torch

    def test_fails_a_test_at_the_step_that_moves_a_frozen_parameter(
        self, session: pytest.Pytester
    ) -> None:
        result = run(
            session,
            """
            import pytest

            @pytest.mark.freeze(frozen=["backbone"], trainable=["head"])
            def test_fine_tuning(freeze_watch):
                model = Net()
                optimizer = torch.optim.AdamW(model.parameters())
                freeze_watch(model, optimizer)
                train(model, optimizer)
            """,
        )
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                ">       train(model, optimizer)",
                "*optimizer.step()",
                "E*FreezeViolated: frozen-changed: backbone.weight changed in step 1 of AdamW, *",
            ]
        )
        assert "torch/optim" not in result.stdout.str()

    def test_passes_a_test_that_keeps_its_contract(self, session: pytest.Pytester) -> None:
        run(
            session,
            """
            def test_fine_tuning(freeze_watch):
                model = Net()
                model.backbone.requires_grad_(False)
                optimizer = torch.optim.AdamW(model.head.parameters())
                seen = freeze_watch(model, optimizer)
                train(model, optimizer)
                assert seen.steps == 3
            """,
        ).assert_outcomes(passed=1)

    def test_fails_the_test_itself_for_what_shows_at_the_end(
        self, session: pytest.Pytester
    ) -> None:
        result = run(
            session,
            """
            def test_fine_tuning(freeze_watch):
                model = Net()
                optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
                freeze_watch(model, optimizer)
                train(model, optimizer)
            """,
        )
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["E*not-trained: backbone.weight*the learning rate*is 0"])

    def test_leaves_no_hook_behind_when_the_test_fails_for_another_reason(
        self, session: pytest.Pytester
    ) -> None:
        run(
            session,
            """
            from torch.optim.optimizer import _global_optimizer_pre_hooks as hooks

            def test_that_fails(freeze_watch):
                freeze_watch(Net())
                assert hooks
                raise ValueError

            def test_after_it():
                assert not hooks
            """,
        ).assert_outcomes(passed=1, failed=1)

    def test_works_under_xdist(self, session: pytest.Pytester) -> None:
        run(
            session,
            """
            import pytest

            @pytest.mark.parametrize("number", range(4))
            def test_fine_tuning(number, freeze_watch):
                model = Net()
                if number % 2:
                    model.backbone.requires_grad_(False)
                optimizer = torch.optim.AdamW(model.parameters())
                freeze_watch(model, optimizer, frozen=["backbone"])
                train(model, optimizer)
            """,
            "-n2",
        ).assert_outcomes(passed=2, failed=2)


class TestTheMarker:
    pytestmark = needs_torch

    def test_needs_the_fixture(self, session: pytest.Pytester) -> None:
        result = run(
            session,
            """
            import pytest

            @pytest.mark.freeze(frozen=["backbone"])
            def test_nothing():
                pass
            """,
        )
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*needs the fixture `freeze_watch`*"])

    def test_needs_the_fixture_to_be_called(self, session: pytest.Pytester) -> None:
        result = run(
            session,
            """
            import pytest

            @pytest.mark.freeze(frozen=["backbone"])
            def test_nothing(freeze_watch):
                pass
            """,
        )
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*was never called*"])


def _loses_hooks() -> bool:
    """Whether an earlier test that compiled something took the hooks out of all optimizers."""
    if importlib.util.find_spec("torch") is None:
        return False
    return tuple(map(int, importlib.metadata.version("torch").split(".")[:2])) < (2, 3)


@pytest.mark.skipif(_loses_hooks(), reason="needs torch 2.3")
class TestTheOption:
    pytestmark = needs_torch

    STALE = """
    def test_staged_training():
        model = Net()
        optimizer = torch.optim.AdamW(model.parameters())
        train(model, optimizer, steps=1)
        model.backbone.requires_grad_(False)
        optimizer.step()
    """

    def test_fails_tests_in_which_an_optimizer_moves_what_is_frozen(
        self, session: pytest.Pytester
    ) -> None:
        result = run(session, self.STALE, "--freezelint")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                ">       optimizer.step()",
                "E*parameter 0 of shape (8, 4) in group 0 of AdamW*a gradient from before*",
                "E*see: freezelint explain FZ305",
            ]
        )

    def test_is_an_ini_option_too(self, session: pytest.Pytester) -> None:
        session.makeini("[pytest]\nfreezelint = true")
        run(session, self.STALE).assert_outcomes(failed=1)

    def test_is_off_by_default(self, session: pytest.Pytester) -> None:
        run(session, self.STALE).assert_outcomes(passed=1)

    def test_lets_averages_and_other_trainings_be(self, session: pytest.Pytester) -> None:
        run(
            session,
            """
            import copy

            def test_average():
                model = Net()
                average = copy.deepcopy(model).requires_grad_(False)
                optimizer = torch.optim.AdamW(model.parameters())
                train(model, optimizer)
                with torch.no_grad():
                    for mine, theirs in zip(average.parameters(), model.parameters()):
                        mine.lerp_(theirs, 0.1)
            """,
            "--freezelint",
        ).assert_outcomes(passed=1)


def test_a_session_that_uses_nothing_loads_neither_torch_nor_libcst(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile("""
        import sys

        def test_modules():
            assert "freezelint.runtime.pytest_plugin" in sys.modules
            assert not {"torch", "libcst", "rich"} & set(sys.modules)
    """)
    pytester.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=1)
