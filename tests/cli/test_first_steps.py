"""What people meet who have just installed the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Project


def test_a_file_without_a_command_says_what_to_write(project: Project) -> None:
    project.write("train.py")
    answer = project.freezelint("train.py")
    assert answer.code == 2
    assert "To check it, write: freezelint check train.py" in answer.errors


def test_a_misspelled_command_is_no_file(project: Project) -> None:
    answer = project.freezelint("chek")
    assert answer.code == 2
    assert "To check it" not in answer.errors


def test_verify_says_what_it_needs(project: Project) -> None:
    # A module that is None counts as not installed.
    code = "import sys; sys.modules['numpy'] = None; from freezelint.cli import main; main()"
    answer = project.python("-c", code, "verify", "frozen.json", "model.safetensors")
    assert answer.code == 2
    assert (
        answer.errors == "error: NumPy is not installed here: pip install 'freezelint[runtime]'\n"
    )
