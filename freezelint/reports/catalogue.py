"""The list of rules, and the explanation of one."""

from __future__ import annotations

import functools
import textwrap
from typing import TYPE_CHECKING, Protocol

import click

from freezelint.rules import all_rules
from freezelint.rules.documentation import Documentation
from freezelint.suppressions import UnusedSuppression

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from freezelint.findings import Level


class Documented(Protocol):
    """What has a code and a docstring: a rule, or the check of suppressions."""

    @property
    def code(self) -> str:
        """Such as FZ301."""

    @property
    def name(self) -> str:
        """The code in words."""

    @property
    def level(self) -> Level:
        """The usual level of its findings."""


_TITLES = {
    "what": "What it does",
    "why": "Why is this bad?",
    "bad": "Bad",
    "good": "Good",
    "silent": "When it is silent",
    "references": "References",
}


_WAYS_TO_FIX = {
    "safe": "`--fix` repairs it where it is clear what was meant.",
    "unsafe": "`--fix --unsafe-fixes` repairs it where nothing else depends on the place.",
}


def documented() -> tuple[Documented, ...]:
    """Return everything that findings can carry the code of, by code."""
    return (UnusedSuppression(), *all_rules())


@functools.cache
def documented_by_code() -> Mapping[str, Documented]:
    """Return the same by code."""
    return {each.code: each for each in documented()}


def print_rules(*, is_terminal: bool) -> None:
    """Print a line for each rule; in a pipe one that `cut` and `grep` can work with."""
    entries = [
        (each.code, each.name, each.level.value, Documentation.of(type(each)).summary)
        for each in documented()
    ]
    if is_terminal:
        _print_table(entries)
        return
    widths = [max(len(entry[column]) for entry in entries) for column in range(3)]
    for entry in entries:
        padded = (text.ljust(width) for text, width in zip(entry, widths, strict=False))
        click.echo("  ".join((*padded, entry[3])))


def print_explanation(rule: Documented, *, is_terminal: bool) -> None:
    """Print the documentation of one rule."""
    if is_terminal:
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown("\n".join(explanation(rule, as_markdown=True))))
    else:
        click.echo("\n".join(explanation(rule, as_markdown=False)))


def _print_table(entries: list[tuple[str, str, str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    colors = {"error": "red", "warning": "yellow", "info": "cyan"}
    table = Table("Code", "Name", "Level", "Finds", box=None, pad_edge=False)
    for code, name, level, summary in entries:
        table.add_row(code, name, f"[{colors[level]}]{level}[/]", summary.replace("[", "\\["))
    Console().print(table)


def explanation(rule: Documented, *, as_markdown: bool) -> Iterator[str]:
    """Yield the documentation of a rule in lines and paragraphs."""
    documentation = Documentation.of(type(rule))
    title = f"{rule.code} {rule.name} ({rule.level.value})"
    yield f"# {title}" if as_markdown else title
    yield ""
    yield documentation.summary
    way = _WAYS_TO_FIX.get(getattr(rule, "fix", "none"))
    if way is not None:
        yield ""
        yield way
    for field, heading in _TITLES.items():
        body = getattr(documentation, field)
        if not body:
            continue
        yield ""
        yield f"## {heading}" if as_markdown else f"{heading}:"
        if not as_markdown:
            yield textwrap.indent(body, "    ")
        elif field in {"bad", "good"}:
            yield f"```python\n{body}\n```"
        elif field == "references":
            yield from (f"- <{link}>" for link in documentation.links)
        else:
            yield body
