"""What a shell offers when the tab key is pressed, and the script that makes it ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem, get_completion_class

if TYPE_CHECKING:
    import click


def script(command: click.Command, shell: str) -> str:
    """Return what a shell has to run once, so that it can complete this command.

    Raises:
        RuntimeError: if the shell that is installed is too old for that.
        OSError: if it has to be asked for its version and is not there.
    """
    found = get_completion_class(shell)
    assert found is not None, shell
    return found(command, {}, "freezelint", "_FREEZELINT_COMPLETE").source()


def codes(incomplete: str) -> list[CompletionItem]:
    """Return the codes that begin so, with their names."""
    from freezelint.configuration import names_by_code

    return [
        CompletionItem(code, help=name)
        for code, name in names_by_code().items()
        if code.startswith(incomplete.upper())
    ]


def listed_codes(incomplete: str) -> list[CompletionItem]:
    """Return lists of codes, of which the last is completed and not named before."""
    head, comma, last = incomplete.rpartition(",")
    named = head.upper().split(",")
    return [
        CompletionItem(head + comma + each.value, help=each.help)
        for each in codes(last)
        if each.value not in named
    ]


def files(incomplete: str) -> list[CompletionItem]:
    """Leave it to the shell to complete the name of a file."""
    return [CompletionItem(incomplete, type="file")]
