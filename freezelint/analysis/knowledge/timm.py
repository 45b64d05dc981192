"""What timm's models consist of, one level deep.

The table beside this file was read off timm's own models; ``tools/generate_timm.py`` rewrites
it. It is not loaded before somebody asks about a model of timm.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from freezelint.analysis.knowledge.layers import LayerKind

FACTORIES = frozenset(
    {"timm.create_model", "timm.models.create_model", "timm.models.factory.create_model"}
)

DROPPING_ARGUMENTS = frozenset(
    {
        *("drop_rate", "drop_path_rate", "drop_block_rate", "attn_drop_rate", "proj_drop_rate"),
        *("pos_drop_rate", "patch_drop_rate"),
    }
)
"""Arguments that say how much a model drops in training mode; without them, most drop nothing."""

PLAIN_ARGUMENTS = DROPPING_ARGUMENTS | frozenset(
    {
        *("model_name", "pretrained", "num_classes", "in_chans", "checkpoint_path", "cache_dir"),
        *("img_size", "pretrained_cfg", "pretrained_cfg_overlay", "scriptable", "exportable"),
    }
)
"""Arguments of ``create_model`` that leave alone which layers a model has."""


class Architecture(NamedTuple):
    """One model: what it holds directly, and where its head is."""

    own_parameters: tuple[str, ...]
    submodules: dict[str, str]
    """For each attribute that holds a submodule, the kinds of the layers in it."""
    heads: tuple[str, ...]

    def holds(self, path: str, kind: LayerKind) -> bool | None:
        """Whether a submodule (the whole model, with an empty path) holds a layer of a kind.

        None where it is not known: of what lies deeper, only what the whole does not hold is.
        An attribute that is no submodule holds nothing.
        """
        if not path:
            return any(kind.value in kinds for kinds in self.submodules.values())
        first, _, deeper = path.partition(".")
        is_inside = kind.value in self.submodules.get(first, "")
        return None if deeper and is_inside else is_inside

    @property
    def is_full_of_batch_norms(self) -> bool:
        """Whether several of its stages hold BatchNorm, or the one with all layers in it."""
        heads = {each.partition(".")[0] for each in self.heads}
        holding = [
            name for name, kinds in self.submodules.items() if "b" in kinds and name not in heads
        ]
        return len(holding) > 1 or "features" in holding


class _Table(TypedDict):
    """The layout of the table."""

    release: str
    makes: list[tuple[str, str, dict[str, str], list[str]]]
    """Names of architectures, own parameters, submodules with their kinds, heads."""


def architecture(name: str) -> Architecture | None:
    """The model that ``timm.create_model(name)`` makes, with or without its pretrained tag."""
    row = _rows().get(name.partition(".")[0])
    return None if row is None else Architecture(tuple(row[1].split()), row[2], tuple(row[3]))


def is_submodule(attribute: str) -> bool:
    """Whether an attribute of this name is a submodule in every model of timm that has it."""
    return attribute in _submodules()


@cache
def _submodules() -> frozenset[str]:
    rows = _rows().values()
    submodules = {attribute for row in rows for attribute in row[2]}
    return frozenset(submodules.difference(*(row[1].split() for row in rows)))


@cache
def _rows() -> dict[str, tuple[str, str, dict[str, str], list[str]]]:
    text = Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
    table = cast("_Table", json.loads(text))
    return {name: row for row in table["makes"] for name in row[0].split()}
