"""Rewrites the table of what is known of the model classes of transformers.

Usage::

    python tools/generate_transformers.py                      # rewrite the table
    python tools/generate_transformers.py --check GPT2 Bert    # exit 1 where these are out of date

Read off the classes and their default configurations; no model is built. The table says, for
each class with a head on top of a base model: under which attribute the base model is, which
modules the class puts beside it, which names share a tensor unless the configuration says
otherwise, and which methods freeze a part.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import re
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

import transformers  # type: ignore[import-untyped]

TABLE = Path(__file__).parents[1] / "freezelint" / "analysis" / "knowledge" / "transformers.json"

HAS_HEAD = re.compile(r"(?<!Auto)(?<!AutoModel)(?:LMHeadModel|DoubleHeadsModel|For[A-Z]\w+)$")


def class_names() -> list[str]:
    """The published classes with a head."""
    found = []
    for name in dir(transformers):
        if HAS_HEAD.search(name) and not name.startswith(("Auto", "TF", "Flax")):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = getattr(transformers, name, None)
            if isinstance(value, type) and issubclass(value, transformers.PreTrainedModel):
                found.append(name)
    return found


def row_of(name: str) -> dict[str, Any]:
    """What is known of one class; what is empty is left out."""
    cls = getattr(transformers, name)
    row = {
        "base": cls.base_model_prefix,
        "heads": _modules_beside(cls),
        "tied": _tied(cls),
        "freezes": [each for each in dir(cls) if each.startswith("freeze")],
    }
    return {key: value for key, value in row.items() if value}


def _tied(cls: Any) -> dict[str, str]:
    """Names by the name of what they are tied to; patterns and lists of these are left out."""
    tied = cls._tied_weights_keys
    if not isinstance(tied, dict) or cls.config_class is None:
        return {}
    try:
        config = cls.config_class()
    except Exception as error:  # noqa: BLE001
        # Some configurations have no defaults; what such a model ties is not known.
        print(f"{cls.__name__}: {error}", file=sys.stderr)
        return {}
    if getattr(config, "tie_word_embeddings", False) is not True:
        return {}
    return {
        name: source
        for name, source in tied.items()
        if re.fullmatch(r"[\w.]+", name) and re.fullmatch(r"[\w.]+", str(source))
    }


def _modules_beside(cls: Any) -> list[str]:
    """The attributes to which the constructor assigns something that it calls by a class's name."""
    source = textwrap.dedent(inspect.getsource(cls.__init__))
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        made = ast.unparse(node.value.func).rpartition(".")[2]
        for target in node.targets:
            if (
                isinstance(target, ast.Attribute)
                and isinstance(target.value, ast.Name)
                and target.value.id == "self"
                and made[:1].isupper()
                and made not in ("Dropout", "Buffer", "Parameter")
                and target.attr not in (cls.base_model_prefix, *found)
            ):
                found.append(target.attr)
    return found


def generate(names: list[str]) -> dict[str, Any]:
    """The table, for some classes of the installed transformers."""
    return {
        "release": transformers.__version__,
        "classes": {name: row_of(name) for name in sorted(names)},
    }


def render(table: dict[str, Any]) -> str:
    """The table as JSON, one class a line."""
    rows = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(row)}" for name, row in table["classes"].items()
    )
    return f'{{\n"release": {json.dumps(table["release"])},\n"classes": {{\n{rows}\n}}\n}}\n'


def main() -> int:
    """Rewrite the table, or with ``--check`` compare the classes of some families."""
    parser = argparse.ArgumentParser(description="Rewrite the table of transformers' classes.")
    parser.add_argument("--check", nargs="+", metavar="FAMILY", help="compare these classes only")
    families = parser.parse_args().check
    if not families:
        TABLE.write_text(render(generate(class_names())), encoding="utf-8")
        return 0
    known = json.loads(TABLE.read_text(encoding="utf-8"))["classes"]
    checked = [name for name in known if name.startswith(tuple(families))]
    made = generate(checked)["classes"]
    different = [name for name in checked if made[name] != known[name]]
    for name in different:
        print(f"{TABLE} is out of date: {name}. Run {Path(__file__).name}", file=sys.stderr)
    return 1 if different or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
