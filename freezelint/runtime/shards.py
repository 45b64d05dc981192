"""What of a tensor this process has, where FSDP or a DTensor shares it out among several."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.parameter import is_lazy

from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from freezelint.runtime.inventory import Entry


class Piece(NamedTuple):
    """Consecutive values of a parameter, as this process has them."""

    name: str
    """Of the parameter, which may be one of several in a flat one."""
    shape: tuple[int, ...]
    """Of the whole parameter."""
    first: int
    """How many of its values come before, in their logical order."""
    values: Tensor
    """One-dimensional; none where this process has nothing of it."""


def own_values(tensor: Tensor) -> Tensor:
    """The values of a tensor that are in this process: all, or its part of a DTensor."""
    own: Any = tensor.detach()
    values: Tensor = own.to_local() if hasattr(own, "to_local") else own
    return values


def has_none(tensor: Tensor) -> bool:
    """Whether all values of a tensor are in other processes."""
    return not is_lazy(tensor) and not tensor.is_nested and own_values(tensor).numel() == 0


def is_shared_out(entry: Entry) -> bool:
    """Whether other processes may have values of a tensor that this one lacks."""
    if hasattr(entry.tensor, "placements"):
        return not all(each.is_replicate() for each in entry.tensor.placements)
    return not entry.is_buffer and _handle_of(entry) is not None


def is_view_of_flat(entry: Entry) -> bool:
    """Whether a parameter is a part of a flat one that the optimizer does not see."""
    return not entry.is_flat and not entry.is_buffer and _handle_of(entry) is not None


def pieces_of(entry: Entry) -> list[Piece] | None:
    """What this process has of a tensor that is shared out.

    Returns:
        A piece for each parameter (a flat parameter of FSDP holds several), or None if it
        is cut in a way that leaves no consecutive values, such as by columns.
    """
    if hasattr(entry.tensor, "placements"):
        return _of_dtensor(entry)
    handle = _handle_of(entry)
    return None if handle is None else _of_flat(entry, handle.flat_param)


def own_rows(entry: Entry, rows: slice) -> Tensor:
    """Those values of some rows of a tensor that this process has, one-dimensional."""
    pieces = pieces_of(entry)
    if not pieces or len(pieces) > 1:
        return entry.tensor.new_empty(0)
    (piece,) = pieces
    start, stop, _ = rows.indices(piece.shape[0])
    row = math.prod(piece.shape[1:])
    return piece.values[max(start * row - piece.first, 0) : max(stop * row - piece.first, 0)]


def shard_text(entry: Entry) -> str:
    """Which values this process has, for a message; empty if it has all."""
    if not is_shared_out(entry):
        return ""
    pieces = pieces_of(entry)
    shard = f"in the shard of rank {dist.get_rank()}"
    if not pieces or len(pieces) > 1:
        return shard
    (piece,) = pieces
    last = max(piece.first + piece.values.numel() - 1, piece.first)
    return f"{shard}: values {piece.first:,} to {last:,} of {math.prod(piece.shape):,}"


def first_alike(entry: Entry) -> int | None:
    """The first of the ranks that, by what wraps a tensor, have the same or their share of it.

    None where no wrapper says so.
    """
    tensor: Any = entry.tensor
    if hasattr(tensor, "placements"):
        return int(tensor.device_mesh.mesh.min())
    owner: Any
    for owner in entry.owners:
        if isinstance(owner, DistributedDataParallel):
            is_left_out = _is_left_out(entry, owner)
            return None if is_left_out else min(dist.get_process_group_ranks(owner.process_group))
        if _is_fsdp(owner):
            return min(dist.get_process_group_ranks(owner.process_group))
    return None


def _is_left_out(entry: Entry, ddp: Any) -> bool:
    """Whether DDP was told to leave a tensor to each process."""
    if entry.is_buffer and not ddp.broadcast_buffers:
        return True
    ignored = getattr(ddp, "parameters_to_ignore", None)
    if not ignored:
        return False
    named = {**dict(ddp.module.named_parameters()), **dict(ddp.module.named_buffers())}
    return any(named.get(name) is entry.tensor for name in ignored)


def _is_fsdp(module: nn.Module) -> bool:
    """Whether this is FSDP's wrapper, of the kind that makes flat parameters."""
    return "_fsdp_wrapped_module" in module._modules and hasattr(module, "process_group")  # noqa: SLF001


def _handle_of(entry: Entry) -> Any:
    """What looks after the flat parameter that an entry is in, if FSDP shares it out."""
    for owner in entry.owners:
        handle = getattr(owner, "_handle", None) if _is_fsdp(owner) else None
        if handle is not None and getattr(handle, "uses_sharded_strategy", False):
            flat = handle.flat_param
            if flat is entry.tensor or _position_in(entry, flat) is not None:
                return handle
    return None


def _position_in(entry: Entry, flat: Any) -> int | None:
    for position, (attribute, module, _) in enumerate(flat._param_infos):  # noqa: SLF001
        if module is entry.module and attribute == entry.attribute:
            return position
    return None


def _of_flat(entry: Entry, flat: Any) -> list[Piece] | None:
    """The pieces in a flat parameter, or in what is left of a parameter that FSDP put into one."""
    infos, shapes = flat._shard_param_infos, flat._shapes  # noqa: SLF001
    if entry.is_flat:
        values = entry.tensor.detach()
        pieces = []
        for name, info, shape in zip(entry.names, infos, shapes, strict=True):
            start, count = (info.offset_in_shard, info.numel_in_shard) if info.in_shard else (0, 0)
            if start + count > values.numel():
                return None
            part = values[start : start + count]
            pieces.append(Piece(name, tuple(shape), info.intra_param_start_idx or 0, part))
        return pieces
    position = _position_in(entry, flat)
    if position is None:
        return None
    info, values = infos[position], entry.tensor.detach().reshape(-1)
    if values.numel() != (info.numel_in_shard or 0):
        # The whole is there for the moment.
        return None
    return [Piece(entry.name, tuple(shapes[position]), info.intra_param_start_idx or 0, values)]


def _of_dtensor(entry: Entry) -> list[Piece] | None:
    tensor: Any = entry.tensor
    cuts = [
        (number, each) for number, each in enumerate(tensor.placements) if not each.is_replicate()
    ]
    if len(cuts) != 1 or not cuts[0][1].is_shard(0):
        return None
    number, _ = cuts[0]
    mesh = tensor.device_mesh
    # As torch.chunk cuts: all but the last ones have the same number of rows.
    per_rank = -(-tensor.shape[0] // mesh.size(number))
    row = math.prod(tensor.shape[1:])
    first = min(per_rank * mesh.get_local_rank(number), tensor.shape[0])
    values = own_values(tensor).contiguous().reshape(-1)
    return [Piece(entry.name, tuple(tensor.shape), first * row, values)]
