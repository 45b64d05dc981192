"""What freezelint says of real code, and how each finding was judged.

    python benchmarks/corpus.py DIR
    python benchmarks/real_code.py DIR

Runs the check on every package of the corpus by itself and writes all findings to
``DIR/findings.json``. ``real_code_verdicts.json`` holds what a person found on reading each one;
with it, ``docs/real-code.md`` is written: the table, then every finding with its judgement.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from corpus import Package, load, mentions
from program import report
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
VERDICTS = HERE / "real_code_verdicts.json"
PAGE = HERE.parent / "docs" / "real-code.md"
JUDGED = ("error", "warning")
WIDEST = 120


@dataclass(frozen=True)
class Found:
    """One finding in a package, with the line it stands on."""

    package: str
    path: str
    """From the package's own folder."""
    line: int
    code: str
    level: str
    message: str
    source: str

    @property
    def place(self) -> tuple[str, str, int, str]:
        """What a verdict names."""
        return (self.package, self.path, self.line, self.code)


@dataclass(frozen=True)
class Verdict:
    """What a person found on reading one finding."""

    package: str
    path: str
    line: int
    code: str
    verdict: bool
    why: str

    @property
    def place(self) -> tuple[str, str, int, str]:
        """What the verdict is on."""
        return (self.package, self.path, self.line, self.code)


@dataclass(frozen=True)
class Checked:
    """One package and what the check said of it."""

    package: Package
    candidates: int
    findings: list[Found]
    problems: list[dict[str, Any]]

    def at(self, level: str) -> int:
        """How many findings of a level there are."""
        return sum(found.level == level for found in self.findings)


def check(corpus: Path, package: Package) -> Checked:
    """Run the check on one package, the way a person in its folder would."""
    folder = corpus / package.folder
    said = report(folder, ".")
    findings = [found_in(folder, package.name, entry) for entry in said["findings"]]
    candidates = len(mentions(corpus, [package], b"requires_grad"))
    return Checked(package, candidates, findings, said["errors"])


def found_in(folder: Path, package: str, entry: dict[str, Any]) -> Found:
    """A finding of the report, with its line of source."""
    return Found(
        package=package,
        path=Path(entry["path"]).as_posix(),
        line=entry["line"],
        code=entry["code"],
        level=entry["level"],
        message=entry["message"],
        source=source_line(folder / entry["path"], entry["line"]),
    )


def source_line(path: Path, number: int) -> str:
    """One line of a file, without its indentation; nothing where it has no such line."""
    if path.suffix != ".py" or not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""


def read_verdicts() -> list[Verdict]:
    """What has been judged so far."""
    if not VERDICTS.exists():
        return []
    return [Verdict(**entry) for entry in json.loads(VERDICTS.read_text(encoding="utf-8"))]


def save(path: Path, checks: list[Checked]) -> None:
    """Write every finding and problem as JSON."""
    text = json.dumps([asdict(entry) for entry in checks], indent=1)
    path.write_text(text + "\n", encoding="utf-8")


class Judgement:
    """The findings beside the verdicts on them."""

    def __init__(self, checks: list[Checked], verdicts: list[Verdict]) -> None:
        """Put the verdicts where the findings can find them."""
        self.checks = checks
        self.verdicts = {verdict.place: verdict for verdict in verdicts}

    def of(self, found: Found) -> Verdict | None:
        """The verdict on a finding, if there is one."""
        return self.verdicts.get(found.place)

    def counts(self, checked: Checked) -> Counter[str]:
        """How many findings of a package are true, false and unjudged."""
        return Counter(self.word(found) for found in weighty(checked))

    def word(self, found: Found) -> str:
        """The judgement in a word."""
        verdict = self.of(found)
        if verdict is None:
            return "unjudged"
        return "true" if verdict.verdict else "false"

    def gone(self) -> list[Verdict]:
        """Verdicts on findings that are no longer made."""
        made = {found.place for checked in self.checks for found in checked.findings}
        return [verdict for place, verdict in self.verdicts.items() if place not in made]


def weighty(checked: Checked) -> list[Found]:
    """The findings that must be judged."""
    return [found for found in checked.findings if found.level in JUDGED]


SHOWN = ("package", "version", "files", "candidates", "error", "warning", "problems")
COLUMNS = (
    "package",
    "version",
    "files",
    "candidates",
    "findings",
    "true",
    "false",
    "unjudged",
)


def page(judgement: Judgement) -> str:
    """``docs/real-code.md``."""
    lines = [
        "# Real code",
        "",
        "Written by `benchmarks/real_code.py`: the check on the source distributions of",
        "`benchmarks/corpus.txt`. *Candidates* are files that mention `requires_grad`. Findings at",
        "error or warning level are judged by a person who reads the code around them: *true*, a",
        "bug; *false*, a false alarm; *unjudged*, not read yet. Why stands below the table.",
        "",
        *tabled(COLUMNS, (summary_row(judgement, checked) for checked in judgement.checks)),
        bold_row(totals(judgement)),
        "",
        "## Findings",
        "",
    ]
    for checked in judgement.checks:
        lines += package_section(judgement, checked)
    lines += gone_section(judgement.gone())
    return "\n".join(lines).rstrip() + "\n"


