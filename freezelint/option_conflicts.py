"""Options of ``check`` of which one leaves nothing to do for the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from freezelint.check_command import CheckOptions

_EXCLUDED = {
    "write-baseline": ("diff", "add-noqa"),
    "add-noqa": ("fix", "fix-only"),
    "watch": ("write-baseline", "add-noqa"),
}


def refuse(options: CheckOptions) -> None:
    """Let nothing begin if there are two such.

    Raises:
        click.UsageError: if there are.
    """
    for name, excluded in _EXCLUDED.items():
        for other in excluded:
            if _is_given(options, name) and _is_given(options, other):
                raise click.UsageError(f"--{name} and --{other} exclude each other")
    if options.watch and "-" in options.paths:
        raise click.UsageError("--watch is for files; standard input does not change")


def _is_given(options: CheckOptions, name: str) -> bool:
    return getattr(options, name.replace("-", "_")) not in {None, False}
