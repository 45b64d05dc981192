"""How fast freezelint is, next to the tools people would use instead.

    python benchmarks/corpus.py DIR
    python benchmarks/speed.py DIR                 # everything; TorchFix takes minutes
    python benchmarks/speed.py DIR --part start    # one part

Each bar is a pair measured in one run, turn by turn, so that a busy machine is busy for both. A
ratio is one of medians; that of the minima stands beside it. ``results/speed.json`` keeps every
single time, ``results/speed.md`` the table.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
from corpus import Package, find_uv, index_environment, load, mentions, python_files
from program import MODULE, SCRIPT, report
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
PEERS = HERE / "peers.txt"
SAMPLE = HERE / "finetune.py.txt"
CHECK = ("check", "--exit-zero", "--no-cache")
MEGABYTE = 1 << 20
MOST_MEMORY = 400


@dataclass(frozen=True)
class Run:
    """One run of one program, its worker processes included."""

    wall: float
    cpu: float
    peak: float
    """Megabytes resident in the largest process of the run."""


@dataclass
class Series:
    """All runs of one program in one comparison."""

    name: str
    runs: list[Run] = field(default_factory=list)

    @property
    def least(self) -> float:
        """The shortest time: what the machine can do when nobody disturbs it."""
        return min(run.wall for run in self.runs)

    @property
    def median(self) -> float:
        """The middle time."""
        return statistics.median(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        """The middle processor time."""
        return statistics.median(run.cpu for run in self.runs)

    @property
    def peak(self) -> float:
        """The largest process of all runs, in megabytes."""
        return max(run.peak for run in self.runs)


@dataclass(frozen=True)
class Bar:
    """One row of the table: a number, its limit and whether it holds."""

    part: str
    what: str
    ours: str
    theirs: str
    ratio: str
    limit: str
    met: bool


@dataclass
class Part:
    """What one part of the benchmark found."""

    bars: list[Bar]
    series: list[Series]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """What is checked from the shell, and the import it is held against."""

    path: Path
    label: str
    module: str
    limit: float


@dataclass(frozen=True)
class Setting:
    """What every part needs to know."""

    corpus: Path
    packages: list[Package]
    peers: Path
    rounds: int
    every: int

    def package(self, name: str) -> Package:
        """A package of the corpus by its name."""
        for package in self.packages:
            if package.name == name:
                return package
        raise click.ClickException(f"{name} is not in the corpus")

    def peer(self, name: str) -> str:
        """A program of the peers' environment."""
        return str(self.peers / "bin" / name)


def run_once(command: Sequence[str], folder: Path) -> Run:
    """Run a program to its end, its output thrown away, and weigh it."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=_as_at_home(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode < 0:
        raise click.ClickException(f"{command[0]} was killed by signal {-process.returncode}")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / MEGABYTE
    return Run(wall, usage.ru_utime + usage.ru_stime, peak)


def _as_at_home() -> dict[str, str]:
    """The environment in which Python keeps compiled modules, as it does unless told not to."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def alternate(commands: dict[str, Sequence[str]], folder: Path, rounds: int) -> list[Series]:
    """Run the programs turn by turn, after one turn that does not count."""
    series = [Series(name) for name in commands]
    for turn in range(rounds + 1):
        for entry, command in zip(series, commands.values(), strict=True):
            run = run_once(command, folder)
            if turn:
                entry.runs.append(run)
    return series


def at_most(part: str, what: str, ours: Series, theirs: Series, limit: float) -> Bar:
    """A bar on how many times as long as another program ours may take."""
    ratio, least = ours.median / theirs.median, ours.least / theirs.least
    return Bar(
        part=part,
        what=what,
        ours=f"{ours.median:.3f} s",
        theirs=f"{theirs.name} {theirs.median:.3f} s",
        ratio=f"{ratio:.2f} (minima {least:.2f})",
        limit=f"<= {limit}",
        met=ratio <= limit,
    )


def at_least(part: str, what: str, ours: Series, theirs: Series, limit: float) -> Bar:
    """A bar on how many times as fast as another program ours must be."""
    ratio, least = theirs.median / ours.median, theirs.least / ours.least
    return Bar(
        part=part,
        what=what,
        ours=f"{ours.median:.3f} s",
        theirs=f"{theirs.name} {theirs.median:.1f} s",
        ratio=f"{ratio:.0f} (minima {least:.0f})",
        limit=f">= {limit:g}",
        met=ratio >= limit,
    )


def measure_tree(setting: Setting) -> Part:
    """The whole transformers tree, cold, against ruff; and the memory it takes."""
    package = setting.package("transformers")
    facts = {"files": package.files, "bytes": package.bytes}
    facts |= summarized(setting.corpus, [package.folder])
    ours, ruff = alternate(
        {
            "freezelint": [*SCRIPT, *CHECK, package.folder],
            "ruff": [
                setting.peer("ruff"),
                "check",
                "--no-cache",
                "--isolated",
                package.folder,
            ],
        },
        setting.corpus,
        setting.rounds,
    )
    bars = [
        at_most("tree", "transformers, whole tree, no cache", ours, ruff, 2.0),
        Bar(
            part="tree",
            what="largest process on transformers",
            ours=f"{ours.peak:.0f} MB",
            theirs=f"ruff {ruff.peak:.0f} MB",
            ratio="",
            limit=f"< {MOST_MEMORY} MB",
            met=ours.peak < MOST_MEMORY,
        ),
    ]
    return Part(bars, [ours, ruff], facts)


