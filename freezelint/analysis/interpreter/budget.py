"""How much of a scope is run before it is given up."""

from __future__ import annotations

STATEMENT_BUDGET = 8_000
"""Statements that one root may execute; training scripts need up to five hundred."""

CLASS_BUDGET = 4_000
"""Statements that all methods of a class may execute together."""

METHOD_BUDGET = 1_500
"""Statements that one method of a class may execute, with all that it calls."""


class BudgetSpent(Exception):
    """A scope takes too long to follow; nothing is said about it."""


class Budget:
    """Counts the statements that a root executes."""

    def __init__(self) -> None:
        """Start with what a root may execute."""
        self._spent = 0
        self._limit = STATEMENT_BUDGET

    def spend(self) -> None:
        """Count one statement.

        Raises:
            BudgetSpent: when it is one too many.
        """
        self._spent += 1
        if self._spent > self._limit:
            raise BudgetSpent

    def grant_a_method(self) -> None:
        """Allow what a method may execute, within what its class may execute in all."""
        self._limit = min(self._spent + METHOD_BUDGET, CLASS_BUDGET)
