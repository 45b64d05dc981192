"""Compare freezelint's runtime checker with its peers on one set of trainings.

    python -m venv PEERS
    uv pip install --python PEERS/bin/python numpy torch torchtest2 guardtower torch-audit
    python benchmarks/runtime_peers/compare.py --peers-python PEERS/bin/python

Runs every tool over every case and writes `docs/peers-runtime.md`. Each tool has a process of its own,
in the interpreter that it is installed in; a case that kills or blocks the process is recorded, and a
new process goes on after it.
"""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from bugs import BUGS
from clean import CLEAN
from judge import BEYOND, CRASHED, FALSE, MISSED, SEEN, Result
from page import Judged, page

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs" / "peers-runtime.md"
OURS = "freezelint"
TOOLS = {
    OURS: "freezelint",
    "torchtest2": "torchtest2",
    "guardtower": "guardtower",
    "torch-audit": "torch_audit",
}
"""The modules in `tools/` by the tools' names."""
START_SECONDS = 120.0


class Process:
    """One tool at work on a list of cases."""

    def __init__(self, python: str, module: str, cases: Sequence[str]) -> None:
        command = [python, str(HERE / "judge.py"), module, *cases]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.errors: list[str] = []
        self.readers = [
            threading.Thread(target=self._read_results, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self.readers:
            reader.start()

    def _read_results(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def _read_errors(self) -> None:
        """Keep what is printed from filling the pipe, and the end of it for a report."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.strip():
                self.errors = [*self.errors[-4:], line.strip()]

    def next(self, seconds: float) -> str:
        """The next line; nothing at the end, or after too long a silence."""
        try:
            return self.lines.get(timeout=seconds)
        except queue.Empty:
            return ""

    def end(self) -> str:
        """Make sure that it is gone, and say how it went."""
        try:
            self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for reader in self.readers:
            reader.join()
        code = self.process.returncode
        if code == -signal.SIGKILL:
            return "no answer in time"
        return ": ".join([f"the process ended with code {code}", *self.errors[-1:]])


def judged(name: str, python: str, cases: Sequence[str], seconds: float) -> Judged:
    """Run one tool over all cases, with a new process after each that died."""
    results: dict[str, Result] = {}
    versions = {"tool": "not installed", "torch": "unknown"}
    while left := [case for case in cases if case not in results]:
        process = Process(python, TOOLS[name], left)
        first = process.next(START_SECONDS)
        if not first:
            why = process.end()
            results |= {case: Result(case, CRASHED, why) for case in left}
            break
        versions = json.loads(first)
        for case in left:
            line = process.next(seconds)
            if not line:
                results[case] = Result(case, CRASHED, process.end())
                break
            results[case] = Result(**json.loads(line))
        else:
            process.end()
    return Judged(name, versions["tool"], versions["torch"], results)


def summary(tool: Judged) -> str:
    """One tool on one line."""
    bugs, clean = list(BUGS.values()), list(CLEAN.values())
    counts = [f"{tool.count(bugs, outcome)} {outcome}" for outcome in (SEEN, MISSED, BEYOND)]
    crashed = tool.count([*bugs, *clean], CRASHED)
    counts += [f"{tool.count(clean, FALSE)} {FALSE}s", f"{crashed} {CRASHED}"]
    counts += [f"{tool.renamed(bugs)} seen under another name"]
    return f"{tool.name}: {', '.join(counts)}"


@click.command()
@click.option(
    "--peers-python",
    required=True,
    type=click.Path(exists=True, dir_okay=False),
    help="The interpreter that the peers are installed in.",
)
@click.option("--tool", "only", multiple=True, type=click.Choice(list(TOOLS)), help="Only this.")
@click.option("--page", "output", default=PAGE, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--results", type=click.Path(dir_okay=False, path_type=Path), help="All as JSON.")
@click.option("--seconds", default=20.0, show_default=True, help="How long a case may take.")
def main(
    peers_python: str, only: tuple[str, ...], output: Path, results: Path | None, seconds: float
) -> None:
    """Run every tool over every case and write the page; with --tool, write only the results."""
    names = [*BUGS, *CLEAN]
    tools = []
    for name in only or TOOLS:
        python = sys.executable if name == OURS else peers_python
        tools.append(judged(name, python, names, seconds))
        click.echo(summary(tools[-1]))
    if results is not None:
        entries = {tool.name: [asdict(tool.results[name]) for name in names] for tool in tools}
        results.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    if not only:
        output.write_text(page(tools, list(BUGS.values()), list(CLEAN.values())), encoding="utf-8")
        click.echo(f"written: {output}")


if __name__ == "__main__":
    main()