def measure_cached(setting: Setting) -> Part:
    """The whole transformers tree when nothing has changed since the last run."""
    package = setting.package("transformers")
    with tempfile.TemporaryDirectory() as kept:
        os.environ["FREEZELINT_CACHE_DIR"] = kept
        ours, nothing = alternate(
            {
                "freezelint, again": [*SCRIPT, "check", "--exit-zero", package.folder],
                "import click": [sys.executable, "-c", "import click"],
            },
            setting.corpus,
            setting.rounds,
        )
        del os.environ["FREEZELINT_CACHE_DIR"]
    bar = Bar(
        part="cached",
        what="transformers, whole tree, second run",
        ours=f"{ours.median:.3f} s",
        theirs=f"{nothing.name} {nothing.median:.3f} s",
        ratio=f"{ours.median / nothing.median:.2f} (minima {ours.least / nothing.least:.2f})",
        limit="<= 0.5 s",
        met=ours.median <= 0.5,
    )
    return Part([bar], [ours, nothing], {"files": package.files, "bytes": package.bytes})


def measure_version(setting: Setting) -> Part:
    """What every start costs."""
    ours, theirs = alternate(
        {
            "freezelint --version": [*SCRIPT, "--version"],
            "import click": [sys.executable, "-c", "import click"],
        },
        setting.corpus,
        setting.rounds * 5,
    )
    return Part([at_most("version", ours.name, ours, theirs, 1.2)], [ours, theirs])


def measure_torchfix(setting: Setting) -> Part:
    """Every eighth file of the corpus against TorchFix on two processes."""
    folders = [setting.corpus / package.folder for package in setting.packages]
    files = [path for folder in folders for path in python_files(folder)]
    chosen = [str(path.relative_to(setting.corpus)) for path in files[:: setting.every]]
    facts = {"files": len(chosen), "every": setting.every, "of": len(files)}
    what = f"every {setting.every}th file of the corpus"
    with tempfile.TemporaryDirectory() as scratch:
        sample = Path(scratch)
        copy_files(chosen, setting.corpus, sample)
        facts |= summarized(sample, ["."])
        folder, named = Series(f"{what}, a folder of them"), Series(f"{what}, each one named")
        theirs = Series("torchfix -j2")
        for turn in range(2):
            for ours, paths in ((folder, ["."]), (named, chosen)):
                runs = range(setting.rounds)
                ours.runs += [run_once([*SCRIPT, *CHECK, *paths], sample) for _ in runs]
            if not turn:
                theirs.runs.append(run_once([setting.peer("torchfix"), "-j", "2", "."], sample))
    bars = [at_least("torchfix", ours.name, ours, theirs, 200) for ours in (folder, named)]
    return Part(bars, [folder, named, theirs], facts)


def copy_files(paths: Sequence[str], source: Path, target: Path) -> None:
    """Copy files with the folders they lie in."""
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / path, target / path)


def measure_start(setting: Setting) -> Part:
    """From the shell: one candidate file, and a folder without any."""
    part = Part([], [])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        targets = [
            *(Target(path, label, "libcst", 1.6) for label, path in single_files(setting, folder)),
            Target(plain_folder(folder), "no candidate", "click", 1.3),
        ]
        for target in targets:
            summarized(folder, [str(target.path)])
            measure_target(part, target, folder, setting.rounds * 3)
    return part


def measure_target(part: Part, target: Target, folder: Path, rounds: int) -> None:
    """Both ways of starting the program on a target, against importing a module."""
    label, path = target.label, str(target.path)
    script, as_module, baseline = alternate(
        {
            f"freezelint, {label}": [*SCRIPT, *CHECK, path],
            f"python -m freezelint, {label}": [*MODULE, *CHECK, path],
            f"import {target.module}": [sys.executable, "-c", f"import {target.module}"],
        },
        folder,
        rounds,
    )
    part.series += [script, as_module, baseline]
    part.bars += [
        at_most("start", ours.name, ours, baseline, target.limit) for ours in (script, as_module)
    ]


def single_files(setting: Setting, folder: Path) -> list[tuple[str, Path]]:
    """The 300-line script of this folder, and three files of the corpus of that length."""
    script = folder / "finetune.py"
    shutil.copy(SAMPLE, script)
    lengths = {
        path: path.read_bytes().count(b"\n")
        for path in mentions(setting.corpus, setting.packages, b"requires_grad")
    }
    nearest = sorted(lengths, key=lambda path: (abs(lengths[path] - 300), path))[:3]
    return [("finetune.py", script), *((path.name, path) for path in nearest)]


