"""Bytes become text as CPython would decode them, or a reason why not."""

from __future__ import annotations

import pytest

from freezelint.sources.python import UnreadableSource, decode, split_lines
from freezelint.sources.syntax import syntax_problem


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"x = 1\n", "x = 1\n"),
        ("x = 'é'\n".encode(), "x = 'é'\n"),
        (b"\xef\xbb\xbfx = 1\n", "x = 1\n"),
        (b"# coding: latin-1\nx = '\xe9'\n", "# coding: latin-1\nx = 'é'\n"),
        (b"#!/usr/bin/python\n# -*- coding: cp1251 -*-\n# \xff\n", None),
        ("# vim: set fileencoding=gbk :\n# 冻结\n".encode("gbk"), None),
        (b"x = 1\ny = '# coding: nonsense'\n", None),
        (b"x = 1\r\ny = 2\rz = 3\n", "x = 1\r\ny = 2\rz = 3\n"),
    ],
)
def test_text_is_what_python_reads_and_goes_back_to_the_same_bytes(
    data: bytes, text: str | None
) -> None:
    source = decode("a.py", data)
    assert text is None or source.text == text
    assert source.encoded(source.text) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"x = '\xe9'\n", "is not UTF-8 (byte 0xe9 at offset 5) and declares no other encoding"),
        (
            b"\xef\xbb\xbfx = '\xe9'\n",
            "is not UTF-8 (byte 0xe9 at offset 8) and declares no other encoding",
        ),
        (b"# coding: ascii\n# \xe9", "is not ascii as it declares (byte 0xe9 at offset 18)"),
        (b"# coding: klingon\n", "unknown encoding: klingon"),
        (b"# coding: hex\n", "cannot be decoded as hex"),
        (b"\xef\xbb\xbf# coding: latin-1\n", "byte order mark but declares another encoding"),
        (b"x = 1\0\n", "holds a NUL byte (at byte 5), which Python forbids"),
        ("x = 1\n".encode("utf-16"), "is UTF-16, which Python does not accept as source"),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableSource) as raised:
        decode("a.py", data)
    assert reason in raised.value.reason


def test_new_lines_are_written_like_the_first_one() -> None:
    newlines = [decode("a.py", data).newline for data in (b"", b"a\nb\r\n", b"a\r\n", b"a\rb\n")]
    assert newlines == ["\n", "\n", "\r\n", "\r"]


def test_lines_are_split_where_python_splits_them() -> None:
    assert split_lines("a\r\nb\rc\n\fd\x1ce\u2028f") == ["a", "b", "c", "\fd\x1ce\u2028f"]


def test_syntax_errors_have_a_line_and_warnings_stay_quiet(
    recwarn: pytest.WarningsRecorder,
) -> None:
    assert syntax_problem("a.py", "x = '\\d'\n") is None
    problem = syntax_problem("a.py", "x = 1\nif x\n")
    assert problem is not None
    assert problem.line == 2
    assert problem.reason.startswith("syntax error: ")
    assert not recwarn.list


def test_code_nested_too_deeply_is_a_problem_not_a_crash() -> None:
    problem = syntax_problem("a.py", "x = " + "(" * 100_000)
    assert problem is not None
