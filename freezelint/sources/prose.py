"""Documents with code in them: each block of Python is a program of its own."""

from __future__ import annotations

import codecs
import difflib
import re
from typing import TYPE_CHECKING

from freezelint.findings import Span
from freezelint.records import NamedTuple
from freezelint.sources.document import MARKDOWN, Document, MappedDocument
from freezelint.sources.python import Source, UnreadableSource, split_lines
from freezelint.sources.syntax import syntax_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_PROMPT = re.compile(r"[ \t]*(?:>>>|\.\.\.)(?: |$)")
_FIRST_PROMPT = re.compile(r"[ \t]*>>>(?: |$)")
_OUTPUT = "#-output-"
"""Put before what a session printed, which makes it a comment."""

LANGUAGES = frozenset(
    {
        *("python", "py", "python3", "py3", "python-console", "pycon", "pycon3"),
        *("python-repl", "ipython", "ipython3", "sage"),
    }
)
"""What code blocks of Python call themselves, as Pygments, GitHub and Sphinx know it."""


class Block(NamedTuple):
    """Lines of code in a document."""

    first: int
    """The line of the document that is the first of the block, from 0."""
    indents: tuple[str, ...]
    """What stands before the code in each of its lines: spaces, or marks of a quote."""


class _Program(NamedTuple):
    """A block as a program, and what was taken from the beginning of its lines."""

    source: Source
    first: int
    taken: tuple[str, ...]
    is_session: bool


class Prose(MappedDocument):
    """A document and the programs in it; what is not Python as it stands is none."""

    def __init__(self, path: str, text: str, blocks: Iterable[Block], *, bom: bool) -> None:
        """Take the blocks, in the order in which they stand."""
        self._bom = bom
        self._lines = [each for each in _LINE.findall(text) if each]
        programs = (self._program(path, block) for block in blocks)
        self._programs = [each for each in programs if each is not None]
        super().__init__([each.source for each in self._programs])

    def _program(self, path: str, block: Block) -> _Program | None:
        last = block.first + len(block.indents)
        lines = [_without_end(each) for each in self._lines[block.first : last]]
        pairs = zip(lines, block.indents, strict=True)
        code = [line[len(indent) :] for line, indent in pairs]
        is_session = any(map(_FIRST_PROMPT.match, code))
        taken, shown, inputs = (_session if is_session else _script)(code)
        text = "\n".join((*shown, ""))
        if syntax_problem(path, text) is not None:
            return None
        newline = next((each[len(_without_end(each)) :] for each in self._lines), "") or "\n"
        source = Source(path, text, newline=newline, inputs=tuple(inputs))
        befores = (a + b for a, b in zip(block.indents, taken, strict=True))
        return _Program(source, block.first, tuple(befores), is_session)

    def mapped(self, program: Source, span: Span) -> Span:
        """Return where a stretch of a program stands in the document."""
        where = self._programs[_position(self.programs, program)]
        line, column = _mapped(where, span.line, span.column)
        end_line, end_column = _mapped(where, span.end_line, span.end_column)
        return Span(line, column, end_line, end_column)

    def lines(self, cell: int) -> list[str]:
        """Return the lines of the document."""
        return [_without_end(each) for each in self._lines]

    def with_texts(self, texts: Sequence[str]) -> bytes:
        """Return the document with changed blocks replaced, all else as it was."""
        pieces: list[str] = []
        done = 0
        for program, text in zip(self._programs, texts, strict=True):
            if text == program.source.text:
                continue
            last = program.first + len(program.taken)
            pieces += (*self._lines[done : program.first], *self._replaced(program, text))
            done = last
        pieces += self._lines[done:]
        result = "".join((*map(self._with_end, pieces[:-1]), *pieces[-1:]))
        if pieces and self._lines[-1] == _without_end(self._lines[-1]):
            result = _without_end(result)
        return (codecs.BOM_UTF8 if self._bom else b"") + result.encode("utf-8")

    def _with_end(self, line: str) -> str:
        """The last line of a document may have no end, and is not the last any more."""
        return line if line != _without_end(line) else f"{line}\n"

    def _replaced(self, program: _Program, text: str) -> Iterator[str]:
        """Yield the lines of a block with another text; those that stay are as they were."""
        last = program.first + len(program.taken)
        lines = self._lines[program.first : last]
        before, after = program.source.lines, split_lines(text)
        matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
        for operation, start, end, first, until in matcher.get_opcodes():
            if operation == "equal":
                yield from lines[start:end]
                continue
            taken = program.taken[start:end] or program.taken[max(start - 1, 0) :][:1]
            for number, line in enumerate(after[first:until]):
                indent = taken[min(number, len(taken) - 1)]
                if program.is_session and number >= end - start:
                    prompt = "... " if line[:1].isspace() else ">>> "
                    indent = indent[: len(indent) - len(prompt)] + prompt
                kept = f"{indent}{line}" if line else indent.rstrip()
                yield f"{kept}{program.source.newline}"


def read_prose(path: str, data: bytes) -> Document:
    """Find the blocks of Python in Markdown or reStructuredText.

    Raises:
        UnreadableSource: if the document is not UTF-8.
    """
    bom = data.startswith(codecs.BOM_UTF8)
    try:
        text = data[len(codecs.BOM_UTF8) if bom else 0 :].decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{data[error.start]:02x} at offset {error.start}"
        raise UnreadableSource(f"is not UTF-8 ({byte})") from None
    if path.endswith(MARKDOWN):
        from freezelint.sources.markdown import blocks_in
    else:
        from freezelint.sources.restructured_text import blocks_in
    return Prose(path, text, blocks_in(text), bom=bom)


def _mapped(program: _Program, line: int, column: int) -> tuple[int, int]:
    """A line behind the last one is where a fix would add to the block."""
    number = min(line - 1, len(program.taken) - 1)
    return program.first + line, column + len(program.taken[number])


def _position(programs: Sequence[Source], program: Source) -> int:
    return next(number for number, each in enumerate(programs) if each is program)


def _without_end(line: str) -> str:
    return line.rstrip("\r\n")


_Shown = tuple["list[str]", "list[str]", "list[int]"]
"""What was taken from the beginning of each line, what is left, and where inputs end."""


def _script(code: Sequence[str]) -> _Shown:
    """Take away the margin that all lines share, if all are within one."""
    filled = [line for line in code if line.strip()]
    margin = min((line[: len(line) - len(line.lstrip())] for line in filled), key=len, default="")
    if not all(line.startswith(margin) for line in filled):
        margin = ""
    taken = [line[: len(margin)] if line.strip() else "" for line in code]
    return (
        taken,
        [line[len(each) :] for line, each in zip(code, taken, strict=True)],
        [len(code) + 1],
    )


def _session(code: Sequence[str]) -> _Shown:
    """Keep what was typed at prompts; what was printed becomes comments."""
    taken, shown, inputs = [], [], []
    is_typed = False
    for number, line in enumerate(code, 1):
        prompt = _PROMPT.match(line) if is_typed else _FIRST_PROMPT.match(line)
        if prompt is not None:
            if is_typed and _FIRST_PROMPT.match(line):
                inputs.append(number - 1)
            taken.append(prompt[0])
            shown.append(line[prompt.end() :])
            is_typed = True
            continue
        if is_typed:
            inputs.append(number - 1)
        is_typed = False
        taken.append("")
        shown.append(f"{_OUTPUT}{line}" if line.strip() else line)
    if is_typed:
        inputs.append(len(code))
    return taken, shown, inputs
