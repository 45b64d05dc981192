"""The same values in another order of memory, or on another device, are no change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from freezelint.runtime.inventory import strides_of
from freezelint.runtime.shards import own_values

if TYPE_CHECKING:
    from torch import Tensor

    from freezelint.runtime.inventory import Entry
    from freezelint.runtime.readings import Readings


def is_the_same_elsewhere(entry: Entry, readings: Readings) -> bool:
    """Whether a tensor was only laid out anew or moved, as ``to(memory_format=...)`` does.

    Digests follow the order of memory, and a device's own size of pieces. Needs a copy
    of this one tensor, for the moment.
    """
    strides, device = strides_of(entry.tensor), entry.tensor.device
    has_new_order = strides != entry.strides and len(strides) == len(entry.strides) > 0
    if entry.rows is not None or not (has_new_order or device != entry.device):
        return False
    if readings.digest_of(_as_before(entry)) != entry.digest:
        return False
    entry.strides, entry.device = strides, device
    return True


def _as_before(entry: Entry) -> Tensor:
    tensor = own_values(entry.tensor)
    if not entry.strides or tensor.shape != entry.tensor.shape:
        return tensor.to(entry.device)
    return torch.empty_strided(
        tensor.shape, entry.strides, dtype=tensor.dtype, device=entry.device
    ).copy_(tensor)
