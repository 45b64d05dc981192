"""The bad example of a rule as ``--fix --unsafe-fixes`` leaves it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from freezelint.analysis.analyze import analyze
from freezelint.repair import repair
from freezelint.rules import all_rules
from freezelint.rules.documentation import Documentation
from freezelint.sources.python import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.findings import Finding
    from freezelint.rules.rule import Rule
    from freezelint.sources.python import Source


@functools.cache
def fixed_example(rule: Rule) -> str | None:
    """Return the example without the rule's finding; None if no fix can do that."""
    if rule.fix == "none":
        return None
    bad = decode("example.py", Documentation.of(type(rule)).bad.encode())
    fixed = repair(bad, _look, unsafe=True).source
    left = _look(fixed)
    is_gone = left is not None and rule.code not in {each.code for each in left}
    return fixed.text if is_gone and fixed.text != bad.text else None


def _look(source: Source) -> Sequence[Finding] | None:
    found, problems = analyze(source, all_rules())
    return None if problems else found
