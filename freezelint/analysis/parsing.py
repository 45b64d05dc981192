"""Text to LibCST, without asking every node whether it is well formed.

LibCST validates each node when it is made. That guards people who build trees
by hand; a tree that its parser made is well formed, and the question takes a
third of the time of parsing (LibCST's own source says so, at ``__post_init__``).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Iterator


def parse(text: str) -> cst.Module:
    """Parse whole statements.

    Raises:
        libcst.ParserSyntaxError: when they are none.
    """
    return cst.parse_module(text)


@contextlib.contextmanager
def unvalidated_nodes() -> Iterator[None]:
    """Make nodes without asking; around a whole file, since each exchange costs as a parse does.

    Python forgets what it knew of the attributes of every class of node.
    """
    validate = cst.CSTNode.__post_init__
    cst.CSTNode.__post_init__ = lambda self: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        cst.CSTNode.__post_init__ = validate  # type: ignore[method-assign]
