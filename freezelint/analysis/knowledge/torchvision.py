"""What torchvision's models consist of.

The tables beside this file were read off torchvision's own models;
``tools/generate_torchvision.py`` rewrites them. The functions below ``child_kind`` read a table
of their own, which is not loaded before one of them is asked about a model of torchvision.

They speak of what a builder makes with its own settings. A call that chooses other layers
(``norm_layer=``, ``dropout=``) makes another model: see :data:`PLAIN_ARGUMENTS`.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TypedDict, cast

from freezelint.analysis.knowledge.layers import LayerKind
from freezelint.analysis.knowledge.trees import Entry, Trees

PLAIN_ARGUMENTS = frozenset(
    {
        *("weights", "weights_backbone", "pretrained", "pretrained_backbone", "progress"),
        *("num_classes", "num_keypoints", "trainable_backbone_layers", "min_size", "max_size"),
        *("aux_logits", "transform_input", "init_weights"),
    }
)
"""Arguments of builders that leave alone which layers a model has, or may have."""

_PACKAGES = frozenset({"detection", "optical_flow", "quantization", "segmentation", "video"})
"""Parts of a dotted name that choose among models of one name."""


class _Table(TypedDict):
    """The layout of the table."""

    release: str
    factories: dict[str, tuple[str, dict[str, str]]]
    classes: dict[str, dict[str, str]]


class _TreeTable(TypedDict):
    """The layout of the table of trees."""

    release: str
    architectures: dict[str, tuple[list[int], list[str]]]
    """For each builder the trees of what it makes, and the paths of its heads."""
    entries: list[Entry]


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


def parameter_names(library: str) -> tuple[str, ...] | None:
    """The dotted names of all parameters of what a builder of torchvision makes.

    Args:
        library: Dotted name of the builder, such as ``torchvision.models.resnet18``.

    Returns:
        The names in the order of ``named_parameters()``, those that only some weights bring
        along included (the auxiliary heads of segmentation models); None for what is no builder
        of torchvision.
    """
    variants = _variants(library)
    if not variants:
        return None
    names = (name for tree in variants for name in _trees().parameter_names(tree))
    return tuple(dict.fromkeys(names))


def submodule_names(library: str, path: str = "") -> frozenset[str] | None:
    """The attributes of a (sub)module that hold submodules, or may: it reads no others.

    None where there is no such submodule, or where none of this is known.
    """
    found = [tree for tree in _below(library, path) if tree is not None]
    return (
        frozenset(name for tree in found for name in _trees().submodules(tree)) if found else None
    )


def order_of_submodules(library: str, path: str = "") -> tuple[str, ...]:
    """What a (sub)module holds directly, in order; empty where that depends on the weights."""
    found = {
        () if tree is None else tuple(_trees().submodules(tree)) for tree in _below(library, path)
    }
    return found.pop() if len(found) == 1 else ()


def own_parameters(library: str, path: str = "") -> tuple[str, ...] | None:
    """The parameters that a model, or a submodule, owns itself: ``class_token`` and its like.

    None where it is not known, or depends on the weights.
    """
    found = {
        None if tree is None else _trees().own_parameters(tree) for tree in _below(library, path)
    }
    return found.pop() if len(found) == 1 else None


def heads_of(library: str) -> tuple[str, ...] | None:
    """Dotted paths of what a fine-tuner replaces for other classes, auxiliary heads last.

    ``("fc",)`` for a ResNet, ``("classifier.6",)`` for a VGG; None for what is no builder of
    torchvision.
    """
    row = _architecture(library)
    return None if row is None else tuple(row[1])


def holds(library: str, path: str, kind: LayerKind) -> bool | None:
    """Whether a submodule (the whole model, with an empty path) holds a layer of some kind.

    Args:
        library: Dotted name of the builder, such as ``torchvision.models.resnet18``.
        path: The submodule's dotted name, such as ``layer4.0``.
        kind: What to look for.

    Returns:
        None where it is not known, or depends on the weights: pretrained detectors have
        frozen batch norms instead of trainable ones.
    """
    trees = _below(library, path)
    if all(tree is None for tree in trees):
        return None
    found = {tree is not None and _trees().holds(tree, kind) for tree in trees}
    return found.pop() if len(found) == 1 else None


def holds_statistics(library: str) -> bool:
    """Whether the model that a builder of this dotted name makes holds BatchNorm."""
    return bool(_below(library, "")) and holds(library, "", LayerKind.BATCH_NORM) is True


def _below(library: str, path: str) -> list[int | None]:
    return [_trees().below(tree, path) for tree in _variants(library)]


def _variants(library: str) -> list[int]:
    row = _architecture(library)
    return [] if row is None else row[0]


def _architecture(library: str) -> tuple[list[int], list[str]] | None:
    if not library.startswith("torchvision.models."):
        return None
    path = library.removeprefix("torchvision.models.")
    rows = _tree_table()["architectures"]
    return rows.get(path) or rows.get(_without_file(path))


@cache
def _trees() -> Trees:
    return Trees(_tree_table()["entries"])


@cache
def _tree_table() -> _TreeTable:
    """The table of how models are nested, read once."""
    text = Path(__file__).with_name("torchvision_trees.json").read_text(encoding="utf-8")
    return cast("_TreeTable", json.loads(text))


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
