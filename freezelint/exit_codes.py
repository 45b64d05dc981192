"""What the exit codes of all commands mean."""

from __future__ import annotations

CLEAN, FOUND, FAILED, INTERRUPTED = 0, 1, 2, 130
"""Nothing found, something found, something could not be done; a failure outweighs findings."""


def failed(reason: str) -> int:
    """Say on standard error why a command could not do its work, and return its exit code."""
    import click

    from freezelint.reports.display import safe

    click.echo(f"error: {safe(reason)}", err=True)
    return FAILED
