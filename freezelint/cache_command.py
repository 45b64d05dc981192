"""What ``freezelint cache`` does: say where results are kept, and delete them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from freezelint import cache
from freezelint.configuration import Configuration
from freezelint.exit_codes import CLEAN, failed
from freezelint.project_file import BadSettings
from freezelint.reports.display import safe
from freezelint.reports.summary import counted

if TYPE_CHECKING:
    from pathlib import Path


def show() -> None:
    """Print the folder.

    Raises:
        click.UsageError: if the settings cannot be used.
    """
    click.echo(safe(str(_folder())))


def clean() -> int:
    """Delete the results, say how many there were, and return the exit code.

    Raises:
        click.UsageError: if the settings cannot be used.
    """
    folder = _folder()
    try:
        deleted = cache.clean(folder)
    except OSError as error:
        return failed(f"{folder} cannot be cleaned: {error.strerror}")
    click.echo(
        f"Deleted the results of {counted(deleted, 'working folder')} in {safe(str(folder))}."
    )
    return CLEAN


def _folder() -> Path:
    try:
        return cache.cache_folder(Configuration().setting("cache-dir"))
    except BadSettings as error:
        raise click.UsageError(str(error)) from None
