"""What ``freezelint config`` does: print what is in force, and who says so."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from freezelint.configuration import Configuration
from freezelint.discovery import shown_path
from freezelint.project_file import BadSettings
from freezelint.reports.display import safe
from freezelint.run_options import SETTINGS as RUNTIME_SETTINGS
from freezelint.settings import RUNTIME, SETTINGS, Sourced, as_text, checked_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.project_file import Layer
    from freezelint.settings import Setting


def run(path: str, settings_file: str | None, *, isolated: bool) -> None:
    """Print the settings that count for a path.

    Raises:
        click.UsageError: if they cannot be used.
    """
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    try:
        configuration = Configuration(file=settings_file, isolated=isolated)
        layers = configuration.layers_around(os.path.abspath(folder))
        values = configuration.sourced(layers)
        runtime = _runtime(layers)
    except BadSettings as error:
        raise click.UsageError(str(error)) from None
    own = [each for each in SETTINGS if each.key != "extend"]
    _print(own, values)
    click.echo(f"\n[{RUNTIME}]")
    _print(RUNTIME_SETTINGS, runtime)


def _runtime(layers: Sequence[Layer]) -> dict[str, Sourced]:
    found = {each.key: Sourced(each.default) for each in RUNTIME_SETTINGS}
    for layer in layers:
        for key, value in checked_table(layer, RUNTIME_SETTINGS, table=RUNTIME).items():
            found[key] = Sourced(value, layer.path)
    return found


def _print(settings: Sequence[Setting], values: dict[str, Sourced]) -> None:
    lines = [
        (f"{each.key} = {as_text(values[each.key].value)}", values[each.key].source)
        for each in settings
    ]
    width = min(max(len(line) for line, _ in lines), 50)
    for line, source in lines:
        shown = source if source == "default" else ", ".join(map(shown_path, source.split(", ")))
        click.echo(f"{safe(line).ljust(width)}  # {safe(shown)}")
