"""The plugin in the real flake8: its report, its options, and the settings of freezelint."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import Answer

if TYPE_CHECKING:
    from tests.conftest import Project

try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PLUGIN = "freezelint.flake8_plugin:Plugin"

START = "from torch import nn\n\nmodel = nn.Linear(2, 2)\n"
BUG = "model.requires_grad = False"
CALL = """\
from torch.optim import SGD
from torchvision.models import resnet18

model = resnet18()
optimizer = SGD(
    model.parameters(),
    lr=0.1,
){comment}
for parameter in model.parameters():
    parameter.requires_grad = False
model.fc.requires_grad_(True)
"""
UNFILTERED = """\
from torch.optim import SGD
from torchvision.models import resnet18

model = resnet18()
model.conv1.requires_grad_(False)
optimizer = SGD(model.parameters(), lr=0.1)
"""


def flake8(project: Project, *arguments: str, stdin: str | None = None, config: str = "") -> Answer:
    """Run flake8 with the plugin of the working tree."""
    text = f"[flake8]\n{config}\n"
    if not entry_points(group="flake8.extension", name="FZ"):
        text += f"[flake8:local-plugins]\nextension =\n    FZ = {PLUGIN}\n"
    project.write(".flake8", text)
    done = subprocess.run(
        [sys.executable, "-m", "flake8", *arguments],
        cwd=project.folder,
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def found(answer: Answer) -> list[str]:
    """The places and codes that flake8 printed, all that it printed."""
    assert not answer.errors, answer.errors
    return [" ".join(line.split(" ")[:2]) for line in answer.output.splitlines()]


def test_the_distribution_declares_the_plugin() -> None:
    declared: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert declared["project"]["entry-points"]["flake8.extension"] == {"FZ": PLUGIN}


def test_a_finding_stands_in_a_line_once_with_what_to_write(project: Project) -> None:
    project.write("train.py", f"{START}if True:\n    {BUG}\n")
    answer = flake8(project, "train.py")
    assert answer.code == 1
    assert answer.output == (
        "train.py:5:5: FZ101 `model` is a module: this stores an attribute, and no parameter's "
        "flag changes; write `model.requires_grad_(False)`\n"
    )
    assert not answer.errors


def test_all_files_are_checked_in_several_processes(project: Project) -> None:
    names = [f"train{number}.py" for number in range(6)]
    for name in names:
        project.write(name, f"{START}{BUG}\n")
    answer = flake8(project, "--jobs", "2")
    assert found(answer) == [f"./{name}:4:1: FZ101" for name in names]


def test_standard_input_is_checked_as_it_is_given(project: Project) -> None:
    project.write("src/train.py", START)
    name = ["--stdin-display-name", "src/train.py"]
    answer = flake8(project, *name, "-", stdin=f"{START}{BUG}\n")
    assert found(answer) == ["src/train.py:4:1: FZ101"]


def test_standard_input_without_a_name_is_checked(project: Project) -> None:
    assert found(flake8(project, "-", stdin=f"{START}{BUG}\n")) == ["stdin:4:1: FZ101"]


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + f"{START}{BUG}\n".encode(),
        f"# coding: latin-1\n{START}{BUG}  # \xe9\n".encode("latin-1"),
        f"{START}{BUG}\n".replace("\n", "\r\n").encode(),
    ],
    ids=["byte order mark", "latin-1", "CRLF"],
)
def test_any_encoding_that_flake8_reads_is_checked(project: Project, data: bytes) -> None:
    project.write("train.py", data)
    answer = flake8(project, "--select", "FZ")
    line = 5 if data.startswith(b"#") else 4
    assert found(answer) == [f"./train.py:{line}:1: FZ101"]


def test_what_does_not_parse_is_reported_by_flake8_alone(project: Project) -> None:
    project.write("train.py", f"{START}{BUG}\ndef\n")
    (place,) = found(flake8(project, "--select", "E9,FZ"))
    assert place.startswith("./train.py:5:")
    assert place.endswith(" E999")


def test_the_letter_of_pyflakes_selects_it_as_well(project: Project) -> None:
    # docs/ci.md warns of it.
    project.write("train.py", f"{START}{BUG}\n")
    assert found(flake8(project, "--select", "F")) == ["./train.py:4:1: FZ101"]
    assert found(flake8(project, "--select", "F", "--extend-ignore", "FZ")) == []


@pytest.mark.parametrize(
    ("arguments", "config"),
    [
        (["--extend-ignore", "FZ"], ""),
        (["--select", "E,W"], ""),
        ([], "extend-ignore = FZ101"),
        ([], "per-file-ignores =\n    train.py: FZ1"),
    ],
)
def test_the_options_of_flake8_leave_findings_out(
    project: Project, arguments: list[str], config: str
) -> None:
    project.write("train.py", f"{START}{BUG}\n")
    assert found(flake8(project, *arguments, config=config)) == []


@pytest.mark.parametrize(
    "settings",
    [
        'ignore = ["FZ101"]',
        'select = ["FZ3"]',
        'extend-exclude = ["train.py"]',
        'per-file-ignores = {"*.py" = ["FZ1"]}',
    ],
)
def test_the_settings_of_freezelint_count_too(project: Project, settings: str) -> None:
    project.write("train.py", f"{START}{BUG}\n")
    assert found(flake8(project)) == ["./train.py:4:1: FZ101"]
    project.write("pyproject.toml", f"[tool.freezelint]\n{settings}\n")
    assert found(flake8(project)) == []


def test_settings_that_cannot_be_used_are_named(project: Project) -> None:
    project.write("train.py", START)
    project.write("pyproject.toml", "[tool.freezelint]\nselct = []\n")
    answer = flake8(project)
    assert answer.code == 1
    assert "selct is unknown; did you mean select?" in answer.output + answer.errors
    assert "Traceback" not in answer.errors


def test_fixes_are_left_to_the_command(project: Project) -> None:
    file = project.write("train.py", f"{START}{BUG}\n")
    project.write("pyproject.toml", "[tool.freezelint]\nfix = true\n")
    assert found(flake8(project)) == ["./train.py:4:1: FZ101"]
    assert file.read_text() == f"{START}{BUG}\n"


@pytest.mark.parametrize(
    "comment", ["# noqa", "# noqa: FZ101", "# noqa: FZ1", "# freezelint: ignore[FZ101]"]
)
def test_comments_silence_a_finding(project: Project, comment: str) -> None:
    project.write("train.py", f"{START}{BUG}  {comment}\n")
    assert found(flake8(project)) == []


@pytest.mark.parametrize("comment", ["  # noqa: FZ301", "  # freezelint: ignore[FZ301]"])
def test_a_comment_counts_on_the_last_line_of_a_statement_too(
    project: Project, comment: str
) -> None:
    project.write("train.py", CALL.format(comment=""))
    assert found(flake8(project)) == ["./train.py:5:13: FZ301"]
    project.write("train.py", CALL.format(comment=comment))
    assert found(flake8(project)) == []


def test_flake8_can_be_told_to_hear_no_noqa(project: Project) -> None:
    project.write("train.py", f"{START}{BUG}  # noqa: FZ101\n")
    assert found(flake8(project, "--disable-noqa")) == ["./train.py:4:1: FZ101"]


def test_comments_that_silence_nothing_are_reported_if_strict(project: Project) -> None:
    project.write("train.py", f"{START}{BUG}  # noqa: FZ101\nx = 1  # freezelint: ignore[FZ101]\n")
    assert found(flake8(project)) == []
    project.write("pyproject.toml", "[tool.freezelint]\nstrict = true\n")
    assert found(flake8(project)) == ["./train.py:5:8: FZ001"]


def test_info_findings_are_shown_if_strict(project: Project) -> None:
    project.write("train.py", UNFILTERED)
    assert found(flake8(project)) == []
    project.write("pyproject.toml", "[tool.freezelint]\nstrict = true\n")
    assert found(flake8(project)) == ["./train.py:6:13: FZ303"]


def test_what_the_baseline_of_the_settings_knows_is_not_reported(project: Project) -> None:
    project.write("a.py", START + BUG + "\n")
    project.freezelint("check", "--write-baseline", "known.json")
    project.write("freezelint.toml", "baseline = 'known.json'\n")
    assert found(flake8(project, "a.py")) == []
    project.write("a.py", START + "\n" + BUG + "\n" + BUG + "\n")
    assert found(flake8(project, "a.py")) == ["a.py:6:1: FZ101"]


def test_nothing_is_left_once_comments_were_added(project: Project) -> None:
    project.write("a.py", CALL.format(comment=""))
    project.write(
        "b.py", f'{START}if model.requires_grad_ and \\\n        True:\n    x = """\n"""\n'
    )
    assert len(found(flake8(project, "--select", "FZ"))) == 2
    assert project.freezelint("check", "--add-noqa").code == 0
    assert found(flake8(project, "--select", "FZ")) == []
