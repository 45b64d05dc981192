"""Manifests of living models: taken from them, and held against them."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import torch

from freezelint import __version__
from freezelint.runtime.contract import Role
from freezelint.runtime.fingerprint import Digester, has_bits
from freezelint.runtime.manifest import Manifest, TensorRecord
from freezelint.runtime.names import aligned
from freezelint.runtime.quiet import quietly
from freezelint.runtime.violations import Kind, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from freezelint.runtime.inventory import Entry


def manifest_of(entries: Sequence[Entry]) -> Manifest:
    """Record the roles and the bits of all entries as they are now."""
    digester = Digester()
    versions = {
        "freezelint": __version__,
        # A plain string: others may not be loaded from a checkpoint.
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }
    with quietly():
        return Manifest(tuple(_record_of(each, digester) for each in entries), versions)


def broken_promises(
    manifest: Manifest, entries: Sequence[Entry], whose: str = "the manifest"
) -> Iterator[Violation]:
    """What of a manifest's frozen tensors is no more what it was."""
    digester = Digester()
    by_name = {name: each for each in entries for name in each.names}
    places = aligned([record.name for record in manifest.tensors], by_name)
    for record in manifest.tensors:
        if record.role != Role.FROZEN.value and record.rows is None:
            continue
        entry = by_name.get(places.get(record.name, ""))
        if entry is None:
            yield Violation(
                Kind.FROZEN_REPLACED,
                record.name,
                0,
                f"{record.name} is frozen in {whose}, and the model has no such tensor",
            )
            continue
        with quietly():
            difference = _difference(record, _record_of(entry, digester, record.rows))
        if difference is not None:
            kind = Kind.BUFFER_CHANGED if entry.is_buffer else Kind.FROZEN_CHANGED
            if record.role != Role.FROZEN.value:
                kind = Kind.ROWS_CHANGED
            yield Violation(
                kind, entry.name, 0, f"{entry.name} is not as {whose} has it: {difference}"
            )


def _difference(then: TensorRecord, now: TensorRecord) -> str | None:
    if then.shape != now.shape:
        return f"its shape was {then.shape} and is {now.shape}"
    if then.dtype != now.dtype:
        return f"it was {then.dtype} and is {now.dtype}"
    if then.role == Role.FROZEN.value:
        is_other = then.digest != now.digest
    else:
        is_other = then.rows_digest != now.rows_digest
    return "its values changed since" if is_other else None


def _record_of(
    entry: Entry, digester: Digester, rows: tuple[int, int] | None = None
) -> TensorRecord:
    tensor = entry.tensor
    if rows is None and entry.rows is not None and tensor.dim():
        start, stop, _ = entry.rows.indices(len(tensor))
        rows = start, stop
    is_there = has_bits(tensor)
    return TensorRecord(
        name=entry.name,
        kind="buffer" if entry.is_buffer else "parameter",
        role=entry.role.value,
        shape=tuple(tensor.shape) if is_there else (),
        dtype=str(tensor.dtype).removeprefix("torch."),
        digest=_logical_digest(tensor, digester),
        rows=rows,
        rows_digest=None
        if rows is None
        else _logical_digest(tensor.detach()[rows[0] : rows[1]], digester),
    )


def _logical_digest(tensor: Tensor, digester: Digester) -> int | None:
    """The digest of a tensor as it would be stored: its memory's layout is no promise."""
    is_plain = tensor.layout is torch.strided and not hasattr(tensor, "__tensor_flatten__")
    if is_plain and has_bits(tensor) and not tensor.is_nested:
        tensor = tensor.detach().resolve_conj().resolve_neg().contiguous()
    digest = digester.digest(tensor)
    return None if digest is None else int(digest)