def plain_folder(folder: Path) -> Path:
    """A small project that has nothing to do with training."""
    project = folder / "project"
    project.mkdir()
    for number in range(20):
        lines = [
            f"def area_{line}(width, height):\n    return width * height\n" for line in range(50)
        ]
        (project / f"shapes_{number}.py").write_text("\n\n".join(lines), encoding="utf-8")
    return project


def summarized(folder: Path, paths: list[str]) -> dict[str, Any]:
    """What freezelint says in one run that is not timed: a crash must not pass for speed."""
    said = report(folder, *paths)
    return {"findings": len(said["findings"]), "errors": len(said["errors"])}


PARTS: dict[str, Callable[[Setting], Part]] = {
    "start": measure_start,
    "version": measure_version,
    "tree": measure_tree,
    "cached": measure_cached,
    "torchfix": measure_torchfix,
}


def prepare_peers(peers: Path) -> None:
    """An environment with the programs of ``peers.txt``, unless it is there."""
    if (peers / "bin" / "torchfix").exists():
        return
    uv, environment = find_uv(), index_environment()
    python = str(peers / "bin" / "python")
    make = [uv, "venv", "--quiet", "--python", sys.executable, str(peers)]
    fill = [uv, "pip", "install", "--quiet", "--python", python, "-r", str(PEERS)]
    for command in (make, fill):
        subprocess.run(command, env=environment, check=True)


def machine() -> dict[str, Any]:
    """What a reader must know about the machine, and nothing that names it."""
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "peers": [line for line in PEERS.read_text().splitlines() if not line.startswith("#")],
    }


def save(parts: dict[str, Part], corpus: list[Package]) -> dict[str, Any]:
    """Put the parts measured now beside those measured before, as JSON and as Markdown."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "speed.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    results = kept.get("parts", {})
    for name, part in parts.items():
        packages = {package.name: package.version for package in corpus}
        setting = {
            "date": time.strftime("%Y-%m-%d"),
            "machine": machine(),
            "corpus": packages,
        }
        results[name] = rounded(setting | asdict(part))
    document = {"parts": {name: results[name] for name in PARTS if name in results}}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "speed.md").write_text(markdown(document), encoding="utf-8")
    return document


def rounded(value: object) -> Any:
    """The same data with times to the millisecond."""
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [rounded(entry) for entry in value]
    return round(value, 3) if isinstance(value, float) else value


COLUMNS = ("what", "ours", "theirs", "ratio", "limit", "met")


def rows(document: dict[str, Any]) -> list[list[str]]:
    """The cells of the table."""
    bars = [bar for part in document["parts"].values() for bar in part["bars"]]
    return [[*(str(bar[column]) for column in COLUMNS[:-1]), verdict(bar)] for bar in bars]


def verdict(bar: dict[str, Any]) -> str:
    """Whether a bar holds, in a word."""
    return "yes" if bar["met"] else "NO"


def markdown(document: dict[str, Any]) -> str:
    """The table for a reader of the repository."""
    lines = [
        "# Speed",
        "",
        "Written by `benchmarks/speed.py`; what the numbers mean stands in",
    ]
    lines += [
        "[the README](../README.md). Times are medians, ratios those of medians.",
        "",
    ]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|--" * len(COLUMNS) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows(document)]
    lines.append("")
    for name, part in document["parts"].items():
        where = part["machine"]
        told = ", ".join(f"{key} {value}" for key, value in part["facts"].items())
        lines.append(
            f"- `{name}`: {part['date']}, {where['cores']} cores ({where['architecture']}), "
            f"Python {where['python']}, {', '.join(where['peers'])}" + (f"; {told}" if told else "")
        )
    return "\n".join(lines) + "\n"


def show(document: dict[str, Any]) -> None:
    """The table for a reader at the terminal."""
    table = Table(*COLUMNS)
    for row in rows(document):
        table.add_row(*row)
    Console().print(table)


@click.command()
@click.argument("corpus", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--part", "parts", multiple=True, type=click.Choice(list(PARTS)), help="Only this.")
@click.option(
    "--rounds",
    default=5,
    show_default=True,
    help="Turns per pair (start: thrice that).",
)
@click.option("--every", default=8, show_default=True, help="TorchFix gets every so-many-th file.")
@click.option(
    "--peers",
    type=click.Path(file_okay=False, path_type=Path),
    help="Environment with ruff and TorchFix; made if missing.  [default: CORPUS/.peers]",
)
def main(corpus: Path, parts: tuple[str, ...], rounds: int, every: int, peers: Path | None) -> None:
    """Time freezelint on the CORPUS against ruff, TorchFix and bare imports."""
    corpus = corpus.resolve()
    peers = (peers or corpus / ".peers").resolve()
    prepare_peers(peers)
    setting = Setting(corpus, load(corpus), peers, rounds, every)
    measured: dict[str, Part] = {}
    for name in parts or tuple(PARTS):
        measured[name] = PARTS[name](setting)
        document = save(measured, setting.packages)
        show({"parts": {name: document["parts"][name]}})


if __name__ == "__main__":
    main()
