"""The register of cases: trainings with a freeze bug, and clean ones with traps nearby."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from training import Training

Kind = Literal[
    "alias",
    "buffer-changed",
    "flag-flipped",
    "frozen-changed",
    "frozen-replaced",
    "not-optimized",
    "not-trained",
    "nothing-trainable",
    "orphan",
    "rows-changed",
    "stale-gradient",
    "stray-attribute",
    "train-mode",
    "unowned-gradient",
]
Builder = Callable[[], Training]
AnyBuilder = TypeVar("AnyBuilder", bound=Builder)
SEED = 20


@dataclass(frozen=True)
class Case:
    """A training that can be built again and again, the same each time."""

    name: str
    about: str
    builder: Builder

    def build(self) -> Training:
        """A fresh training."""
        torch.manual_seed(SEED)
        return self.builder()


@dataclass(frozen=True)
class Bug(Case):
    """A training whose author is wrong about it."""

    kind: Kind
    tensors: tuple[str, ...]
    """Globs over what the bug is about; nothing where that has no name."""
    or_kinds: tuple[Kind, ...]
    """Kinds that describe it as well as `kind` does."""

    @property
    def kinds(self) -> set[str]:
        """Every kind that is right."""
        return {self.kind, *self.or_kinds}


BUGS: dict[str, Bug] = {}
CLEAN: dict[str, Case] = {}


def bug(
    *tensors: str, kind: Kind, or_kinds: tuple[Kind, ...] = ()
) -> Callable[[AnyBuilder], AnyBuilder]:
    """Register a training with a bug; its docstring says what the bug is."""

    def register(builder: AnyBuilder) -> AnyBuilder:
        name = _new_name(builder)
        BUGS[name] = Bug(name, _about(builder), builder, kind, tensors, or_kinds)
        return builder

    return register


def clean(builder: AnyBuilder) -> AnyBuilder:
    """Register a training that is right; its docstring says what looks wrong about it."""
    name = _new_name(builder)
    CLEAN[name] = Case(name, _about(builder), builder)
    return builder


def _new_name(builder: Builder) -> str:
    name = getattr(builder, "__name__", "").replace("_", " ")
    if not name or name in BUGS or name in CLEAN:
        message = f"a case needs a name of its own: {name!r}"
        raise ValueError(message)
    return name


def _about(builder: Builder) -> str:
    """The docstring on one line."""
    text = inspect.getdoc(builder)
    if not text:
        message = f"a case needs a docstring: {builder}"
        raise ValueError(message)
    return " ".join(text.split()).removesuffix(".")
