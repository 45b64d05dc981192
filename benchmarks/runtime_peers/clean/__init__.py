"""The trainings that are right, with traps nearby; importing them registers them."""

from __future__ import annotations

from cases import CLEAN

import clean.fine_tuning
import clean.loops
import clean.several
import clean.tensors  # noqa: F401

__all__ = ["CLEAN"]
