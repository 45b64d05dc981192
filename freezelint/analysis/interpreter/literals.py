"""Literals as values: those that names of the file and of its classes stand for."""

from __future__ import annotations

from freezelint.analysis.values import Constant, MappingValue, SequenceValue, Value


def value_of(literal: object) -> Value:
    """A literal of Python as the interpreter has it."""
    if isinstance(literal, (list, tuple, set)):
        return SequenceValue(tuple(map(value_of, literal)))
    if isinstance(literal, dict):
        return MappingValue(tuple((key, value_of(value)) for key, value in literal.items()))
    return Constant(literal)
