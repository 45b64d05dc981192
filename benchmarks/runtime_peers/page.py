"""`docs/peers-runtime.md`: every bug beside what each tool made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cases import Bug, Case
from judge import BEYOND, CRASHED, FALSE, MISSED, QUIET, SEEN, Result

HEAD = """\
# freezelint's runtime checker and its peers

Written by `benchmarks/runtime_peers/compare.py`: {bugs} tiny trainings with a freeze bug and {clean}
that are right, each put to every tool in that tool's own words. Everything runs on the CPU.

{versions}

The set was written without sight of freezelint's checker, which saw 99 of the bugs when it was first
put to it, and raised three false alarms; what it missed was mended since. The peers were not mended.

How each tool was called:

- **freezelint** watches the author's own loop and is told every promise: what is frozen, what trains,
  what follows, which statistics and which rows. *Other name* marks a bug that it saw, and called
  something else than it is.
- **torchtest2** runs `check_model` on one batch, before the training and once more after it, and is told
  the names of what is frozen. Counted are failures and warnings of its checks on the loss, the
  optimizer's coverage, the gradient flow, and on what changes and what must not. With several
  optimizers it is called for each, the others' parameters declared frozen.
- **guardtower** runs `audit`, before the training and once more after it. It takes no names. Counted
  are failures and warnings on the wiring of gradients and optimizer, on the mode, and on LoRA; its
  warning that an optimizer holds frozen parameters counts as seen on a bug and as a false alarm on a
  training where they stay as they are.
- **torch-audit** is patched into the author's own loop and audits every step. It takes no names. Counted
  are its rules on missing gradients (TA104) and on layers that are never called (TA500). Its advice on
  weight decay (TA401 to TA403) says nothing of freezing and is not counted: it is given on
  {advised_bugs} of the bugs and on {advised_clean} of the clean trainings.

*Seen*: a message at warning level or above names what the bug is about, or speaks of the training as a
whole. *Cannot express*: nothing was said, and the tool has no way to be told the promise that is broken.
*Crashed*: the tool raised an exception or did not come back.
"""


@dataclass(frozen=True)
class Judged:
    """One tool with its versions and results."""

    name: str
    version: str
    torch: str
    results: Mapping[str, Result]

    def count(self, cases: Iterable[Case], outcome: str) -> int:
        """How many cases came out so."""
        return sum(self.results[case.name].outcome == outcome for case in cases)

    def renamed(self, cases: Iterable[Case]) -> int:
        """How many bugs were seen under another name."""
        return sum(not self.results[case.name].right_kind for case in cases)


def page(tools: Sequence[Judged], bugs: Sequence[Bug], clean: Sequence[Case]) -> str:
    """The whole page."""
    names = [tool.name for tool in tools]
    lines = [
        head(tools, bugs, clean),
        "## Sums",
        "",
        *tabled(["", *names], sums(tools, bugs, clean)),
        "",
        "## Seen, by kind",
        "",
        *tabled(["kind", "bugs", *names], kinds(tools, bugs)),
        "",
        "## Bugs",
        "",
        *tabled(["bug", "kind", *names], bug_rows(tools, bugs)),
        "",
        "## Clean trainings",
        "",
        *tabled(["training", *names], clean_rows(tools, clean)),
        "",
        "## False alarms and crashes",
        "",
        *alarms(tools, [*bugs, *clean]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def head(tools: Sequence[Judged], bugs: Sequence[Bug], clean: Sequence[Case]) -> str:
    """What was compared, and how."""
    named = ", ".join(f"{tool.name} {tool.version} (torch {tool.torch})" for tool in tools)
    advised = [tool.results for tool in tools if tool.name == "torch-audit"]
    return HEAD.format(
        bugs=len(bugs),
        clean=len(clean),
        versions=f"Versions: {named}.",
        advised_bugs=sum(results[case.name].advised for results in advised for case in bugs),
        advised_clean=sum(results[case.name].advised for results in advised for case in clean),
    )


def tabled(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a Markdown table."""
    body = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return ["| " + " | ".join(header) + " |", "|--" * len(header) + "|", *body]


def sums(
    tools: Sequence[Judged], bugs: Sequence[Bug], clean: Sequence[Case]
) -> Iterable[list[object]]:
    """How often each outcome came up."""
    for outcome in (SEEN, MISSED, BEYOND, CRASHED):
        counts = [tool.count(bugs, outcome) for tool in tools]
        yield [f"{outcome}, of {len(bugs)} bugs", *counts]
    names = [tool.renamed(bugs) if tool.name == "freezelint" else "" for tool in tools]
    yield [f"{SEEN}, other name", *names]
    yield [f"{FALSE}s, of {len(clean)} clean", *(tool.count(clean, FALSE) for tool in tools)]
    yield [f"{CRASHED}, of {len(clean)} clean", *(tool.count(clean, CRASHED) for tool in tools)]


def kinds(tools: Sequence[Judged], bugs: Sequence[Bug]) -> Iterable[list[object]]:
    """How many bugs of each kind each tool saw."""
    for kind in sorted({bug.kind for bug in bugs}):
        of_kind = [bug for bug in bugs if bug.kind == kind]
        yield [f"`{kind}`", len(of_kind), *(tool.count(of_kind, SEEN) for tool in tools)]


def bug_rows(tools: Sequence[Judged], bugs: Sequence[Bug]) -> Iterable[list[object]]:
    """One row for each bug."""
    for bug in sorted(bugs, key=lambda bug: bug.kind):
        cells = [bug_cell(tool.results[bug.name]) for tool in tools]
        yield [f"**{bug.name}**: {escaped(bug.about)}", f"`{bug.kind}`", *cells]


def bug_cell(result: Result) -> str:
    """An outcome, with a mark on the good ones."""
    if result.outcome != SEEN:
        return result.outcome
    return f"**{SEEN}**" if result.right_kind else f"**{SEEN}**, other name"


def clean_rows(tools: Sequence[Judged], clean: Sequence[Case]) -> Iterable[list[object]]:
    """One row for each clean training."""
    for case in clean:
        outcomes = [tool.results[case.name].outcome for tool in tools]
        cells = [outcome if outcome == QUIET else f"**{outcome}**" for outcome in outcomes]
        yield [f"**{case.name}**: {escaped(case.about)}", *cells]


def alarms(tools: Sequence[Judged], cases: Sequence[Case]) -> Iterable[str]:
    """What was said where nothing should have been."""
    for tool in tools:
        for case in cases:
            result = tool.results[case.name]
            if result.outcome in {FALSE, CRASHED}:
                said = escaped(" ".join(result.message.split()))
                yield f"- {tool.name}, {case.name}, {result.outcome}: {shortened(said)}"


def shortened(text: str, width: int = 240) -> str:
    """A message that fits a line or two."""
    return text if len(text) <= width else text[:width].rstrip() + "..."


def escaped(text: str) -> str:
    """Text that breaks no table."""
    return text.replace("|", "\\|")
