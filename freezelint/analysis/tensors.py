"""Tensors: from which modules they were computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.values import (
    BoundMethod,
    Constant,
    ElementsValue,
    MappingValue,
    SequenceValue,
    TensorValue,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def sources_of(tensor: TensorValue) -> tuple[int, ...]:
    """All modules from whose output a tensor was computed, with a graph or without."""
    return (tensor.cut_from or tensor.modules) + tensor.upstream + tensor.severed


def graph_sources(tensor: TensorValue) -> tuple[int, ...]:
    """The modules from whose output a tensor was computed, to which a graph may lead."""
    return tensor.modules + tensor.upstream if tensor.cut_from is None else ()


def cut_sources(tensor: TensorValue) -> tuple[int, ...]:
    """The modules whose output went into a tensor without a graph."""
    return (tensor.cut_from or ()) + tensor.severed


def tensors_in(values: Iterable[Value]) -> Iterator[TensorValue]:
    """The tensors among values, and in sequences and dicts."""
    return (each for each in operands_in(values) if isinstance(each, TensorValue))


def operands_in(values: Iterable[Value]) -> Iterator[Value]:
    """The values, and those in sequences, that may be tensors."""
    for value in values:
        if isinstance(value, SequenceValue):
            yield from operands_in(value.items)
        elif isinstance(value, MappingValue) and value.complete:
            yield from operands_in(each for _, each in value.items)
        elif isinstance(value, ElementsValue):
            yield from operands_in((value.element,))
        elif isinstance(value, BoundMethod):
            # An attribute that is read and not called, such as `.values`, is a tensor too.
            yield value.receiver
        elif not isinstance(value, Constant):
            yield value
