"""How the benchmarks start the installed freezelint and read what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

MODULE = (sys.executable, "-m", "freezelint")
"""The program as a module of this interpreter."""

SCRIPT = (str(Path(sys.executable).parent / "freezelint"),)
"""The program as the console script that stands beside this interpreter."""


def report(folder: Path, *paths: str) -> dict[str, Any]:
    """What ``freezelint check --output-format json`` says of ``paths``, run in ``folder``."""
    command = [*MODULE, "check", "--exit-zero", "--no-cache", "--output-format", "json", *paths]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    try:
        parsed: dict[str, Any] = json.loads(answer.stdout)
    except json.JSONDecodeError:
        shown = " ".join(paths[:3])
        said = answer.stderr.strip()[-2000:]
        raise click.ClickException(
            f"freezelint gave no report on {shown} (exit {answer.returncode}):\n{said}"
        ) from None
    return parsed
