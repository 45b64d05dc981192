"""What the interpreter announces of libraries that train, or that set flags by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import Event, FlagWritten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freezelint.analysis.values import Value


class FlagsSetByLibrary(FlagWritten):
    """A library set flags as a part of what it was asked for.

    Whoever asks for the state of flags hears of it; rules about flags that somebody
    wrote on purpose do not.
    """

    function: str
    """What was called: ``get_peft_model``."""


class AdaptersAdded(Event):
    """A library put adapters into a model."""

    model: int
    """What the library handed out."""
    base: int
    """The model that the adapters went into."""
    adapters: int
    label: str
    """What the code calls the model."""
    is_loaded: bool = False
    """They have been trained before and come from a file."""
    trains: bool | None = True
    """Whether they are trainable as they are added; None if that is not known."""
    configuration: Mapping[str, Value] | None = None
    """The keyword arguments of the adapters' configuration; None if it is not in sight."""


class AdaptersRemoved(Event):
    """``merge_and_unload()`` or ``unload()`` handed out the model without its adapters."""

    base: int
    adapters: tuple[int, ...]
    label: str
    method: str


class FrozenWithoutNorms(Event):
    """A helper froze a module and made the layers of BatchNorm in it trainable."""

    key: int
    label: str
    is_chosen: bool
    """The code says that these layers are to train, or may say so."""
    function: str
    """What froze: ``freeze``, or the callback that calls it."""


class TrainerStarted(Event):
    """A framework that builds the optimizer by itself begins to train a model.

    The optimizer takes what requires gradients at this moment.
    """

    key: int
    label: str
    """What the code calls the model."""
    trainer: int
    optimizer: int
    builds_optimizer: bool = True
    """False if it has an optimizer, or may build one in another way than usual."""
    keeps_flags: bool = False
    """Nothing runs in it but the library: no callbacks, and no methods of a class in the file."""
