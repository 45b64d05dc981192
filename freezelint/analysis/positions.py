"""Where the nodes of a parsed piece of text stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from libcst.metadata import PositionProvider

if TYPE_CHECKING:
    from collections.abc import Mapping

    import libcst as cst
    from libcst.metadata import CodeRange


class Positions(PositionProvider):
    """LibCST's positions, without the walk over the tree that its wrapper makes besides."""

    def of(self, module: cst.Module) -> Mapping[cst.CSTNode, CodeRange]:
        """The position of every node: lines from 1, columns from 0."""
        self._gen_impl(module)
        return self._computed  # type: ignore[return-value]
