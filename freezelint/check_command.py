"""What ``freezelint check`` does: settle what is asked for, check, print."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Literal, NamedTuple

import click

from freezelint.exit_codes import CLEAN, FAILED, FOUND, INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.config import Config
    from freezelint.engine import CheckResult, StandardInput
    from freezelint.reports.progress import ProgressBar


class CheckOptions(NamedTuple):
    """The command line; what each option means stands with the command."""

    paths: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    strict: bool = False
    output_format: str = "text"
    fix: bool = False
    unsafe_fixes: bool = False
    diff: bool = False
    fix_only: bool = False
    exit_zero: bool = False
    jobs: int | None = None
    quiet: bool = False
    statistics: bool = False
    stdin_filename: str = "<stdin>"


def run(options: CheckOptions) -> int:
    """Check what is asked for, print what was found, and return the exit code.

    Raises:
        click.UsageError: if an option names what does not exist.
    """
    from freezelint import engine
    from freezelint.collection import collect_rarely

    collect_rarely()
    config = _config(options)
    given_text = _standard_input(options.stdin_filename) if "-" in options.paths else None
    given = [path for path in options.paths or (".",) if path != "-"]
    progress = _progress(quiet=options.quiet)
    try:
        result = engine.check(given, config, standard_input=given_text, progress=progress)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if progress is not None:
            progress.close()
    if options.diff:
        return _show_diff(result, options)
    with _report_beside_the_text(result, options):
        result = _written(result)
        _print_problems(result)
        if not options.fix_only:
            _print(result, options)
    return _exit_code(result, exit_zero=options.exit_zero or options.fix_only)


def _config(options: CheckOptions) -> Config:
    from freezelint.config import Config, UnknownCode, available_cores, normalized_codes

    select, extend_select, ignore = options.select, options.extend_select, options.ignore
    if select or extend_select or ignore:
        from freezelint.reports.catalogue import documented

        known = [each.code for each in documented()]
        try:
            select, extend_select, ignore = (
                normalized_codes(codes, known) for codes in (select, extend_select, ignore)
            )
        except UnknownCode as error:
            raise click.UsageError(str(error)) from None
    return Config(
        select,
        extend_select,
        ignore,
        options.strict,
        options.jobs or available_cores(),
        _fixes(options),
    )


def _fixes(options: CheckOptions) -> Literal["none", "safe", "unsafe"]:
    if not (options.fix or options.diff or options.fix_only):
        return "none"
    return "unsafe" if options.unsafe_fixes else "safe"


def _show_diff(result: CheckResult, options: CheckOptions) -> int:
    """Print what fixes would change; that alone decides about the exit code."""
    from freezelint import rewriting
    from freezelint.reports.display import safe

    _print_problems(result)
    is_terminal = sys.stdout.isatty()
    for line in rewriting.diff(result.rewritten):
        click.echo(f"{safe(line[:-1])}\n" if is_terminal else line, nl=False)
    if not options.quiet:
        from freezelint.reports import summary

        click.echo(summary.would_fix(result), err=True)
    if result.problems:
        return FAILED
    return FOUND if result.rewritten and not options.exit_zero else CLEAN


@contextlib.contextmanager
def _report_beside_the_text(result: CheckResult, options: CheckOptions) -> Iterator[None]:
    """Give standard input back fixed, on standard output; then the report goes to the other."""
    given = result.standard_input
    if given is None or _fixes(options) == "none":
        yield
        return
    sys.stdout.buffer.write(given.encoded(given.text))
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
    return result._replace(problems=(*result.problems, *problems))


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
    from freezelint.reports.display import safe

    for problem in result.problems:
        place = problem.path if problem.line is None else f"{problem.path}:{problem.line}"
        click.echo(f"error: {safe(place)}: {safe(problem.reason)}", err=True)


def _print(result: CheckResult, options: CheckOptions) -> None:
    if options.output_format == "json":
        from freezelint.reports import json

        click.echo(json.render(result))
        return
    if options.output_format == "github":
        from freezelint.reports import github

        for line in github.render(result):
            click.echo(line)
        return
    from freezelint.reports import summary

    if options.statistics:
        for line in summary.by_rule(result):
            click.echo(line)
    elif result.findings:
        _print_text(result)
    if not options.quiet:
        click.echo(summary.in_one_line(result))
        for line in summary.about_fixes(result):
            click.echo(line)


def _print_text(result: CheckResult) -> None:
    from freezelint.reports import text
    from freezelint.reports.excerpts import Excerpts
    from freezelint.reports.snippet import Painter

    color = _wants_color()
    for block in text.render(result, Excerpts(result.standard_input), Painter(color=color)):
        click.echo(block, color=color)


def _exit_code(result: CheckResult, *, exit_zero: bool) -> int:
    if result.problems:
        return FAILED
    return FOUND if result.findings and not exit_zero else CLEAN


def _wants_color() -> bool:
    import os

    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and sys.stdout.isatty()
