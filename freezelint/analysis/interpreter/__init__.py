"""Runs one scope abstractly, in order, and announces what happens."""

from freezelint.analysis.interpreter.budget import BudgetSpent
from freezelint.analysis.interpreter.machine import Interpreter

__all__ = ["BudgetSpent", "Interpreter"]