def tabled(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a Markdown table."""
    body = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return ["| " + " | ".join(header) + " |", "|--" * len(header) + "|", *body]


def bold_row(cells: Sequence[object]) -> str:
    """A table row that stands out."""
    return "| " + " | ".join(f"**{cell}**" if cell != "" else "" for cell in cells) + " |"


def summary_row(judgement: Judgement, checked: Checked) -> list[object]:
    """The row of one package."""
    counts = judgement.counts(checked)
    package = checked.package
    return [
        package.name,
        package.version,
        package.files,
        checked.candidates,
        len(weighty(checked)),
        *(counts[word] for word in COLUMNS[5:]),
    ]


def totals(judgement: Judgement) -> list[object]:
    """The row under all packages."""
    rows = [summary_row(judgement, checked) for checked in judgement.checks]
    sums = [sum(int(str(row[column])) for row in rows) for column in range(2, len(COLUMNS))]
    return ["all", "", *sums]


def package_section(judgement: Judgement, checked: Checked) -> list[str]:
    """The findings and problems of one package, or nothing where there are none."""
    findings = weighty(checked)
    if not findings and not checked.problems:
        return []
    lines = [f"### {checked.package.name} {checked.package.version}", ""]
    lines += [line for found in findings for line in finding_lines(judgement, found)]
    lines += [f"- problem: {problem_text(problem)}" for problem in checked.problems]
    return [*lines, ""]


def finding_lines(judgement: Judgement, found: Found) -> list[str]:
    """One finding: where, what, and how it was judged."""
    verdict = judgement.of(found)
    lines = [f"- `{found.path}:{found.line}` **{found.code}** {found.level}: {found.message}"]
    if found.source:
        lines.append(f"  - {quoted(found.source)}")
    lines.append(f"  - **{judgement.word(found)}**" + (f": {verdict.why}" if verdict else ""))
    return lines


def quoted(source: str) -> str:
    """A line of source as inline code, shortened, whatever it holds."""
    text = source if len(source) <= WIDEST else source[:WIDEST] + "..."
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def gone_section(gone: list[Verdict]) -> list[str]:
    """Findings that were judged once and are no longer made: fixed, or lost."""
    if not gone:
        return []
    lines = ["## Judged before, no longer reported", ""]
    for verdict in sorted(gone, key=lambda verdict: (verdict.verdict, verdict.place)):
        state = "TRUE, now lost" if verdict.verdict else "false, now silent"
        where = f"{verdict.package} `{verdict.path}:{verdict.line}` {verdict.code}"
        lines.append(f"- {where}: {state}: {verdict.why}")
    return lines


def problem_text(problem: dict[str, Any]) -> str:
    """A problem of the report on one line."""
    place = f"`{problem['path']}`: " if problem.get("path") else ""
    said = problem.get("message") or json.dumps(problem)
    return place + " ".join(str(said).split())


def show(checks: list[Checked]) -> None:
    """The table for a reader at the terminal, with how many findings each rule made."""
    console = Console()
    table = Table(*SHOWN)
    for checked in checks:
        package = checked.package
        counts = (checked.at("error"), checked.at("warning"), len(checked.problems))
        row = (
            package.name,
            package.version,
            package.files,
            checked.candidates,
            *counts,
        )
        table.add_row(*map(str, row))
    console.print(table)
    codes = Counter(found.code for checked in checks for found in weighty(checked))
    console.print(", ".join(f"{code} {count}" for code, count in sorted(codes.items())))


def list_open(judgement: Judgement, checks: list[Checked]) -> None:
    """What is yet to be read, and verdicts that have lost their finding."""
    for checked in checks:
        for found in weighty(checked):
            if judgement.of(found) is None:
                where = f"{checked.package.folder}/{found.path}:{found.line}"
                click.echo(f"unjudged: {where}: {found.code} {found.message}")
    for verdict in judgement.gone():
        if verdict.verdict:
            click.echo(f"lost: {verdict.package} {verdict.path}:{verdict.line} {verdict.code}")


@click.command()
@click.argument("corpus", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--only", multiple=True, metavar="NAME", help="Only this package; writes no page.")
@click.option(
    "--output",
    default=PAGE,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The page.",
)
@click.option("--findings", type=click.Path(dir_okay=False, path_type=Path), help="The JSON.")
def main(corpus: Path, only: tuple[str, ...], output: Path, findings: Path | None) -> None:
    """Check every package of the CORPUS and write what was found and how it was judged."""
    corpus = corpus.resolve()
    packages = [entry for entry in load(corpus) if not only or entry.name in only]
    checks: list[Checked] = []
    for package in packages:
        start = time.perf_counter()
        checks.append(check(corpus, package))
        save(findings or corpus / "findings.json", checks)
        said = f"{package.folder}: {len(weighty(checks[-1]))} findings"
        click.echo(f"{said}, {time.perf_counter() - start:.1f} s", err=True)
    show(checks)
    judgement = Judgement(checks, read_verdicts())
    if only:
        judgement.verdicts = {p: v for p, v in judgement.verdicts.items() if v.package in only}
    list_open(judgement, checks)
    if not only:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(page(judgement), encoding="utf-8")


if __name__ == "__main__":
    main()
