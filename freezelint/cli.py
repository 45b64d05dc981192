"""The command: it parses options, calls, and prints."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from freezelint import __version__
from freezelint.adoption_options import adoption_options
from freezelint.reports.formats import FORMATS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class _Commands(click.Group):
    """The commands, and what to write where a file is named but no command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is named, and its arguments."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            if not os.path.exists(args[0]):
                raise
            told = f"{args[0]!r} is no command. To check it, write: freezelint check {args[0]}"
            raise click.UsageError(told, ctx) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="freezelint", message="%(prog)s %(version)s")
def main() -> None:
    """Find freeze bugs in PyTorch training code.

    What should be frozen and moves, what should train and never does.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that cannot show a character of the checked code gets its escape.
            stream.reconfigure(errors="backslashreplace")


class ProgramEnded(SystemExit):
    """The program's own end, so that Python ends as it would without this command."""


def _completed(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """What a shell may put in the place of an argument; click calls this for the tab key only."""
    from freezelint import completion

    ways = {"code": completion.codes, "paths": completion.files, "script": completion.files}
    return ways.get(parameter.name or "", completion.listed_codes)(incomplete)


_CODES: dict[str, Any] = {"multiple": True, "metavar": "CODES", "shell_complete": _completed}
_PATTERNS: dict[str, Any] = {"multiple": True, "metavar": "PATTERN"}

_settings_file = click.option(
    "--config",
    "settings_file",
    type=click.Path(exists=True, dir_okay=False),
    help="Use the settings of this file.",
)
_isolated = click.option("--isolated", is_flag=True, help="Use no file of settings.")


@main.command()
@click.argument("paths", nargs=-1, metavar="[PATHS]...", shell_complete=_completed)
@click.option("--select", **_CODES, help="Run these rules only: codes or prefixes, with commas.")
@click.option("--extend-select", **_CODES, help="Run these rules as well.")
@click.option("--ignore", **_CODES, help="Do not run these rules.")
@click.option(
    "--strict/--no-strict", default=None, help="Also show info findings and unused suppressions."
)
@click.option(
    "--docs/--no-docs",
    default=None,
    help="Also check code in the Markdown and reStructuredText of folders.",
)
@click.option("--exclude", **_PATTERNS, help="Do not look into these, instead of the default.")
@click.option("--extend-exclude", **_PATTERNS, help="Do not look into these either.")
@click.option("--force-exclude", is_flag=True, help="Exclude also files that are named.")
@_settings_file
@_isolated
@adoption_options
@click.option(
    "--cache/--no-cache",
    default=True,
    help="Keep results of files that do not change. On by default.",
)
@click.option(
    "--output-format",
    type=click.Choice(list(FORMATS)),
    default="text",
    show_default=True,
)
@click.option(
    "--output-file",
    type=click.Path(),
    metavar="FILE",
    help="Write the report to a file, in place of printing it.",
)
@click.option("--fix/--no-fix", default=None, help="Fix what can be fixed, and report the rest.")
@click.option(
    "--unsafe-fixes/--no-unsafe-fixes",
    default=None,
    help="Fixes may change more than the freeze.",
)
@click.option("--diff", is_flag=True, help="Print what --fix would change, and change nothing.")
@click.option("--fix-only", is_flag=True, help="Fix what can be fixed, and report nothing.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even if there are findings.")
@click.option(
    "-j", "--jobs", type=click.IntRange(min=1), help="Processes to use; all cores by default."
)
@click.option("-q", "--quiet", is_flag=True, help="Print findings only, no summary.")
@click.option("--statistics", is_flag=True, help="Print how often each rule fired, not where.")
@click.option(
    "--stdin-filename", default="<stdin>", metavar="PATH", help="What to call standard input."
)
def check(**asked: Any) -> None:
    """Check files and folders; `-` is standard input, and the default is `.`.

    Exits with 0 if nothing was found, 1 if something was, and 2 if something
    could not be checked.
    """
    from freezelint import check_command

    options = check_command.CheckOptions(**asked)
    if options.watch:
        from freezelint import watch_command

        sys.exit(watch_command.run(options))
    sys.exit(check_command.run(options))


@main.command(
    "run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.option("-m", "is_module", is_flag=True, help="SCRIPT is a module, as with `python -m`.")
@click.option("--frozen", **_PATTERNS, help="What must stay; by default what has no gradient.")
@click.option("--trainable", **_PATTERNS, help="What must move.")
@click.option("--target", **_PATTERNS, help="What moves by its owner's hand, never by a step.")
@click.option("--statistics", **_PATTERNS, help="Buffers that may move in frozen parts.")
@click.option("--every", type=click.IntRange(min=1), help="Look after every so-many-th step.")
@click.option("--check", is_flag=True, help="Check it too, and say which findings the run shows.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    help="Exit with 1 if that was seen and the program itself ended with 0.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Also write what was seen to a file, as JSON.",
)
@click.argument("script", shell_complete=_completed)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run_program(
    script: str,
    arguments: tuple[str, ...],
    is_module: bool,
    fail_on: str | None,
    report: str | None,
    check: bool,
    **asked: Any,
) -> None:
    """Run SCRIPT unchanged, and say whether what is frozen stayed and what trains moved.

    Everything after SCRIPT is the program's. Its exit code is this command's.
    """
    from pathlib import Path

    from freezelint.findings import Level
    from freezelint.project_file import BadSettings, layers_for
    from freezelint.run_command import Target, run
    from freezelint.run_options import RunOptions

    try:
        given = {name: value for name, value in asked.items() if value}
        options = RunOptions(**given).or_from(layers_for("."))
    except BadSettings as error:
        raise click.UsageError(str(error)) from None
    code = run(
        Target(script, arguments, is_module),
        options,
        fail_on=None if fail_on is None else Level(fail_on),
        report=None if report is None else Path(report),
        check=check,
    )
    raise ProgramEnded(code)


@main.command()
@click.argument("manifest", type=click.Path(dir_okay=False))
@click.argument("checkpoint", type=click.Path())
def verify(manifest: str, checkpoint: str) -> None:
    """Say which frozen tensors CHECKPOINT changed since MANIFEST was saved.

    MANIFEST is what `Contract.save` wrote; CHECKPOINT a `.safetensors` file, the index or
    folder of a sharded one, or a file of `torch.save`. Nothing in it is executed. Exits
    with 0 if all that is frozen stayed, 1 if something changed, 2 if that cannot be told.
    """
    from pathlib import Path

    from freezelint import verify_command

    sys.exit(verify_command.run(Path(manifest), Path(checkpoint)))


@main.command()
@click.argument("path", type=click.Path(exists=True), default=".")
@_settings_file
@_isolated
def config(path: str, settings_file: str | None, isolated: bool) -> None:
    """Print which settings are in force for PATH, and where each comes from."""
    from freezelint import config_command

    config_command.run(path, settings_file, isolated=isolated)


@main.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def print_completion(shell: str) -> None:
    """Print what makes the tab key work in SHELL.

    It completes commands, options, rules and paths. Write into ~/.bashrc or ~/.zshrc:
    `eval "$(freezelint completion bash)"`, or zsh. For fish, write what is printed to
    ~/.config/fish/completions/freezelint.fish.
    """
    from freezelint import completion

    try:
        click.echo(completion.script(main, shell), nl=False)
    except (OSError, RuntimeError) as error:
        raise click.ClickException(f"{shell} cannot be asked: {error}") from None


@main.group()
def cache() -> None:
    """Look after the results that are kept between runs."""


@cache.command("dir")
def cache_dir() -> None:
    """Print the folder that results are kept in."""
    from freezelint import cache_command

    cache_command.show()


@cache.command("clean")
def cache_clean() -> None:
    """Delete the results that are kept."""
    from freezelint import cache_command

    sys.exit(cache_command.clean())


@main.command()
def rules() -> None:
    """List all rules."""
    from freezelint.reports import catalogue

    catalogue.print_rules(is_terminal=sys.stdout.isatty())


@main.command()
@click.argument("code", shell_complete=_completed)
def explain(code: str) -> None:
    """Explain what a rule finds, why it matters, and what to write instead.

    CODE is its code or its name.
    """
    from freezelint.configuration import names_by_code

    code = next((each for each, name in names_by_code().items() if name == code.lower()), code)
    from freezelint.config import UnknownCode, nearest_code
    from freezelint.reports import catalogue

    documented = catalogue.documented_by_code()
    if code.upper() not in documented:
        raise click.UsageError(str(UnknownCode(code, nearest_code(code, list(documented)))))
    catalogue.print_explanation(documented[code.upper()], is_terminal=sys.stdout.isatty())
