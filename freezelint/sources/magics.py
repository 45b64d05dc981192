"""What IPython understands besides Python, put where Python reads a comment, and back.

IPython itself is not needed. Its rules stand in ``IPython.core.inputtransformer2``: a
command begins a statement, so a line within brackets or a string is none, and text
that is Python as it stands stays as it is.
"""

from __future__ import annotations

import re

from freezelint.records import NamedTuple
from freezelint.sources.syntax import syntax_problem

_SUSPECT = re.compile(r"^[ \t]*[%!?,;/]|\?[ \t]*(?:#.*)?$|=[ \t]*[!%]", re.MULTILINE)
_CELL_COMMAND = re.compile(r"%%(\w+)(?!\w*\?)")
_COMMAND = re.compile(r"([ \t]*)([%!?,;/].*|.*\?[ \t]*)$", re.DOTALL)
_ASSIGNED = re.compile(
    r"((?:[^=#'\"!%]|'[^']*'|\"[^\"]*\")*(?<![<>+\-*/&|^:@])=[ \t]*)([!%][ \t]*[^ \t=].*)$",
    re.DOTALL,
)
_TIMED = re.compile(r"([ \t]*)(%time[ \t]+)([^ \t-].*)$", re.DOTALL)

RUN_AS_PYTHON = frozenset(
    {
        *("capture", "debug", "heat", "ipytest", "lprun", "memit", "mprun", "notify", "prun"),
        *("pyinstrument", "scalene", "snakeviz", "time", "timeit", "wandb"),
    }
)
"""Commands for a whole cell whose other lines are run as Python, in the same place."""

WITHOUT_SIGN = frozenset(
    {
        *("alias", "autoreload", "bookmark", "cat", "cd", "clear", "conda", "config", "cp"),
        *("debug", "env", "history", "ldir", "less", "ll", "load", "load_ext", "ls", "lsmagic"),
        *("mamba", "man", "matplotlib", "mkdir", "more", "mv", "pdb", "pinfo", "pip", "pushd"),
        *("pylab", "reload_ext", "reset", "rm", "rmdir", "run", "store", "time", "timeit"),
        *("uv", "who", "whos", "xmode"),
    }
)
"""Commands that IPython understands without ``%`` where they are all that a cell holds."""

_PYTHON_TOKEN = re.compile(
    r"#.*|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<long>\"\"\"|''')"
    r"|\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?|(?P<continued>\\$)"
)


class Python(NamedTuple):
    """Text with commands out of the way; it has the lines of the cell."""

    text: str
    shifts: dict[int, int]
    """By line, from 0: characters of the cell that are missing before what is shown."""


def without_magics(text: str, mark: str) -> Python:
    """Return the text of a cell as Python, with its commands in comments.

    Args:
        text: The source of the cell.
        mark: A comment that stands nowhere in the text; commands are put behind it.
    """
    lines = text.split("\n")
    if not _SUSPECT.search(text) and not _is_single_command(lines):
        return Python(text, {})
    if syntax_problem("", text) is None:
        return Python(text, {})
    return _Commands(lines, mark).python()


def with_magics(text: str, mark: str) -> str:
    """Return the text of a cell, whose Python may have changed, with its commands again."""
    escaped = re.escape(mark)
    text = re.sub(
        rf"^([ \t]*)(.*)  {escaped}{escaped}([^\n]*)$", r"\1\3\2", text, flags=re.MULTILINE
    )
    return re.sub(rf"(?:pass  |get_ipython\(\)  )?{escaped}", "", text)


def _is_single_command(lines: list[str]) -> bool:
    filled = [line for line in lines if line.strip()]
    return len(filled) == 1 and filled[0].split()[0] in WITHOUT_SIGN


class _Commands:
    """The lines of one cell, looked at from the first to the last."""

    def __init__(self, lines: list[str], mark: str) -> None:
        self._lines = lines
        self._mark = mark
        self._shifts: dict[int, int] = {}
        self._done: list[str] = []
        # What is still open where a line begins.
        self._depth = 0
        self._quotes = ""
        self._is_continued = False

    def python(self) -> Python:
        if not self._takes_the_cell():
            while len(self._done) < len(self._lines):
                self._take_line(self._lines[len(self._done)])
        return Python("\n".join(self._done), self._shifts)

    def _takes_the_cell(self) -> bool:
        """Handle commands for the whole cell; return whether nothing is left of it."""
        if _is_single_command(self._lines):
            self._done = [self._hidden(line) if line.strip() else line for line in self._lines]
            return True
        for line in self._lines:
            command = _CELL_COMMAND.match(line)
            if command is not None and command[1] in RUN_AS_PYTHON:
                self._done.append(self._hidden(line))
            elif command is not None:
                first = len(self._done)
                self._done.append(self._hidden(line))
                self._done += [f"{self._mark}{each}" for each in self._lines[first + 1 :]]
                return True
            elif line.strip() and not line.lstrip().startswith("#"):
                return False
            else:
                self._done.append(line)
        return True

    def _take_line(self, line: str) -> None:
        begins_statement = not (self._depth or self._quotes or self._is_continued)
        if begins_statement and self._take_command(line):
            return
        self._done.append(line)
        self._read_python(line)

    def _take_command(self, line: str) -> bool:
        number = len(self._done)
        if timed := _TIMED.match(line):
            indent, command, statement = timed.groups()
            if syntax_problem("", statement) is None:
                self._shifts[number] = len(command)
                self._done.append(f"{indent}{statement}  {self._mark}{self._mark}{command}")
                return True
        if command := _COMMAND.match(line):
            self._done.append(self._hidden(line))
        elif assigned := _ASSIGNED.match(line):
            self._done.append(f"{assigned[1]}get_ipython()  {self._mark}{assigned[2]}")
        else:
            return False
        while line.endswith("\\") and len(self._done) < len(self._lines):
            line = self._lines[len(self._done)]
            self._done.append(f"{self._mark}{line}")
        return True

    def _hidden(self, line: str) -> str:
        command = line.lstrip(" \t")
        return f"{line[: len(line) - len(command)]}pass  {self._mark}{command}"

    def _read_python(self, line: str) -> None:
        """Follow what a line of Python opens and closes."""
        self._is_continued = False
        at = 0
        while True:
            if self._quotes:
                end = re.compile(rf"(?:\\.|(?!{self._quotes})[^\\])*{self._quotes}").match(line, at)
                if end is None:
                    return
                at, self._quotes = end.end(), ""
            token = _PYTHON_TOKEN.search(line, at)
            if token is None:
                return
            at = token.end()
            if token["open"]:
                self._depth += 1
            elif token["close"]:
                self._depth = max(self._depth - 1, 0)
            elif token["long"]:
                self._quotes = token["long"]
            elif token["continued"] is not None:
                self._is_continued = True
                return
