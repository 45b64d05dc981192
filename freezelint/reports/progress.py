"""A progress bar for people who wait."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PATIENCE = 1.0
"""Seconds before there is a bar at all; most runs are over by then."""


class ProgressBar:
    """Appears on standard error when a run takes long, and leaves no trace."""

    def __init__(self) -> None:
        """Start the clock; rich is loaded when the bar is first shown."""
        self._start = time.monotonic()
        self._shown: tuple[Progress, TaskID] | None = None

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` files are done."""
        if self._shown is None:
            if time.monotonic() - self._start < _PATIENCE:
                return
            self._shown = _show(total)
        bar, task = self._shown
        bar.update(task, completed=done, refresh=True)

    def close(self) -> None:
        """Take the bar away."""
        if self._shown is not None:
            self._shown[0].stop()
            self._shown = None


def _show(total: int) -> tuple[Progress, TaskID]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    bar = Progress(
        TextColumn("Checking"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files"),
        console=Console(stderr=True),
        transient=True,
        # Without its thread: worker processes may yet be forked.
        auto_refresh=False,
    )
    bar.start()
    return bar, bar.add_task("", total=total)
