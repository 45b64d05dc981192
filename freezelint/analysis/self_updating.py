"""Modules that change in their own forward pass, whatever their flags say.

Running statistics of BatchNorm have a file of their own.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import Wrapped
from freezelint.analysis.values import Constant

if TYPE_CHECKING:
    from freezelint.analysis.definitions import ClassDefinition, Definition
    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.trace import Trace

_BUFFER = re.compile(r"register_buffer\(\s*[\"'](\w+)[\"']")
_IN_TRAINING_ONLY = re.compile(
    r"^\s*if (?:torch\.is_grad_enabled\(\) and )?self\.training"
    r"(?: and self\.\w+ ?[<>!=]=? ?[\d.]+)*:\s*(?:#[^\n]*)?$"
    r"|^\s*if not self\.training:\s*(?:#[^\n]*)?\n\s*return\b",
    re.MULTILINE,
)
"""Where nothing but the mode decides, or a number that the constructor was given."""
_MAX_NORM = (3, "max_norm")
"""Where embeddings are told to clip: position and name, also in ``from_pretrained``."""


class Update(enum.Enum):
    """What a forward pass changes."""

    POWER_ITERATION = "power iteration"
    """The vectors of spectral norm, in training mode."""
    OWN_BUFFER = "own buffer"
    """A buffer that the forward pass of a class in sight writes in training mode."""
    CLIPPED_ROWS = "clipped rows"
    """Rows of an embedding that are longer than ``max_norm``, in any mode."""


def update_in_forward(trace: Trace, module: ModuleObject) -> Update | None:
    """What a forward pass of a module changes in it, itself only; None for most modules."""
    package, _, layer = (module.library or "").rpartition(".")
    if package == "torch.nn" and layer in ("Embedding", "EmbeddingBag"):
        limit = None if module.arguments is None else module.arguments.get(*_MAX_NORM)
        is_set = isinstance(limit, Constant) and isinstance(limit.value, (int, float))
        return Update.CLIPPED_ROWS if is_set else None
    if module.owner_class is not None:
        return Update.OWN_BUFFER if written_buffer(module.owner_class.definition) else None
    if any(
        each.key == module.key and each.wrapper.endswith(".spectral_norm")
        for each in trace.all(Wrapped)
    ):
        return Update.POWER_ITERATION
    return None


def written_buffer(definition: ClassDefinition) -> str | None:
    """A buffer that ``forward`` writes where nothing but training mode is asked for."""
    forward = definition.methods.get("forward")
    buffers = _BUFFER.findall(definition.text)
    if forward is None or not buffers or "train" in definition.methods:
        return None
    names = "|".join(map(re.escape, buffers))
    write = re.compile(
        rf"self\.({names})(?:\.data)?(?:\[[^\]\n]*\])?"
        r"(?:\.(?:mul|add|sub|div|copy|lerp|fill)_\(|\s*[-+*/]?=(?!=))"
    )
    helpers = [each for name, each in definition.methods.items() if name in forward.words]
    if _IN_TRAINING_ONLY.search(forward.text) is None:
        helpers = [each for each in helpers if _IN_TRAINING_ONLY.search(each.text)]
        return _first(write, helpers)
    return _first(write, [forward, *helpers])


def _first(pattern: re.Pattern[str], methods: list[Definition]) -> str | None:
    found = (pattern.search(each.text) for each in methods if each.name != "__init__")
    return next((each[1] for each in found if each is not None), None)
