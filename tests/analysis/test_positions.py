"""A statement that is printed alone stands where it stands in the whole text."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import libcst as cst
import pytest

from freezelint.analysis.positions import beginnings
from freezelint.analysis.syntax import Chunk, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

TRICKY = '''\
import torch; x = 1

@first
@second(
    1)
def train(
    model,  # a comment
):
    """Several
  lines."""
    for p in model.parameters(): p.requires_grad = False; p.grad = None
    if model:

        # above
        a = [
      1,
            2]
    elif x == "é":
        y = """
text
"""; z = 2
    else:
        try:
            pass
        except* ValueError as error:
            raise
        else:
            b = (yield x)
        finally:
            c = 3
    while True:
        with torch.no_grad(), \\
                open("f") as f:
            break
    else:
        match x:
            case 1 if y:
                d = 4
            case [2, *rest]: e = 5
    return z


async def other():
    async with a as b:
        async for c in b:
            await c
class Empty: pass
'''


def statements_of(text: str, *, is_method: bool) -> Iterator[tuple[Chunk, cst.BaseStatement]]:
    chunk = Chunk(text.split("\n"), 7, is_method=is_method)
    for statement in beginnings(chunk.module, ("class _:\n" if is_method else "") + text):
        yield chunk, statement


def assert_alike(text: str, *, is_method: bool = False) -> int:
    found = list(statements_of(text, is_method=is_method))
    alone = [
        (node, chunk.span(node, statement))
        for chunk, statement in found
        for node in walk(statement)
        if isinstance(node, (cst.BaseExpression, cst.BaseStatement, cst.BaseSmallStatement))
    ]
    assert not [node for node, span in alone if found[0][0].span(node) != span]
    return len(alone)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the text has `except*`")
def test_every_node_of_every_statement_stands_where_it_does_in_the_whole_text() -> None:
    assert assert_alike(TRICKY) > 100


def test_a_method_is_shifted_by_no_line_more_than_the_rest() -> None:
    method = "    def forward(self, x):\n        y = self.net(x)\n        return y\n"

    assert assert_alike(method, is_method=True) > 5
    chunk, statement = list(statements_of(method, is_method=True))[-1]
    assert chunk.span(statement, statement)[:2] == (9, 9)


def test_what_the_running_python_cannot_parse_has_no_beginnings() -> None:
    assert beginnings(cst.parse_module("x = 1\n"), "x = = 1\n") == {}
