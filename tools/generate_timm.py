"""Rewrites the table of what timm's models consist of.

Usage::

    python tools/generate_timm.py                     # rewrite the table; takes some minutes
    python tools/generate_timm.py --check resnet50    # exit 1 where these are out of date

Every registered architecture is built once, without weights. The table says, for each, which
parameters and submodules the model has directly, what layers are in each of these, and where
its head is.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import timm  # type: ignore[import-untyped]
from module_trees import CLASSES, WithoutStorage, heads_of, kinds_of

TABLE = Path(__file__).parents[1] / "freezelint" / "analysis" / "knowledge" / "timm.json"

Make = tuple[str, tuple[tuple[str, str], ...], tuple[str, ...]]
"""Own parameters, submodules with the kinds of layers in them, heads."""


def make_of(name: str) -> Make:
    """What an architecture consists of."""
    with WithoutStorage(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = timm.create_model(name, num_classes=CLASSES)
    own = " ".join(each for each, _ in model.named_parameters(recurse=False))
    held = tuple(
        (child, "" if module is None else _kinds_in(module))
        for child, module in model._modules.items()
    )
    return own, held, tuple(heads_of(model))


def _kinds_in(module: Any) -> str:
    return "".join(sorted(set("".join(map(kinds_of, module.modules())))))


def generate(names: list[str]) -> dict[str, Any]:
    """The table, for some architectures of the installed timm."""
    makes: defaultdict[Make, list[str]] = defaultdict(list)
    for name in sorted(names):
        makes[make_of(name)].append(name)
    rows = [
        [" ".join(found), own, dict(held), list(heads)]
        for (own, held, heads), found in makes.items()
    ]
    return {"release": timm.__version__, "makes": sorted(rows, key=lambda row: str(row[0]))}


def render(table: dict[str, Any]) -> str:
    """The table as JSON, one make a line."""
    rows = ",\n".join(json.dumps(row) for row in table["makes"])
    return f'{{\n"release": {json.dumps(table["release"])},\n"makes": [\n{rows}\n]\n}}\n'


def outdated(names: list[str]) -> list[str]:
    """Those of some architectures of which the table says something else than timm."""
    made = {
        name: row[1:]
        for row in json.loads(TABLE.read_text(encoding="utf-8"))["makes"]
        for name in row[0].split()
    }
    return [
        name
        for row in generate(names)["makes"]
        for name in row[0].split()
        if made.get(name) != row[1:]
    ]


def main() -> int:
    """Rewrite the table, or with ``--check`` compare some of its entries."""
    parser = argparse.ArgumentParser(description="Rewrite the table of timm's models.")
    parser.add_argument("--check", nargs="+", metavar="MODEL", help="compare these entries only")
    checked = parser.parse_args().check
    if not checked:
        TABLE.write_text(render(generate(timm.list_models())), encoding="utf-8")
        return 0
    different = outdated(checked)
    for name in different:
        print(f"{TABLE} is out of date: {name}. Run python tools/generate_timm.py", file=sys.stderr)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
