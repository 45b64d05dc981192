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
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

    from freezelint.runtime.inventory import Entry
    from freezelint.runtime.whole_digests import Whole


def manifest_of(entries: Sequence[Entry], whole: Mapping[str, Whole]) -> Manifest:
    """Record the roles and the bits of all entries as they are now.

    Args:
        entries: Everything in the models.
        whole: What is known of parameters that are shared out among processes, by name.
    """
    digester = Digester()
    versions = {
        "freezelint": __version__,
        # A plain string: others may not be loaded from a checkpoint.
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }
    with quietly():
        records = [
            _record_of(each, name, digester, whole)
            for each in entries
            for name in (each.names if each.is_flat else (each.name,))
        ]
        return Manifest(tuple(records), versions)


def broken_promises(
    manifest: Manifest,
    entries: Sequence[Entry],
    whole: Mapping[str, Whole],
    whose: str = "the manifest",
) -> Iterator[Violation]:
    """What of a manifest's frozen tensors is no more what it was; ``whole`` as above."""
    digester = Digester()
    by_name = {name: each for each in entries for name in each.names}
    places = aligned([record.name for record in manifest.tensors], by_name)
    for record in manifest.tensors:
        if record.role != Role.FROZEN.value and record.rows is None:
            continue
        name = places.get(record.name, "")
        entry = by_name.get(name)
        if entry is None:
            yield Violation(
                Kind.FROZEN_REPLACED,
                record.name,
                0,
                f"{record.name} is frozen in {whose}, and the model has no such tensor",
            )
            continue
        with quietly():
            now = _record_of(entry, name, digester, whole, record.rows)
            difference = _difference(record, now, may_be_unknown=name in whole)
        if difference is not None:
            kind = Kind.BUFFER_CHANGED if entry.is_buffer else Kind.FROZEN_CHANGED
            if record.role != Role.FROZEN.value:
                kind = Kind.ROWS_CHANGED
            yield Violation(kind, name, 0, f"{name} is not as {whose} has it: {difference}")


def _difference(then: TensorRecord, now: TensorRecord, *, may_be_unknown: bool) -> str | None:
    if then.shape != now.shape:
        return f"its shape was {then.shape} and is {now.shape}"
    if then.dtype != now.dtype:
        return f"it was {then.dtype} and is {now.dtype}"
    before, after = then.digest, now.digest
    if then.role != Role.FROZEN.value:
        before, after = then.rows_digest, now.rows_digest
    is_other = before != after and not (may_be_unknown and after is None)
    return "its values changed since" if is_other else None


def _record_of(
    entry: Entry,
    name: str,
    digester: Digester,
    whole: Mapping[str, Whole],
    rows: tuple[int, int] | None = None,
) -> TensorRecord:
    tensor = entry.tensor
    if name in whole:
        return _record_of_whole(entry, name, whole[name])
    if rows is None and entry.rows is not None and tensor.dim():
        start, stop, _ = entry.rows.indices(len(tensor))
        rows = start, stop
    is_there = has_bits(tensor)
    return TensorRecord(
        name=name,
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


def _record_of_whole(entry: Entry, name: str, whole: Whole) -> TensorRecord:
    rows = None
    if entry.rows is not None and whole.shape:
        start, stop, _ = entry.rows.indices(whole.shape[0])
        rows = start, stop
    return TensorRecord(
        name=name,
        kind="parameter",
        role=entry.role.value,
        shape=whole.shape,
        dtype=str(entry.tensor.dtype).removeprefix("torch."),
        digest=whole.digest,
        rows=rows,
        rows_digest=whole.rows_digest,
    )


def _logical_digest(tensor: Tensor, digester: Digester) -> int | None:
    """The digest of a tensor as it would be stored: its memory's layout is no promise."""
    is_plain = tensor.layout is torch.strided and not hasattr(tensor, "__tensor_flatten__")
    if is_plain and has_bits(tensor) and not tensor.is_nested:
        tensor = tensor.detach().resolve_conj().resolve_neg().contiguous()
    digest = digester.digest(tensor)
    return None if digest is None else int(digest)
