"""The same values in another order of memory are no change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from freezelint.runtime.inventory import strides_of

if TYPE_CHECKING:
    from freezelint.runtime.inventory import Entry
    from freezelint.runtime.readings import Readings


def is_the_same_in_another_order(entry: Entry, readings: Readings) -> bool:
    """Whether a tensor was only laid out anew, as ``to(memory_format=...)`` does.

    Needs a copy of this one tensor, for the moment.
    """
    strides = strides_of(entry.tensor)
    if strides == entry.strides or not strides or entry.rows is not None:
        return False
    if len(strides) != len(entry.strides):
        return False
    as_before = torch.empty_strided(
        entry.tensor.shape, entry.strides, dtype=entry.tensor.dtype, device=entry.tensor.device
    ).copy_(entry.tensor)
    if readings.digest_of(as_before) != entry.digest:
        return False
    entry.strides = strides
    return True
