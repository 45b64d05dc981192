"""A file as people see it, and the programs in it as Python would run them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.sources.python import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.findings import Finding
    from freezelint.sources.python import Source


class Document:
    """A Python file: one program, whose places are those of the file."""

    def __init__(self, programs: Sequence[Source]) -> None:
        """Take the programs; each is checked for itself."""
        self.programs = tuple(programs)

    def located(self, program: Source, finding: Finding) -> Finding:
        """Return a finding in a program with its places as people see them."""
        return finding

    def with_texts(self, texts: Sequence[str]) -> bytes:
        """Return the file's bytes with another text for each program, all else as it was."""
        ((program, text),) = zip(self.programs, texts, strict=True)
        return program.encoded(text)


def read_document(path: str, data: bytes) -> Document:
    """Find the programs in the bytes of a file.

    Raises:
        UnreadableSource: with the reason, if that cannot be done.
    """
    return Document([decode(path, data)])
