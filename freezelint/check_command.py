"""What ``freezelint check`` does: settle what is asked for, check, print."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from freezelint.configuration import ADD_NOQA
from freezelint.exit_codes import CLEAN, FAILED, FOUND, INTERRUPTED, failed
from freezelint.records import NamedTuple
from freezelint.settings import PlacedPattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from freezelint.cache import Cache
    from freezelint.configuration import Configuration
    from freezelint.engine import CheckResult, StandardInput
    from freezelint.reports.progress import ProgressBar


class CheckOptions(NamedTuple):
    """The command line; what each option means stands with the command."""

    paths: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    extend_exclude: tuple[str, ...] = ()
    force_exclude: bool = False
    settings_file: str | None = None
    isolated: bool = False
    since: str | None = None
    baseline: str | None = None
    no_baseline: bool = False
    write_baseline: str | None = None
    cache: bool = True
    strict: bool | None = None
    docs: bool | None = None
    output_format: str = "text"
    output_file: str | None = None
    fix: bool | None = None
    unsafe_fixes: bool | None = None
    diff: bool = False
    fix_only: bool = False
    add_noqa: bool = False
    exit_zero: bool = False
    jobs: int | None = None
    watch: bool = False
    quiet: bool = False
    statistics: bool = False
    stdin_filename: str = "<stdin>"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings among the options that were given, by their keys.

        Raises:
            UnknownCode: if a rule is asked for that does not exist.
        """
        codes = {
            "select": self.select,
            "extend-select": self.extend_select,
            "ignore": self.ignore,
        }
        patterns = {"exclude": self.exclude, "extend-exclude": self.extend_exclude}
        values = {
            "strict": self.strict,
            "docs": self.docs,
            "fix": True if self.diff or self.fix_only else self.fix,
            ADD_NOQA: True if self.add_noqa else None,
            "unsafe-fixes": self.unsafe_fixes,
            "jobs": self.jobs,
            "baseline": self._baseline,
        }
        here = os.getcwd()
        return {
            **{key: _known(given) for key, given in codes.items() if given},
            **{
                key: tuple(PlacedPattern(here, text) for text in given)
                for key, given in patterns.items()
                if given
            },
            **{key: value for key, value in values.items() if value is not None},
        }

    @property
    def _baseline(self) -> str | None:
        """The path asked for; empty if there is to be none, and None if nothing is said."""
        if self.no_baseline or self.write_baseline is not None:
            return ""
        return None if self.baseline is None else os.path.abspath(self.baseline)


