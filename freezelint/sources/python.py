"""A Python file: from bytes to text, as CPython itself would decode it."""

from __future__ import annotations

import codecs

from freezelint.records import NamedTuple

_UTF8_BOM = codecs.BOM_UTF8


class UnreadableSource(Exception):
    """Bytes that Python could not read as source; ``reason`` is for people."""

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.reason = reason


class Source(NamedTuple):
    """The text of one file, exactly as it stands there, without its byte order mark.

    Newlines are not translated, so ``text`` encoded with ``encoding`` (after the
    mark, if ``bom``) gives the bytes of the file again.
    """

    path: str
    """The name shown to people."""
    text: str
    encoding: str = "utf-8"
    bom: bool = False
    newline: str = "\n"
    """The newline to write new lines with: that of the first line."""
    inputs: tuple[int, ...] = ()
    """The last line of each part that is run for itself, such as a cell, if there are parts.

    What the last expression of a part gives is displayed.
    """

    @property
    def lines(self) -> list[str]:
        """The lines without their ends, split where Python splits them."""
        return split_lines(self.text)

    def encoded(self, text: str) -> bytes:
        """Return ``text`` as bytes of this file would hold it."""
        return (_UTF8_BOM if self.bom else b"") + text.encode(self.encoding)


def split_lines(text: str) -> list[str]:
    r"""Split at ``\n``, ``\r\n`` and ``\r`` only.

    ``str.splitlines`` also splits at form feeds and Unicode separators, which
    are ordinary characters to Python and would shift every line after them.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.split("\n")


def decode(path: str, data: bytes) -> Source:
    """Decode the bytes of a file, honouring a byte order mark and PEP 263.

    Raises:
        UnreadableSource: with the reason, if Python could not read them either.
    """
    bom = data.startswith(_UTF8_BOM)
    encoding = "utf-8"
    # A declaration counts on the first two lines only, and nearly no file has one.
    if b"coding" in b"".join(data.split(b"\n", 2)[:2]):
        encoding = _declared_encoding(data)
    body = data[len(_UTF8_BOM) :] if bom else data
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableSource(_undecodable(data, encoding, error, bom=bom)) from None
    except (LookupError, UnicodeError) as error:
        raise UnreadableSource(f"cannot be decoded as {encoding}: {error}") from None
    if "\0" in text:
        raise UnreadableSource(f"holds a NUL byte (at byte {data.find(0)}), which Python forbids")
    return Source(path, text, encoding, bom, _first_newline(text))


def _declared_encoding(data: bytes) -> str:
    """Ask the standard library which encoding the first two lines declare."""
    import io
    import tokenize

    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError as error:
        if "unknown encoding" in str(error):
            raise UnreadableSource(str(error)) from None
        if "encoding problem" in str(error):
            reason = "starts with a UTF-8 byte order mark but declares another encoding"
            raise UnreadableSource(reason) from None
        # The line itself is not UTF-8; decoding the whole says at which byte.
        return "utf-8"
    return "utf-8" if encoding == "utf-8-sig" else encoding


def _undecodable(data: bytes, encoding: str, error: UnicodeDecodeError, *, bom: bool) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "is UTF-16, which Python does not accept as source"
    at = error.start + (len(_UTF8_BOM) if bom else 0)
    byte = f"byte 0x{data[at]:02x} at offset {at}"
    if encoding == "utf-8":
        return f"is not UTF-8 ({byte}) and declares no other encoding"
    return f"is not {encoding} as it declares ({byte})"


def _first_newline(text: str) -> str:
    line_feed = text.find("\n")
    carriage_return = text.find("\r", 0, line_feed if line_feed >= 0 else len(text))
    if carriage_return < 0:
        return "\n"
    return "\r\n" if carriage_return + 1 == line_feed else "\r"
