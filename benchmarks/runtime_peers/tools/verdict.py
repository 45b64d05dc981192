"""What a tool says of a training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from training import OptimizerLike, Training

Moment = str
BEFORE, AROUND, AFTER = "before", "around", "after"


@dataclass(frozen=True)
class Remark:
    """One warning or error that speaks of freezing, training, gradients or modes."""

    text: str
    tensors: tuple[str, ...] = ()
    """What it names; nothing where it names nothing."""
    kind: str = ""
    """freezelint's word for it."""
    advice: bool = False
    """General advice that comes near the subject, counted apart."""


@dataclass(frozen=True)
class Verdict:
    """All remarks on a training."""

    remarks: tuple[Remark, ...] = ()

    @property
    def alarm(self) -> bool:
        """Whether something is wrong, to the tool."""
        return any(not remark.advice for remark in self.remarks)

    @property
    def message(self) -> str:
        """All of it."""
        return "; ".join(remark.text for remark in self.remarks)


def names_in(details: Any, known: Iterable[str], prefix: str = "") -> tuple[str, ...]:
    """The names of a training that occur in a message's details, each once."""
    known = set(known)
    found = (prefix + text for text in texts_in(details))
    return tuple(dict.fromkeys(name for name in found if name in known))


def texts_in(details: Any) -> Iterable[str]:
    """Every text in nested lists and mappings, without the keys."""
    if isinstance(details, str):
        yield details
    elif isinstance(details, Mapping):
        for value in details.values():
            yield from texts_in(value)
    elif isinstance(details, list | tuple | set):
        for value in details:
            yield from texts_in(value)


def held_by(optimizer: OptimizerLike) -> set[int]:
    """The identities of what an optimizer holds."""
    return {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}


def models_of(training: Training, optimizer: OptimizerLike) -> list[str]:
    """The keys of the models that an optimizer holds parameters of."""
    held = held_by(optimizer)
    models = training.models.items()
    return [key for key, model in models if held & {id(p) for p in model.parameters()}]


def prefix_of(training: Training, key: str) -> str:
    """What stands before the names of one model."""
    return "" if len(training.models) == 1 else f"{key}."


def beyond_the_flags(kind: str, training: Training) -> str:
    """Why a tool that takes no names cannot know that what changed was meant to stay."""
    parameters = training.named_parameters()
    frozen = training.parameters_under(training.frozen)
    if kind == "frozen-changed" and any(parameters[name].requires_grad for name in frozen):
        return "takes no names; the flags are on"
    return ""
