"""What the attributes of torchvision's models hold.

The table beside this file was read off torchvision's own models;
``tools/generate_torchvision.py`` rewrites it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TypedDict, cast

_PACKAGES = frozenset({"detection", "optical_flow", "quantization", "segmentation", "video"})
"""Parts of a dotted name that choose among models of one name."""


class _Table(TypedDict):
    """The layout of the table."""

    release: str
    factories: dict[str, tuple[str, dict[str, str]]]
    classes: dict[str, dict[str, str]]


def child_kind(library: str, name: str) -> str | None:
    """What an attribute of a torchvision model holds.

    Args:
        library: Dotted name of the builder or class that made the module, such as
            ``torchvision.models.resnet18`` or ``torchvision.models.resnet.ResNet``.
        name: The attribute.

    Returns:
        ``"parameter"``, the dotted class name of the submodule, or None where the
        attribute is unknown, or depends on how the module was built.
    """
    if not library.startswith("torchvision."):
        return None
    return _kinds(library).get(name)


@cache
def _kinds(library: str) -> dict[str, str]:
    """All known attributes of what a builder or class makes."""
    table = _table()
    path = library.removeprefix("torchvision.models.")
    factory = table["factories"].get(path) or table["factories"].get(_without_file(path))
    if factory is not None:
        made, own = factory
        return table["classes"].get(made, {}) | own
    return table["classes"].get(library) or table["classes"].get(_reexports().get(library, ""), {})


@cache
def _table() -> _Table:
    """The table, read once."""
    text = Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
    return cast("_Table", json.loads(text))


@cache
def _reexports() -> dict[str, str]:
    """Classes under the name that the package around their file gives them.

    A name that two files of one package define is left out.
    """
    found: dict[str, str] = {}
    for name in _table()["classes"]:
        short = _without_file(name)
        found[short] = "" if short in found else name
    return found


def _without_file(path: str) -> str:
    """A dotted name less the part that names a file, as ``resnet`` in ``resnet.resnet18``."""
    *outer, last = path.split(".")
    if outer and outer[-1] not in _PACKAGES:
        outer.pop()
    return ".".join([*outer, last])