def run(options: CheckOptions) -> int:
    """Check what is asked for, print what was found, and return the exit code.

    Raises:
        click.UsageError: if an option names what does not exist, or settings cannot be used.
    """
    from freezelint import changed_files, engine, option_conflicts
    from freezelint.collection import collect_rarely
    from freezelint.config import UnknownCode
    from freezelint.known_findings import known_in, leave_out, write_known
    from freezelint.project_file import BadSettings

    collect_rarely()
    option_conflicts.refuse(options)
    given_text = _standard_input(options.stdin_filename) if "-" in options.paths else None
    given = [path for path in options.paths or (".",) if path != "-"]
    progress = _progress(quiet=options.quiet)
    try:
        configuration = configuration_of(options)
        result = engine.check(
            given,
            configuration,
            force_exclude=options.force_exclude,
            among=changed_files.since(options.since, given),
            cache=_cache(configuration, options),
            standard_input=given_text,
            progress=progress,
        )
        known = known_in(result, options.settings.get("baseline"))
    except (UnknownCode, BadSettings) as error:
        raise click.UsageError(str(error)) from None
    except changed_files.CannotTell as error:
        return failed(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if progress is not None:
            progress.close()
    if options.diff:
        return _show_diff(result, options)
    with _report_beside_the_text(result, fixes=configuration.around("").fixes != "none"):
        result = _written(result)
        if options.write_baseline is not None:
            _print_problems(result)
            return write_known(options.write_baseline, result)
        result = leave_out(known, result, quiet=options.quiet)
        _print_problems(result)
        printed = CLEAN if options.fix_only else _print(result, options)
    return printed or _exit_code(result, exit_zero=options.exit_zero or options.fix_only)


def configuration_of(options: CheckOptions) -> Configuration:
    """Return what is in force where.

    Raises:
        UnknownCode: if a rule is asked for that does not exist.
        BadSettings: if a file of settings is named that cannot be used.
    """
    from freezelint.configuration import Configuration

    return Configuration(options.settings, file=options.settings_file, isolated=options.isolated)


def _cache(configuration: Configuration, options: CheckOptions) -> Cache | None:
    if not options.cache:
        return None
    from freezelint.cache import Cache, cache_folder

    return Cache(cache_folder(configuration.setting("cache-dir")))


def _known(codes: tuple[str, ...]) -> tuple[str, ...]:
    from freezelint.config import normalized_codes
    from freezelint.configuration import known_codes

    return normalized_codes(codes, known_codes())


def _show_diff(result: CheckResult, options: CheckOptions) -> int:
    """Print what fixes would change; that alone decides about the exit code."""
    from freezelint import rewriting
    from freezelint.reports.display import safe

    _print_problems(result)
    is_terminal = options.output_file is None and sys.stdout.isatty()
    lines = (line[:-1] for line in rewriting.diff(result.rewritten))
    printed = _put(map(safe, lines) if is_terminal else lines, options.output_file)
    if not options.quiet:
        from freezelint.reports import summary

        click.echo(summary.would_fix(result), err=True)
    if result.problems or printed:
        return FAILED
    return FOUND if result.rewritten and not options.exit_zero else CLEAN


@contextlib.contextmanager
def _report_beside_the_text(result: CheckResult, *, fixes: bool) -> Iterator[None]:
    """Give standard input back fixed, on standard output; then the report goes to the other."""
    given = result.standard_input
    if given is None or not fixes:
        yield
        return
    sys.stdout.buffer.write(given.data)
    sys.stdout.flush()
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _written(result: CheckResult) -> CheckResult:
    """Write the fixed files."""
    files = [each for each in result.rewritten if not each.is_standard_input]
    if not files:
        return result
    from freezelint import rewriting

    problems = tuple(rewriting.write(files))
    failed_at = {each.path for each in problems}
    return result._replace(
        problems=(*result.problems, *problems),
        rewritten=tuple(each for each in result.rewritten if each.path not in failed_at),
    )


def _standard_input(name: str) -> StandardInput:
    from freezelint.engine import StandardInput

    return StandardInput(name, sys.stdin.buffer.read())


def _progress(*, quiet: bool) -> ProgressBar | None:
    if quiet or not sys.stderr.isatty():
        return None
    from freezelint.reports.progress import ProgressBar

    return ProgressBar()


def _print_problems(result: CheckResult) -> None:
    if not result.problems:
        return
    from freezelint.reports import summary

    for problem in result.problems:
        click.echo(summary.of_problem(problem), err=True)


def _print(result: CheckResult, options: CheckOptions) -> int:
    """Print the report in the form that was asked for."""
    from freezelint.reports.formats import renderer
    from freezelint.reports.presentation import Presentation

    is_file = options.output_file is not None
    presentation = Presentation(
        color=not is_file and _wants_color(),
        statistics=options.statistics,
        quiet=options.quiet,
        problems=is_file,
    )
    lines = renderer(options.output_format)(result, presentation)
    return _put(lines, options.output_file, color=presentation.color)


def _put(lines: Iterable[str], file: str | None, *, color: bool = False) -> int:
    """Print lines, or write them to a file, and return the exit code if that fails."""
    if file is None:
        for line in lines:
            click.echo(line, color=color)
        return CLEAN
    from pathlib import Path

    from freezelint.discovery import reason_of
    from freezelint.writing import write_atomically

    text = "".join(f"{line}\n" for line in lines)
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(Path(file), text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        return failed(f"{file}: cannot be written: {reason_of(error)}")
    return CLEAN


def _exit_code(result: CheckResult, *, exit_zero: bool) -> int:
    if result.problems:
        return FAILED
    return FOUND if result.findings and not exit_zero else CLEAN


def _wants_color() -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and sys.stdout.isatty()
