"""What is to be watched: models and optimizers, in whatever way they were handed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def subjects_of(subjects: Iterable[Any]) -> tuple[dict[str, nn.Module], dict[str, Any]]:
    """Sort models and optimizers, each by a name.

    The names of the tensors of a lone model have no prefix.

    Raises:
        TypeError: if something is neither, or there is no model.
    """
    models: list[tuple[str | None, nn.Module]] = []
    optimizers: list[tuple[str | None, Any]] = []
    for key, subject in _flattened(None, subjects):
        if isinstance(subject, nn.Module):
            models.append((key, subject))
        elif hasattr(subject, "param_groups") and hasattr(subject, "step"):
            optimizers.append((key, subject))
        else:
            raise TypeError(
                f"{type(subject).__name__} is neither a model nor an optimizer "
                "(something with param_groups and step)"
            )
    if not models:
        raise TypeError("there is nothing to watch: hand over a model, then its optimizers")
    if len(models) == 1 and models[0][0] is None:
        return {"": models[0][1]}, _named(optimizers)
    return _named(models, keeps_further_names=True), _named(optimizers)


def _flattened(key: str | None, subjects: Iterable[Any]) -> Iterator[tuple[str | None, Any]]:
    for each in subjects:
        if isinstance(each, dict):
            yield from ((str(name), value) for name, value in each.items())
        elif isinstance(each, (list, tuple)):
            yield from _flattened(key, each)
        elif each is not None:
            yield key, each


def _named(
    things: Iterable[tuple[str | None, Any]], *, keeps_further_names: bool = False
) -> dict[str, Any]:
    """Name each thing once, or by every key, if it was handed over with nothing but keys."""
    named: dict[str, Any] = {}
    keys: set[str] = set()
    for key, thing in things:
        known = {name for name, each in named.items() if each is thing}
        is_further_name = keeps_further_names and key is not None and key not in named
        if known and not (is_further_name and known <= keys):
            continue
        name = key or type(thing).__name__
        number = 2
        while name in named:
            name = f"{key or type(thing).__name__}{number}"
            number += 1
        named[name] = thing
        if key is not None:
            keys.add(name)
    return named
