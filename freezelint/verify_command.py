"""Says which frozen tensors a checkpoint changed, without a training run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from freezelint.exit_codes import CLEAN, FOUND, failed
from freezelint.reports.display import safe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from freezelint.runtime.verification import Verdict


def run(manifest: Path, checkpoint: Path) -> int:
    """Compare, print, and return the exit code."""
    try:
        from freezelint.runtime.checkpoints import CheckpointError
        from freezelint.runtime.manifest import Manifest, ManifestError
        from freezelint.runtime.verification import verify
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        return failed("NumPy is not installed here: pip install 'freezelint[runtime]'")
    try:
        verdicts = verify(Manifest.load(manifest), checkpoint)
    except OSError as error:
        return failed(f"{manifest} cannot be read: {error.strerror}")
    except (ManifestError, CheckpointError) as error:
        return failed(str(error))
    for line in _lines(verdicts):
        click.echo(safe(line))
    return FOUND if any(_is_breach(each) for each in verdicts) else CLEAN


def _is_breach(verdict: Verdict) -> bool:
    return verdict.is_frozen and verdict.status.value in ("changed", "reshaped", "converted")


def _lines(verdicts: list[Verdict]) -> Iterator[str]:
    for each in verdicts:
        if _is_breach(each):
            detail = f" ({each.detail})" if each.detail else ""
            yield f"{each.record.name}: frozen, and {each.status.value}{detail}"
    dead = [each for each in verdicts if not each.is_frozen and each.status.value == "same"]
    for each in dead:
        yield f"{each.record.name}: should train, and is unchanged"
    counts = Counter(each.status.value for each in verdicts if each.is_frozen)
    said = ", ".join(f"{number} {status}" for status, number in counts.items())
    yield f"{sum(counts.values())} frozen: {said or 'none'}."
