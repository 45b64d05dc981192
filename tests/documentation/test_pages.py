"""What the pages tell people to write is right: by the schemas of those who read it, and by ours."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
import yaml

from freezelint import __version__
from freezelint.cli import main
from freezelint.flake8_plugin import Plugin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Project

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))

TRAINING = """\
import torch
from torchvision.models import resnet18

model = resnet18(num_classes=10)

trainable = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trainable, lr=1e-3)

for name, parameter in model.named_parameters():
    if not name.startswith("fc"):
        parameter.requires_grad = False
"""

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[Any]:
    """The blocks of that language on all pages, each named for its place."""
    return [
        pytest.param(match[2], id=f"{page.name}:{text[: match.start()].count(chr(10)) + 2}")
        for page in PAGES
        for text in [page.read_text("utf-8")]
        for match in _BLOCK.finditer(text)
        if match[1] == language
    ]


def values(node: Any, key: str) -> Iterator[Any]:
    """Everything that stands behind a key, however deep."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    if isinstance(node, dict) and key in node:
        yield node[key]
    for child in children:
        yield from values(child, key)


def commands(script: str) -> Iterator[list[str]]:
    """The calls of freezelint in a shell script, split into words."""
    for line in script.replace("\\\n", " ").split("\n"):
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;()<>")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, "|"]:
            if set(word) <= set("|&;()<>"):
                # `pipx run freezelint check`, `python -m freezelint check`
                if "freezelint" in words and "install" not in words:
                    yield words[words.index("freezelint") + 1 :]
                words = []
            else:
                words.append(word)


def assert_accepted(words: list[str]) -> None:
    """Let the command read its arguments, and do nothing else."""
    with main.make_context("freezelint", list(words)) as context:
        name, command, rest = main.resolve_command(context, list(words))
        assert command is not None
        command.make_context(name, rest, parent=context).close()


def check_schema(project: Project, schema: str, text: str) -> None:
    file = project.write("given.yml", text)
    schemas = ["-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    answer = project.python(*schemas, str(file))
    assert answer.code == 0, answer.output + answer.errors


def in_full(text: str) -> tuple[str, str]:
    """Whose file a block is, and the whole file if it is but a part."""
    read = yaml.safe_load(text)
    if isinstance(read, list):
        job = {"runs-on": "ubuntu-latest", "steps": read}
        return "github-workflows", yaml.safe_dump({"on": "push", "jobs": {"check": job}})
    if "repos" in read:
        return "pre-commit", text
    return ("github-workflows" if "jobs" in read else "gitlab-ci"), text


@pytest.mark.parametrize("text", blocks("yaml"))
def test_what_a_page_shows_is_accepted_by_those_who_read_it(project: Project, text: str) -> None:
    reader, whole = in_full(text)
    if reader != "pre-commit":
        check_schema(project, reader, whole)
        return
    file = project.write(".pre-commit-config.yaml", whole)
    answer = project.python("-m", "pre_commit", "validate-config", str(file))
    assert answer.code == 0, answer.output + answer.errors


@pytest.mark.parametrize("text", blocks("yaml"))
def test_the_commands_of_a_job_exist(text: str) -> None:
    read = yaml.safe_load(text)
    scripts = [*values(read, "run"), *(line for each in values(read, "script") for line in each)]
    for words in (each for script in scripts for each in commands(script)):
        assert_accepted(words)
    for given in values(read, "with"):
        if "args" in given:
            assert set(given) <= set(ACTION["inputs"])
            assert_accepted(["check", *shlex.split(given["args"])])
    for hooks in values(read, "hooks"):
        for hook in hooks:
            (ours,) = [each for each in HOOKS if each["id"] == hook["id"]]
            entry = shlex.split(hook.get("entry", ours["entry"]))
            assert_accepted([*entry[1:], *hook.get("args", [])])
    used = [*values(read, "uses"), *values(read, "rev")]
    ours = [each.rpartition("@")[2] for each in used if "/" not in each or "freezelint/" in each]
    assert set(ours) <= {f"v{__version__}"}


@pytest.mark.parametrize("text", blocks("console"))
def test_the_commands_of_a_page_exist(text: str) -> None:
    for line in text.split("\n"):
        if line.startswith("$ "):
            told, _, _ = line[2:].partition(" #")
            for words in commands(told.strip()):
                assert_accepted(words)


@pytest.mark.parametrize(
    "script", ["freezelint check --sarif", "a | freezelint chek -", "freezelint"]
)
def test_a_command_that_does_not_exist_would_be_noticed(script: str) -> None:
    (words,) = commands(script)
    with pytest.raises(click.UsageError):
        assert_accepted(words)


def test_the_first_example_is_what_the_command_prints(project: Project) -> None:
    project.write("train.py", TRAINING)
    first, _, shown = blocks("console")[0].values[0].partition("\n")
    answer = project.freezelint(*shlex.split(first.removeprefix("$ freezelint ")))
    assert answer.output == shown


def test_flake8_prints_what_the_page_shows(project: Project) -> None:
    project.write("train.py", TRAINING)
    (line,) = [
        line
        for line in (ROOT / "docs/ci.md").read_text("utf-8").split("\n")
        if line.startswith("train.py:")
    ]
    ((number, column, text, _),) = Plugin(
        ast.parse(TRAINING), "train.py", TRAINING.splitlines(keepends=True)
    ).run()
    assert line == f"train.py:{number}:{column + 1}: {text}"


def test_the_list_of_pages_is_whole() -> None:
    listed = (ROOT / "docs/README.md").read_text("utf-8")
    pages = {each.name for each in PAGES} - {"README.md"}
    assert set(re.findall(r"\(([\w-]+\.md)\)", listed)) == pages


def test_the_action_is_what_github_expects(project: Project) -> None:
    check_schema(project, "github-actions", (ROOT / "action.yml").read_text("utf-8"))
    used = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text("utf-8")))
    assert used == set(ACTION["inputs"])


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize(("arguments", "code"), [("", 1), ("--select FZ3 .", 0), ("$(exit 7)", 2)])
def test_the_action_checks_as_a_runner_would(project: Project, arguments: str, code: int) -> None:
    project.write("train.py", "from torch import nn\n\nnn.Linear(1, 1).requires_grad = False\n")
    folder = project.folder.with_name(f"{project.folder.name}-runner")
    folder.mkdir()
    (folder / "freezelint").symlink_to(ROOT)
    (step,) = [each for each in ACTION["runs"]["steps"] if each["name"] == "Check"]
    assert step["env"]["ARGS"] == "${{ inputs.args }}"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        env={"PYTHON": sys.executable, "ARGS": arguments, "RUNNER_TEMP": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout.startswith("::error file=train.py,line=3") is (code == 1)
