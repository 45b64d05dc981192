"""The engine finds the same with any number of jobs, and never loses a file's findings."""

from __future__ import annotations

import multiprocessing
import os
from typing import TYPE_CHECKING

import pytest

from freezelint import engine, workers
from freezelint.analysis.gate import Gate, is_covered, may_matter
from freezelint.config import Config
from freezelint.configuration import Configuration
from freezelint.engine import CheckResult, check
from freezelint.rules import all_rules

if TYPE_CHECKING:
    from freezelint.rules.rule import Rule
    from tests.conftest import Project

BUG = "x.requires_grad = 1  # BUG FZ101\n"


def checked(jobs: int = 1) -> CheckResult:
    result = check(["."], Configuration({"jobs": jobs}, isolated=True))
    return result._replace(checked=dict.fromkeys(result.checked, Config()))


@pytest.fixture
def eager_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PARALLEL_FROM", 0)


@pytest.mark.usefixtures("marked_bugs", "eager_workers")
def test_the_result_is_the_same_for_any_number_of_jobs(project: Project) -> None:
    for number in range(30):
        project.write(f"{number % 4}/{number}.py", "\n" * (number * 7 % 11) + BUG)
    project.write("broken.py", "x = '\xe9'\n".encode("latin-1"))
    alone = checked()
    assert len(alone.findings) == 30
    assert [checked(jobs) for jobs in (2, 3)] == [alone, alone]


@pytest.mark.usefixtures("marked_bugs", "eager_workers")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file_that_crashes_a_rule_costs_no_other_its_findings(
    project: Project, jobs: int
) -> None:
    project.write("a.py", BUG)
    project.write("b.py", BUG + "requires_grad = 1  # CRASH\n")
    project.write("c.py", BUG)
    result = checked(jobs)
    assert [each.path for each in result.findings] == ["a.py", "c.py"]
    (problem,) = result.problems
    assert problem.path == "b.py"
    assert problem.reason == "internal error: ZeroDivisionError: marked"
    assert result.files_checked == 2


@pytest.mark.usefixtures("marked_bugs", "eager_workers")
def test_a_file_that_kills_its_process_costs_no_other_its_findings(project: Project) -> None:
    for name in "abcdefgh":
        project.write(f"{name}.py", BUG)
    project.write("killer.py", "requires_grad = 1  # DIE\n")
    result = checked(jobs=2)
    assert [each.path for each in result.findings] == [f"{name}.py" for name in "abcdefgh"]
    assert [(each.path, each.reason) for each in result.problems] == [
        ("killer.py", "internal error: the process that checked this file died")
    ]


@pytest.mark.usefixtures("marked_bugs", "eager_workers")
def test_a_lost_leader_costs_no_file_its_findings(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_lead_through", lambda *given: os._exit(1))
    for name in "abc":
        project.write(f"{name}.py", BUG)
    assert [each.path for each in checked(jobs=2).findings] == ["a.py", "b.py", "c.py"]


@pytest.mark.usefixtures("marked_bugs", "eager_workers")
def test_who_gives_up_waits_for_the_workers_to_end(project: Project) -> None:
    for name in "abc":
        project.write(f"{name}.py", BUG)

    def give_up(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(["."], Configuration({"jobs": 2}, isolated=True), progress=give_up)
    assert not multiprocessing.active_children()


@pytest.mark.usefixtures("marked_bugs")
def test_progress_is_reported_up_to_the_last_file(project: Project) -> None:
    for number in range(5):
        project.write(f"{number}.py", BUG)
    project.write("plain.py", "x = 1\n")
    seen: list[tuple[int, int]] = []
    check(
        ["."], Configuration(isolated=True), progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (6, 6)


def test_syntax_errors_of_plain_files_are_found_while_that_is_cheap(project: Project) -> None:
    project.write("plain.py", "if x\n")
    assert [each.line for each in checked().problems] == [1]
    project.write("large.py", "x = 1\n" * 20_000)
    assert not checked().problems
    named = check(["plain.py", "."], Configuration(isolated=True))
    assert [each.path for each in named.problems] == ["plain.py"]


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_the_coarse_gate_stops_no_rule(rule: Rule) -> None:
    assert is_covered(rule.triggers), f"add a word of {rule.triggers} to COARSE_WORDS"


def test_a_rule_is_asked_only_where_each_group_of_its_words_occurs() -> None:
    gate = Gate([rule for rule in all_rules() if rule.code in {"FZ101", "FZ503"}])
    assert gate.candidates(b"model.requires_grad = False") == ("FZ101",)
    assert gate.candidates(b"loss.requires_grad = True; loss.backward()") == ("FZ101", "FZ503")
    assert gate.candidates(b"import torch") == ()
    assert not may_matter(b"import torch")
