"""Loads, once for all processes that are made from this one, what the examples import."""

from __future__ import annotations

import contextlib
import os

STATEMENTS = "FREEZELINT_PROOFS_IMPORTS"
"""The variable of the environment that holds the statements, one a line."""

for _statement in os.environ.get(STATEMENTS, "").splitlines():
    # What is not there fails in the example that needs it.
    with contextlib.suppress(ImportError):
        exec(_statement, {})
