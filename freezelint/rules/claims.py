"""What a rule claims to happen, in words that a run can confirm or refute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from freezelint.findings import Consequence


class Claim(NamedTuple):
    """One thing that a run of a rule's bad example shows, and a run of its good one does not."""

    consequence: Consequence
    """What happens.

    - ``moves``: parameters that were meant to stay change.
    - ``drifts``: buffers of a frozen part change.
    - ``dead``: parameters that were meant to train never change.
    - ``cut``: parameters that were meant to train get no gradient.
    - ``raises``: the script ends with :attr:`error`.
    - ``wastes``: an optimizer holds, or a backward pass computes gradients for, what is frozen.
    - ``random``: what is frozen was never trained: it is what its constructor drew.
    - ``differs``: a frozen part computes something else than it does in evaluation mode.
    - ``diverges``: processes that train one model together end with different values.
    """
    subject: str = ""
    """Which tensors (or modules), as a glob over the names that the example gives them.

    The first part is the variable of the script that holds the model: ``model.backbone.*``.
    ``dead`` and ``cut`` hold if they hold of all that it names, the others if of one.
    """
    after: int = 0
    """Optimizer steps that come before what is claimed: training that is meant to happen."""
    error: str = ""
    """The error's type and the beginning of its text: ``ValueError: optimizer got an empty``."""
    instead: str = ""
    """The subject in the good example, if it has another name there."""
