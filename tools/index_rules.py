"""Rewrites the index of the rules: what must be known of them before they are loaded.

Usage::

    python tools/index_rules.py
"""

from __future__ import annotations

from pathlib import Path

from freezelint.analysis.search import LinePattern
from freezelint.rules import all_rules
from freezelint.rules.rule import IndexedRule

PATH = Path(__file__).parents[1] / "freezelint" / "rules" / "index.py"

HEADER = '''"""What must be known of the rules before they are loaded.

Written by ``tools/index_rules.py``.
"""

# fmt: off

from __future__ import annotations

from freezelint.analysis.search import LinePattern
from freezelint.findings import Level
from freezelint.rules.rule import IndexedRule

'''

Group = tuple[str | LinePattern, ...]


def index_of_rules() -> str:
    """The text of the index, from the rules as they are."""
    groups: dict[Group, str] = {}
    entries = []
    for rule in map(IndexedRule.of, all_rules()):
        words, patterns = (
            f"({''.join(groups.setdefault(group, f'_{len(groups)}') + ', ' for group in each)})"
            for each in (rule.triggers, rule.trigger_patterns)
        )
        entries.append(
            f"    IndexedRule({rule.code!r}, Level.{rule.level.name}, {rule.module!r}, {words}, {patterns}),\n"
        )
    shared = "".join(f"{name} = {group!r}\n" for group, name in groups.items())
    return f"{HEADER}{shared}\nRULES = (\n{''.join(entries)})\n"


if __name__ == "__main__":
    PATH.write_text(index_of_rules(), encoding="utf-8")
