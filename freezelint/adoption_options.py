"""Options of ``check`` for projects that are older than their use of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

_OPTIONS = (
    click.option(
        "--since",
        metavar="REV",
        help="Of the files, check those only that changed since a git revision, each as a whole.",
    ),
    click.option(
        "--baseline",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Do not show findings that are known: those that stand in FILE.",
    ),
    click.option(
        "--no-baseline", is_flag=True, help="Show known findings, whatever the settings say."
    ),
    click.option(
        "--write-baseline",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Write what is found to FILE, so that it is known, and show nothing.",
    ),
    click.option(
        "--add-noqa", is_flag=True, help="Silence what is found with `# noqa: CODE` comments."
    ),
    click.option(
        "-w", "--watch", is_flag=True, help="Check again whenever a checked file changes."
    ),
)


def adoption_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
