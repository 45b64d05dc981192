"""The trainings with a bug, by family; importing them registers them."""

from __future__ import annotations

from cases import BUGS

import bugs.aliases
import bugs.attributes
import bugs.buffers
import bugs.flags
import bugs.gradients
import bugs.membership
import bugs.modes
import bugs.not_trained
import bugs.optimizers
import bugs.rows
import bugs.structure
import bugs.writes  # noqa: F401

__all__ = ["BUGS"]
