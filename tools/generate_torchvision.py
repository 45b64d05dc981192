"""Rewrites the tables of what torchvision's models consist of.

Usage::

    python tools/generate_torchvision.py          # rewrite the tables
    python tools/generate_torchvision.py --check  # exit 1 where one is out of date

``torchvision.json`` says what the attributes of models and of their classes hold;
``torchvision_trees.json`` how each architecture is nested down to its parameters, and where
its head is.

Every registered architecture is built twice, its weights on the meta device: bare, and as if
with its default weights, because a few builders choose other submodules then (the
detectors take frozen batch norms, GoogLeNet loses its auxiliary heads). Nothing is
downloaded: reading and loading weights are replaced meanwhile.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torchvision  # type: ignore[import-untyped]
from module_trees import CLASSES, Trees, WithoutStorage, heads_of
from torch import nn

KNOWLEDGE = Path(__file__).parents[1] / "freezelint" / "analysis" / "knowledge"
KINDS_TABLE = KNOWLEDGE / "torchvision.json"
TREES_TABLE = KNOWLEDGE / "torchvision_trees.json"

MODELS = "torchvision.models."

Kinds = dict[str, str]


def class_name(cls: type) -> str:
    """The dotted name of a class, in its public spelling where it is one of ``torch.nn``."""
    if getattr(nn, cls.__name__, None) is cls:
        return f"torch.nn.{cls.__name__}"
    return f"{cls.__module__}.{cls.__qualname__}"


def kinds_of(module: nn.Module) -> Kinds:
    """What each parameter or submodule directly on a module is."""
    kinds = {name: "parameter" for name, _ in module.named_parameters(recurse=False)}
    # Not named_children, which leaves out a submodule that has a second name.
    held = {name: child for name, child in module._modules.items() if child is not None}
    return kinds | {name: class_name(type(child)) for name, child in held.items()}


def agreed(tables: list[Kinds]) -> Kinds:
    """The entries that all the tables share."""
    first, *others = tables
    return {
        name: kind
        for name, kind in first.items()
        if all(other.get(name) == kind for other in others)
    }


def handed_in(cls: type) -> set[str]:
    """Attributes of a published class that its caller may choose freely.

    Someone who builds ``FasterRCNN(backbone, 2)`` has any module as ``backbone``,
    whatever torchvision's own builders put there.
    """
    published = getattr(importlib.import_module(cls.__module__), "__all__", ())
    return set(inspect.signature(cls).parameters) if cls.__name__ in published else set()


def short_path(builder: Callable[..., nn.Module]) -> str:
    """Where users find a builder, below ``torchvision.models``."""
    package = builder.__module__.rpartition(".")[0]
    return f"{package}.{builder.__name__}".removeprefix(MODELS)


def variants(builder: Callable[..., nn.Module]) -> Iterator[nn.Module]:
    """The models that a builder makes without weights, and with its default ones."""
    parameters = inspect.signature(builder).parameters
    names = [name for name in ("weights", "weights_backbone") if name in parameters]
    classifies = ".optical_flow." not in builder.__module__
    yield builder(**dict.fromkeys(names), **({"num_classes": CLASSES} if classifies else {}))
    if "quantize" in parameters:
        # Default weights are for the quantised model, which has nothing to train.
        return
    if list(torchvision.models.get_model_weights(builder)):
        yield builder(weights="DEFAULT")
    if "weights_backbone" in names:
        yield builder()


def build_all() -> Iterator[tuple[str, list[nn.Module]]]:
    """Every registered architecture by its short path, in its variants."""
    weights: Any = torchvision.models.WeightsEnum
    with (
        WithoutStorage(),
        mock.patch.object(weights, "get_state_dict", return_value={}),
        mock.patch.object(nn.Module, "load_state_dict", return_value=None),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        for name in torchvision.models.list_models():
            builder = torchvision.models.get_model_builder(name)
            yield short_path(builder), list(variants(builder))


def generate() -> tuple[dict[str, Any], dict[str, Any]]:
    """The tables of kinds and of trees, for the installed torchvision."""
    seen: defaultdict[type, list[Kinds]] = defaultdict(list)
    built: dict[str, tuple[type, Kinds]] = {}
    trees = Trees()
    architectures: dict[str, Any] = {}
    for path, models in build_all():
        for model in models:
            for module in model.modules():
                if type(module).__module__.startswith("torchvision."):
                    kinds = kinds_of(module)
                    if kinds not in seen[type(module)]:
                        seen[type(module)].append(kinds)
        built[path] = (type(models[0]), agreed([kinds_of(model) for model in models]))
        if not path.startswith("quantization."):
            numbers = dict.fromkeys(trees.add(model) for model in models)
            architectures[path] = [list(numbers), heads_of(models[0])]
    classes: dict[str, Kinds] = {}
    for cls, tables in seen.items():
        free = handed_in(cls)
        classes[class_name(cls)] = {
            name: kind for name, kind in agreed(tables).items() if name not in free
        }
    factories = {}
    for path, (cls, kinds) in built.items():
        known = classes[class_name(cls)]
        own = {name: kind for name, kind in kinds.items() if name not in known}
        factories[path] = [class_name(cls), own]
    release = torchvision.__version__.partition("+")[0]
    return {
        "release": release,
        "factories": factories,
        "classes": {name: kinds for name, kinds in classes.items() if kinds},
    }, {"release": release, "architectures": architectures, "entries": trees.entries}


def render(table: dict[str, Any]) -> str:
    """A table as JSON, one builder, class or entry a line."""

    def block(rows: dict[str, Any] | list[Any] | str) -> str:
        if isinstance(rows, str):
            return json.dumps(rows)
        if isinstance(rows, list):
            lines = [json.dumps(row, separators=(",", ":")) for row in rows]
            return "[\n" + ",\n".join(lines) + "\n]"
        lines = [
            f"{json.dumps(key)}: {json.dumps(row, sort_keys=True)}"
            for key, row in sorted(rows.items())
        ]
        return "{\n" + ",\n".join(lines) + "\n}"

    return "{\n" + ",\n".join(f'"{name}": {block(rows)}' for name, rows in table.items()) + "\n}\n"


def main() -> int:
    """Rewrite the tables, or with ``--check`` say whether one would change."""
    parser = argparse.ArgumentParser(description="Rewrite the tables of torchvision's models.")
    parser.add_argument("--check", action="store_true", help="exit 1 where one would change")
    checking = parser.parse_args().check
    outdated = []
    for path, table in zip((KINDS_TABLE, TREES_TABLE), generate(), strict=True):
        text = render(table)
        if not checking:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            outdated.append(path)
    for path in outdated:
        print(f"{path} is out of date: run python tools/generate_torchvision.py", file=sys.stderr)
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main())
