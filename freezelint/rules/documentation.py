"""The documentation of a rule, read from its docstring."""

from __future__ import annotations

import inspect
import re
import textwrap

from freezelint.records import NamedTuple

HEADINGS = {
    "What it does": "what",
    "Why is this bad": "why",
    "Bad": "bad",
    "Good": "good",
    "When it is silent": "silent",
    "References": "references",
}
"""The headings of a docstring, in order, and the fields that they fill."""

_HEADING = re.compile(rf"^({'|'.join(map(re.escape, HEADINGS))})\??:[ \t]*$", re.MULTILINE)


class Documentation(NamedTuple):
    """The parts of a docstring, each without its indentation; an absent one is empty."""

    summary: str
    what: str = ""
    why: str = ""
    bad: str = ""
    good: str = ""
    silent: str = ""
    references: str = ""

    @classmethod
    def of(cls, documented: type) -> Documentation:
        """Read the docstring of a class."""
        summary, *rest = _HEADING.split(inspect.getdoc(documented) or "")
        sections = dict(zip(rest[::2], rest[1::2], strict=True))
        texts = {HEADINGS[heading]: _dedented(body) for heading, body in sections.items()}
        return cls(summary.strip(), **texts)

    @property
    def links(self) -> tuple[str, ...]:
        """The references, one by one."""
        return tuple(line.strip() for line in self.references.splitlines() if line.strip())


def _dedented(body: str) -> str:
    return textwrap.dedent(body.strip("\n")).rstrip()
