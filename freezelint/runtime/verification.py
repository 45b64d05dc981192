"""A checkpoint against a manifest: which frozen tensors did it change?"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from freezelint.records import NamedTuple
from freezelint.runtime.checkpoints import CheckpointError, open_checkpoint
from freezelint.runtime.names import aligned
from freezelint.runtime.stored_digest import digest_of_pieces

if TYPE_CHECKING:
    from pathlib import Path

    from freezelint.runtime.checkpoints import StoredTensor
    from freezelint.runtime.manifest import Manifest, TensorRecord


class Status(enum.Enum):
    """What a checkpoint has of one tensor."""

    SAME = "same"
    CHANGED = "changed"
    RESHAPED = "reshaped"
    CONVERTED = "converted"
    """Stored as another dtype, so that bits cannot be compared."""
    MISSING = "missing"


class Verdict(NamedTuple):
    """One tensor of the manifest, and what became of it."""

    record: TensorRecord
    status: Status
    stored: str | None
    """Its name in the checkpoint."""
    detail: str = ""

    @property
    def is_frozen(self) -> bool:
        """Whether it, or some of its rows, must stay."""
        return self.record.role == "frozen" or self.record.rows is not None


def verify(manifest: Manifest, checkpoint: Path) -> list[Verdict]:
    """Compare what a manifest says of frozen and trainable tensors with a checkpoint.

    Raises:
        CheckpointError: if it cannot be read, or holds nothing that the manifest names.
    """
    records = {
        record.name: record
        for record in manifest.tensors
        if record.role in ("frozen", "trainable") or record.rows is not None
    }
    best: dict[str, str] = {}
    tensors: dict[str, StoredTensor] = {}
    for each in open_checkpoint(checkpoint):
        names = aligned(records, each)
        if len(names) > len(best):
            best, tensors = names, each
    if records and not best:
        raise CheckpointError(f"{checkpoint} holds no tensor that the manifest names")
    return [_judge(record, best.get(name), tensors) for name, record in records.items()]


def _judge(record: TensorRecord, stored: str | None, tensors: dict[str, StoredTensor]) -> Verdict:
    if stored is None:
        return Verdict(record, Status.MISSING, None)
    tensor = tensors[stored]
    if tensor.shape != record.shape:
        detail = f"{record.shape} became {tensor.shape}"
        return Verdict(record, Status.RESHAPED, stored, detail)
    if tensor.dtype != record.dtype:
        detail = f"{record.dtype} became {tensor.dtype}"
        return Verdict(record, Status.CONVERTED, stored, detail)
    # Of a tensor that trains but for some rows, these are what was promised.
    is_whole = record.role == "frozen" or record.rows is None
    rows = None if is_whole else record.rows
    expected = record.digest if is_whole else record.rows_digest
    found = digest_of_pieces(tensor.pieces(rows), tensor.size)
    return Verdict(record, Status.SAME if found == expected else Status.CHANGED, stored)
