"""JSON, a line for each finding, for programs that read while others write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from freezelint.reports.json import document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.engine import CheckResult
    from freezelint.reports.presentation import Presentation


def render(result: CheckResult, presentation: Presentation) -> Iterator[str]:
    """Yield the findings, what could not be checked, and the summary; ``type`` says which."""
    whole = document(result)
    for finding in whole["findings"]:
        yield json.dumps({"type": "finding", **finding})
    for error in whole["errors"]:
        yield json.dumps({"type": "error", **error})
    yield json.dumps({"type": "summary", "version": whole["version"], **whole["summary"]})
