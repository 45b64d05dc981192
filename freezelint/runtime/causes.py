"""Why did it move, why did it not: reasons that can be read off an optimizer and a tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from freezelint.records import NamedTuple
from freezelint.runtime.shards import own_values
from freezelint.runtime.structure import instead_of_freezing, parameters_of

if TYPE_CHECKING:
    from torch import Tensor

    from freezelint.runtime.inventory import Entry


class Reason(NamedTuple):
    """A sentence, and the rule that says more."""

    text: str
    cause: str | None = None


class Place(NamedTuple):
    """Where an optimizer holds a parameter."""

    group: int
    options: dict[str, Any]


def place_of(optimizer: Any, tensor: Tensor) -> Place | None:
    """The group in which an optimizer holds a tensor, if it does."""
    for number, each in parameters_of(optimizer):
        if each is tensor:
            return Place(number, optimizer.param_groups[number])
    return None


def option(place: Place, name: str) -> float:
    """A number among a group's options; 0 where there is none of that name."""
    value = place.options.get(name, 0)
    return float(value) if isinstance(value, (int, float, torch.Tensor)) else 0.0


def is_from_torch(optimizer: Any) -> bool:
    """Whether the optimizer is one of torch's own, of which it is known what they do."""
    return type(optimizer).__module__.startswith("torch.optim.")


def may_have_moved(entry: Entry, optimizer: Any) -> bool:
    """Whether a step of this optimizer can have changed a parameter that it holds."""
    if entry.tensor.grad is not None or isinstance(optimizer, torch.optim.LBFGS):
        return True
    return not is_from_torch(optimizer)


def why_moved_in_step(entry: Entry, optimizer: Any, place: Place | None) -> Reason:
    """Why a step changed a tensor that was promised to stay."""
    gradient = entry.tensor.grad
    if place is None:
        return Reason("the optimizer does not hold it under this name: something else wrote to it")
    if gradient is None or not entry.tensor.requires_grad:
        return why_moved_without_flag(entry.tensor, optimizer)
    if _is_zero(gradient):
        return _why_moved_on_zero(optimizer, place)
    stray = instead_of_freezing(entry)
    if stray is not None:
        return Reason(*stray)
    if not entry.requires_grad:
        return Reason("it was frozen, and its flag is on again", "FZ201")
    if not entry.module.training:
        return Reason("its flag is on: eval() does not freeze it", "FZ111")
    return Reason("its flag is on and it takes gradients")


def why_moved_without_flag(tensor: Tensor, optimizer: Any) -> Reason:
    """Why a step changed a tensor that takes no gradients, or that got none."""
    if tensor.grad is not None:
        return Reason("it still has a gradient from before it was frozen", "FZ305")
    if isinstance(optimizer, torch.optim.LBFGS):
        return Reason("LBFGS keeps moving along its history, gradient or not", "FZ305")
    return Reason("its gradient is None and the optimizer wrote to it all the same", "FZ308")


def _is_zero(gradient: Tensor) -> bool:
    # A question about all of a tensor that is shared out would make this wait for the others.
    gradient = own_values(gradient)
    numbers = gradient._values() if gradient.is_sparse else gradient  # noqa: SLF001
    return not bool(numbers.ne(0).any())


def _why_moved_on_zero(optimizer: Any, place: Place) -> Reason:
    decay = option(place, "weight_decay")
    if isinstance(optimizer, torch.optim.Rprop):
        return Reason("Rprop takes its step size, not the gradient's", "FZ307")
    if decay:
        return Reason(f"its gradient is zero, but weight decay {decay:g} is not", "FZ306")
    return Reason("its gradient is zero, but momentum from before goes on", "FZ306")


def why_wrote_outside(entry: Entry) -> Reason:
    """Why a tensor changed that no optimizer wrote to."""
    module = entry.module
    if entry.is_buffer and isinstance(module, nn.modules.batchnorm._NormBase):  # noqa: SLF001
        if module.training:
            return Reason("it runs in train mode, where it updates its statistics", "FZ401")
        return Reason("something wrote to it outside of an optimizer")
    if entry.is_buffer and module.training:
        return Reason("its module's forward writes to it in train mode", "FZ406")
    if getattr(module, "max_norm", None) is not None:
        return Reason("max_norm rewrites the rows that are looked up, in every forward", "FZ406")
    return Reason("something wrote to it outside of an optimizer")


def why_never_stepped(entry: Entry, who: str) -> Reason:
    """Why a parameter has not moved that no step was taken for."""
    text = f"{who} {'ever' if who.startswith('no ') else 'never'} took a step"
    gradient = entry.tensor.grad
    if gradient is not None and not bool(gradient.isfinite().all()):
        text += ": its gradient is not finite, and a gradient scaler leaves out such steps"
    return Reason(text)


def why_not_trained(
    entry: Entry,
    place: Place | None,
    *,
    was_reached: bool | None,
    ran: bool | None,
    begins_at_leaves: bool,
) -> Reason:
    """Why a parameter that should train has not moved.

    Args:
        entry: The parameter.
        place: Where an optimizer holds it, if one does.
        was_reached: Whether a backward pass reached it; None when nobody looked.
        ran: Whether its module ran; None when nobody looked.
        begins_at_leaves: Whether no backward pass begins at the result of anything.
    """
    gradient = entry.tensor.grad
    if not entry.tensor.requires_grad:
        return Reason("its flag is off", "FZ602" if not entry.requires_grad else None)
    if was_reached is False:
        if begins_at_leaves:
            return Reason(
                "backward() begins at a tensor that was made a leaf: it is no loss", "FZ503"
            )
        if ran:
            return Reason(
                "it gets no gradient: its module ran, but the result reaches the loss only "
                "through detach() or no_grad",
                "FZ501",
            )
        return Reason("it gets no gradient: its module never ran")
    if place is None:
        return Reason("it is in no optimizer", "FZ304" if not entry.requires_grad else "FZ312")
    if option(place, "lr") == 0:
        return Reason(f"the learning rate of its group {place.group} is 0")
    if gradient is None and was_reached:
        return Reason(
            "backward reaches it, but when its optimizer steps it has no gradient or a zero one, "
            "or the updates are too small to change a bit"
        )
    if gradient is None:
        return Reason("it gets no gradient", "FZ501")
    if _is_zero(gradient):
        return Reason("its gradient is zero")
    return Reason("its updates are too small to change a bit, or are taken back")
