"""``--watch``: the command in a process of its own, and a person who writes files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from freezelint.check_command import CheckOptions
from freezelint.watch_command import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Project

BUG = "from torch import nn\n\nnn.Linear(1, 1).requires_grad = False\n"
CLEAN = "x = 1\n"
LIMIT = 60.0
"""Seconds after which a test fails; a check takes one on a machine with nothing else to do."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no SIGINT to send")


class Watching:
    """A command that watches, and what it has printed so far."""

    def __init__(self, *arguments: str, terminal: int | None = None) -> None:
        self.output = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "freezelint", "check", "--watch", *arguments],
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.STDOUT if terminal is None else terminal,
            env={**os.environ, "TERM": "xterm"},
        )
        source = self._process.stdout.fileno() if self._process.stdout else None
        if source is not None:
            self.read_from(source)

    def read_from(self, source: int) -> None:
        def read() -> None:
            while True:
                try:
                    data = os.read(source, 10_000)
                except OSError:
                    return
                if not data:
                    return
                self.output += data.decode()

        threading.Thread(target=read, daemon=True).start()

    def wait_for(self, text: str, times: int = 1) -> None:
        wait_until(lambda: self.output.count(text) >= times, lambda: f"{text!r}: {self.output}")

    def wait_until_ready(self, times: int = 1) -> None:
        self.wait_for("Watching for changes", times)

    def interrupt(self) -> int:
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(LIMIT)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def wait_until(condition: Callable[[], bool], told: Callable[[], str]) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, told()
        time.sleep(0.05)


@pytest.fixture
def watch(project: Project) -> Iterator[Callable[..., Watching]]:
    running: list[Watching] = []

    def start(*arguments: str, terminal: int | None = None) -> Watching:
        running.append(Watching(*arguments, terminal=terminal))
        return running[-1]

    yield start
    for each in running:
        each.end()


def test_each_change_is_checked_and_ctrl_c_ends(
    project: Project, watch: Callable[..., Watching]
) -> None:
    project.write("a.py", CLEAN)
    running = watch()
    running.wait_until_ready()
    assert running.output == (
        "No freeze bugs found in 1 file.\nWatching for changes; Ctrl-C ends.\n"
    )
    project.write("a.py", BUG)
    running.wait_for("Found 1 error in 1 file (1 checked).")
    running.wait_until_ready(2)
    project.write("new/b.py", BUG)
    running.wait_for("Found 2 errors in 2 files (2 checked).")
    running.wait_until_ready(3)
    (project.folder / "a.py").unlink()
    running.wait_for("Found 1 error in 1 file (1 checked).", 2)
    running.wait_until_ready(4)
    assert "\x1b" not in running.output
    assert running.interrupt() == 0
    assert "Traceback" not in running.output
    assert "Aborted" not in running.output


def test_changed_settings_are_noticed_wherever_they_are(
    project: Project, watch: Callable[..., Watching], monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("src/deep/a.py", BUG)
    monkeypatch.chdir(project.folder / "src")
    running = watch("deep")
    running.wait_for("Found 1 error")
    running.wait_until_ready()
    settings = project.write("pyproject.toml", "[tool.freezelint]\nignore = ['FZ101']\n")
    running.wait_for("No freeze bugs found in 1 file.")
    running.wait_until_ready(2)
    settings.write_text("[tool.freezelint]\nignroe = ['FZ101']\n")
    running.wait_for("ignroe is unknown; did you mean ignore?")
    running.wait_until_ready(3)
    settings.write_text("[tool.freezelint]\nstrict = true\n")
    running.wait_for("Found 1 error", 2)
    running.wait_until_ready(4)
    project.write("src/deep/freezelint.toml", "select = ['FZ3']\n")
    running.wait_for("No freeze bugs found in 1 file.", 2)
    assert running.interrupt() == 0


def test_a_file_that_is_named_is_watched_and_so_is_the_baseline(
    project: Project, watch: Callable[..., Watching]
) -> None:
    file = project.write("src/a.py", CLEAN)
    project.write("b.py", CLEAN)
    project.freezelint("check", "--write-baseline", "known.json")
    running = watch("src/a.py", "--baseline", "known.json")
    running.wait_until_ready()
    # As editors save: a new file takes the place of the old one.
    project.write("src/a.py.tmp", BUG).replace(file)
    running.wait_for("Found 1 error in 1 file (1 checked).")
    running.wait_until_ready(2)
    assert project.freezelint("check", "--write-baseline", "known.json").code == 0
    running.wait_for("No freeze bugs found in 1 file. 1 known finding not shown.")
    assert running.interrupt() == 0


def test_fixes_are_made_as_bugs_are_written(
    project: Project, watch: Callable[..., Watching]
) -> None:
    file = project.write("a.py", CLEAN)
    running = watch("--fix")
    running.wait_until_ready()
    file.write_text(BUG)
    running.wait_for("Fixed 1 finding in 1 file.")
    assert file.read_text() == BUG.replace(".requires_grad = False", ".requires_grad_(False)")
    assert running.interrupt() == 0


def test_a_terminal_is_cleared(project: Project, watch: Callable[..., Watching]) -> None:
    import pty

    project.write("a.py", CLEAN)
    ours, theirs = pty.openpty()
    running = watch(terminal=theirs)
    running.read_from(ours)
    running.wait_until_ready()
    assert "\x1b[2J" not in running.output
    project.write("a.py", BUG)
    running.wait_for("\x1b[2J")
    running.wait_until_ready(2)
    assert running.interrupt() == 0
    os.close(theirs)


def test_what_only_lies_beside_the_code_is_no_reason_to_look(project: Project) -> None:
    from watchfiles import Change

    project.write("a.py", CLEAN)
    project.write("train.log", "")
    seen = Seen.now(CheckOptions())
    assert not seen.may_have_changed([(Change.modified, str(project.folder / "train.log"))])
    assert seen.may_have_changed([(Change.modified, str(project.folder / "a.py"))])
    assert seen.may_have_changed([(Change.modified, str(project.folder / ".gitignore"))])
    project.write("train.log", "loss: 1\n")
    assert Seen.now(CheckOptions()) == seen
    project.write("a.py", BUG)
    assert Seen.now(CheckOptions()) != seen


def test_what_is_missing_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    assert project.freezelint("check", "--watch") == (
        2,
        "",
        "error: --watch needs watchfiles: pip install 'freezelint[watch]'\n",
    )


def test_there_must_be_a_folder(project: Project) -> None:
    answer = project.freezelint("check", "--watch", "no/a.py")
    assert answer.code == 2
    assert answer.errors.endswith(
        f"error: changes cannot be watched: there is no folder {project.folder}/no\n"
    )


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ("-", "--watch is for files"),
        ("--add-noqa", "--watch and --add-noqa exclude each other"),
        ("--write-baseline=known.json", "--watch and --write-baseline exclude each other"),
        ("--select=FZ999", "no rule has the code FZ999"),
    ],
)
def test_what_cannot_be_watched_is_refused(project: Project, other: str, reason: str) -> None:
    answer = project.freezelint("check", "--watch", other)
    assert answer.code == 2
    assert reason in answer.errors
