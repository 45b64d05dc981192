"""The forms of a report, by the names that the command line knows; each loaded when asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from freezelint.engine import CheckResult
    from freezelint.reports.presentation import Presentation

    Renderer = Callable[[CheckResult, Presentation], Iterator[str]]

FORMATS = {
    "text": "freezelint.reports.text",
    "concise": "freezelint.reports.concise",
    "json": "freezelint.reports.json",
    "json-lines": "freezelint.reports.json_lines",
    "sarif": "freezelint.reports.sarif",
    "github": "freezelint.reports.github",
    "gitlab": "freezelint.reports.gitlab",
    "junit": "freezelint.reports.junit",
    "rdjson": "freezelint.reports.rdjson",
}


def renderer(name: str) -> Renderer:
    """Return what yields a report line by line, or in blocks of lines, without their last end."""
    render: Renderer = importlib.import_module(FORMATS[name]).render
    return render
