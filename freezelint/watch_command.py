"""What ``freezelint check --watch`` does: check again whenever something that counts changes."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import click

from freezelint import check_command, option_conflicts
from freezelint.config import UnknownCode
from freezelint.discovery import discover, reason_of
from freezelint.exit_codes import CLEAN, INTERRUPTED, failed
from freezelint.project_file import SETTINGS_FILES, BadSettings
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from freezelint.check_command import CheckOptions

    Signature = tuple[int, int, int] | None
    """By what it is seen that a file is another; None if there is none."""

_STEERING = (*SETTINGS_FILES, ".gitignore")
"""Files that say what is checked, and how."""
_WAIT = 500
"""Milliseconds after which files are looked at that no folder is watched for."""
_GATHER = 400
"""Milliseconds for which changes are gathered, at most, so that a branch is switched at once."""


class Seen(NamedTuple):
    """The files that count, as they were before a check."""

    files: Mapping[str, Signature]
    apart: Mapping[str, Signature]
    """Those that may be out of sight: files that are named, settings above, the baseline."""

    @classmethod
    def now(cls, options: CheckOptions) -> Seen:
        """Look at them."""
        given = options.paths or (os.curdir,)
        apart = {each for each in given if not os.path.isdir(each)}
        apart.update(_settings_above(given))
        files: Collection[str] = ()
        # The check says what is wrong with settings.
        with contextlib.suppress(BadSettings, UnknownCode):
            configuration = check_command.configuration_of(options)
            found = discover(given, configuration, force_exclude=options.force_exclude).files
            files = found
            layers = configuration.layers_around(os.getcwd())
            apart.update(str(each.path) for each in layers)
            baselines = {each.baseline for each in found.values()}
            apart.update(each for each in baselines if each is not None)
        return cls(_signatures(files), _signatures(apart))

    def may_have_changed(self, changes: Iterable[tuple[Any, str]]) -> bool:
        """Return whether to look at all of them again, given what happened in the folders.

        A training that writes its log beside the code is no reason.
        """
        if _signatures(self.apart) != self.apart:
            return True
        names = {os.path.basename(each) for each in self.files}
        return any(
            kind.name != "modified" or os.path.basename(path) in (*_STEERING, *names)
            for kind, path in changes
        )


def run(options: CheckOptions) -> int:
    """Check, and check again after each change, until Ctrl-C.

    Raises:
        click.UsageError: if the first check cannot be made as it is asked for.
    """
    option_conflicts.refuse(options)
    try:
        from watchfiles import watch
    except ImportError:
        return failed("--watch needs watchfiles: pip install 'freezelint[watch]'")
    try:
        seen = Seen.now(options)
        if check_command.run(options) == INTERRUPTED:
            return CLEAN
        for _ in _changes(options, seen, watch):
            # On a terminal only.
            click.clear()
            try:
                if check_command.run(options) == INTERRUPTED:
                    return CLEAN
            except click.UsageError as error:
                error.show()
    except KeyboardInterrupt:
        # That is how watching ends.
        return CLEAN
    except OSError as error:
        return failed(f"changes cannot be watched: {reason_of(error)}")
    return CLEAN


def _changes(options: CheckOptions, seen: Seen, watch: Callable[..., Any]) -> Iterator[None]:
    """Yield each time that something has changed since it was seen."""
    folders = [os.path.abspath(each) for each in options.paths or (os.curdir,)]
    whole = [each for each in folders if os.path.isdir(each)]
    around = sorted({os.path.dirname(each) for each in folders})
    watched = whole or [each for each in around if os.path.isdir(each)]
    if not watched:
        raise FileNotFoundError(2, f"there is no folder {around[0]}")
    told = watch(
        *watched,
        watch_filter=None,
        debounce=_GATHER,
        rust_timeout=_WAIT,
        yield_on_timeout=True,
        recursive=bool(whole),
    )
    is_first = True
    click.echo("Watching for changes; Ctrl-C ends.", err=True)
    for changes in told:
        # What happened during the first check was before folders were watched.
        if not is_first and not seen.may_have_changed(changes):
            continue
        is_first = False
        now = Seen.now(options)
        if now != seen or any(os.path.basename(path) in _STEERING for _, path in changes):
            seen = now
            yield
            click.echo("Watching for changes; Ctrl-C ends.", err=True)


def _settings_above(paths: Iterable[str]) -> Iterator[str]:
    for each in {os.path.abspath(path) for path in (*paths, os.curdir)}:
        folder = each
        while True:
            yield from (os.path.join(folder, name) for name in SETTINGS_FILES)
            if folder == os.path.dirname(folder):
                break
            folder = os.path.dirname(folder)


def _signatures(paths: Iterable[str]) -> dict[str, Signature]:
    return {path: _signature(path) for path in paths}


def _signature(path: str) -> Signature:
    try:
        state = os.stat(path)
    except OSError:
        return None
    return (state.st_mtime_ns, state.st_size, state.st_ino)
