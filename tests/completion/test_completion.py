"""What the tab key offers, by click's own means and in the shells that are there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from freezelint.cli import main
from freezelint.reports.catalogue import documented

if TYPE_CHECKING:
    from tests.conftest import Project

VARIABLE = "_FREEZELINT_COMPLETE"
SHELLS = [BashComplete, ZshComplete, FishComplete]


def offered(*words: str) -> dict[str, str | None]:
    """What is offered in the place of the last word, and the help beside it."""
    *before, last = words
    completer = BashComplete(main, {}, "freezelint", VARIABLE)
    return {each.value: each.help for each in completer.get_completions(before, last)}


def test_commands_and_options_are_offered() -> None:
    assert "completion" in offered("com")
    assert "--unsafe-fixes" in offered("check", "--un")


def test_all_codes_are_offered_with_their_names() -> None:
    assert offered("explain", "") == {each.code: each.name for each in documented()}


@pytest.mark.parametrize("option", ["--select", "--extend-select", "--ignore"])
def test_options_that_take_codes_offer_those_that_begin_so(option: str) -> None:
    codes = offered("check", option, "fz30")
    assert codes["FZ301"] == "optimizer-before-freeze"
    assert all(code.startswith("FZ30") for code in codes)


def test_the_last_code_of_a_list_is_completed_and_none_is_offered_twice() -> None:
    lists = offered("check", "--select", "FZ301,FZ30")
    assert "FZ301,FZ302" in lists
    assert "FZ301,FZ301" not in lists


def test_an_argument_that_is_one_code_is_no_list() -> None:
    assert offered("explain", "FZ301,FZ30") == {}


def test_formats_and_shells_are_offered() -> None:
    assert {"text", "json", "github"} <= set(offered("check", "--output-format", ""))
    assert set(offered("completion", "")) == {"bash", "zsh", "fish"}


@pytest.mark.parametrize(
    "words",
    [
        ("check", "src/t"),
        ("run", "t"),
        ("check", "--config", "f"),
        ("verify", "f"),
        ("config", "s"),
    ],
)
def test_paths_are_left_to_the_shell(words: tuple[str, ...]) -> None:
    *before, last = words
    (item,) = BashComplete(main, {}, "freezelint", VARIABLE).get_completions(before, last)
    assert (item.type, item.value) == ("file", last)


@pytest.mark.parametrize("kind", SHELLS, ids=lambda kind: kind.name)
def test_the_script_is_what_click_gives(project: Project, kind: type[ShellComplete]) -> None:
    printed = project.freezelint("completion", kind.name)
    assert printed.code == 0
    by_click = project.python("-m", "freezelint", **{VARIABLE: f"{kind.name}_source"})
    assert by_click.output.rstrip() == printed.output.rstrip()
    assert printed.output == kind(main, {}, "freezelint", VARIABLE).source()


def test_another_shell_is_refused(project: Project) -> None:
    answer = project.freezelint("completion", "tcsh")
    assert answer.code == 2
    assert "bash" in answer.errors


def test_the_tab_key_loads_no_rules(project: Project) -> None:
    code = "import sys, freezelint.completion as asked; asked.codes('FZ3'); print(*sys.modules)"
    loaded = project.python("-c", code).output.split()
    assert "libcst" not in loaded
    assert "rich" not in loaded


ASK = {
    "bash": """
        COMP_WORDS=(freezelint {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _freezelint_completion freezelint
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """,
    "zsh": """
        compadd() {{ eval 'print -l $'${{@[-1]}} }}
        _describe() {{ eval 'print -l $'$3 }}
        words=(freezelint {words}); CURRENT=$#words
        _freezelint_completion
    """,
    "fish": "complete --do-complete 'freezelint {words}'",
}
"""What presses the tab key behind some words in a shell that nobody sits at."""

LOAD = {
    "bash": 'eval "$(freezelint completion bash)"',
    "zsh": 'compdef() {{ }}; eval "$(freezelint completion zsh)"',
    "fish": "freezelint completion fish | source",
}


@pytest.mark.parametrize("shell", list(ASK))
def test_the_real_shell_completes(
    project: Project, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which(shell):
        pytest.skip(f"needs {shell}")
    command = project.write(
        "bin/freezelint", f'#!/bin/sh\nexec {sys.executable} -m freezelint "$@"\n'
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent), prepend=os.pathsep)
    asked = ASK[shell].format(words="explain FZ30")
    done = subprocess.run(
        [shell, "-c", f"{LOAD[shell].format()}\n{asked}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert not done.stderr
    codes = [line.replace(":", " ").split()[0] for line in done.stdout.splitlines()]
    assert codes == [each.code for each in documented() if each.code.startswith("FZ30")]
