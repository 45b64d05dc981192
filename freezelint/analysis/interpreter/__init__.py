"""Runs one scope abstractly, in order, and announces what happens."""

from freezelint.analysis.interpreter.machine import BudgetSpent, Interpreter

__all__ = ["BudgetSpent", "Interpreter"]
